using System.IO.Compression;
using System.Security.Cryptography;
using Godwit.Images.Catalogue;
using Godwit.Images.Content;
using Godwit.Images.Layers;
using Godwit.Images.Tar;
using Godwit.Linux.Files;
using Godwit.Oci;

namespace Godwit.Images.Transfers;

/// <summary>Makes what an image needs to leave this host, where it was made here and has only its unpacked layers: their blobs, and a manifest.</summary>
internal sealed class BlobMaker(ContentStore content, UnpackedLayers layers)
{
    /// <summary>The record with a blob for each layer and a manifest; all of it is in the content store and pinned.</summary>
    public async Task<ImageRecord> CompleteAsync(Digest image, ImageRecord record, ContentPins.ContentLease lease, CancellationToken stopping)
    {
        lease.Pin(image);
        var complete = new List<LayerRecord>();
        foreach (var layer in record.Layers)
        {
            lease.Pin(layer.DiffId);
            if (layer.Blob is { } blob)
            {
                lease.Pin(blob.Digest);
            }

            complete.Add(layer.Blob is not null && content.Has(layer.Blob.Digest) ? layer : layer with { Blob = await PackAsync(layer.DiffId, lease, stopping) });
        }

        if (record.Manifest is { } known)
        {
            lease.Pin(known.Digest);
            if (content.Has(known.Digest) && complete.SequenceEqual(record.Layers))
            {
                return record;
            }
        }

        var size = content.SizeOf(image) ?? throw new ImageException(ImageErrorKind.NotFound, $"The configuration of {image} is gone from the store.");
        var bytes = OciFormat.Write(new ImageManifest
        {
            MediaType = MediaTypes.OciManifest,
            Config = new Descriptor { MediaType = MediaTypes.OciConfig, Digest = image, SizeBytes = size },
            // Those of a parent that came under Docker's types too: a manifest of the one kind with layers of the other is neither.
            Layers = [.. complete.Select(layer => layer.Blob! with { MediaType = MediaTypes.OciLayerOf(layer.Blob.MediaType) })],
        });
        lease.Pin(Digest.Of(bytes));
        var manifest = new Descriptor { MediaType = MediaTypes.OciManifest, Digest = content.Put(bytes), SizeBytes = bytes.Length };
        return record with { Layers = complete, Manifest = manifest };
    }

    /// <summary>Packs and compresses a layer. Its tar must have the digest that the layer is known by.</summary>
    private Task<Descriptor> PackAsync(Digest diffId, ContentPins.ContentLease lease, CancellationToken stopping) => Task.Factory.StartNew(() => Pack(diffId, lease, stopping), stopping, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    private Descriptor Pack(Digest diffId, ContentPins.ContentLease lease, CancellationToken stopping)
    {
        var layer = layers.Find(diffId) ?? throw new ImageException(ImageErrorKind.NotFound, $"The layer {diffId} is gone from this host: build its image again.");
        var temporary = content.TemporaryPath();
        try
        {
            using var file = new FileStream(temporary, FileMode.CreateNew, FileAccess.ReadWrite);
            using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
            using var tarHash = diffId.CreateHash();
            using var compressed = new HashingStream(file, hash);
            using (var gzip = new GZipStream(compressed, CompressionLevel.Fastest, leaveOpen: true))
            {
                using var buffered = new BufferedStream(gzip, 256 << 10);
                using var tree = HeldFolder.Open(layer.FilesPath);
                var hashed = new HashingStream(buffered, tarHash);
                var tar = new TarWriter(hashed);
                TreePacker.Pack(tree, tar, new PackOptions { IsLayer = true }, stopping);
                tar.End();
                buffered.Flush();
                if (hashed.Digest() is var packed && packed != diffId)
                {
                    throw new ImageException(ImageErrorKind.Corrupt, $"The layer {diffId} has changed on the disk ({layer.FilesPath}): it packs to {packed}.");
                }
            }

            file.Flush(flushToDisk: true);
            var blob = new Descriptor { MediaType = MediaTypes.OciLayerGzip, Digest = compressed.Digest(), SizeBytes = compressed.CountBytes };
            lease.Pin(blob.Digest);
            content.Adopt(temporary, blob.Digest);
            return blob;
        }
        finally
        {
            File.Delete(temporary);
        }
    }
}
