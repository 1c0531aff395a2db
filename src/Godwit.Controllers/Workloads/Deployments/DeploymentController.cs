using Godwit.Api.Apps.V1;

namespace Godwit.Controllers.Workloads.Deployments;

/// <summary>Carries out what <see cref="DeploymentPlanner"/> decides. A step that finds another state than was seen is refused by the server, and the next look plans anew.</summary>
internal sealed class DeploymentController(ClusterView cluster, TimeProvider clock, ILogger logger) : Controller("deployment", clock, logger)
{
    private readonly ResourceClient<Deployment> deployments = cluster.ClientOf<Deployment>();
    private readonly ResourceClient<ReplicaSet> sets = cluster.ClientOf<ReplicaSet>();

    protected override int Workers => 4;

    protected override void Subscribe()
    {
        cluster.Deployments.Subscribe(change => Enqueue(change.Key));
        cluster.ReplicaSets.Subscribe(change =>
        {
            PodSignals.TellOwner<Deployment>(change.Before, Enqueue);
            PodSignals.TellOwner<Deployment>(change.After, Enqueue);
        });
        cluster.Pods.Subscribe(change =>
        {
            // A deployment that recreates waits for the last old pod to be gone.
            if (change is { After: null, Before: { } gone } && PodFacts.ControllerOf(gone) is { Kind: "ReplicaSet" } owner
                && cluster.ReplicaSets.Current.Find(gone.Metadata.Namespace, owner.Name) is { } set)
            {
                PodSignals.TellOwner<Deployment>(set, Enqueue);
            }
        });
    }

    protected override IEnumerable<ResourceKey> AllKeys() => cluster.Deployments.Current.Keys;

    protected override async Task<NextLook> ReconcileAsync(ResourceKey key, CancellationToken stopping)
    {
        if (cluster.Deployments.Current.Find(key) is not { } deployment)
        {
            return NextLook.OnChange;
        }

        var known = cluster.ReplicaSets.Current;
        var view = new DeploymentView(
            deployment,
            [.. known.ControlledBy(deployment.Metadata.Uid)],
            name => known.Find(key.Namespace, name) is not null,
            set => cluster.Pods.Current.ControlledBy(set.Metadata.Uid).Any(pod => !PodPhases.IsFinal(pod.Status.Phase)),
            Clock.GetUtcNow());
        var plan = DeploymentPlanner.For(view);
        foreach (var step in plan.Steps)
        {
            deployment = await TakeAsync(deployment, step, stopping);
        }

        cluster.Deployments.Observe(await deployments.ChangeStatusAsync(deployment, deployment with { Status = plan.Status }, stopping));
        return plan.NextLook is { } rest ? NextLook.After(rest) : NextLook.OnChange;
    }

    private async Task<Deployment> TakeAsync(Deployment deployment, DeploymentStep step, CancellationToken stopping)
    {
        switch (step)
        {
            case DeploymentStep.Create create:
                cluster.ReplicaSets.Observe(await sets.CreateAsync(create.Set, stopping));
                Tell(deployment, $"Scaled up replica set {create.Set.Metadata.Name} from 0 to {create.Set.Spec.Replicas}");
                break;
            case DeploymentStep.Change change:
                cluster.ReplicaSets.Observe(await sets.ChangeAsync(change.Before, change.After, stopping));
                var (from, to) = (change.Before.Spec.Replicas ?? 0, change.After.Spec.Replicas ?? 0);
                if (from != to)
                {
                    Tell(deployment, $"Scaled {(to > from ? "up" : "down")} replica set {change.After.Metadata.Name} from {from} to {to}");
                }

                break;
            case DeploymentStep.Delete delete:
                await sets.TryDeleteAsync(ResourceKey.Of(delete.Set), new DeleteOptions { Preconditions = new Preconditions { Uid = delete.Set.Metadata.Uid } }, stopping);
                break;
            case DeploymentStep.Annotate annotate:
                var annotated = deployment with { Metadata = deployment.Metadata with { Annotations = annotate.Annotations } };
                return cluster.Deployments.Observe(await deployments.ChangeAsync(deployment, annotated, stopping));
        }

        return deployment;
    }

    private void Tell(Deployment deployment, string what) => cluster.Events.Record(deployment, EventTypes.Normal, "ScalingReplicaSet", what);
}
