using System.Security.Cryptography;
using Godwit.Images.Content;
using Godwit.Images.Layers;
using Godwit.Images.Tar;
using Godwit.Linux.Files;

namespace Godwit.Images.Transfers;

/// <summary>
/// Makes a layer of a root file system's tar. Its digest is that of our own packing, not of the tar that came: so nothing but
/// the unpacked layer need be kept, and it can be packed to the same bytes at any time.
/// </summary>
internal static class RootImport
{
    /// <summary>Blocking.</summary>
    public static UnpackedLayer Unpack(Stream source, LayerParts parts, ContentPins.ContentLease lease, UnpackLimits limits, CancellationToken stopping)
    {
        using var staging = parts.Unpacked.Begin();
        using var root = HeldFolder.Open(staging.FilesPath);
        root.SetMode(0x1ed); // 0755, unless the archive says otherwise.
        var (start, compression) = Decompression.Detect(source);
        using var tar = Decompression.Open(start, compression, limits);
        var result = TreeUnpacker.Unpack(tar, root, new UnpackOptions { Limits = limits }, stopping);

        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        using var hashed = new HashingStream(Stream.Null, hash);
        var writer = new TarWriter(hashed);
        TreePacker.Pack(root, writer, new PackOptions { IsLayer = true }, stopping);
        writer.End();
        var digest = hashed.Digest();
        lease.Pin(digest);
        return parts.Unpacked.Commit(staging, digest, result.SizeBytes);
    }
}
