using Godwit.Api.Forecasts.V1Alpha1;
using Godwit.Api.Groups.V1Alpha1;
using Godwit.Controllers.Migrations;
using Godwit.Scheduling;

namespace Godwit.Controllers.Groups;

/// <summary>
/// The first half of a group's plan: which guests, where each goes, and which cannot go and why. All are placed together,
/// so that the plan as a whole fits. The second half, in which order and until when, is <see cref="GroupForecasts"/>'s.
/// </summary>
internal static class GroupPlanner
{
    /// <summary>The members as they are found now: Waiting with a target, or Refused with the reason.</summary>
    public static GroupMigrationStatus Begin(GroupMigrationSpec spec, MigrationWorld world)
    {
        var guests = Select(spec, world.Instances.Items).ToList();
        var members = new List<GroupMember>();
        var movable = new List<(VirtualMachineInstance Vmi, Preflight Preflight)>();
        foreach (var vmi in guests)
        {
            var preflight = PreflightOf(spec, vmi, world);
            if (WhyNot(spec, vmi, preflight) is { } reason)
            {
                members.Add(MemberOf(vmi) with { Phase = GroupMemberPhases.Refused, Reason = reason });
            }
            else
            {
                movable.Add((vmi, preflight));
            }
        }

        foreach (var (place, vmi) in Place(spec, movable, world.Cluster))
        {
            members.Add(place switch
            {
                Placement.Chosen chosen => MemberOf(vmi) with { Phase = GroupMemberPhases.Waiting, TargetNode = chosen.NodeName },
                Placement.Nowhere nowhere => MemberOf(vmi) with { Phase = GroupMemberPhases.Refused, Reason = nowhere.Explain() },
                _ => throw new InvalidOperationException($"{place} is no placement."),
            });
        }

        var missing = spec.Members
            .Where(named => !guests.Exists(vmi => IsNamed(named, vmi)))
            .Select(named => new GroupMember
            {
                Namespace = named.Namespace,
                Name = named.Name,
                Phase = GroupMemberPhases.Refused,
                Reason = "it does not run: there is no VirtualMachineInstance of this name",
            });
        return new GroupMigrationStatus
        {
            Phase = GroupPhases.Planning,
            Members = [.. members.Concat(missing).OrderBy(member => member.Phase == GroupMemberPhases.Refused)],
        };
    }

    /// <summary>Where a member goes after a try failed: another node if one fits, else the same one again.</summary>
    public static string? Elsewhere(GroupMigrationSpec spec, GroupMember member, VirtualMachineInstance vmi, MigrationWorld world)
    {
        var preflight = PreflightOf(spec, vmi, world);
        IEnumerable<Obstacle> Failed(NodeFacts node) =>
            node.Name == member.TargetNode ? [new Obstacle(ObstacleReasons.TargetNotSelected, "the last try to it failed", "")] : [];
        return spec.TargetNode is null
            && Placement.For(GuestNeeds.Of(vmi), world.Cluster, node => preflight.FindTargetObstacles(node).Concat(Failed(node))) is Placement.Chosen chosen
                ? chosen.NodeName
                : member.TargetNode;
    }

    /// <summary>Where a member of a service goes once more: the same node while it fits, for the others go there too; else as after a failed try.</summary>
    public static string? Again(GroupMigrationSpec spec, GroupMember member, VirtualMachineInstance vmi, MigrationWorld world)
    {
        var preflight = PreflightOf(spec, vmi, world);
        var fits = member.TargetNode is { } node
            && world.Cluster.Find(node) is { } target
            && Placement.For(GuestNeeds.Of(vmi), world.Cluster, other => other.Name == target.Name ? preflight.FindTargetObstacles(other) : [new Obstacle(ObstacleReasons.TargetNotSelected, "is not where it was to go", "")]) is Placement.Chosen;
        return fits ? member.TargetNode : Elsewhere(spec, member, vmi, world);
    }

    private static IEnumerable<VirtualMachineInstance> Select(GroupMigrationSpec spec, IEnumerable<VirtualMachineInstance> instances) => instances
        .Where(vmi => !VirtualMachineInstancePhases.IsFinal(vmi.Status.Phase) && !string.IsNullOrEmpty(vmi.Status.NodeName))
        .Where(vmi => spec.Members.Any(named => IsNamed(named, vmi)) || (spec.Selector is { } selector && Matches(selector, vmi)))
        .OrderBy(ResourceKey.Of);

