using Godwit.Api.Apps.V1;
using Godwit.Controllers.Workloads.Revisions;

namespace Godwit.Controllers.Workloads.StatefulSets;

/// <summary>Carries out what <see cref="StatefulSetPlanner"/> decides. Status last: it tells what the writes before it left to do.</summary>
internal sealed class StatefulSetController(ClusterView cluster, PodKeeper keeper, TimeProvider clock, ILogger logger) : Controller("statefulset", clock, logger)
{
    private readonly ResourceClient<StatefulSet> sets = cluster.ClientOf<StatefulSet>();
    private readonly RevisionKeeper revisions = new(cluster);
    private readonly StatefulClaimKeeper claims = new(cluster);

    protected override int Workers => 4;

    protected override void Subscribe()
    {
        cluster.StatefulSets.Subscribe(change => Enqueue(change.Key));
        cluster.Pods.Subscribe(change => PodSignals.Tell(change, cluster.StatefulSets, set => set.Spec.Selector, Enqueue));
        cluster.Claims.Subscribe(change =>
        {
            foreach (var set in cluster.StatefulSets.Current.Items.Where(set => StatefulClaims.IsOf(set, (change.After ?? change.Before)!)))
            {
                Enqueue(ResourceKey.Of(set));
            }
        });
    }

    protected override IEnumerable<ResourceKey> AllKeys() => cluster.StatefulSets.Current.Keys;

    protected override async Task<NextLook> ReconcileAsync(ResourceKey key, CancellationToken stopping)
    {
        if (cluster.StatefulSets.Current.Find(key) is not { } set)
        {
            return NextLook.OnChange;
        }

        var pods = keeper.PodsIn(key.Namespace);
        var inUse = pods.Where(pod => PodFacts.ControllerOf(pod)?.Uid == set.Metadata.Uid).Select(StatefulPods.RevisionOf).Append(set.Status.CurrentRevision).ToHashSet(StringComparer.Ordinal);
        var own = revisions.Of(set);
        var history = RevisionPlanner.For(set, set.Spec.Template, own, revision => inUse.Contains(revision.Metadata.Name), set.Spec.RevisionHistoryLimit, set.Status.CollisionCount ?? 0);
        var updated = set.Metadata.DeletionTimestamp is null ? await revisions.SettleAsync(set, history, stopping) : history.Current;
        if (updated is null)
        {
            await WriteAsync(set, set.Status with { CollisionCount = (set.Status.CollisionCount ?? 0) + 1 }, stopping);
            return NextLook.After(TimeSpan.Zero);
        }

        var known = own.Where(revision => revision.Metadata.Name != updated.Metadata.Name).Append(updated).ToDictionary(revision => revision.Metadata.Name, StringComparer.Ordinal);
        var plan = StatefulSetPlanner.For(set, updated.Metadata.Name, known.ContainsKey, pods, Clock.GetUtcNow());
        await claims.CarryOutAsync(set, pods, stopping); // Before pods that are too many are deleted: a claim that is to go with its pod is to know that when the pod goes.
        await ActAsync(set, plan, known, stopping);
        await WriteAsync(set, plan.Status, stopping);
        await revisions.DropAsync(history, stopping);
        return plan.Next is { } rest ? NextLook.After(rest) : NextLook.OnChange;
    }

    private async Task ActAsync(StatefulSet set, StatefulSetPlan plan, Dictionary<string, ControllerRevision> known, CancellationToken stopping)
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

        foreach (var (ordinal, revision) in plan.Create)
        {
            if (await claims.TryEnsureAsync(set, ordinal, stopping))
            {
                await keeper.CreateAsync(StatefulPods.Make(set, ordinal, known[revision]), set, stopping);
            }
        }
    }

    private async Task WriteAsync(StatefulSet set, StatefulSetStatus status, CancellationToken stopping) =>
        cluster.StatefulSets.Observe(await sets.ChangeStatusAsync(set, set with { Status = status }, stopping));
}
