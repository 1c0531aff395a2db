using System.Text;
using Godwit.Api.Authentication.V1;
using Godwit.Api.Core.V1;
using Godwit.Api.Meta.V1;
using Godwit.Client;

namespace Godwit.Node.Pods;

/// <summary>What one making of a container needs of the server's objects; ConfigMaps and Secrets are asked for once each.</summary>
internal sealed class PodObjects(ClusterClient client, string space)
{
    private readonly Dictionary<string, ConfigMap?> maps = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Secret?> secrets = new(StringComparer.Ordinal);

    /// <summary>Null: there is none, and that is allowed.</summary>
    /// <exception cref="PodConfigException">There is none.</exception>
    public async Task<IReadOnlyDictionary<string, byte[]>?> ReadMapAsync(string name, bool optional, CancellationToken stopping)
    {
        if (!maps.TryGetValue(name, out var map))
        {
            maps[name] = map = await client.For<ConfigMap>().FindAsync(new ResourceKey(space, name), stopping);
        }

        if (map is null)
        {
            return optional ? null : throw new PodConfigException($"configmap \"{name}\" not found");
        }

        var data = new Dictionary<string, byte[]>(map.BinaryData, StringComparer.Ordinal);
        foreach (var (key, value) in map.Data)
        {
            data[key] = Encoding.UTF8.GetBytes(value);
        }

        return data;
    }

    /// <inheritdoc cref="ReadMapAsync"/>
    public async Task<IReadOnlyDictionary<string, byte[]>?> ReadSecretAsync(string name, bool optional, CancellationToken stopping) => (await FindSecretAsync(name, optional, stopping))?.Data;

    /// <summary>A new token of the pod's account, bound to the pod.</summary>
    /// <exception cref="PodConfigException">The server gives none.</exception>
    public async Task<string> RequestTokenAsync(Pod pod, ServiceAccountTokenProjection wanted, CancellationToken stopping)
    {
        var account = new ResourceKey(space, pod.Spec.ServiceAccountName ?? "");
        var request = new TokenRequest
        {
            Metadata = new ObjectMeta { Name = account.Name, Namespace = space },
            Spec = new TokenRequestSpec
            {
                Audiences = string.IsNullOrEmpty(wanted.Audience) ? [] : [wanted.Audience],
                ExpirationSeconds = wanted.ExpirationSeconds,
                BoundObjectRef = new BoundObjectReference { Kind = Pod.Type.Kind, ApiVersion = Pod.Type.ApiVersion, Name = pod.Metadata.Name, Uid = pod.Metadata.Uid },
            },
        };
        try
        {
            var answer = await client.For<ServiceAccount>().AskAsync(account, "token", request, stopping);
            return answer.Status.Token is { Length: > 0 } token ? token : throw new PodConfigException($"the server answered without a token of service account {account}");
        }
        catch (ApiException refused)
        {
            throw new PodConfigException($"there is no token of service account {account}: {refused.Message}", refused);
        }
    }

    /// <summary>The volume that a claim has.</summary>
    /// <exception cref="PodConfigException">It has none yet, or has lost it.</exception>
    public async Task<PersistentVolume> FindVolumeAsync(string name, CancellationToken stopping)
    {
        var claim = await client.For<PersistentVolumeClaim>().FindAsync(new ResourceKey(space, name), stopping) ?? throw new PodConfigException($"persistentvolumeclaim \"{name}\" not found");
        if (claim.Status.Phase != ClaimPhases.Bound || string.IsNullOrEmpty(claim.Spec.VolumeName))
        {
            throw new PodConfigException($"persistentvolumeclaim \"{name}\" has no volume yet: it is {claim.Status.Phase ?? ClaimPhases.Pending}");
        }

        var volume = await client.For<PersistentVolume>().FindAsync(new ResourceKey("", claim.Spec.VolumeName), stopping);
        return volume?.Spec.ClaimRef?.Uid == claim.Metadata.Uid ? volume : throw new PodConfigException($"the volume \"{claim.Spec.VolumeName}\" of persistentvolumeclaim \"{name}\" {(volume is null ? "is gone" : "is another claim's")}");
    }

    public async Task<Secret?> FindSecretAsync(string name, bool optional, CancellationToken stopping)
    {
        if (!secrets.TryGetValue(name, out var secret))
        {
            secrets[name] = secret = await client.For<Secret>().FindAsync(new ResourceKey(space, name), stopping);
        }

        return secret is null && !optional ? throw new PodConfigException($"secret \"{name}\" not found") : secret;
    }
}
