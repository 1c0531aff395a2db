using Godwit.Api.Apps.V1;

namespace Godwit.Controllers.Workloads.ReplicaSets;

/// <summary>Carries out what <see cref="ReplicaSetPlanner"/> decides. Status last: it tells what the writes before it left to do.</summary>
internal sealed class ReplicaSetController(ClusterView cluster, PodKeeper keeper, TimeProvider clock, ILogger logger) : Controller("replicaset", clock, logger)
{
    private readonly ResourceClient<ReplicaSet> sets = cluster.ClientOf<ReplicaSet>();
    private readonly ReplicaKeeper replicas = new(keeper, clock);

    protected override int Workers => 4;

    protected override void Subscribe()
    {
        cluster.ReplicaSets.Subscribe(change => Enqueue(change.Key));
        cluster.Pods.Subscribe(change => PodSignals.Tell(change, cluster.ReplicaSets, set => set.Spec.Selector, Enqueue));
    }

    protected override IEnumerable<ResourceKey> AllKeys() => cluster.ReplicaSets.Current.Keys;

    protected override async Task<NextLook> ReconcileAsync(ResourceKey key, CancellationToken stopping)
    {
        if (cluster.ReplicaSets.Current.Find(key) is not { } set)
        {
            return NextLook.OnChange;
        }

        var plan = ReplicaSetPlanner.For(set, keeper.PodsIn(key.Namespace), Clock.GetUtcNow());
        var failure = await replicas.ActAsync(set, set.Spec.Template, plan, stopping);
        var status = plan.Status with { Conditions = replicas.WithFailure(set.Status.Conditions, failure) };
        cluster.ReplicaSets.Observe(await sets.ChangeStatusAsync(set, set with { Status = status }, stopping));
        return failure is not null ? throw failure : plan.NextAvailable is { } rest ? NextLook.After(rest) : NextLook.OnChange;
    }
}
