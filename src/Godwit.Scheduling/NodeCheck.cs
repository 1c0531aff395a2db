namespace Godwit.Scheduling;

/// <summary>Whether a node can run a guest at all, whether it starts there or arrives there.</summary>
public static class NodeCheck
{
    /// <summary>All obstacles, the gravest first; none means it fits.</summary>
    /// <param name="guest">What the guest needs.</param>
    /// <param name="node">The node in question.</param>
    /// <param name="free">What is free on it.</param>
    public static IEnumerable<Obstacle> FindObstacles(GuestNeeds guest, NodeFacts node, ResourceAmount free)
    {
        if (!node.IsReady)
        {
            var why = node.NotReadyMessage.Length > 0 ? $" ({node.NotReadyMessage})" : "";
            yield return new Obstacle(ObstacleReasons.TargetNotReady, $"is not ready{why}", $"see 'kubectl describe node {node.Name}'");
        }

        foreach (var obstacle in FindTaintObstacles(guest, node))
        {
            yield return obstacle;
        }

        foreach (var (label, value) in guest.NodeSelector.OrderBy(pair => pair.Key, StringComparer.Ordinal))
        {
            if (!node.Labels.TryGetValue(label, out var has) || has != value)
            {
                yield return new Obstacle(
                    ObstacleReasons.TargetNotSelected, $"does not have the label {label}={value}", "label the node, or change the node selector");
            }
        }

        foreach (var obstacle in FindRoomObstacles(guest, free).Concat(FindEquipmentObstacles(guest, node)))
        {
            yield return obstacle;
        }
    }

    private static IEnumerable<Obstacle> FindTaintObstacles(GuestNeeds guest, NodeFacts node)
    {
        if (node.IsCordoned && !Tolerates(guest, new Taint { Key = TaintKeys.Unschedulable, Effect = TaintEffects.NoSchedule }))
        {
            yield return new Obstacle(ObstacleReasons.TargetUnschedulable, "is cordoned", $"'kubectl uncordon {node.Name}'");
        }

        foreach (var taint in node.Taints)
        {
            // A cordoned node is told so in words above; the taint that mirrors it would say it twice.
            if (taint.Effect is TaintEffects.NoSchedule or TaintEffects.NoExecute
                && !(node.IsCordoned && taint.Key == TaintKeys.Unschedulable)
                && !Tolerates(guest, taint))
            {
                var text = string.IsNullOrEmpty(taint.Value) ? taint.Key : $"{taint.Key}={taint.Value}";
                yield return new Obstacle(
                    ObstacleReasons.TargetUnschedulable, $"has the taint {text}:{taint.Effect}", "remove the taint, or give the guest a toleration");
            }
        }
    }

    private static IEnumerable<Obstacle> FindRoomObstacles(GuestNeeds guest, ResourceAmount free)
    {
        if (guest.Amount.MemoryBytes > free.MemoryBytes)
        {
            yield return new Obstacle(
                ObstacleReasons.TargetMemoryShort,
                $"needs {ResourceAmount.MemoryNeeded(guest.Amount.MemoryBytes)} memory, {ResourceAmount.MemoryFree(free.MemoryBytes)} free",
                "stop or move a guest there, or choose another node");
        }

        if (guest.Amount.Millicores > free.Millicores)
        {
            yield return new Obstacle(
                ObstacleReasons.TargetCpuShort,
                $"needs {ResourceAmount.CpuText(guest.Amount.Millicores)} CPU, {ResourceAmount.CpuText(free.Millicores)} free",
                "stop or move a guest there, or choose another node");
        }
    }

    private static IEnumerable<Obstacle> FindEquipmentObstacles(GuestNeeds guest, NodeFacts node)
    {
        if (guest.MachineType is { } type && node.MachineTypes is { } types && !types.Contains(type))
        {
            yield return new Obstacle(
                ObstacleReasons.MachineTypeMissing, $"its QEMU has no machine type {type}", "update QEMU there, or use an older machine type");
        }

        if (node.Images is { } images)
        {
            foreach (var image in guest.Images.Where(image => !images.Contains(image)))
            {
                yield return new Obstacle(
                    ObstacleReasons.ImageMissing, $"does not have the image {image}", "put the image into the node's image folder");
            }
        }

        if (guest.IsNetworked && !node.HasNetwork)
        {
            yield return new Obstacle(
                ObstacleReasons.NetworkMissing, "is no member of the guests' network", "start its agent with an underlay address");
        }
    }

    internal static bool Tolerates(GuestNeeds guest, Taint taint) => TolerationCheck.Tolerates(guest.Tolerations, taint);
}
