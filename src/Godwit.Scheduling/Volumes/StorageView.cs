using Godwit.Api.Storage.V1;

namespace Godwit.Scheduling.Volumes;

/// <summary>Claims, volumes and classes at one moment. A value; what a pod needs of them is a function of it and the pod.</summary>
public sealed class StorageView
{
    private readonly Dictionary<(string Namespace, string Name), PersistentVolumeClaim> claims;
    private readonly Dictionary<string, VolumeFacts> volumes;
    private readonly Dictionary<string, StorageClass> classes;

    public StorageView(IEnumerable<PersistentVolumeClaim> claims, IEnumerable<PersistentVolume> volumes, IEnumerable<StorageClass> classes)
    {
        this.claims = claims.ToDictionary(claim => (claim.Metadata.Namespace, claim.Metadata.Name));
        this.volumes = volumes.Select(VolumeFacts.Of).ToDictionary(volume => volume.Name, StringComparer.Ordinal);
        this.classes = classes.ToDictionary(each => each.Metadata.Name, StringComparer.Ordinal);
    }

    public static StorageView Empty { get; } = new([], [], []);

    /// <summary>Null for a pod without claims.</summary>
    public VolumeNeeds? NeedsOf(Pod pod)
    {
        var names = NamesOf(pod);
        if (names.Count == 0)
        {
            return null;
        }

        var (bound, pending, exclusive) = (new List<VolumeFacts>(), new List<PendingClaim>(), new List<string>());
        foreach (var name in names)
        {
            if (Read(pod.Metadata.Namespace, name, bound, pending) is { } obstacle)
            {
                return new VolumeNeeds { Obstacle = obstacle };
            }

            if (claims[(pod.Metadata.Namespace, name)].Spec.AccessModes.Contains(VolumeAccessModes.ReadWriteOncePod))
            {
                exclusive.Add(name);
            }
        }

        return new VolumeNeeds { Bound = bound, Pending = [.. pending.OrderBy(claim => VolumeMatch.SizeOf(claim.Claim))], Exclusive = exclusive };
    }

    /// <summary>The claims that a pod uses, each once.</summary>
    public static IReadOnlyList<string> NamesOf(Pod pod)
    {
        List<string>? names = null;
        foreach (var volume in pod.Spec.Volumes)
        {
            if (volume.PersistentVolumeClaim is { ClaimName: { Length: > 0 } name } && names?.Contains(name) != true)
            {
                (names ??= []).Add(name);
            }
        }

        return names ?? (IReadOnlyList<string>)[];
    }

    private string? Read(string @namespace, string name, List<VolumeFacts> bound, List<PendingClaim> pending)
    {
        if (!claims.TryGetValue((@namespace, name), out var claim))
        {
            return $"persistentvolumeclaim \"{name}\" not found";
        }

        if (claim.Metadata.DeletionTimestamp is not null)
        {
            return $"persistentvolumeclaim \"{name}\" is being deleted";
        }

        if (claim.Status.Phase == ClaimPhases.Lost)
        {
            return $"persistentvolumeclaim \"{name}\" bound to non-existent persistentvolume \"{claim.Spec.VolumeName}\"";
        }

        if (claim.Status.Phase == ClaimPhases.Bound || claim.Metadata.Annotations.ContainsKey(AnnotationNames.BindCompleted))
        {
            if (!volumes.TryGetValue(claim.Spec.VolumeName ?? "", out var volume))
            {
                return $"persistentvolumeclaim \"{name}\" bound to non-existent persistentvolume \"{claim.Spec.VolumeName}\"";
            }

            bound.Add(volume);
            return null;
        }

        if (string.IsNullOrEmpty(claim.Spec.StorageClassName) || !classes.TryGetValue(claim.Spec.StorageClassName, out var kind) || kind.VolumeBindingMode != VolumeBindingModes.WaitForFirstConsumer
            || !string.IsNullOrEmpty(claim.Spec.VolumeName))
        {
            return VolumeNeeds.UnboundImmediate;
        }

        pending.Add(new PendingClaim(claim, VolumeMatch.CandidatesOf(claim, volumes.Values), ProvisioningOf(claim, kind)));
        return null;
    }

    private static Provisioning ProvisioningOf(PersistentVolumeClaim claim, StorageClass kind) => kind.Provisioner switch
    {
        StorageClassNames.NoProvisioner => Provisioning.None,
        StorageClassNames.LocalProvisioner => LocalProvisioning.FindRefusal(claim) is null ? Provisioning.Local : Provisioning.None,
        _ => Provisioning.Outside,
    };
}
