using System.Globalization;
using Godwit.Oci;

namespace Godwit.Builder.Contexts;

/// <summary>Fetches what ADD names by its address.</summary>
internal static class Download
{
    private const long BytesMax = 1L << 30;
    private static readonly TimeSpan Within = TimeSpan.FromMinutes(10);

    /// <exception cref="BuildException">It cannot be had, is too long, or is not what its checksum says.</exception>
    public static async Task<(string Name, byte[] Contents)> FetchAsync(string address, string? checksum, int line, CancellationToken stopping)
    {
        if (!Uri.TryCreate(address, UriKind.Absolute, out var place))
        {
            throw new BuildException($"ADD failed: {address} is no address", line);
        }

        try
        {
            using var client = new HttpClient { Timeout = Within, MaxResponseContentBufferSize = BytesMax };
            var contents = await client.GetByteArrayAsync(place, stopping);
            if (checksum is not null && !(Digest.TryParse(checksum, out var digest) && digest.Matches(contents)))
            {
                throw new BuildException($"ADD failed: {address} has the digest {Digest.Of(contents)}, not {checksum}", line);
            }

            var name = Path.GetFileName(place.AbsolutePath);
            return (name.Length > 0 && name is not ("." or "..") ? Uri.UnescapeDataString(name).Replace('/', '_') : string.Create(CultureInfo.InvariantCulture, $"download-{line}"), contents);
        }
        catch (Exception failure) when (failure is HttpRequestException || (failure is TaskCanceledException && !stopping.IsCancellationRequested))
        {
            throw new BuildException($"ADD failed: {address} cannot be fetched", line, failure);
        }
    }
}
