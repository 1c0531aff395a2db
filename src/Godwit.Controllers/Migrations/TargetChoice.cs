using Godwit.Scheduling;

namespace Godwit.Controllers.Migrations;

/// <summary>Where a guest can go, for a migration and for a forecast alike.</summary>
internal static class TargetChoice
{
    /// <param name="vmi">The guest.</param>
    /// <param name="addedSelector">Labels that the target must have beside those that the guest asks for.</param>
    /// <param name="preflight">What else stands against a target.</param>
    /// <param name="cluster">The cluster now.</param>
    /// <param name="busy">Obstacles that pass by themselves; null when they do not count.</param>
    public static Placement For(
        VirtualMachineInstance vmi,
        IReadOnlyDictionary<string, string> addedSelector,
        Preflight preflight,
        ClusterSnapshot cluster,
        Func<NodeFacts, IEnumerable<Obstacle>>? busy = null)
    {
        var needs = GuestNeeds.Of(vmi);
        var selector = new Dictionary<string, string>(needs.NodeSelector, StringComparer.Ordinal);
        foreach (var (label, value) in addedSelector)
        {
            selector[label] = value;
        }

        return Placement.For(
            needs with { NodeSelector = selector }, cluster, node => preflight.FindTargetObstacles(node).Concat(busy?.Invoke(node) ?? []));
    }

    /// <summary>True when waiting may help: some node has nothing against it but that it is busy.</summary>
    public static bool IsOnlyBusy(Placement.Nowhere nowhere, string busyReason) =>
        nowhere.Refusals.Any(refusal => refusal.Obstacles.All(obstacle => obstacle.Reason == busyReason));

    /// <summary>
    /// The one word for a refusal of all nodes: the first obstacle of the named node, or else of the node that came
    /// nearest (the fewest obstacles, the source itself last).
    /// </summary>
    public static string MainReason(Placement.Nowhere nowhere, IReadOnlyDictionary<string, string> addedSelector)
    {
        if (addedSelector.TryGetValue(LabelNames.Hostname, out var named))
        {
            return nowhere.Refusals.FirstOrDefault(refusal => refusal.NodeName == named)?.Obstacles[0].Reason ?? ObstacleReasons.TargetMissing;
        }

        return nowhere.Refusals
            .OrderBy(refusal => refusal.Obstacles.Any(obstacle => obstacle.Reason == ObstacleReasons.TargetIsSource))
            .ThenBy(refusal => refusal.Obstacles.Count)
            .Select(refusal => refusal.Obstacles[0].Reason)
            .FirstOrDefault(ObstacleReasons.TargetMissing);
    }
}
