using System.Globalization;
using Godwit.Api.Apps.V1;
using Godwit.Api.Autoscaling.V2;

namespace Godwit.Controllers.Workloads.Autoscaling;

/// <summary>What is scaled, as it is now.</summary>
/// <param name="SpecReplicas">How many are asked for.</param>
/// <param name="StatusReplicas">How many it says that there are.</param>
internal sealed record ScaleTarget(int SpecReplicas, int StatusReplicas);

/// <summary>What an autoscaler is to say and do.</summary>
/// <param name="Replicas">How many are to be asked for; null: as many as now.</param>
/// <param name="Status">What it says.</param>
/// <param name="History">What it remembers.</param>
/// <param name="Reason">Why the number changes, or what is wrong, for an event.</param>
/// <param name="Troubles">What could not be measured: a reason in one word, and a message.</param>
internal sealed record HorizontalPlan(int? Replicas, AutoscalerStatus Status, ScalingHistory History, string? Reason, IReadOnlyList<(string Reason, string Message)> Troubles);

/// <summary>
/// Decides for one autoscaler: <see cref="ReplicaCalculator"/> says what each metric asks for, the largest counts, and <see cref="ScalingLimits"/> holds it. While a metric cannot be
/// measured the number does not shrink; while none can, it does not change, but for its least and most. Pure.
/// </summary>
internal static class HorizontalPlanner
{
    public const string AbleToScale = "AbleToScale";
    public const string ScalingActive = "ScalingActive";
    public const string ScalingLimited = "ScalingLimited";

    public const decimal ToleranceDefault = 0.1m;

    /// <param name="autoscaler">The autoscaler.</param>
    /// <param name="target">What it scales.</param>
    /// <param name="pods">The pods that this selects.</param>
    /// <param name="metrics">What is measured of them, by name.</param>
    /// <param name="history">What was recommended and done before.</param>
    /// <param name="now">The time.</param>
    public static HorizontalPlan For(HorizontalPodAutoscaler autoscaler, ScaleTarget target, IReadOnlyList<Pod> pods, IReadOnlyDictionary<string, Api.Metrics.V1Beta1.PodMetrics> metrics, ScalingHistory history, DateTimeOffset now)
    {
        var (spec, current) = (autoscaler.Spec, target.SpecReplicas);
        var words = new ConditionWriter(autoscaler.Status.Conditions, now);
        var status = autoscaler.Status with { ObservedGeneration = autoscaler.Metadata.Generation, CurrentReplicas = target.StatusReplicas, DesiredReplicas = current };
        words.Set(AbleToScale, true, "SucceededGetScale", "the HPA controller was able to get the target's current scale");
        if (current == 0)
        {
            words.Set(ScalingActive, false, "ScalingDisabled", "scaling is disabled since the replica count of the target is zero");
            return new HorizontalPlan(null, status with { DesiredReplicas = 0, Conditions = words.Conditions }, history, null, []);
        }

        var min = spec.MinReplicas ?? 1;
        if (current < min || current > spec.MaxReplicas)
        {
            var bound = current < min ? min : spec.MaxReplicas;
            words.Set(ScalingLimited, true, current < min ? "TooFewReplicas" : "TooManyReplicas", $"the replica count of the target was {(current < min ? "below" : "above")} the bounds");
            return Rescale(bound, current < min ? "Current number of replicas below Spec.MinReplicas" : "Current number of replicas above Spec.MaxReplicas", []);
        }

        var known = history.Recommendations.Count == 0 ? history.Recommending(current, now) : history;
        var scaled = new ScaledPods(current, pods, metrics, ScalingLimits.UpOf(spec).Tolerance?.Value ?? ToleranceDefault, ScalingLimits.DownOf(spec).Tolerance?.Value ?? ToleranceDefault, now);
        var outcomes = spec.Metrics.Select(metric => ReplicaCalculator.For(metric, scaled)).ToList();
        var troubles = outcomes.OfType<MetricOutcome.Failed>().Select(failed => (failed.Reason, failed.Message)).ToList();
        var best = outcomes.OfType<MetricOutcome.Proposed>().MaxBy(proposed => proposed.Replicas);
        status = status with { CurrentMetrics = [.. outcomes.Select((outcome, index) => outcome is MetricOutcome.Proposed proposed ? proposed.Status : new MetricStatus { Type = spec.Metrics[index].Type })] };
        if (best is null || (troubles.Count > 0 && best.Replicas < current))
        {
            words.Set(ScalingActive, false, troubles.Count > 0 ? troubles[0].Reason : "NoMetrics", troubles.Count > 0 ? troubles[0].Message : "there is nothing to measure");
            return new HorizontalPlan(null, status with { CurrentMetrics = best is null ? [] : status.CurrentMetrics, Conditions = words.Conditions }, known, null, troubles);
        }

        words.Set(ScalingActive, true, "ValidMetricFound", $"the HPA was able to successfully calculate a replica count from {best.Name}");
        known = known.Recommending(best.Replicas, now);
        var bounded = ScalingLimits.Bound(spec, current, best.Replicas, known, now);
        words.Set(AbleToScale, true, bounded.IsStabilized ? (best.Replicas < current ? "ScaleDownStabilized" : "ScaleUpStabilized") : "ReadyForNewScale", bounded.IsStabilized
            ? best.Replicas < current ? "recent recommendations were higher than current one, applying the highest recent recommendation" : "recent recommendations were lower than current one, applying the lowest recent recommendation"
            : "recommended size matches current size");
        words.Set(ScalingLimited, bounded.IsLimited, bounded.LimitReason, bounded.LimitMessage);
        history = known;
        return bounded.Replicas == current ? new HorizontalPlan(null, status with { Conditions = words.Conditions }, known, null, troubles)
            : Rescale(bounded.Replicas, bounded.Replicas > current ? $"{best.Name} above target" : "All metrics below target", troubles);

        HorizontalPlan Rescale(int replicas, string reason, IReadOnlyList<(string, string)> failures)
        {
            words.Set(AbleToScale, true, "SucceededRescale", string.Create(CultureInfo.InvariantCulture, $"the HPA controller was able to update the target scale to {replicas}"));
            return new HorizontalPlan(
                replicas, status with { DesiredReplicas = replicas, LastScaleTime = now, Conditions = words.Conditions }, history.Changing(replicas - current, now), string.Create(CultureInfo.InvariantCulture, $"New size: {replicas}; reason: {reason}"), failures);
        }
    }

