using Godwit.Base;

namespace Godwit.Controllers;

/// <summary>
/// One duty, kept by looking. Which keys need a look is decided by <see cref="Subscribe"/>; what a look does, by
/// <see cref="ReconcileAsync"/>, which is given a key and nothing else: it reads what is there, plans by a pure function,
/// acts, and may be cut off between any two acts, because the next look plans from what it then finds.
/// <para>A signal and the periodic look at everything take the same path, so a lost signal costs time and nothing else.</para>
/// </summary>
internal abstract class Controller<TKey>(string name, TimeProvider clock, ILogger logger) : IController
    where TKey : notnull
{
    /// <summary>Every key is looked at at least this often.</summary>
    public static readonly TimeSpan ResyncPeriod = TimeSpan.FromMinutes(5);

    private static readonly Backoff RetryBackoff = new(TimeSpan.FromMilliseconds(100), TimeSpan.FromSeconds(30));

    private WorkQueue<TKey>? queue;

    private ReconcileLoop<TKey>? loop;

    public string Name { get; } = name;

    protected TimeProvider Clock { get; } = clock;

    protected ILogger Logger { get; } = logger;

    public Func<double>? Chance { get; set; }

    public ControllerCounts Counts => loop is null ? default : new ControllerCounts(loop.RunCount, loop.FailureCount, loop.WaitingCount);

    /// <summary>Ties changes of objects to keys. Called once, when all caches are full.</summary>
    protected abstract void Subscribe();

    /// <summary>All keys there are, for the periodic look.</summary>
    protected abstract IEnumerable<TKey> AllKeys();

    protected abstract Task<NextLook> ReconcileAsync(TKey key, CancellationToken stopping);

    /// <summary>More than one worker only where looks at different keys do not depend on each other.</summary>
    protected virtual int Workers => 1;

    protected void Enqueue(TKey key) => queue?.Add(key);

    protected void EnqueueAll()
    {
        foreach (var key in AllKeys())
        {
            queue?.Add(key);
        }
    }

    public async Task RunAsync(CancellationToken stopping)
    {
        using var keys = new WorkQueue<TKey>(Clock, RetryBackoff, chance: Chance);
        queue = keys;
        loop = new ReconcileLoop<TKey>(Name, keys, ReconcileAsync, Logger);
        Subscribe();
        await Task.WhenAll(loop.RunAsync(Workers, stopping), ResyncAsync(stopping));
    }

    private async Task ResyncAsync(CancellationToken stopping)
    {
        using var timer = new PeriodicTimer(ResyncPeriod, Clock);
        try
        {
            while (await timer.WaitForNextTickAsync(stopping))
            {
                EnqueueAll();
            }
        }
        catch (OperationCanceledException)
        {
        }
    }
}

/// <summary>A controller whose keys are those of objects.</summary>
internal abstract class Controller(string name, TimeProvider clock, ILogger logger) : Controller<ResourceKey>(name, clock, logger);

/// <summary>What the host of the controllers needs of each.</summary>
internal interface IController
{
    string Name { get; }

    ControllerCounts Counts { get; }

    /// <summary>Jitter of the waits before something that failed is tried again, uniform in [0, 1); null takes the shared generator. Set before it runs.</summary>
    Func<double>? Chance { get; set; }

    /// <summary>Works until cancelled.</summary>
    Task RunAsync(CancellationToken stopping);
}

/// <summary>For metrics: looks so far, those that failed, keys that wait.</summary>
public readonly record struct ControllerCounts(long Runs, long Failures, int Waiting);
