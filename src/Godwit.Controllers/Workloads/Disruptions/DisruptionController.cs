using Godwit.Api.Policy.V1;

namespace Godwit.Controllers.Workloads.Disruptions;

/// <summary>Writes what <see cref="DisruptionPlanner"/> counts. A write that an eviction overtook is refused by the server, and the next look counts anew.</summary>
internal sealed class DisruptionController(ClusterView cluster, TimeProvider clock, ILogger logger) : Controller("disruption", clock, logger)
{
    private readonly ResourceClient<PodDisruptionBudget> budgets = cluster.ClientOf<PodDisruptionBudget>();

    protected override void Subscribe()
    {
        cluster.Budgets.Subscribe(change => Enqueue(change.Key));
        cluster.Pods.Subscribe(change => EnqueueIn(change.Key.Namespace));
        cluster.ReplicaSets.Subscribe(change => EnqueueIn(change.Key.Namespace));
        cluster.Deployments.Subscribe(change => EnqueueIn(change.Key.Namespace));
        cluster.StatefulSets.Subscribe(change => EnqueueIn(change.Key.Namespace));
        cluster.ReplicationControllers.Subscribe(change => EnqueueIn(change.Key.Namespace));
    }

    protected override IEnumerable<ResourceKey> AllKeys() => cluster.Budgets.Current.Keys;

    protected override async Task<NextLook> ReconcileAsync(ResourceKey key, CancellationToken stopping)
    {
        if (cluster.Budgets.Current.Find(key) is not { } budget)
        {
            return NextLook.OnChange;
        }

        var plan = DisruptionPlanner.For(budget, cluster.Pods.Current.Items, ScaleOf, Clock.GetUtcNow());
        cluster.Budgets.Observe(await budgets.ChangeStatusAsync(budget, budget with { Status = plan.Status }, stopping));
        return plan.Next is { } rest ? NextLook.After(rest) : NextLook.OnChange;
    }

    private void EnqueueIn(string @namespace)
    {
        foreach (var key in cluster.Budgets.Current.Keys.Where(key => key.Namespace == @namespace))
        {
            Enqueue(key);
        }
    }

    private (string Uid, int Replicas)? ScaleOf(Pod pod)
    {
        if (PodFacts.ControllerOf(pod) is not { } owner)
        {
            return null;
        }

        var key = new ResourceKey(pod.Metadata.Namespace, owner.Name);
        if (owner.Kind == "ReplicaSet" && cluster.ReplicaSets.Current.Find(key) is { } set && set.Metadata.Uid == owner.Uid)
        {
            // Of a deployment that rolls out several sets count as the one number that is asked for.
            return PodFacts.ControllerOf(set) is { Kind: "Deployment" } above && cluster.Deployments.Current.Find(key.Namespace, above.Name) is { } deployment && deployment.Metadata.Uid == above.Uid
                ? (above.Uid, deployment.Spec.Replicas ?? 1)
                : (owner.Uid, set.Spec.Replicas ?? 1);
        }

        if (owner.Kind == "StatefulSet" && cluster.StatefulSets.Current.Find(key) is { } numbered && numbered.Metadata.Uid == owner.Uid)
        {
            return (owner.Uid, numbered.Spec.Replicas ?? 1);
        }

        return owner.Kind == "ReplicationController" && cluster.ReplicationControllers.Current.Find(key) is { } forerunner && forerunner.Metadata.Uid == owner.Uid
            ? (owner.Uid, forerunner.Spec.Replicas ?? 1)
            : null;
    }
}
