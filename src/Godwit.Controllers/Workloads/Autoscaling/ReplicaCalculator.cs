using System.Globalization;
using Godwit.Api.Autoscaling.V2;
using Godwit.Api.Metrics.V1Beta1;
using Godwit.Base;

namespace Godwit.Controllers.Workloads.Autoscaling;

/// <summary>What one metric asks for, or why it says nothing.</summary>
internal abstract record MetricOutcome
{
    private MetricOutcome()
    {
    }

    /// <summary>So many pods.</summary>
    /// <param name="Replicas">The number.</param>
    /// <param name="Name">The metric, for people.</param>
    /// <param name="Status">What was measured.</param>
    public sealed record Proposed(int Replicas, string Name, MetricStatus Status) : MetricOutcome;

    public sealed record Failed(string Reason, string Message) : MetricOutcome;
}

/// <summary>The pods that are scaled, and what they use.</summary>
/// <param name="CurrentReplicas">How many are asked for now.</param>
/// <param name="Pods">Those that the target selects.</param>
/// <param name="Metrics">What is measured of them, by name.</param>
/// <param name="ToleranceUp">A ratio above 1 by no more than this is none.</param>
/// <param name="ToleranceDown">The same below 1.</param>
/// <param name="Now">The time.</param>
internal sealed record ScaledPods(int CurrentReplicas, IReadOnlyList<Pod> Pods, IReadOnlyDictionary<string, PodMetrics> Metrics, decimal ToleranceUp, decimal ToleranceDown, DateTimeOffset Now);

/// <summary>
/// From use to a number of pods, as Kubernetes publishes it ("Horizontal Pod Autoscaling: Algorithm details"):
/// <code>
///   ratio  =  what the ready pods use  /  what they should use          near 1: nothing changes
///   number =  ⌈ratio × pods⌉
/// </code>
/// Of pods that are not measured it is thought what holds the number where it is: that they use all when it would shrink, and nothing when it would grow. Pods that are not ready use nothing
/// when it would grow, and do not count else. If the ratio that comes of that points the other way, nothing changes.
/// </summary>
internal static class ReplicaCalculator
{
    /// <summary>For so long after its start what a pod uses counts only when it was measured while it was ready.</summary>
    public static readonly TimeSpan CpuInitializationPeriod = TimeSpan.FromMinutes(5);

    /// <summary>A pod that became not ready within so long after its start has not been ready yet.</summary>
    public static readonly TimeSpan InitialReadinessDelay = TimeSpan.FromSeconds(30);

    private const string Cpu = "cpu";

    public static MetricOutcome For(MetricSpec metric, ScaledPods scaled) => metric switch
    {
        { Type: MetricTypes.Resource, Resource: { } resource } => ForResource(new Measure(resource.Name, null, resource.Target, "FailedGetResourceMetric"), scaled),
        { Type: MetricTypes.ContainerResource, ContainerResource: { } resource } => ForResource(new Measure(resource.Name, resource.Container, resource.Target, "FailedGetContainerResourceMetric"), scaled),
        { Type: MetricTypes.Pods, Pods: { } pods } => NoAdapter("FailedGetPodsMetric", pods.Metric.Name, "custom.metrics.k8s.io"),
        { Type: MetricTypes.Object, Object: { } named } => NoAdapter("FailedGetObjectMetric", named.Metric.Name, "custom.metrics.k8s.io"),
        { Type: MetricTypes.External, External: { } external } => NoAdapter("FailedGetExternalMetric", external.Metric.Name, "external.metrics.k8s.io"),
        _ => new MetricOutcome.Failed("InvalidMetricSourceType", $"the HPA was unable to compute the replica count: unknown metric source type \"{metric.Type}\""),
    };

    private sealed record Measure(string Resource, string? Container, MetricTarget Target, string FailedReason);

    private static MetricOutcome.Failed NoAdapter(string reason, string name, string group) =>
        new(reason, $"the HPA was unable to compute the replica count: unable to get metric {name}: no adapter serves {group} in this cluster");

