using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography;
using Godwit.Base;
using Godwit.Linux.Files;
using Godwit.Oci;

namespace Godwit.Builder.Contexts;

/// <summary>How much may be fetched, and how long that may take.</summary>
internal sealed record DownloadBounds
{
    public long BytesMax { get; init; } = 4L << 30;

    /// <summary>For the answer's beginning, and for each piece of it after that.</summary>
    public TimeSpan StallMax { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>For all of it.</summary>
    public TimeSpan Within { get; init; } = TimeSpan.FromMinutes(30);
}

/// <summary>
/// Fetches what ADD names by its address, into a file without a name: it is gone with whoever holds it, also when that is killed. Certificates are checked by
/// what the host trusts; from TLS nobody is led back to what is not.
/// </summary>
/// <param name="folder">Where to make the file.</param>
internal sealed class Download(string folder, DownloadBounds bounds, TimeProvider time)
{
    private const int ChunkBytes = 128 << 10;
    private const int RedirectsMax = 10;

    /// <summary>Whether a source is an address, rather than a file.</summary>
    public static bool IsAddress(string source) => source.StartsWith("http://", StringComparison.Ordinal) || source.StartsWith("https://", StringComparison.Ordinal);

    /// <exception cref="BuildException">A source of ADD is a repository of git.</exception>
    public static void RefuseRepositories(IEnumerable<string> sources, int line)
    {
        if (sources.Any(IsRepository))
        {
            throw new BuildException("ADD failed: repositories of git are not fetched here: name an archive of it, or send it with the context", line);
        }
    }

    /// <param name="checksum">The digest that it must have; null takes whatever comes.</param>
    /// <exception cref="BuildException">It cannot be had, is too long, or is not what its checksum says.</exception>
    public async Task<GivenFile> FetchAsync(string address, Digest? checksum, int line, CancellationToken stopping)
    {
        if (!Uri.TryCreate(address, UriKind.Absolute, out var place) || place.Host.Length == 0)
        {
            throw new BuildException("ADD failed: the source is no address that can be read", line);
        }

        var shown = place.GetComponents(UriComponents.SchemeAndServer | UriComponents.Path, UriFormat.UriEscaped); // Names and passwords may stand in the rest.
        var name = Uri.UnescapeDataString(place.AbsolutePath[(place.AbsolutePath.LastIndexOf('/') + 1)..]);
        name = name is "." or ".." || name.AsSpan().ContainsAny('/', '\0') ? "" : name;
        var path = Path.Combine(folder, $"download-{Guid.NewGuid():N}");
        var file = new FileStream(path, new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.ReadWrite, UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite, BufferSize = 0 });
        File.Delete(path);
        try
        {
            var modified = await ReceiveAsync(place, shown, file, checksum, line, stopping);
            return new GivenFile(name, file, 0x180, modified); // Docker's: for its owner alone.
        }
        catch
        {
            await file.DisposeAsync();
            throw;
        }
    }

    /// <summary>What others' builders would clone.</summary>
    private static bool IsRepository(string source) => source.StartsWith("git@", StringComparison.Ordinal) || source.StartsWith("git://", StringComparison.Ordinal) || source.StartsWith("ssh://", StringComparison.Ordinal)
        || (IsAddress(source) && source.Split('#')[0].EndsWith(".git", StringComparison.Ordinal));

    private async Task<FileTime> ReceiveAsync(Uri place, string shown, FileStream file, Digest? checksum, int line, CancellationToken stopping)
    {
        using var all = new CancellationTokenSource(bounds.Within, time);
        using var stall = new CancellationTokenSource(bounds.StallMax, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(all.Token, stall.Token, stopping);
        try
        {
            using var client = Connect();
            using var response = await client.GetAsync(place, HttpCompletionOption.ResponseHeadersRead, either.Token);
            if (!response.IsSuccessStatusCode)
            {
                var further = (int)response.StatusCode is >= 300 and < 400 ? ", which leads too far, or away from TLS" : "";
                throw new BuildException($"ADD failed: {shown} was answered with {(int)response.StatusCode} {response.ReasonPhrase}{further}", line);
            }

            if (response.Content.Headers.ContentLength > bounds.BytesMax)
            {
                throw TooLong(shown, line);
            }

            var digest = await KeepAsync(response, file, checksum, stall, either.Token);
            if (digest is null)
            {
                throw TooLong(shown, line);
            }

            if (checksum is { } wanted && wanted != digest)
            {
                throw new BuildException($"ADD failed: {shown} has the digest {digest}, not {wanted}", line);
            }

            return response.Content.Headers.LastModified is { } modified ? new FileTime(Math.Max(0, modified.ToUnixTimeSeconds()), 0) : default;
        }
        catch (HttpRequestException failure)
        {
            throw new BuildException($"ADD failed: {shown} cannot be fetched", line, failure);
        }
        catch (IOException failure)
        {
            throw new BuildException($"ADD failed: {shown} broke off, or could not be kept", line, failure);
        }
        catch (OperationCanceledException late) when (!stopping.IsCancellationRequested)
        {
            throw new BuildException(all.IsCancellationRequested ? $"ADD failed: {shown} did not come within {bounds.Within.TotalMinutes} min" : $"ADD failed: nothing came of {shown} for {bounds.StallMax.TotalSeconds} s", line, late);
        }
    }

    /// <returns>The digest, by the algorithm of the one that is expected; null when it is too long.</returns>
    private async Task<Digest?> KeepAsync(HttpResponseMessage response, FileStream file, Digest? expected, CancellationTokenSource stall, CancellationToken stopping)
    {
        await using var body = await response.Content.ReadAsStreamAsync(stopping);
        using var hash = expected?.CreateHash() ?? IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var buffer = new byte[ChunkBytes];
        int count;
        while ((count = await body.ReadAtLeastAsync(buffer, ChunkBytes / 4, throwOnEndOfStream: false, stopping)) > 0)
        {
            if (file.Position + count > bounds.BytesMax)
            {
                return null;
            }

            stall.CancelAfter(bounds.StallMax);
            hash.AppendData(buffer.AsSpan(0, count));
            await file.WriteAsync(buffer.AsMemory(0, count), stopping);
        }

        return Digest.FromHash(hash.GetHashAndReset());
    }

    private BuildException TooLong(string shown, int line) => new($"ADD failed: {shown} is longer than {bounds.BytesMax} bytes, the most that is fetched", line);

    private static HttpClient Connect()
    {
        var handler = new SocketsHttpHandler { MaxAutomaticRedirections = RedirectsMax, UseCookies = false, MaxResponseHeadersLength = 64 };
        handler.SslOptions.RemoteCertificateValidationCallback = (sender, certificate, chain, errors) => errors == SslPolicyErrors.None
            ? true
            : throw new AuthenticationException(CertificateFaults.Describe(certificate, CertificateFaults.FlagsOf(chain), errors, (sender as SslStream)?.TargetHostName));
        var client = new HttpClient(handler) { Timeout = Timeout.InfiniteTimeSpan }; // The waits have their own bounds.
        client.DefaultRequestHeaders.UserAgent.ParseAdd("godwit");
        return client;
    }
}
