using Godwit.Scheduling.Pods;

namespace Godwit.Scheduling.Volumes;

/// <summary>Which volume a claim may have. The same for whoever binds claims and for whoever weighs nodes by them.</summary>
public static class VolumeMatch
{
    /// <summary>Whether the volume is kept for the claim: it names the claim, and no other claim of that name.</summary>
    public static bool IsFor(PersistentVolume volume, PersistentVolumeClaim claim) =>
        volume.Spec.ClaimRef is { } reference
        && reference.Name == claim.Metadata.Name
        && reference.Namespace == claim.Metadata.Namespace
        && (string.IsNullOrEmpty(reference.Uid) || reference.Uid == claim.Metadata.Uid);

    /// <summary>
    /// All that the claim may have, best first: what is kept for it, then the smallest that is large enough, equals by name. Nodes
    /// are not looked at.
    /// </summary>
    public static IReadOnlyList<VolumeFacts> CandidatesOf(PersistentVolumeClaim claim, IEnumerable<VolumeFacts> volumes)
    {
        var selector = Selectors.Compile(claim.Spec.Selector);
        return
        [
            .. volumes
                .Where(each => each.Volume.Metadata.DeletionTimestamp is null)
                .Where(each => string.IsNullOrEmpty(claim.Spec.VolumeName) || claim.Spec.VolumeName == each.Name)
                .Where(each => each.Volume.Spec.ClaimRef is null
                    ? FindMismatch(claim, each.Volume) is null && (selector is null || Selectors.Match(selector.Requirements, each.Volume.Metadata.Labels))
                    : IsFor(each.Volume, claim) && each.Size >= SizeOf(claim))
                .OrderBy(each => each.Volume.Spec.ClaimRef is null)
                .ThenBy(each => each.Size)
                .ThenBy(each => each.Name, StringComparer.Ordinal),
        ];
    }

    /// <summary>Why the claim cannot have the volume, as a clause; null when it can.</summary>
    public static string? FindMismatch(PersistentVolumeClaim claim, PersistentVolume volume) =>
        volume.Spec.Capacity.GetValueOrDefault(Quantities.Storage).Value < SizeOf(claim) ? "requested PV is too small"
        : (claim.Spec.StorageClassName ?? "") != (volume.Spec.StorageClassName ?? "") ? "storageClassName does not match"
        : (claim.Spec.VolumeMode ?? "") != (volume.Spec.VolumeMode ?? "") ? "incompatible volumeMode"
        : claim.Spec.AccessModes.Except(volume.Spec.AccessModes, StringComparer.Ordinal).Any() ? "incompatible accessMode"
        : null;

    /// <summary>What the claim asks for, in bytes.</summary>
    public static decimal SizeOf(PersistentVolumeClaim claim) => (claim.Spec.Resources?.Requests ?? Quantities.None).GetValueOrDefault(Quantities.Storage).Value;
}
