namespace Godwit.Controllers.Storage;

/// <summary>What a volume is to be, and whether it is to go.</summary>
/// <param name="Status">Where it stands.</param>
/// <param name="Finalizers">What still holds it.</param>
/// <param name="Delete">Its claim is gone, and it is to follow.</param>
internal sealed record VolumePlan(PersistentVolumeStatus Status, IReadOnlyList<string> Finalizers, bool Delete);

/// <summary>
/// Where a volume stands, and what becomes of it when its claim is gone:
/// <code>
///   Available ──▶ Bound ──▶ Released ── Retain ──▶ stays, with its data, until somebody deletes it
///                              │
///                              └── Delete ──▶ deleted; one of ours when the agent of its node has removed its folder.
///                                             Failed while that node is gone, and where nobody can delete it
/// </code>
/// </summary>
internal static class VolumePlanner
{
    /// <param name="volume">The volume.</param>
    /// <param name="claim">The claim that has the name its reference says, or null. Whether it is that claim is for its uid to say.</param>
    /// <param name="hasNode">Whether a node has that name.</param>
    /// <param name="now">For the time of a change.</param>
    public static VolumePlan For(PersistentVolume volume, PersistentVolumeClaim? claim, Func<string, bool> hasNode, DateTimeOffset now)
    {
        var isGiven = volume.Spec.ClaimRef is { Uid.Length: > 0 } reference && claim?.Metadata.Uid == reference.Uid && (string.IsNullOrEmpty(claim.Spec.VolumeName) || claim.Spec.VolumeName == volume.Metadata.Name);
        var (phase, reason, message, delete) = volume.Spec.ClaimRef is not { Uid.Length: > 0 } ? (VolumePhases.Available, null, null, false)
            : isGiven ? (VolumePhases.Bound, null, null, false)
            : Release(volume, hasNode);
        var status = new PersistentVolumeStatus
        {
            Phase = phase,
            Reason = reason,
            Message = message,
            LastPhaseTransitionTime = volume.Status.Phase == phase && volume.Status.LastPhaseTransitionTime is { } since ? since : now,
        };
        return new VolumePlan(status, isGiven || volume.Metadata.DeletionTimestamp is null ? volume.Metadata.Finalizers : Held(volume), delete && volume.Metadata.DeletionTimestamp is null);
    }

    /// <summary>What holds a volume that is being deleted and that no claim has: the folder, if it is to go with it.</summary>
    private static IReadOnlyList<string> Held(PersistentVolume volume) =>
    [
        .. volume.Metadata.Finalizers.Where(finalizer => finalizer != FinalizerNames.VolumeProtection
            && (finalizer != FinalizerNames.LocalVolume || volume.Spec.PersistentVolumeReclaimPolicy == ReclaimPolicies.Delete)),
    ];

    private static (string Phase, string? Reason, string? Message, bool Delete) Release(PersistentVolume volume, Func<string, bool> hasNode)
    {
        if (volume.Spec.PersistentVolumeReclaimPolicy != ReclaimPolicies.Delete)
        {
            return (VolumePhases.Released, null, null, false);
        }

        if (LocalVolumes.IsOurs(volume))
        {
            return LocalVolumes.NodeOf(volume) is { } node && !hasNode(node)
                ? (VolumePhases.Failed, "NodeGone", $"its folder lies on node {node}, which is gone: it is removed when the node is back; if that never happens, take the finalizer {FinalizerNames.LocalVolume} off and delete the volume", false)
                : (VolumePhases.Released, null, null, true);
        }

        return volume.Metadata.Annotations.ContainsKey(AnnotationNames.ProvisionedBy)
            ? (VolumePhases.Released, null, null, false) // For whoever made it to delete.
            : (VolumePhases.Failed, "VolumeFailedDelete", "a volume that a person made is not deleted with its claim: see to its data, then delete it", false);
    }
}
