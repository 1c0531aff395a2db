using System.Security.Cryptography;
using Godwit.Images.Content;
using Godwit.Linux.Files;
using Godwit.Oci;

namespace Godwit.Images.Tar;

/// <summary>Copies between trees by way of a tar that is never stored: what packing and unpacking promise holds for copies too.</summary>
public static class TreeCopy
{
    /// <summary>Packs with the given code on one thread and unpacks into the target on this one.</summary>
    /// <exception cref="ImageException">As unpacking has it; or the source could not be read.</exception>
    public static UnpackResult Copy(Action<TarWriter> pack, HeldFolder target, UnpackOptions options, CancellationToken stopping)
    {
        var ring = new BufferRing();
        var packing = Task.Factory.StartNew(() => Pack(pack, ring), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        try
        {
            return TreeUnpacker.Unpack(ring.Reader, target, options, stopping);
        }
        catch (IOException failed) when (failed.InnerException is { } reason)
        {
            throw reason as ImageException ?? new ImageException(ImageErrorKind.Host, "The files to be copied cannot be read.", reason);
        }
        finally
        {
            ring.Abandon();
            packing.Wait(CancellationToken.None); // It ends: its next write fails.
        }
    }

    /// <summary>Unpacks a tar, plain or compressed, from a stream that need only know asynchronous reads, such as an HTTP body.</summary>
    /// <exception cref="ImageException">As unpacking has it.</exception>
    public static async Task<UnpackResult> ReceiveAsync(Stream tar, HeldFolder target, UnpackOptions options, CancellationToken stopping)
    {
        UnpackResult result = default;
        await BlockingStreams.ReadAsync(tar, (stream, halting) =>
        {
            using var plain = ArchiveDecompression.Open(stream, options.Limits);
            result = TreeUnpacker.Unpack(plain, target, options, halting);
        }, stopping);
        return result;
    }

    /// <summary>The digest of what the code packs: the same files give the same.</summary>
    public static Digest Digest(Action<TarWriter> pack)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        using var hashed = new HashingStream(Stream.Null, hash);
        var tar = new TarWriter(hashed);
        pack(tar);
        tar.End();
        return hashed.Digest();
    }

    private static void Pack(Action<TarWriter> pack, BufferRing ring)
    {
        try
        {
            using var writer = ring.Writer;
            var tar = new TarWriter(writer);
            pack(tar);
            tar.End();
            writer.Flush();
            ring.Finish(null);
        }
        catch (Exception reason)
        {
            ring.Finish(reason);
        }
    }
}
