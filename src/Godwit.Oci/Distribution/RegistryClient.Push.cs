using System.Net;
using System.Net.Http.Headers;

namespace Godwit.Oci.Distribution;

/// <summary>Sending content to a registry. Always to the registry itself, never to a mirror.</summary>
public sealed partial class RegistryClient
{
    /// <summary>A registry that takes no more bytes, or does not say that it has them all, for so long is given up.</summary>
    private static readonly TimeSpan UploadStallMax = TimeSpan.FromMinutes(5);

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
        using var stall = new CancellationTokenSource(UploadStallMax, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(stall.Token, stopping);
        try
        {
            using var response = await connection.SendOnceAsync(Target(access), PushScope(access), access.Credentials, () =>
            {
                var request = new HttpRequestMessage(HttpMethod.Put, address) { Content = new StreamContent(new Watched(open(), () => stall.CancelAfter(UploadStallMax)), 256 << 10) };
                request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/octet-stream");
                request.Content.Headers.ContentLength = content.SizeBytes;
                return request;
            }, either.Token);
        }
        catch (OperationCanceledException silence) when (!stopping.IsCancellationRequested)
        {
            throw new RegistryException(RegistryFailure.Unavailable, $"The registry took nothing of {content.Digest} for {UploadStallMax.TotalMinutes} minutes.", silence);
        }
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

    /// <summary>Tells of each read: the registry has taken what was read before.</summary>
    private sealed class Watched(Stream inner, Action moved) : Stream
    {
        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => inner.Length;

        public override long Position { get => inner.Position; set => throw new NotSupportedException("An upload is read forwards."); }

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            moved();
            return await inner.ReadAsync(buffer, cancellationToken);
        }

        public override int Read(byte[] buffer, int offset, int count)
        {
            moved();
            return inner.Read(buffer, offset, count);
        }

        public override void Flush()
        {
        }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException("An upload is read forwards.");

        public override void SetLength(long value) => throw new NotSupportedException("An upload is only read.");

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException("An upload is only read.");

        protected override void Dispose(bool disposing)
        {
            inner.Dispose();
            base.Dispose(disposing);
        }
    }
}