    private static bool IsNamed(GroupMemberReference named, VirtualMachineInstance vmi) =>
        named.Name == vmi.Metadata.Name && named.Namespace == vmi.Metadata.Namespace;

    private static bool Matches(GroupSelector selector, VirtualMachineInstance vmi) =>
        vmi.Metadata.DeletionTimestamp is null // It goes by itself.
        && (string.IsNullOrEmpty(selector.NodeName) || vmi.Status.NodeName == selector.NodeName)
        && (string.IsNullOrEmpty(selector.HomeNode) || (HomeOf(vmi) == selector.HomeNode && vmi.Status.NodeName != selector.HomeNode))
        && (string.IsNullOrEmpty(selector.Namespace) || vmi.Metadata.Namespace == selector.Namespace)
        && selector.MatchLabels.All(pair => vmi.Metadata.Labels.TryGetValue(pair.Key, out var value) && value == pair.Value);

    private static string? HomeOf(VirtualMachineInstance vmi) => vmi.Metadata.Annotations.GetValueOrDefault(AnnotationNames.HomeNode);

    private static Preflight PreflightOf(GroupMigrationSpec spec, VirtualMachineInstance vmi, MigrationWorld world) => new()
    {
        Vmi = vmi,
        Source = world.Cluster.Find(vmi.Status.NodeName ?? ""),
        Mode = spec.Mode ?? MigrationModes.Auto,
        IsPostcopyAllowed = PolicyChoice.For(vmi, world.NamespaceLabels(vmi.Metadata.Namespace), world.Policies)?.Spec.AllowPostCopy != false,
    };

    /// <summary>What stands against the move of this guest to any node; null when nothing does.</summary>
    private static string? WhyNot(GroupMigrationSpec spec, VirtualMachineInstance vmi, Preflight preflight)
    {
        if (spec.KeepHome == true && vmi.Spec.EvictionStrategy is EvictionStrategies.None or EvictionStrategies.External)
        {
            return vmi.Spec.EvictionStrategy == EvictionStrategies.None
                ? "its evictionStrategy is None: it is not to be moved when its node is emptied (stop it, or move it by name)"
                : "its evictionStrategy is External: whoever looks after it has to move it";
        }

        // One that is just starting is waited for when its turn comes.
        var isComing = vmi.Metadata.DeletionTimestamp is null && vmi.Status.Phase == VirtualMachineInstancePhases.Scheduled;
        var obstacles = preflight.FindSourceObstacles().Where(obstacle => !(isComing && obstacle.Reason == ObstacleReasons.GuestNotRunning)).ToList();
        return obstacles.Count == 0 ? null : string.Join("; ", obstacles.Select(obstacle => $"{obstacle.Message} ({obstacle.Fix})"));
    }

    private static IEnumerable<(Placement Place, VirtualMachineInstance Vmi)> Place(
        GroupMigrationSpec spec, List<(VirtualMachineInstance Vmi, Preflight Preflight)> movable, ClusterSnapshot cluster)
    {
        IEnumerable<Obstacle> NotNamed(NodeFacts node) => spec.TargetNode is { Length: > 0 } named && named != node.Name
            ? [new Obstacle(ObstacleReasons.TargetNotSelected, $"is not {named}, which was asked for", "ask for another node, or for none")]
            : [];
        var byName = movable.ToDictionary(each => GuestNeeds.Of(each.Vmi).Guest, StringComparer.Ordinal);
        var placed = GroupPlacement.For(
            movable.Select(each => new GroupGuest(GuestNeeds.Of(each.Vmi), node => each.Preflight.FindTargetObstacles(node).Concat(NotNamed(node)))), cluster);
        return placed.Select(place => (place.Placement, byName[place.Guest.Guest].Vmi));
    }

    private static GroupMember MemberOf(VirtualMachineInstance vmi) => new()
    {
        Namespace = vmi.Metadata.Namespace,
        Name = vmi.Metadata.Name,
        Uid = vmi.Metadata.Uid,
        SourceNode = vmi.Status.NodeName,
    };
}
