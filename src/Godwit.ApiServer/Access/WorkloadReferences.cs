using Godwit.Api.Core.V1;
using Godwit.Api.KubeVirt.V1;

namespace Godwit.ApiServer.Access;

/// <summary>An object that a workload refers to, and that its node must read to run it. The kind is the plural, of the core group.</summary>
internal readonly record struct ObjectReference(string Plural, string Namespace, string Name)
{
    public const string Secrets = "secrets";
    public const string ConfigMaps = "configmaps";
    public const string ServiceAccounts = "serviceaccounts";
    public const string Claims = "persistentvolumeclaims";
    public const string Volumes = "persistentvolumes";
}

/// <summary>What pods and guests refer to: a function of their spec alone.</summary>
internal static class WorkloadReferences
{
    /// <summary>Everything that a node must read to run the pod: of volumes, environments, images, and the account that its tokens are of.</summary>
    public static HashSet<ObjectReference> Of(Pod pod)
    {
        var found = new Collector(pod.Metadata.Namespace);
        foreach (var volume in pod.Spec.Volumes)
        {
            found.Secret(volume.Secret?.SecretName);
            found.ConfigMap(volume.ConfigMap?.Name);
            found.Add(ObjectReference.Claims, volume.PersistentVolumeClaim?.ClaimName);
            foreach (var source in volume.Projected?.Sources ?? [])
            {
                found.Secret(source.Secret?.Name);
                found.ConfigMap(source.ConfigMap?.Name);
            }
        }

        foreach (var container in pod.Spec.Containers.Concat(pod.Spec.InitContainers))
        {
            found.Environment(container.Env, container.EnvFrom);
        }

        foreach (var container in pod.Spec.EphemeralContainers)
        {
            found.Environment(container.Env, container.EnvFrom);
        }

        foreach (var secret in pod.Spec.ImagePullSecrets)
        {
            found.Secret(secret.Name);
        }

        found.Add(ObjectReference.ServiceAccounts, pod.Spec.ServiceAccountName);
        return found.All;
    }

    /// <summary>The Secrets that a guest's cloud-init is made from, and those that its images are pulled with.</summary>
    public static HashSet<ObjectReference> Of(VirtualMachineInstance guest)
    {
        var found = new Collector(guest.Metadata.Namespace);
        foreach (var seed in guest.Spec.Volumes.Select(volume => volume.CloudInitNoCloud).OfType<CloudInitNoCloudSource>())
        {
            found.Secret(seed.SecretRef?.Name);
            found.Secret(seed.NetworkDataSecretRef?.Name);
        }

        foreach (var volume in guest.Spec.Volumes)
        {
            found.Secret(volume.ContainerDisk?.ImagePullSecret);
        }

        found.Secret(guest.Spec.Domain.Firmware?.KernelBoot?.Container?.ImagePullSecret);
        return found.All;
    }

    private sealed class Collector(string space)
    {
        public HashSet<ObjectReference> All { get; } = [];

        public void Add(string plural, string? name)
        {
            if (!string.IsNullOrEmpty(name))
            {
                All.Add(new ObjectReference(plural, space, name));
            }
        }

        public void Secret(string? name) => Add(ObjectReference.Secrets, name);

        public void ConfigMap(string? name) => Add(ObjectReference.ConfigMaps, name);

        public void Environment(IReadOnlyList<EnvVar> values, IReadOnlyList<EnvFromSource> sources)
        {
            foreach (var value in values)
            {
                Secret(value.ValueFrom?.SecretKeyRef?.Name);
                ConfigMap(value.ValueFrom?.ConfigMapKeyRef?.Name);
            }

            foreach (var source in sources)
            {
                Secret(source.SecretRef?.Name);
                ConfigMap(source.ConfigMapRef?.Name);
            }
        }
    }
}
