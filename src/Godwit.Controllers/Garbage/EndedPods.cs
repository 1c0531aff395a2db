namespace Godwit.Controllers.Garbage;

/// <summary>Keeps the number of pods that have ended within a bound: beyond it the oldest go. What owns them has counted them by then, or holds them by a finalizer.</summary>
internal sealed class EndedPods(ClusterView cluster, TimeProvider clock, ILogger logger, int countMax = EndedPods.CountMax) : Controller<string>("endedpods", clock, logger)
{
    /// <summary>Kubernetes' own bound.</summary>
    public const int CountMax = 12_500;

    private const string Key = "all";
    private const int StepMax = 500;

    private static readonly TimeSpan LookPeriod = TimeSpan.FromMinutes(1);

    private readonly ResourceClient<Pod> pods = cluster.ClientOf<Pod>();

    /// <summary>Those beyond the bound, the oldest first.</summary>
    public static IReadOnlyList<Pod> Beyond(IEnumerable<Pod> pods, int countMax)
    {
        var ended = pods.Where(pod => PodPhases.IsFinal(pod.Status.Phase) && pod.Metadata.DeletionTimestamp is null).OrderBy(pod => pod.Metadata.CreationTimestamp).ThenBy(ResourceKey.Of).ToList();
        return [.. ended.Take(Math.Clamp(ended.Count - countMax, 0, StepMax))];
    }

    protected override void Subscribe() => Enqueue(Key);

    protected override IEnumerable<string> AllKeys() => [Key];

    protected override async Task<NextLook> ReconcileAsync(string key, CancellationToken stopping)
    {
        foreach (var pod in Beyond(cluster.Pods.Current.Items, countMax))
        {
            await pods.TryDeleteAsync(ResourceKey.Of(pod), new DeleteOptions { GracePeriodSeconds = 0, Preconditions = new Preconditions { Uid = pod.Metadata.Uid } }, stopping);
        }

        return NextLook.After(LookPeriod);
    }
}