    private static MetricOutcome ForResource(Measure measure, ScaledPods scaled)
    {
        MetricOutcome.Failed Failed(string why) => new(measure.FailedReason, $"the HPA was unable to compute the replica count: failed to get {measure.Resource} utilization: {why}");

        var groups = Group(measure, scaled);
        if (groups.Usage.Count == 0)
        {
            return Failed(scaled.Metrics.Count == 0 ? "no metrics of these pods are known yet" : "did not receive metrics for targeted pods (pods might be unready)");
        }

        if (measure.Target.AverageUtilization is not { } target)
        {
            return measure.Target.AverageValue is { Value: > 0 } wanted
                ? Propose(measure, scaled, groups, groups.All.ToDictionary(name => name, _ => wanted.Value, StringComparer.Ordinal), fallback: 1)
                : Failed("the target names neither a utilization nor an average value");
        }

        var requests = new Dictionary<string, decimal>(StringComparer.Ordinal);
        foreach (var pod in scaled.Pods.Where(pod => groups.All.Contains(pod.Metadata.Name)))
        {
            if (RequestOf(pod, measure, out var without) is not { } request)
            {
                return Failed($"missing request for {measure.Resource} in container {without} of Pod {pod.Metadata.Name}");
            }

            requests[pod.Metadata.Name] = request;
        }

        if (groups.Usage.Keys.Sum(name => requests[name]) <= 0)
        {
            return Failed("the pods request nothing of it");
        }

        // A pod of which nothing is known is thought to use all that it requests, or what it should where that is more.
        return Propose(measure, scaled, groups, requests.ToDictionary(each => each.Key, each => each.Value * target / 100m, StringComparer.Ordinal), fallback: Math.Max(100, target) / (decimal)target);
    }

    /// <param name="wanted">What each pod should use.</param>
    /// <param name="fallback">What a pod that is not measured is thought to use when the number would shrink, in parts of what it should.</param>
    private static MetricOutcome.Proposed Propose(Measure measure, ScaledPods scaled, Groups groups, Dictionary<string, decimal> wanted, decimal fallback)
    {
        var status = StatusOf(measure, groups, wanted);
        MetricOutcome.Proposed Answer(int replicas) => new(replicas, NameOf(measure), status);
        bool IsNear(decimal ratio) => ratio >= 1 - scaled.ToleranceDown && ratio <= 1 + scaled.ToleranceUp;
        decimal RatioOf(IReadOnlyDictionary<string, decimal> usage) => usage.Values.Sum() / usage.Keys.Sum(name => wanted[name]);

        var ratio = RatioOf(groups.Usage);
        if (groups.Missing.Count == 0 && (groups.Unready.Count == 0 || ratio <= 1))
        {
            return Answer(IsNear(ratio) ? scaled.CurrentReplicas : Count(ratio, groups.Usage.Count));
        }

        var usage = new Dictionary<string, decimal>(groups.Usage, StringComparer.Ordinal);
        foreach (var name in groups.Missing.Where(_ => ratio != 1))
        {
            usage[name] = ratio < 1 ? wanted[name] * fallback : 0;
        }

        foreach (var name in groups.Unready.Where(_ => ratio > 1))
        {
            usage[name] = 0;
        }

        var careful = RatioOf(usage);
        if (IsNear(careful) || (ratio < 1 && careful > 1) || (ratio > 1 && careful < 1))
        {
            return Answer(scaled.CurrentReplicas);
        }

        var replicas = Count(careful, usage.Count);
        return Answer((careful < 1 && replicas > scaled.CurrentReplicas) || (careful > 1 && replicas < scaled.CurrentReplicas) ? scaled.CurrentReplicas : replicas);
    }

    private static int Count(decimal ratio, int pods) => (int)Math.Min(int.MaxValue, Math.Ceiling(ratio * pods));

    /// <summary>What the pods that count use, and the others.</summary>
    private sealed record Groups(IReadOnlyDictionary<string, decimal> Usage, IReadOnlyList<string> Missing, IReadOnlyList<string> Unready)
    {
        public HashSet<string> All { get; } = Usage.Keys.Concat(Missing).Concat(Unready).ToHashSet(StringComparer.Ordinal);
    }

