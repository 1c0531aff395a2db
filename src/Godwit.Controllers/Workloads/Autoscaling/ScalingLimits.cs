using Godwit.Api.Autoscaling.V2;

namespace Godwit.Controllers.Workloads.Autoscaling;

/// <summary>A number after its bounds, and which of them held it; the reason is Kubernetes' word.</summary>
internal readonly record struct BoundedReplicas(int Replicas, string LimitReason, string LimitMessage, bool IsStabilized)
{
    public bool IsLimited => LimitReason != ScalingLimits.WithinRange;
}

/// <summary>
/// How a recommendation becomes a number: in this order it waits for the window of stabilization, and is held to what the policies of its direction allow in their periods and to least and most.
/// Source: Kubernetes documentation, "Horizontal Pod Autoscaling: Configurable scaling behavior".
/// </summary>
internal static class ScalingLimits
{
    public const string WithinRange = "DesiredWithinRange";

    private static readonly ScalingRules UpDefault = new()
    {
        StabilizationWindowSeconds = 0,
        SelectPolicy = "Max",
        Policies = [new ScalingPolicy { Type = "Pods", Value = 4, PeriodSeconds = 15 }, new ScalingPolicy { Type = "Percent", Value = 100, PeriodSeconds = 15 }],
    };

    private static readonly ScalingRules DownDefault = new()
    {
        StabilizationWindowSeconds = 300,
        SelectPolicy = "Max",
        Policies = [new ScalingPolicy { Type = "Percent", Value = 100, PeriodSeconds = 15 }],
    };

    public static ScalingRules UpOf(AutoscalerSpec spec) => Complete(spec.Behavior?.ScaleUp, UpDefault);

    public static ScalingRules DownOf(AutoscalerSpec spec) => Complete(spec.Behavior?.ScaleDown, DownDefault);

    /// <param name="spec">Its bounds and rules.</param>
    /// <param name="current">How many are asked for now.</param>
    /// <param name="recommended">What the metrics ask for; the last of the history's recommendations.</param>
    /// <param name="history">What was recommended and done before, this recommendation among it.</param>
    /// <param name="now">The time.</param>
    public static BoundedReplicas Bound(AutoscalerSpec spec, int current, int recommended, ScalingHistory history, DateTimeOffset now)
    {
        var (up, down) = (UpOf(spec), DownOf(spec));
        var stable = Stabilize(current, recommended, history, (now - WindowOf(up), now - WindowOf(down)));
        var (min, max) = (spec.MinReplicas ?? 1, spec.MaxReplicas);
        BoundedReplicas Limited(int replicas, string reason, string message) => new(replicas, reason, message, stable != recommended);

        if (stable > current)
        {
            var allowed = Math.Max(current, Most(up, current, history, now));
            if (stable > Math.Min(allowed, max))
            {
                return allowed < max ? Limited(allowed, "ScaleUpLimit", "the desired replica count is increasing faster than the maximum scale rate")
                    : Limited(max, "TooManyReplicas", "the desired replica count is more than the maximum replica count");
            }
        }
        else if (stable < current)
        {
            var allowed = Math.Min(current, Least(down, current, history, now));
            if (stable < Math.Max(allowed, min))
            {
                return allowed > min ? Limited(allowed, "ScaleDownLimit", "the desired replica count is decreasing faster than the maximum scale rate")
                    : Limited(min, "TooFewReplicas", "the desired replica count is less than the minimum replica count");
            }
        }

        return stable < min ? Limited(min, "TooFewReplicas", "the desired replica count is less than the minimum replica count")
            : stable > max ? Limited(max, "TooManyReplicas", "the desired replica count is more than the maximum replica count")
            : Limited(stable, WithinRange, "the desired count is within the acceptable range");
    }

    /// <summary>It grows no further than to the least, and shrinks no further than to the most that was recommended in the window of that direction.</summary>
    private static int Stabilize(int current, int recommended, ScalingHistory history, (DateTimeOffset Up, DateTimeOffset Down) since)
    {
        var up = history.Recommendations.Where(each => each.At > since.Up).Select(each => each.Replicas).Append(recommended).Min();
        var down = history.Recommendations.Where(each => each.At > since.Down).Select(each => each.Replicas).Append(recommended).Max();
        return current < up ? up : current > down ? down : current;
    }

    private static int Most(ScalingRules rules, int current, ScalingHistory history, DateTimeOffset now) => rules.SelectPolicy == "Disabled" ? current
        : Select(rules, takesLarger: rules.SelectPolicy != "Min", policy =>
        {
            var start = StartOf(policy, current, history, now);
            return policy.Type == "Pods" ? start + (long)policy.Value : (long)Math.Ceiling(start * (1 + (policy.Value / 100m)));
        });

    private static int Least(ScalingRules rules, int current, ScalingHistory history, DateTimeOffset now) => rules.SelectPolicy == "Disabled" ? current
        : Select(rules, takesLarger: rules.SelectPolicy == "Min", policy =>
        {
            var start = StartOf(policy, current, history, now);
            return policy.Type == "Pods" ? start - (long)policy.Value : (long)(start * (1 - (policy.Value / 100m)));
        });

    private static int Select(ScalingRules rules, bool takesLarger, Func<ScalingPolicy, long> bound)
    {
        var bounds = rules.Policies.Select(bound).ToList();
        return (int)Math.Clamp(takesLarger ? bounds.Max() : bounds.Min(), int.MinValue, int.MaxValue);
    }

    /// <summary>How many there were when the policy's period began.</summary>
    private static int StartOf(ScalingPolicy policy, int current, ScalingHistory history, DateTimeOffset now)
    {
        var since = now - TimeSpan.FromSeconds(policy.PeriodSeconds);
        return current - history.GrownSince(since) + history.ShrunkSince(since);
    }

    private static TimeSpan WindowOf(ScalingRules rules) => TimeSpan.FromSeconds(rules.StabilizationWindowSeconds ?? 0);

    private static ScalingRules Complete(ScalingRules? rules, ScalingRules otherwise) => rules is null ? otherwise : rules with
    {
        StabilizationWindowSeconds = rules.StabilizationWindowSeconds ?? otherwise.StabilizationWindowSeconds,
        SelectPolicy = rules.SelectPolicy is { Length: > 0 } ? rules.SelectPolicy : otherwise.SelectPolicy,
        Policies = rules.Policies.Count > 0 ? rules.Policies : otherwise.Policies,
    };
}
