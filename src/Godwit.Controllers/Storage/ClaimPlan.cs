using Godwit.Api.Storage.V1;
using Godwit.Scheduling;
using Godwit.Scheduling.Volumes;

namespace Godwit.Controllers.Storage;

/// <summary>What is to be done for a claim now.</summary>
internal abstract record ClaimPlan
{
    private ClaimPlan()
    {
    }

    /// <summary>Nothing; with words for people when it waits for something.</summary>
    public sealed record Wait(string Severity, string Reason, string Message) : ClaimPlan;

    public sealed record Nothing : ClaimPlan;

    /// <summary>It named no class, and there is a default now.</summary>
    public sealed record SetClass(string Name) : ClaimPlan;

    /// <summary>Each is given the other: whatever of that is not written yet.</summary>
    public sealed record Bind(PersistentVolume Volume) : ClaimPlan;

    /// <summary>A volume is made for it, which the next look binds.</summary>
    public sealed record Provision(PersistentVolume Volume) : ClaimPlan;

    /// <summary>Somebody outside is told that a volume is wanted of them.</summary>
    public sealed record Delegate(string Provisioner) : ClaimPlan;

    /// <summary>The node that was chosen cannot give it a volume: the scheduler is to choose again.</summary>
    public sealed record Reschedule(string Why) : ClaimPlan;

    /// <summary>It asks for more than it was given, and its volume can grow.</summary>
    public sealed record Grow(PersistentVolume Volume) : ClaimPlan;

    /// <summary>Its volume is gone, or another's.</summary>
    public sealed record Lose(string Reason, string Message) : ClaimPlan;

    /// <summary>It is being deleted and nobody uses it: nothing holds it any more.</summary>
    public sealed record LetGo : ClaimPlan;
}

/// <summary>What a claim is planned from.</summary>
internal sealed record ClaimWorld
{
    public required PersistentVolumeClaim Claim { get; init; }

    public required IReadOnlyCollection<PersistentVolume> Volumes { get; init; }

    public required IReadOnlyCollection<StorageClass> Classes { get; init; }

    public required IReadOnlyCollection<NodeFacts> Nodes { get; init; }

    /// <summary>A pod that has a node and has not ended uses it.</summary>
    public required bool IsInUse { get; init; }
}

/// <summary>
/// Gives claims their volumes. A claim and its volume name each other, the volume first and with the claim's uid, so that no volume is given twice and a half-made
/// pair is found and completed:
/// <code>
///   volume.claimRef ──▶ volume status ──▶ claim.volumeName, bind-completed ──▶ claim status
/// </code>
/// A claim that waits for its first pod (WaitForFirstConsumer) begins when the scheduler has written the pod's node on it.
/// </summary>
internal static class ClaimPlanner
{
    private const string FailedBinding = "FailedBinding";
    private const string ProvisioningFailed = "ProvisioningFailed";

    public static ClaimPlan For(ClaimWorld world)
    {
        var claim = world.Claim;
        if (claim.Metadata.DeletionTimestamp is not null)
        {
            return claim.Metadata.Finalizers.Contains(FinalizerNames.ClaimProtection) && !world.IsInUse ? new ClaimPlan.LetGo() : new ClaimPlan.Nothing();
        }

        if (claim.Metadata.Annotations.ContainsKey(AnnotationNames.BindCompleted))
        {
            return ForBound(claim, world.Volumes.FirstOrDefault(volume => volume.Metadata.Name == claim.Spec.VolumeName));
        }

        if (claim.Spec.StorageClassName is null && StorageClass.DefaultOf(world.Classes) is { } chosen)
        {
            return new ClaimPlan.SetClass(chosen.Metadata.Name);
        }

        return claim.Spec.VolumeName is { Length: > 0 } wanted ? ForNamed(claim, wanted, world.Volumes.FirstOrDefault(volume => volume.Metadata.Name == wanted)) : ForOpen(world);
    }

    private static ClaimPlan ForBound(PersistentVolumeClaim claim, PersistentVolume? volume) => volume switch
    {
        null => new ClaimPlan.Lose("ClaimLost", "Bound claim has lost its PersistentVolume. Data on the volume is lost!"),
        _ when !VolumeMatch.IsFor(volume, claim) => new ClaimPlan.Lose("ClaimMisbound", "Two claims are bound to the same volume, this one is bound incorrectly"),
        _ when VolumeMatch.SizeOf(claim) > VolumeFacts.Of(volume).Size && VolumeMatch.SizeOf(claim) > GivenTo(claim) => LocalVolumes.IsOurs(volume)
            ? new ClaimPlan.Grow(volume)
            : new ClaimPlan.Wait(EventTypes.Normal, "ExternalExpanding", "waiting for somebody outside to expand the volume of this claim"),
        _ => new ClaimPlan.Bind(volume),
    };