    /// <summary>The target cannot be scaled: there is none, or it is of a kind that has no number of pods.</summary>
    public static AutoscalerStatus Unable(HorizontalPodAutoscaler autoscaler, string message, DateTimeOffset now)
    {
        var words = new ConditionWriter(autoscaler.Status.Conditions, now);
        words.Set(AbleToScale, false, "FailedGetScale", message);
        return autoscaler.Status with { ObservedGeneration = autoscaler.Metadata.Generation, Conditions = words.Conditions };
    }

    /// <summary>Conditions, in Kubernetes' order; the time of one changes with its status alone.</summary>
    private sealed class ConditionWriter(IReadOnlyList<WorkloadCondition> before, DateTimeOffset now)
    {
        private static readonly string[] Order = [AbleToScale, ScalingActive, ScalingLimited];
        private readonly Dictionary<string, WorkloadCondition> conditions = before.DistinctBy(condition => condition.Type).ToDictionary(condition => condition.Type, StringComparer.Ordinal);

        public IReadOnlyList<WorkloadCondition> Conditions => [.. conditions.Values.OrderBy(condition => Array.IndexOf(Order, condition.Type) is >= 0 and var place ? place : Order.Length)];

        public void Set(string type, bool isTrue, string reason, string message)
        {
            var status = isTrue ? ConditionStatuses.True : ConditionStatuses.False;
            var since = conditions.TryGetValue(type, out var known) && known.Status == status ? known.LastTransitionTime : now;
            conditions[type] = new WorkloadCondition { Type = type, Status = status, Reason = reason, Message = message, LastTransitionTime = since };
        }
    }
}
