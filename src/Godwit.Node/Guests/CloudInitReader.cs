using System.Text;
using Godwit.Api.Core.V1;
using Godwit.Api.KubeVirt.V1;
using Godwit.Client;
using Godwit.Volumes;

namespace Godwit.Node.Guests;

/// <summary>Puts together what a guest's cloud-init is told, Secrets included.</summary>
internal interface ICloudInitReader
{
    /// <exception cref="VolumeException">A part is no base64, or a Secret or its key is not there.</exception>
    Task<CloudInitData> ReadAsync(VirtualMachineInstance instance, CloudInitNoCloudSource source, string hostName, CancellationToken stopping);
}

/// <summary>Reads Secrets from the API when a seed is made, and keeps none of it.</summary>
internal sealed class CloudInitReader(ResourceClient<Secret> secrets) : ICloudInitReader
{
    public async Task<CloudInitData> ReadAsync(VirtualMachineInstance instance, CloudInitNoCloudSource source, string hostName, CancellationToken stopping)
    {
        var user = source.UserData
            ?? Decode(source.UserDataBase64, "userDataBase64")
            ?? await ReadSecretAsync(instance, source.SecretRef, "userdata", stopping)
            ?? "#cloud-config\n";
        var network = source.NetworkData
            ?? Decode(source.NetworkDataBase64, "networkDataBase64")
            ?? await ReadSecretAsync(instance, source.NetworkDataSecretRef, "networkdata", stopping);

        // The instance id is the guest's, not the incarnation's: cloud-init sets a machine up once, not at each boot.
        return new CloudInitData($"{instance.Metadata.Namespace}-{instance.Metadata.Name}", hostName, user, network);
    }

    private static string? Decode(string? base64, string field)
    {
        if (string.IsNullOrEmpty(base64))
        {
            return null;
        }

        try
        {
            return Encoding.UTF8.GetString(Convert.FromBase64String(base64));
        }
        catch (FormatException error)
        {
            throw new VolumeException($"cloudInitNoCloud.{field} is no base64", error);
        }
    }

    private async Task<string?> ReadSecretAsync(VirtualMachineInstance instance, LocalObjectReference? reference, string key, CancellationToken stopping)
    {
        if (reference is null)
        {
            return null;
        }

        var secret = await secrets.FindAsync(new ResourceKey(instance.Metadata.Namespace, reference.Name), stopping)
            ?? throw new VolumeException($"The Secret {instance.Metadata.Namespace}/{reference.Name}, named by cloudInitNoCloud, does not exist.");
        return secret.Data.TryGetValue(key, out var value)
            ? Encoding.UTF8.GetString(value)
            : throw new VolumeException($"The Secret {instance.Metadata.Namespace}/{reference.Name} has no key '{key}'.");
    }
}
