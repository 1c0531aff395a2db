using Godwit.Api.Forecasts.V1Alpha1;
using Godwit.Api.Meta.V1;

namespace Godwit.Scheduling;

/// <summary>
/// Whether a guest can move to a node, asked before anything is started. Cluster-wide facts only: the two agents check
/// again what only they can see (the very file behind a disk, the room on the host at that moment).
/// </summary>
public sealed record Preflight
{
    /// <summary>The reasons by which an agent's LiveMigratable condition names what cannot move; KubeVirt's words.</summary>
    private const string DisksNotLiveMigratable = "DisksNotLiveMigratable";
    private const string HostDeviceNotLiveMigratable = "HostDeviceNotLiveMigratable";

    public required VirtualMachineInstance Vmi { get; init; }

    /// <summary>The node that owns the guest; null when its object is gone.</summary>
    public required NodeFacts? Source { get; init; }

    /// <summary>One of <see cref="MigrationModes"/>.</summary>
    public string Mode { get; init; } = MigrationModes.Auto;

    /// <summary>False when a policy forbids the guest to run on the target before all of its memory is there.</summary>
    public bool IsPostcopyAllowed { get; init; } = true;

    /// <summary>Another move of the same guest that has not ended; null when there is none.</summary>
    public string? OtherMigration { get; init; }

    /// <summary>Obstacles that do not depend on the target: none of them goes away by choosing another node.</summary>
    public IEnumerable<Obstacle> FindSourceObstacles()
    {
        if (Vmi.Status.Phase != VirtualMachineInstancePhases.Running || Vmi.Metadata.DeletionTimestamp is not null)
        {
            var state = Vmi.Metadata.DeletionTimestamp is not null ? "being deleted" : Vmi.Status.Phase ?? "not started";
            yield return new Obstacle(ObstacleReasons.GuestNotRunning, $"the guest is {state}, not Running", "move it once it runs");
        }

        if (OtherMigration is not null)
        {
            yield return new Obstacle(
                ObstacleReasons.MigrationInProgress, $"migration {OtherMigration} moves the guest already", "wait for it, or delete it to cancel it");
        }

        if (Source is not { IsReady: true })
        {
            yield return new Obstacle(
                ObstacleReasons.SourceNotReady,
                $"the guest's node {Vmi.Status.NodeName} {(Source is null ? "has no Node object" : "is not ready")}",
                "its agent must run: it drives the move");
        }

        foreach (var obstacle in FindModeObstacles().Concat(FindDeviceObstacles()))
        {
            yield return obstacle;
        }
    }

    /// <summary>Obstacles of one target, beside those of <see cref="NodeCheck"/>.</summary>
    public IEnumerable<Obstacle> FindTargetObstacles(NodeFacts target)
    {
        if (target.Name == Vmi.Status.NodeName)
        {
            yield return new Obstacle(ObstacleReasons.TargetIsSource, "runs the guest already", "choose another node");
            yield break; // Nothing else is worth saying of it.
        }

        if (Source is null)
        {
            yield break;
        }

        if (Source.QemuVersion is { } from && target.QemuVersion is { } to && to < from)
        {
            yield return new Obstacle(
                ObstacleReasons.QemuVersionOlder, $"has QEMU {to}, older than the source's {from}", "update QEMU on the target first");
        }

        if (Source.Accelerator is { } runsBy && target.Accelerator is { } wouldRunBy && runsBy != wouldRunBy)
        {
            yield return new Obstacle(
                ObstacleReasons.AcceleratorDiffers, $"runs guests by {wouldRunBy}, the source by {runsBy}", "choose a node with the same accelerator");
        }

        foreach (var obstacle in FindCpuObstacles(target).Concat(FindStorageObstacles(target)))
        {
            yield return obstacle;
        }
    }

    private IEnumerable<Obstacle> FindModeObstacles()
    {
        if (Mode is not (MigrationModes.Auto or MigrationModes.Cold or MigrationModes.Precopy or MigrationModes.Postcopy or MigrationModes.Hybrid))
        {
            yield return new Obstacle(
                ObstacleReasons.ModeNotAllowed, $"'{Mode}' is no way to move a guest", "use auto, cold, precopy, postcopy or hybrid");
        }
        else if (!IsPostcopyAllowed && Mode is MigrationModes.Postcopy or MigrationModes.Hybrid)
        {
            yield return new Obstacle(
                ObstacleReasons.ModeNotAllowed, $"the policy forbids post-copy, and {Mode} uses it", "set allowPostCopy in the policy, or use another mode");
        }
    }

    private IEnumerable<Obstacle> FindDeviceObstacles()
    {
        var reported = Vmi.Status.Conditions.FirstOrDefault(condition => condition.Type == VirtualMachineInstanceConditions.LiveMigratable);
        if (reported?.Status == ConditionStatuses.False)
        {
            var reason = reported.Reason switch
            {
                DisksNotLiveMigratable => ObstacleReasons.DiskNotShared,
                HostDeviceNotLiveMigratable => ObstacleReasons.HostDeviceAttached,
                _ => ObstacleReasons.GuestNotMigratable,
            };
            yield return new Obstacle(reason, reported.Message ?? "its node says that the guest cannot move", "see the guest's condition LiveMigratable");
        }
    }

    private IEnumerable<Obstacle> FindCpuObstacles(NodeFacts target)
    {
        // A model by name is the same everywhere; anything else was made of what the source's host has.
        var isHostModel = Vmi.Spec.Domain.Cpu?.Model is null or "" or "host-model" or "host-passthrough" or "max";
        var needed = NodeFacts.ReadSet(Vmi.Metadata.Annotations, AnnotationNames.CpuFeatures) ?? (isHostModel ? Source?.CpuFeatures : null);
        if (needed is not null && target.CpuFeatures is { } offered)
        {
            var missing = needed.Where(feature => !offered.Contains(feature)).Order(StringComparer.Ordinal).ToList();
            if (missing.Count > 0)
            {
                yield return new Obstacle(
                    ObstacleReasons.CpuFeatureMissing,
                    $"lacks the CPU features {string.Join(", ", missing.Take(8))}{(missing.Count > 8 ? $" and {missing.Count - 8} more" : "")}",
                    "give the guest a CPU model that both hosts have");
            }
        }
    }

    private IEnumerable<Obstacle> FindStorageObstacles(NodeFacts target)
    {
        var used = NodeFacts.ReadSet(Vmi.Metadata.Annotations, AnnotationNames.StorageIds);
        if (target.StorageIds is not { } seen)
        {
            yield break;
        }

        foreach (var storage in used?.Where(storage => !seen.Contains(storage)).Order(StringComparer.Ordinal) ?? Enumerable.Empty<string>())
        {
            yield return new Obstacle(ObstacleReasons.DiskNotShared, $"does not see the storage {storage}", "mount it there, at the same path");
        }

        var hasHostDisk = Vmi.Spec.Volumes.Any(volume => volume.HostDisk is not null);
        if (used is null && hasHostDisk && Source?.StorageIds is { } here && !here.Any(seen.Contains))
        {
            yield return new Obstacle(ObstacleReasons.DiskNotShared, "shares no storage with the source", "mount the guest's storage there, at the same path");
        }
    }
}