    private static decimal GivenTo(PersistentVolumeClaim claim) => claim.Status.Capacity.GetValueOrDefault(Quantities.Storage).Value;

    private static ClaimPlan ForNamed(PersistentVolumeClaim claim, string wanted, PersistentVolume? volume) => volume switch
    {
        null => new ClaimPlan.Wait(EventTypes.Warning, FailedBinding, $"volume \"{wanted}\" not found"),
        { Metadata.DeletionTimestamp: not null } => new ClaimPlan.Wait(EventTypes.Warning, FailedBinding, $"volume \"{wanted}\" is being deleted"),
        { Spec.ClaimRef: not null } when !VolumeMatch.IsFor(volume, claim) => new ClaimPlan.Wait(EventTypes.Warning, FailedBinding, $"volume \"{wanted}\" already bound to a different claim."),
        _ when VolumeMatch.FindMismatch(claim, volume) is { } why => new ClaimPlan.Wait(EventTypes.Warning, "VolumeMismatch", $"Cannot bind to requested volume \"{wanted}\": {why}"),
        _ => new ClaimPlan.Bind(volume),
    };

    private static ClaimPlan ForOpen(ClaimWorld world)
    {
        var claim = world.Claim;
        var candidates = VolumeMatch.CandidatesOf(claim, world.Volumes.Select(VolumeFacts.Of));
        var kind = world.Classes.FirstOrDefault(each => each.Metadata.Name == claim.Spec.StorageClassName);
        if (kind?.VolumeBindingMode != VolumeBindingModes.WaitForFirstConsumer)
        {
            return candidates is [{ } best, ..] ? new ClaimPlan.Bind(best.Volume)
                : kind is not null ? ForClass(world, kind, LocalVolumes.ChooseNode(world.Nodes, world.Volumes), isChosen: false)
                : string.IsNullOrEmpty(claim.Spec.StorageClassName) ? new ClaimPlan.Wait(EventTypes.Normal, FailedBinding, "no persistent volumes available for this claim and no storage class is set")
                : new ClaimPlan.Wait(EventTypes.Warning, ProvisioningFailed, $"storageclass.storage.k8s.io \"{claim.Spec.StorageClassName}\" not found");
        }

        if (candidates is [{ Volume: { Spec.ClaimRef: not null } kept }, ..])
        {
            return new ClaimPlan.Bind(kept);
        }

        if (claim.Metadata.Annotations.GetValueOrDefault(AnnotationNames.SelectedNode) is not { Length: > 0 } selected)
        {
            return new ClaimPlan.Wait(EventTypes.Normal, "WaitForFirstConsumer", "waiting for first consumer to be created before binding");
        }

        if (world.Nodes.FirstOrDefault(each => each.Name == selected) is not { } node)
        {
            return new ClaimPlan.Reschedule($"node {selected}, where its pod was to run, is gone");
        }

        return candidates.FirstOrDefault(each => each.IsReachableFrom(node)) is { } found ? new ClaimPlan.Bind(found.Volume) : ForClass(world, kind, node, isChosen: true);
    }

    /// <param name="world">What there is.</param>
    /// <param name="kind">The claim's class.</param>
    /// <param name="node">Where a volume would be made; null: nowhere.</param>
    /// <param name="isChosen">The scheduler chose it, and can choose again.</param>
    private static ClaimPlan ForClass(ClaimWorld world, StorageClass kind, NodeFacts? node, bool isChosen)
    {
        switch (kind.Provisioner)
        {
            case StorageClassNames.NoProvisioner when isChosen:
                return new ClaimPlan.Reschedule($"no volume of class {kind.Metadata.Name} that fits is left on node {node?.Name}");
            case StorageClassNames.NoProvisioner:
                return new ClaimPlan.Wait(EventTypes.Normal, FailedBinding, $"no persistent volumes available for this claim, and class {kind.Metadata.Name} makes none");
            case StorageClassNames.LocalProvisioner when LocalProvisioning.FindRefusal(world.Claim) is { } refusal:
                return new ClaimPlan.Wait(EventTypes.Warning, ProvisioningFailed, $"failed to provision volume with StorageClass \"{kind.Metadata.Name}\": {refusal}");
            case StorageClassNames.LocalProvisioner when node?.VolumesFolder is null:
                return isChosen
                    ? new ClaimPlan.Reschedule($"the agent of node {node?.Name} has no folder for volumes")
                    : new ClaimPlan.Wait(EventTypes.Warning, ProvisioningFailed, $"failed to provision volume with StorageClass \"{kind.Metadata.Name}\": no node that is ready has a folder for volumes");
            case StorageClassNames.LocalProvisioner:
                return new ClaimPlan.Provision(LocalVolumes.Make(world.Claim, kind, node));
            default:
                return new ClaimPlan.Delegate(kind.Provisioner);
        }
    }
}
