using System.Collections.Concurrent;
using System.Text;
using System.Text.Json;
using Godwit.Api.Core.V1;
using Godwit.Base;
using Godwit.Images;
using Godwit.Oci;
using Godwit.Oci.Distribution;
using Microsoft.Extensions.Logging;

namespace Godwit.Node.Pods;

/// <summary>
/// The images of pods on this node: from its store, from archives that an operator has laid into a folder (as <c>docker save</c> makes them), and from registries, in this order, as
/// the pull policy allows.
/// </summary>
internal sealed partial class PodImages(ImageStore store, string archives, ILogger logger) : IDisposable
{
    private readonly ConcurrentDictionary<string, DateTime> loaded = new(StringComparer.Ordinal);
    private readonly SemaphoreSlim loading = new(1, 1);

    public void Dispose() => loading.Dispose();

    /// <exception cref="PodConfigException">It cannot be had now; <see cref="PodConfigException.Reason"/> says in Kubernetes' word why.</exception>
    public async Task<StoredImage> EnsureAsync(Pod pod, Container container, PodObjects objects, CancellationToken stopping)
    {
        ImageReference reference;
        try
        {
            reference = store.ParseReference(container.Image ?? "").WithDefaultTag();
        }
        catch (Exception wrong) when (wrong is ImageException or OciException or FormatException)
        {
            throw new PodConfigException($"Failed to apply default image tag \"{container.Image}\": {wrong.Message}", wrong) { Reason = "InvalidImageName" };
        }

        var policy = container.ImagePullPolicy ?? (reference is { Tag: ImageReference.DefaultTag, Digest: null } ? "Always" : "IfNotPresent");
        await LoadArchivesAsync(stopping);
        var present = store.Find(reference.ToString());
        if (present is not null && policy != "Always")
        {
            return present;
        }

        if (policy == "Never")
        {
            throw new PodConfigException($"Container image \"{container.Image}\" is not present with pull policy of Never") { Reason = "ErrImageNeverPull" };
        }

        try
        {
            return await store.PullAsync(reference, new PullOptions { Credentials = await FindCredentialsAsync(pod, reference, objects, stopping) }, new Progress<TransferProgress>(), stopping);
        }
        catch (Exception failure) when (failure is ImageException or OciException or HttpRequestException or IOException or RegistryException)
        {
            throw new PodConfigException($"Failed to pull image \"{container.Image}\": {ErrorChain.Describe(failure)}", failure) { Reason = "ErrImagePull" };
        }
    }

    /// <summary>Loads the archives that are new or have changed. One that cannot be read is told of once, and costs the others nothing.</summary>
    private async Task LoadArchivesAsync(CancellationToken stopping)
    {
        if (!Directory.Exists(archives))
        {
            return;
        }

        await loading.WaitAsync(stopping);
        try
        {
            foreach (var path in Directory.EnumerateFiles(archives, "*.tar").Order(StringComparer.Ordinal))
            {
                var changed = File.GetLastWriteTimeUtc(path);
                if (loaded.TryGetValue(path, out var before) && before == changed)
                {
                    continue;
                }

                try
                {
                    await using var archive = File.OpenRead(path);
                    await store.LoadAsync(archive, new Progress<TransferProgress>(), stopping);
                }
                catch (Exception failure) when (failure is ImageException or OciException or IOException)
                {
                    Log.NotLoaded(logger, path, ErrorChain.Describe(failure));
                }

                loaded[path] = changed;
            }
        }
        finally
        {
            loading.Release();
        }
    }

    /// <summary>From the pod's pull secrets (<c>kubernetes.io/dockerconfigjson</c>): the first that has an entry for the registry.</summary>
    private static async Task<RegistryCredentials> FindCredentialsAsync(Pod pod, ImageReference reference, PodObjects objects, CancellationToken stopping)
    {
        foreach (var name in pod.Spec.ImagePullSecrets.Select(secret => secret.Name))
        {
            if (await objects.FindSecretAsync(name, optional: true, stopping) is { } secret
                && secret.Data.TryGetValue(".dockerconfigjson", out var json)
                && ReadCredentials(json, reference.Registry) is { } found)
            {
                return found;
            }
        }

        return new RegistryCredentials();
    }

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

    private static partial class Log
    {
        [LoggerMessage(EventId = 2501, Level = LogLevel.Warning, Message = "The image archive {Path} could not be loaded: {Reason}")]
        public static partial void NotLoaded(ILogger logger, string path, string reason);
    }
}
