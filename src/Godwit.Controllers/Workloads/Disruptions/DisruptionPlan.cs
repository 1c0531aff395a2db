using Godwit.Api.Policy.V1;
using Godwit.Controllers.Workloads.Deployments;

namespace Godwit.Controllers.Workloads.Disruptions;

/// <summary>What a budget says of itself, and when time alone may change it.</summary>
internal sealed record DisruptionPlan(PodDisruptionBudgetStatus Status, TimeSpan? Next);

/// <summary>
/// How many of a budget's pods may go now. The server takes from <c>disruptionsAllowed</c> and notes the pod in <c>disruptedPods</c> before it deletes it; such a pod
/// counts as gone until it is seen going. So the numbers may be made anew from an old view of the pods, and nothing is allowed twice:
/// <code>
///   healthy  =  ready, not going, not noted
///   allowed  =  healthy  -  desired
/// </code>
/// </summary>
internal static class DisruptionPlanner
{
    public const string DisruptionAllowed = "DisruptionAllowed";

    /// <summary>A pod that was let go and is still there after so long was not deleted: it counts again.</summary>
    public static readonly TimeSpan DeletionTakes = TimeSpan.FromMinutes(2);

    /// <param name="budget">The budget.</param>
    /// <param name="pods">Pods of its namespace.</param>
    /// <param name="scaleOf">How many pods the owner of a pod is to have: the owner's uid and the number; null when it has no such number.</param>
    /// <param name="now">The time.</param>
    public static DisruptionPlan For(PodDisruptionBudget budget, IEnumerable<Pod> pods, Func<Pod, (string Uid, int Replicas)?> scaleOf, DateTimeOffset now)
    {
        var selector = budget.Spec.Selector is { } spec ? PodTemplates.SelectorOf(spec) : null;
        var selected = pods.Where(pod => pod.Metadata.Namespace == budget.Metadata.Namespace && selector?.Matches(pod.Metadata.Labels) == true && !PodPhases.IsFinal(pod.Status.Phase)).ToList();
        var alive = selected.Where(pod => pod.Metadata.DeletionTimestamp is null).ToDictionary(pod => pod.Metadata.Name, StringComparer.Ordinal);
        var noted = budget.Status.DisruptedPods.Where(each => alive.ContainsKey(each.Key) && now - each.Value < DeletionTakes).ToDictionary(each => each.Key, each => each.Value, StringComparer.Ordinal);
        var next = noted.Count == 0 ? (TimeSpan?)null : noted.Values.Min() + DeletionTakes - now;
        var healthy = alive.Values.Count(pod => PodFacts.IsReady(pod) && !noted.ContainsKey(pod.Metadata.Name));
        var status = budget.Status with { ObservedGeneration = budget.Metadata.Generation ?? 0, DisruptedPods = noted, CurrentHealthy = healthy };
        if (Desired(budget.Spec, selected, scaleOf, out var expected, out var unscaled) is not { } desired)
        {
            var message = $"pod {unscaled!.Metadata.Name} has no owner with a number of replicas, and the budget speaks of a share of them: say minAvailable as a number";
            return new DisruptionPlan(Told(budget, status with { DisruptionsAllowed = 0 }, false, "SyncFailed", message, now), next);
        }

        var allowed = expected == 0 ? 0 : Math.Max(0, healthy - desired);
        status = status with { ExpectedPods = expected, DesiredHealthy = desired, DisruptionsAllowed = allowed };
        return new DisruptionPlan(Told(budget, status, allowed > 0, allowed > 0 ? "SufficientPods" : "InsufficientPods", $"{healthy} healthy, {desired} are to stay", now), next);
    }

    /// <summary>How many must be healthy; null when a pod's owner says no number where one is needed.</summary>
    private static int? Desired(PodDisruptionBudgetSpec spec, List<Pod> selected, Func<Pod, (string Uid, int Replicas)?> scaleOf, out int expected, out Pod? unscaled)
    {
        (expected, unscaled) = (selected.Count, null);
        if (spec is { MinAvailable: { Text: null } number, MaxUnavailable: null })
        {
            return number.Number;
        }

        var owners = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (var pod in selected)
        {
            if (scaleOf(pod) is not { } scale)
            {
                unscaled = pod;
                return null;
            }

            owners[scale.Uid] = scale.Replicas;
        }

        expected = owners.Values.Sum();
        return spec.MaxUnavailable is { } most ? Math.Max(0, expected - RolloutBounds.CountOf(most, expected, roundUp: true))
            : spec.MinAvailable is { } least ? RolloutBounds.CountOf(least, expected, roundUp: true)
            : 1; // Neither is said: one is to stay.
    }

    private static PodDisruptionBudgetStatus Told(PodDisruptionBudget budget, PodDisruptionBudgetStatus status, bool isAllowed, string reason, string message, DateTimeOffset now) => status with
    {
        Conditions = Conditions.With(
            budget.Status.Conditions,
            new Condition
            {
                Type = DisruptionAllowed,
                Status = isAllowed ? ConditionStatuses.True : ConditionStatuses.False,
                Reason = reason,
                Message = message,
            },
            now),
    };
}
