using Godwit.Api.Apps.V1;
using Godwit.Controllers.Workloads.Revisions;

namespace Godwit.Controllers.Workloads.DaemonSets;

/// <summary>Carries out what <see cref="DaemonSetPlanner"/> decides. Status last: it tells what the writes before it left to do.</summary>
internal sealed class DaemonSetController(ClusterView cluster, PodKeeper keeper, TimeProvider clock, ILogger logger) : Controller("daemonset", clock, logger)
{
    private readonly ResourceClient<DaemonSet> sets = cluster.ClientOf<DaemonSet>();
    private readonly RevisionKeeper revisions = new(cluster);

    protected override int Workers => 2;

    protected override void Subscribe()
    {
        cluster.DaemonSets.Subscribe(change => Enqueue(change.Key));
        cluster.Pods.Subscribe(change => PodSignals.Tell(change, cluster.DaemonSets, set => set.Spec.Selector, Enqueue));
        cluster.Nodes.Subscribe(change =>
        {
            if (change is not { Before: { } before, After: { } after } || !AreAlike(before, after))
            {
                EnqueueAll();
            }
        });
    }

    protected override IEnumerable<ResourceKey> AllKeys() => cluster.DaemonSets.Current.Keys;

    protected override async Task<NextLook> ReconcileAsync(ResourceKey key, CancellationToken stopping)
    {
        if (cluster.DaemonSets.Current.Find(key) is not { } set)
        {
            return NextLook.OnChange;
        }

        var pods = keeper.PodsIn(key.Namespace);
        var inUse = pods.Where(pod => PodFacts.ControllerOf(pod)?.Uid == set.Metadata.Uid).Select(pod => pod.Metadata.Labels.GetValueOrDefault(RevisionPlanner.HashLabel)).ToHashSet(StringComparer.Ordinal);
        var history = RevisionPlanner.For(set, set.Spec.Template, revisions.Of(set), revision => inUse.Contains(RevisionPlanner.HashOf(revision)), set.Spec.RevisionHistoryLimit, set.Status.CollisionCount ?? 0);
        var current = set.Metadata.DeletionTimestamp is null ? await revisions.SettleAsync(set, history, stopping) : history.Current;
        if (current is null)
        {
            await WriteAsync(set, set.Status with { CollisionCount = (set.Status.CollisionCount ?? 0) + 1 }, stopping);
            return NextLook.After(TimeSpan.Zero);
        }

        var plan = DaemonSetPlanner.For(set, RevisionPlanner.HashOf(current), cluster.Nodes.Current.Items, pods, Clock.GetUtcNow());
        await ActAsync(set, plan, RevisionPlanner.HashOf(current), stopping);
        await WriteAsync(set, plan.Status, stopping);
        await revisions.DropAsync(history, stopping);
        return plan.Next is { } rest ? NextLook.After(rest) : NextLook.OnChange;
    }

    private async Task ActAsync(DaemonSet set, DaemonSetPlan plan, string hash, CancellationToken stopping)
    {
        foreach (var pod in plan.Release)
        {
            await keeper.ReleaseAsync(pod, set, stopping);
        }

        foreach (var pod in plan.Adopt)
        {
            await keeper.AdoptAsync(pod, set, stopping);
        }

        foreach (var pod in plan.Delete)
        {
            await keeper.DeleteAsync(pod, set, stopping);
        }

        var names = new Queue<string>(plan.CreateOn);
        await keeper.CreateManyAsync(plan.CreateOn.Count, () => DaemonPods.Make(set, hash, names.Dequeue()), set, stopping);
    }

    private async Task WriteAsync(DaemonSet set, DaemonSetStatus status, CancellationToken stopping) =>
        cluster.DaemonSets.Observe(await sets.ChangeStatusAsync(set, set with { Status = status }, stopping));

    /// <summary>A node's report of every few seconds concerns no daemon set; its labels, taints and readiness do.</summary>
    private static bool AreAlike(Node before, Node after) =>
        before.Spec.Unschedulable == after.Spec.Unschedulable
        && before.Spec.Taints.SequenceEqual(after.Spec.Taints)
        && ReadyOf(before) == ReadyOf(after)
        && before.Metadata.DeletionTimestamp == after.Metadata.DeletionTimestamp
        && before.Metadata.Labels.Count == after.Metadata.Labels.Count
        && before.Metadata.Labels.All(label => after.Metadata.Labels.GetValueOrDefault(label.Key) == label.Value);

    private static string? ReadyOf(Node node) => node.Status.Conditions.FirstOrDefault(condition => condition.Type == NodeConditionTypes.Ready)?.Status;
}
