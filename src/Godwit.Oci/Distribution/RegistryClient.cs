using System.Net;
using System.Net.Http.Headers;

namespace Godwit.Oci.Distribution;

/// <summary>A manifest or index as a registry has it.</summary>
/// <param name="Content">Its bytes; the digest is of just these.</param>
/// <param name="Descriptor">Type, digest and length.</param>
public sealed record RegistryManifest(byte[] Content, Descriptor Descriptor);

/// <summary>A repository and who asks for it.</summary>
/// <param name="Registry">Host and port; null is the default registry.</param>
/// <param name="Repository">The whole path.</param>
/// <param name="Credentials">What is shown if it asks.</param>
public sealed record RepositoryAccess(string? Registry, string Repository, RegistryCredentials Credentials)
{
    public static RepositoryAccess To(ImageReference name, RegistryCredentials credentials) => new(name.Registry, name.Repository, credentials);
}

/// <summary>
/// Speaks the distribution protocol with registries: reads from mirrors first, retries what may pass, and believes no
/// digest that it has not computed itself. Source: OCI distribution specification 1.1.
/// </summary>
public sealed partial class RegistryClient(RegistryOptions options, TimeProvider time) : IDisposable
{
    private readonly RegistryConnection connection = new(options, time);

    /// <summary>Fetches a manifest or index by tag or digest.</summary>
    /// <exception cref="RegistryException">There is none, or the registry does not give it.</exception>
    public Task<RegistryManifest> GetManifestAsync(RepositoryAccess access, string tagOrDigest, CancellationToken stopping) => FromFirstAsync(access, async endpoint =>
    {
        using var response = await connection.SendAsync(endpoint, PullScope(access), access.Credentials, () =>
        {
            var request = new HttpRequestMessage(HttpMethod.Get, Relative($"/v2/{access.Repository}/manifests/{tagOrDigest}"));
            foreach (var type in MediaTypes.Manifests)
            {
                request.Headers.Accept.ParseAdd(type);
            }

            return request;
        }, stopping);
        var content = await ReadBodyAsync(response, OciFormat.ManifestBytesMax, stopping);
        var digest = Digest.TryParse(tagOrDigest, out var wanted) ? wanted : Digest.Of(content);
        if (!digest.Matches(content))
        {
            throw new RegistryException(RegistryFailure.Malformed, $"The registry {endpoint.Base.Authority} gave another manifest for {digest}: its digest is {Digest.Of(content)}.");
        }

        var type = response.Content.Headers.ContentType?.MediaType ?? "";
        return new RegistryManifest(content, new Descriptor { MediaType = type, Digest = digest, SizeBytes = content.Length });
    });

    /// <summary>Opens content from <paramref name="offset"/> on. The caller checks the digest, and reads no more than it expects.</summary>
    /// <returns>The answer, to be disposed, and the offset at which its body begins: 0 where the registry gives only all of it.</returns>
    public Task<(HttpResponseMessage Response, long Offset)> OpenBlobAsync(RepositoryAccess access, Digest digest, long offset, CancellationToken stopping) => FromFirstAsync(access, async endpoint =>
    {
        var response = await connection.SendAsync(endpoint, PullScope(access), access.Credentials, () =>
        {
            var request = new HttpRequestMessage(HttpMethod.Get, Relative($"/v2/{access.Repository}/blobs/{digest}"));
            request.Headers.Range = offset > 0 ? new RangeHeaderValue(offset, null) : null;
            return request;
        }, stopping);
        var begins = response.StatusCode is HttpStatusCode.PartialContent ? response.Content.Headers.ContentRange?.From ?? -1 : 0;
        if (begins == 0 || begins == offset)
        {
            return (response, begins);
        }

        response.Dispose();
        throw new RegistryException(RegistryFailure.Malformed, $"The registry {endpoint.Base.Authority} was asked for {digest} from byte {offset} on and begins with another.");
    });

    /// <summary>All of some small content, checked against its digest.</summary>
    /// <exception cref="RegistryException">Missing, broken off, longer or shorter than it should be, or of another digest.</exception>
    public Task<byte[]> ReadBlobAsync(RepositoryAccess access, Descriptor content, CancellationToken stopping) => FromFirstAsync(access, async endpoint =>
    {
        using var response = await connection.SendAsync(endpoint, PullScope(access), access.Credentials, () => new HttpRequestMessage(HttpMethod.Get, Relative($"/v2/{access.Repository}/blobs/{content.Digest}")), stopping);
        var bytes = await ReadBodyAsync(response, checked((int)content.SizeBytes), stopping);
        return content.Digest.Matches(bytes) ? bytes : throw new RegistryException(RegistryFailure.Malformed, $"The registry {endpoint.Base.Authority} gave other bytes for {content.Digest}: their digest is {Digest.Of(bytes)}.");
    });

    /// <summary>The wait before a download's attempt number <paramref name="attempt"/> + 1; the client's own clock and back-off.</summary>
    public Task WaitAsync(int attempt, CancellationToken stopping) => connection.WaitAsync(attempt, asked: null, stopping);

    /// <summary>Whether the registry can be spoken to with these credentials (<c>docker login</c>).</summary>
    /// <exception cref="RegistryException">It cannot.</exception>
    public async Task CheckAsync(string? registry, RegistryCredentials credentials, CancellationToken stopping)
    {
        var endpoint = RegistryEndpoint.For(registry, reading: false, options)[0];
        using var response = await connection.SendAsync(endpoint, "", credentials, () => new HttpRequestMessage(HttpMethod.Get, Relative("/v2/")), stopping);
    }

    public void Dispose() => connection.Dispose();

    private static Uri Relative(string path) => new(path, UriKind.Relative);

    private static string PullScope(RepositoryAccess access) => $"repository:{access.Repository}:pull";

    private static async Task<byte[]> ReadBodyAsync(HttpResponseMessage response, int bytesMax, CancellationToken stopping)
    {
        try
        {
            return await BoundedBody.ReadAsync(response, bytesMax, stopping);
        }
        catch (Exception broken) when (broken is IOException or HttpRequestException)
        {
            throw new RegistryException(RegistryFailure.Unavailable, "The connection broke in the middle of an answer.", broken);
        }
    }

    /// <summary>Mirrors first; what a mirror lacks or cannot do, the next place is asked for. The last one's failure is the one that counts.</summary>
    private async Task<T> FromFirstAsync<T>(RepositoryAccess access, Func<RegistryEndpoint, Task<T>> ask)
    {
        var places = RegistryEndpoint.For(access.Registry, reading: true, options);
        for (var at = 0; ; at++)
        {
            try
            {
                return await ask(places[at]);
            }
            catch (RegistryException) when (at + 1 < places.Count)
            {
                // The next one may have it.
            }
        }
    }
}
