namespace Godwit.Scheduling.Volumes;

/// <summary>What the provisioner <c>godwit.dev/local</c> can give: a folder of one node.</summary>
public static class LocalProvisioning
{
    private static readonly string[] Modes = [VolumeAccessModes.ReadWriteOnce, VolumeAccessModes.ReadWriteOncePod];

    /// <summary>Why it gives the claim nothing; null when it does.</summary>
    public static string? FindRefusal(PersistentVolumeClaim claim) =>
        claim.Spec.Selector is { } selector && (selector.MatchLabels.Count > 0 || selector.MatchExpressions.Count > 0) ? "a claim with a selector is for volumes that are there; none is made for it"
        : claim.Spec.AccessModes.FirstOrDefault(mode => !Modes.Contains(mode)) is { } mode ? $"a local volume lies on one node and cannot be {mode}: make a volume on shared storage by hand, or ask for {Modes[0]}"
        : null;
}
