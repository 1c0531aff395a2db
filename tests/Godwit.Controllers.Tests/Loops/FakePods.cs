using Microsoft.Extensions.Logging.Abstractions;

namespace Godwit.Controllers.Tests.Loops;

/// <summary>
/// All nodes' agents, as far as pods are concerned, without containers behind them: what is bound runs and becomes ready,
/// what is deleted is let go. It can be told to misbehave.
/// </summary>
internal sealed class FakePods : IAsyncDisposable
{
    private readonly CancellationTokenSource ending = new();
    private readonly ResourceClient<Pod> pods;
    private readonly ResourceCache<Pod> cache;
    private readonly WorkQueue<ResourceKey> queue = new(TimeProvider.System, new Backoff(TimeSpan.FromMilliseconds(5), TimeSpan.FromMilliseconds(100)));
    private readonly TimeProvider clock;
    private readonly Task running;

    public FakePods(ClusterClient client, TimeProvider clock)
    {
        this.clock = clock;
        pods = client.For<Pod>();
        cache = new ResourceCache<Pod>(pods, ListOptions.All, TimeProvider.System, NullLogger.Instance);
        cache.Subscribe(change => queue.Add(change.Key));
        var loop = new ReconcileLoop<ResourceKey>("pods", queue, TendAsync, NullLogger.Instance);
        running = Task.WhenAll(cache.RunAsync(ending.Token), loop.RunAsync(2, ending.Token));
    }

    /// <summary>Whether a pod becomes ready; asked again at each change of it.</summary>
    public Func<Pod, bool> BecomesReady { get; set; } = _ => true;

    /// <summary>The phase in which a pod that ran ends, or null while it runs on.</summary>
    public Func<Pod, string?> EndsAs { get; set; } = _ => null;

    /// <summary>Nodes that are silent: nothing of theirs is tended.</summary>
    public IReadOnlySet<string> Silent { get; set; } = new HashSet<string>();

    /// <summary>Looks at all pods again, after it was told otherwise.</summary>
    public void LookAgain()
    {
        foreach (var key in cache.Current.Keys)
        {
            queue.Add(key);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await ending.CancelAsync();
        await running;
        queue.Dispose();
        ending.Dispose();
    }

    private async Task<NextLook> TendAsync(ResourceKey key, CancellationToken stopping)
    {
        if (cache.Current.Find(key) is not { Spec.NodeName: { Length: > 0 } node } pod || Silent.Contains(node))
        {
            return NextLook.OnChange;
        }

        if (pod.Metadata.DeletionTimestamp is not null)
        {
            var rest = pod.Metadata.Finalizers.Where(name => name != FinalizerNames.Agent).ToList();
            await pods.ChangeAsync(pod, pod with { Metadata = pod.Metadata with { Finalizers = rest } }, stopping);
            return NextLook.OnChange;
        }

        var end = EndsAs(pod);
        var ready = end is null && BecomesReady(pod);
        var known = pod.Status.Conditions.FirstOrDefault(condition => condition.Type == PodConditionTypes.Ready);
        var status = ready ? ConditionStatuses.True : ConditionStatuses.False;
        var condition = new PodCondition
        {
            Type = PodConditionTypes.Ready,
            Status = status,
            LastTransitionTime = known?.Status == status ? known.LastTransitionTime : clock.GetUtcNow(),
        };
        var wanted = pod.Status with
        {
            Phase = PodPhases.IsFinal(pod.Status.Phase) ? pod.Status.Phase : end ?? PodPhases.Running,
            Conditions = [.. pod.Status.Conditions.Where(each => each.Type != PodConditionTypes.Ready), condition],
        };
        cache.Observe(await pods.ChangeStatusAsync(pod, pod with { Status = wanted }, stopping));
        return NextLook.OnChange;
    }
}
