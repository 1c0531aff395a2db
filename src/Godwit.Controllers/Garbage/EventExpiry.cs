namespace Godwit.Controllers.Garbage;

/// <summary>Deletes events that are older than an hour. They are listed now and then and not followed: nobody waits for this.</summary>
internal sealed partial class EventExpiry(ResourceClient<Event> events, TimeProvider clock, ILogger logger) : IController
{
    public static readonly TimeSpan KeptFor = TimeSpan.FromHours(1);

    private static readonly TimeSpan Period = TimeSpan.FromMinutes(5);

    private long runs;
    private long failures;

    public string Name => "eventexpiry";

    /// <summary>It waits for its period alone.</summary>
    public Func<double>? Chance { get; set; }

    public ControllerCounts Counts => new(Interlocked.Read(ref runs), Interlocked.Read(ref failures), 0);

    public async Task RunAsync(CancellationToken stopping)
    {
        using var timer = new PeriodicTimer(Period, clock);
        try
        {
            do
            {
                await TryExpireAsync(stopping);
            }
            while (await timer.WaitForNextTickAsync(stopping));
        }
        catch (OperationCanceledException)
        {
        }
    }

    internal static bool IsExpired(Event told, DateTimeOffset now) =>
        now - (told.Series?.LastObservedTime ?? told.LastTimestamp ?? told.EventTime ?? told.Metadata.CreationTimestamp ?? now) > KeptFor;

    private async Task TryExpireAsync(CancellationToken stopping)
    {
        runs++;
        try
        {
            var list = await events.ListAsync(ListOptions.All, stopping);
            foreach (var told in list.Items.Where(told => IsExpired(told, clock.GetUtcNow())))
            {
                // An event that was repeated meanwhile is not the one that was seen to be old.
                var exactly = new Preconditions { Uid = told.Metadata.Uid, ResourceVersion = told.Metadata.ResourceVersion };
                try
                {
                    await events.TryDeleteAsync(ResourceKey.Of(told), new DeleteOptions { Preconditions = exactly }, stopping);
                }
                catch (ApiException error) when (error.IsConflict)
                {
                }
            }
        }
        catch (Exception error) when (error is ApiException or ClusterUnreachableException)
        {
            failures++;
            Log.NotExpired(logger, Base.ErrorChain.Describe(error));
        }
    }

    private static partial class Log
    {
        [LoggerMessage(1, LogLevel.Warning, "Old events were not deleted: {Cause}")]
        public static partial void NotExpired(ILogger logger, string cause);
    }
}
