using System.Security.Cryptography;
using Godwit.Images.Content;
using Godwit.Images.Tar;
using Godwit.Linux.Files;
using Godwit.Oci;

namespace Godwit.Images.Layers;

/// <summary>
/// Makes an unpacked layer of a compressed tar, on two threads:
/// <code>
///   compressed ──inflate──▶ hash (the diff id) ──ring of buffers──▶ unpack into staging ──▶ compare, commit
///   └──────────────── one thread ────────────┘                     └────── another ──────┘
/// </code>
/// </summary>
internal sealed class LayerUnpacker(UnpackedLayers layers, UnpackLimits limits)
{
    /// <param name="source">The compressed layer; blocking reads.</param>
    /// <param name="expected">The digest that the tar must have; null takes any.</param>
    /// <param name="lease">Gets the layer's pin before the layer has its name.</param>
    /// <exception cref="ImageException">Corrupt, hostile, of another digest; or the host failed.</exception>
    public async Task<UnpackedLayer> UnpackAsync(Stream source, Compression compression, Digest? expected, ContentPins.ContentLease lease, CancellationToken stopping)
    {
        using var staging = layers.Begin();
        using var hash = expected?.CreateHash() ?? IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var ring = new BufferRing();
        await using var tar = new HashingStream(Decompression.Open(source, compression, limits), hash);
        var inflating = Task.Factory.StartNew(() => ring.Fill(tar, stopping), stopping, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        UnpackResult unpacked;
        try
        {
            unpacked = await Task.Factory.StartNew(() => Unpack(ring, staging, stopping), stopping, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        }
        catch (IOException failed) when (failed.InnerException is { } reason)
        {
            throw Explain(reason);
        }
        finally
        {
            ring.Abandon();
            await inflating; // Never fails itself: what fails goes through the ring.
        }

        var digest = tar.Digest();
        lease.Pin(digest);
        return expected is null || digest == expected
            ? layers.Commit(staging, digest, unpacked.SizeBytes)
            : throw new ImageException(ImageErrorKind.Corrupt, $"A layer's tar has the digest {digest}, not {expected} as its image says.");
    }

    private UnpackResult Unpack(BufferRing ring, LayerStaging staging, CancellationToken stopping)
    {
        using var root = HeldFolder.Open(staging.FilesPath);
        root.SetMode(0x1ed); // 0755, unless the layer says otherwise.
        var result = TreeUnpacker.Unpack(ring.Reader, root, new UnpackOptions { IsLayer = true, Limits = limits }, stopping);
        Drain(ring.Reader);
        return result;
    }

    /// <summary>What follows the archive's end belongs to the digest all the same.</summary>
    private void Drain(Stream rest)
    {
        var buffer = new byte[64 << 10];
        long trailing = 0;
        int count;
        while ((count = rest.Read(buffer)) > 0)
        {
            trailing += count;
            if (trailing > limits.TotalBytesMax)
            {
                throw TarReader.Corrupt($"more than {limits.TotalBytesMax} bytes follow its end");
            }
        }
    }

    /// <summary>The reason beneath the ring's and the download's own words.</summary>
    private static Exception Explain(Exception reason)
    {
        while (reason is IOException { InnerException: { } deeper })
        {
            reason = deeper;
        }

        return reason is ImageException or OperationCanceledException ? reason : new ImageException(ImageErrorKind.Host, "A layer could not be read while it was unpacked.", reason);
    }
}
