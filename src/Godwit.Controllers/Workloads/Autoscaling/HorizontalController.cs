using System.Collections.Concurrent;
using Godwit.Api.Apps.V1;
using Godwit.Api.Autoscaling.V2;
using Godwit.Api.Metrics.V1Beta1;

namespace Godwit.Controllers.Workloads.Autoscaling;

/// <summary>
/// Looks every <see cref="Period"/> at what the pods of a target use, and carries out what <see cref="HorizontalPlanner"/> decides: the target's number, then the autoscaler's status. What it
/// remembers of recommendations is this term's alone.
/// </summary>
internal sealed class HorizontalController(ClusterView cluster, TimeProvider clock, ILogger logger) : Controller("horizontalpodautoscaler", clock, logger)
{
    public static readonly TimeSpan Period = TimeSpan.FromSeconds(15);

    private readonly ResourceClient<HorizontalPodAutoscaler> autoscalers = cluster.ClientOf<HorizontalPodAutoscaler>();
    private readonly ResourceClient<PodMetrics> measurements = cluster.ClientOf<PodMetrics>();
    private readonly ConcurrentDictionary<string, ScalingHistory> histories = new(StringComparer.Ordinal);

    protected override int Workers => 4;

    protected override void Subscribe() => cluster.Autoscalers.Subscribe(change =>
    {
        if (change.After is null)
        {
            histories.TryRemove(change.Before!.Metadata.Uid, out _);
        }
        else if (change.Before?.Metadata.Generation != change.After.Metadata.Generation)
        {
            Enqueue(change.Key); // Its own status is no reason to look again.
        }
    });

    protected override IEnumerable<ResourceKey> AllKeys() => cluster.Autoscalers.Current.Keys;

    protected override async Task<NextLook> ReconcileAsync(ResourceKey key, CancellationToken stopping)
    {
        if (cluster.Autoscalers.Current.Find(key) is not { } autoscaler)
        {
            return NextLook.OnChange;
        }

        var now = Clock.GetUtcNow();
        var reference = autoscaler.Spec.ScaleTargetRef;
        if (FindTarget(key.Namespace, reference) is not { } target)
        {
            var message = $"the HPA controller was unable to get the target's current scale: there is no {reference.Kind} \"{reference.Name}\" of {(string.IsNullOrEmpty(reference.ApiVersion) ? "any version" : reference.ApiVersion)} here that can be scaled";
            cluster.Events.Record(autoscaler, EventTypes.Warning, "FailedGetScale", message);
            await WriteAsync(autoscaler, HorizontalPlanner.Unable(autoscaler, message, now), stopping);
            return NextLook.After(Period);
        }

        var pods = cluster.Pods.Current.Items.Where(pod => pod.Metadata.Namespace == key.Namespace && target.Selector.Matches(pod.Metadata.Labels)).ToList();
        var measured = await measurements.ListAsync(new ListOptions { Namespace = key.Namespace, LabelSelector = target.Selector.ToString() }, stopping);
        var plan = HorizontalPlanner.For(
            autoscaler, target.Scale, pods, measured.Items.DistinctBy(each => each.Metadata.Name).ToDictionary(each => each.Metadata.Name, StringComparer.Ordinal),
            histories.GetValueOrDefault(autoscaler.Metadata.Uid, ScalingHistory.Empty), now);
        foreach (var (reason, message) in plan.Troubles)
        {
            cluster.Events.Record(autoscaler, EventTypes.Warning, reason, message);
        }

        if (plan.Replicas is { } replicas)
        {
            await target.ScaleAsync(replicas, stopping);
            cluster.Events.Record(autoscaler, EventTypes.Normal, "SuccessfulRescale", plan.Reason!);
        }

        histories[autoscaler.Metadata.Uid] = plan.History; // After the number was written: what failed was not done.
        await WriteAsync(autoscaler, plan.Status, stopping);
        return NextLook.After(Period);
    }

    private async Task WriteAsync(HorizontalPodAutoscaler autoscaler, AutoscalerStatus status, CancellationToken stopping) =>
        cluster.Autoscalers.Observe(await autoscalers.ChangeStatusAsync(autoscaler, autoscaler with { Status = status }, stopping));

    /// <summary>Something with a number of pods.</summary>
    private sealed record Target(ScaleTarget Scale, Api.Machinery.Selectors.LabelSelector Selector, Func<int, CancellationToken, Task> ScaleAsync);

    private Target? FindTarget(string space, CrossVersionReference reference)
    {
        var key = new ResourceKey(space, reference.Name);
        bool Means(ResourceType type) => reference.Kind == type.Kind && (string.IsNullOrEmpty(reference.ApiVersion) || reference.ApiVersion == type.ApiVersion);

        return Means(Deployment.Type) && cluster.Deployments.Current.Find(key) is { } deployment
                ? Of(cluster.Deployments, deployment, (deployment.Spec.Replicas, deployment.Status.Replicas), PodTemplates.SelectorOf(deployment.Spec.Selector), replicas => deployment with { Spec = deployment.Spec with { Replicas = replicas } })
            : Means(ReplicaSet.Type) && cluster.ReplicaSets.Current.Find(key) is { } set
                ? Of(cluster.ReplicaSets, set, (set.Spec.Replicas, set.Status.Replicas), PodTemplates.SelectorOf(set.Spec.Selector), replicas => set with { Spec = set.Spec with { Replicas = replicas } })
            : Means(StatefulSet.Type) && cluster.StatefulSets.Current.Find(key) is { } numbered
                ? Of(cluster.StatefulSets, numbered, (numbered.Spec.Replicas, numbered.Status.Replicas), PodTemplates.SelectorOf(numbered.Spec.Selector), replicas => numbered with { Spec = numbered.Spec with { Replicas = replicas } })
            : Means(ReplicationController.Type) && cluster.ReplicationControllers.Current.Find(key) is { } forerunner
                ? Of(cluster.ReplicationControllers, forerunner, (forerunner.Spec.Replicas, forerunner.Status.Replicas), PodTemplates.SelectorOf(new LabelSelectorSpec { MatchLabels = forerunner.Spec.Selector }), replicas => forerunner with { Spec = forerunner.Spec with { Replicas = replicas } })
            : null;
    }

    private Target Of<T>(ResourceCache<T> cache, T scaled, (int? Spec, int Status) replicas, Api.Machinery.Selectors.LabelSelector selector, Func<int, T> with)
        where T : Resource, IResource<T> => new(
            new ScaleTarget(replicas.Spec ?? 1, replicas.Status), selector, async (number, stopping) => cache.Observe(await cluster.ClientOf<T>().ChangeAsync(scaled, with(number), stopping)));
}
