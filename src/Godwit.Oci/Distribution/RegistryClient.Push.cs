using System.Net;
using System.Net.Http.Headers;

namespace Godwit.Oci.Distribution;

/// <summary>Sending content to a registry. Always to the registry itself, never to a mirror.</summary>
public sealed partial class RegistryClient
{
    /// <summary>Whether the repository has this content.</summary>
    public async Task<bool> HasBlobAsync(RepositoryAccess access, Digest digest, CancellationToken stopping)
    {
        try
        {
            using var response = await connection.SendAsync(Target(access), PushScope(access), access.Credentials, () => new HttpRequestMessage(HttpMethod.Head, Relative($"/v2/{access.Repository}/blobs/{digest}")), stopping);
            return true;
        }
        catch (RegistryException none) when (none.Failure is RegistryFailure.NotFound)
        {
            return false;
        }
    }

    /// <summary>Takes content over from another repository of the same registry, where it may; else begins an upload and returns where it goes on.</summary>
    /// <returns>Null when the content is there now; else the place for <see cref="UploadAsync"/>.</returns>
    public async Task<Uri?> BeginUploadAsync(RepositoryAccess access, Digest digest, string? mountFrom, CancellationToken stopping)
    {
        var mount = mountFrom is null ? "" : $"?mount={Uri.EscapeDataString(digest.ToString())}&from={Uri.EscapeDataString(mountFrom)}";
        var scope = mountFrom is null ? PushScope(access) : $"{PushScope(access)} repository:{mountFrom}:pull";
        try
        {
            using var response = await connection.SendAsync(Target(access), scope, access.Credentials, () => new HttpRequestMessage(HttpMethod.Post, Relative($"/v2/{access.Repository}/blobs/uploads/{mount}")), stopping);
            return response.StatusCode is HttpStatusCode.Created ? null : Location(response, access);
        }
        catch (RegistryException refusal) when (mountFrom is not null && refusal.Failure is RegistryFailure.Unauthorized or RegistryFailure.Refused or RegistryFailure.NotFound)
        {
            return await BeginUploadAsync(access, digest, mountFrom: null, stopping); // It does not let this user see that repository.
        }
    }

    /// <summary>Sends all of the content in one request and closes the upload. Not retried here: after a failure the upload must be begun anew.</summary>
    /// <param name="place">From <see cref="BeginUploadAsync"/>.</param>
    /// <param name="content">Digest and length of what is sent.</param>
    /// <param name="open">Opens it at its first byte.</param>
    public async Task UploadAsync(RepositoryAccess access, Uri place, Descriptor content, Func<Stream> open, CancellationToken stopping)
    {
        var separator = place.OriginalString.Contains('?', StringComparison.Ordinal) ? '&' : '?';
        var address = new Uri($"{place.OriginalString}{separator}digest={Uri.EscapeDataString(content.Digest.ToString())}", UriKind.RelativeOrAbsolute);
        using var response = await connection.SendOnceAsync(Target(access), PushScope(access), access.Credentials, () =>
        {
            var request = new HttpRequestMessage(HttpMethod.Put, address) { Content = new StreamContent(open(), 256 << 10) };
            request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/octet-stream");
            request.Content.Headers.ContentLength = content.SizeBytes;
            return request;
        }, stopping);
    }

    /// <summary>Puts a manifest under a tag or its own digest; all that it points to must be there.</summary>
    public async Task PutManifestAsync(RepositoryAccess access, string tagOrDigest, byte[] manifest, string mediaType, CancellationToken stopping)
    {
        using var response = await connection.SendAsync(Target(access), PushScope(access), access.Credentials, () =>
        {
            var request = new HttpRequestMessage(HttpMethod.Put, Relative($"/v2/{access.Repository}/manifests/{tagOrDigest}")) { Content = new ByteArrayContent(manifest) };
            request.Content.Headers.ContentType = new MediaTypeHeaderValue(mediaType);
            return request;
        }, stopping);
    }

    private static string PushScope(RepositoryAccess access) => $"repository:{access.Repository}:pull,push";

    private static Uri Location(HttpResponseMessage response, RepositoryAccess access) => response.Headers.Location
        ?? throw new RegistryException(RegistryFailure.Malformed, $"The registry began an upload to {access.Repository} without saying where it goes on.");

    private RegistryEndpoint Target(RepositoryAccess access) => RegistryEndpoint.For(access.Registry, reading: false, options)[0];
}
