using Godwit.Api.Apps.V1;
using Godwit.Controllers.Workloads.ReplicaSets;

namespace Godwit.Controllers.Workloads.ReplicationControllers;

/// <summary>Keeps the forerunner of replica sets, which is one with a simpler selector: planned and carried out as such.</summary>
internal sealed class ReplicationControllerController(ClusterView cluster, PodKeeper keeper, TimeProvider clock, ILogger logger) : Controller("replicationcontroller", clock, logger)
{
    private readonly ResourceClient<ReplicationController> owners = cluster.ClientOf<ReplicationController>();
    private readonly ReplicaKeeper replicas = new(keeper, clock);

    protected override void Subscribe()
    {
        cluster.ReplicationControllers.Subscribe(change => Enqueue(change.Key));
        cluster.Pods.Subscribe(change => PodSignals.Tell(change, cluster.ReplicationControllers, owner => SelectorOf(owner), Enqueue));
    }

    protected override IEnumerable<ResourceKey> AllKeys() => cluster.ReplicationControllers.Current.Keys;

    protected override async Task<NextLook> ReconcileAsync(ResourceKey key, CancellationToken stopping)
    {
        if (cluster.ReplicationControllers.Current.Find(key) is not { } owner)
        {
            return NextLook.OnChange;
        }

        var plan = ReplicaSetPlanner.For(AsReplicaSet(owner), keeper.PodsIn(key.Namespace), Clock.GetUtcNow());
        var failure = await replicas.ActAsync(owner, owner.Spec.Template, plan, stopping);
        var status = owner.Status with
        {
            Replicas = plan.Status.Replicas,
            FullyLabeledReplicas = plan.Status.FullyLabeledReplicas,
            ReadyReplicas = plan.Status.ReadyReplicas,
            AvailableReplicas = plan.Status.AvailableReplicas,
            ObservedGeneration = plan.Status.ObservedGeneration,
            Conditions = replicas.WithFailure(owner.Status.Conditions, failure),
        };
        cluster.ReplicationControllers.Observe(await owners.ChangeStatusAsync(owner, owner with { Status = status }, stopping));
        return failure is not null ? throw failure : plan.NextAvailable is { } rest ? NextLook.After(rest) : NextLook.OnChange;
    }

    private static LabelSelectorSpec SelectorOf(ReplicationController owner) => new() { MatchLabels = owner.Spec.Selector };

    private static ReplicaSet AsReplicaSet(ReplicationController owner) => new()
    {
        Metadata = owner.Metadata,
        Spec = new ReplicaSetSpec { Replicas = owner.Spec.Replicas, MinReadySeconds = owner.Spec.MinReadySeconds, Selector = SelectorOf(owner), Template = owner.Spec.Template },
    };
}