    private static Groups Group(Measure measure, ScaledPods scaled)
    {
        var (usage, missing, unready) = (new Dictionary<string, decimal>(StringComparer.Ordinal), new List<string>(), new List<string>());
        foreach (var pod in scaled.Pods.Where(PodFacts.IsActive))
        {
            var name = pod.Metadata.Name;
            if (pod.Status.Phase is null or "" or PodPhases.Pending)
            {
                unready.Add(name);
            }
            else if (!scaled.Metrics.TryGetValue(name, out var metrics) || UsageOf(metrics, measure) is not { } used)
            {
                missing.Add(name);
            }
            else if (measure.Resource == Cpu && IsUnready(pod, metrics, scaled.Now))
            {
                unready.Add(name);
            }
            else
            {
                usage[name] = used;
            }
        }

        return new Groups(usage, missing, unready);
    }

    private static bool IsUnready(Pod pod, PodMetrics metrics, DateTimeOffset now)
    {
        if (PodFacts.ReadyCondition(pod) is not { } ready || pod.Status.StartTime is not { } started)
        {
            return true;
        }

        var isReady = ready.Status == ConditionStatuses.True;
        return started + CpuInitializationPeriod > now
            ? !isReady || metrics.Timestamp < ready.LastTransitionTime + WindowOf(metrics)
            : !isReady && started + InitialReadinessDelay > ready.LastTransitionTime;
    }

    private static TimeSpan WindowOf(PodMetrics metrics) =>
        metrics.Window is { } text && text.EndsWith('s') && double.TryParse(text.AsSpan(0, text.Length - 1), NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var seconds) && seconds is >= 0 and < 86_400 ? TimeSpan.FromSeconds(seconds) : TimeSpan.Zero;

    private static decimal? UsageOf(PodMetrics metrics, Measure measure)
    {
        var containers = metrics.Containers.Where(container => measure.Container is null || container.Name == measure.Container).ToList();
        return containers.Count > 0 && containers.TrueForAll(container => container.Usage.ContainsKey(measure.Resource)) ? containers.Sum(container => container.Usage[measure.Resource].Value) : null;
    }

    /// <summary>What a pod's containers request, those that stay from its beginning on among them; null when one requests nothing.</summary>
    private static decimal? RequestOf(Pod pod, Measure measure, out string? without)
    {
        var sum = 0m;
        foreach (var container in pod.Spec.InitContainers.Where(each => each.RestartPolicy == "Always").Concat(pod.Spec.Containers).Where(each => measure.Container is null || each.Name == measure.Container))
        {
            without = container.Name;
            if (container.Resources is not { } resources || !resources.Requests.TryGetValue(measure.Resource, out var request))
            {
                return null;
            }

            sum += request.Value;
        }

        without = null;
        return sum;
    }

    private static string NameOf(Measure measure) => (measure.Container, measure.Target.AverageUtilization) switch
    {
        (null, null) => $"{measure.Resource} resource",
        (null, _) => $"{measure.Resource} resource utilization (percentage of request)",
        (var container, null) => $"{measure.Resource} container resource of {container}",
        var (container, _) => $"{measure.Resource} container resource utilization (percentage of request) of {container}",
    };

    private static MetricStatus StatusOf(Measure measure, Groups groups, Dictionary<string, decimal> wanted)
    {
        var used = groups.Usage.Values.Sum();
        var current = new MetricValue
        {
            AverageValue = new Quantity(decimal.Round(used / groups.Usage.Count, measure.Resource == Cpu ? 3 : 0), measure.Resource == Cpu ? QuantityFormat.DecimalSI : QuantityFormat.BinarySI),
            AverageUtilization = measure.Target.AverageUtilization is { } target ? (int)Math.Min(int.MaxValue, used * target / groups.Usage.Keys.Sum(name => wanted[name])) : null,
        };
        return measure.Container is { } container
            ? new MetricStatus { Type = MetricTypes.ContainerResource, ContainerResource = new ContainerResourceMetricStatus { Name = measure.Resource, Container = container, Current = current } }
            : new MetricStatus { Type = MetricTypes.Resource, Resource = new ResourceMetricStatus { Name = measure.Resource, Current = current } };
    }
}
