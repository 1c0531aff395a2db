using System.Text;
using System.Text.Json;
using Godwit.Api.Core.V1;
using Godwit.Images;
using Godwit.Node.Pulling;
using Godwit.Oci;
using Godwit.Oci.Distribution;

namespace Godwit.Node.Pods;

/// <summary>The images of pods on this node, with their pull secrets.</summary>
internal sealed class PodImages(NodeImages images)
{
    /// <exception cref="PodConfigException">It cannot be had now; <see cref="PodConfigException.Reason"/> says in Kubernetes' word why.</exception>
    public async Task<StoredImage> EnsureAsync(Pod pod, Container container, PodObjects objects, CancellationToken stopping)
    {
        try
        {
            return await images.EnsureAsync(container.Image, container.ImagePullPolicy, (reference, ending) => FindCredentialsAsync(pod, reference, objects, ending), stopping);
        }
        catch (ImageUnavailableException unavailable)
        {
            throw new PodConfigException(unavailable.Message, unavailable) { Reason = unavailable.Reason };
        }
    }

    /// <summary>From the pod's pull secrets (<c>kubernetes.io/dockerconfigjson</c>): the first that has an entry for the registry.</summary>
    private static async Task<RegistryCredentials> FindCredentialsAsync(Pod pod, ImageReference reference, PodObjects objects, CancellationToken stopping)
    {
        foreach (var name in pod.Spec.ImagePullSecrets.Select(secret => secret.Name))
        {
            if (await objects.FindSecretAsync(name, optional: true, stopping) is { } secret && ReadCredentials(secret, reference.Registry) is { } found)
            {
                return found;
            }
        }

        return new RegistryCredentials();
    }

    /// <summary>What a secret of the type <c>kubernetes.io/dockerconfigjson</c> has for a registry; null: nothing.</summary>
    internal static RegistryCredentials? ReadCredentials(Secret secret, string? registry) =>
        secret.Data.TryGetValue(".dockerconfigjson", out var json) ? ReadCredentials(json, registry) : null;

    internal static RegistryCredentials? ReadCredentials(byte[] json, string? registry)
    {
        try
        {
            using var document = JsonDocument.Parse(json);
            foreach (var entry in document.RootElement.GetProperty("auths").EnumerateObject())
            {
                var host = entry.Name.Replace("https://", "", StringComparison.OrdinalIgnoreCase).Replace("http://", "", StringComparison.OrdinalIgnoreCase).Split('/')[0];
                if (!string.Equals(host, registry, StringComparison.OrdinalIgnoreCase))
                {
                    continue;
                }

                if (entry.Value.TryGetProperty("auth", out var both) && Encoding.UTF8.GetString(Convert.FromBase64String(both.GetString() ?? "")).Split(':', 2) is [var user, var word])
                {
                    return new RegistryCredentials { UserName = user, Password = word };
                }

                return new RegistryCredentials { UserName = entry.Value.GetProperty("username").GetString(), Password = entry.Value.GetProperty("password").GetString() };
            }
        }
        catch (Exception wrong) when (wrong is JsonException or KeyNotFoundException or FormatException or InvalidOperationException)
        {
            return null; // A secret that makes no sense opens no door.
        }

        return null;
    }
}
