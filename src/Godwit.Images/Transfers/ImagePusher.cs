using Godwit.Images.Catalogue;
using Godwit.Images.Content;
using Godwit.Oci;
using Godwit.Oci.Distribution;

namespace Godwit.Images.Transfers;

/// <summary>Sends an image: what the registry lacks of its layers and configuration, several at once, and then the manifest that points to them.</summary>
internal sealed class ImagePusher(RegistryClient registry, ContentStore content, int parallelTransfers)
{
    private const int AttemptsMax = 4;

    /// <param name="record">Complete: each layer has a blob, and there is a manifest.</param>
    public async Task PushAsync(ImageReference name, RepositoryAccess access, ImageRecord record, IProgress<TransferProgress> progress, CancellationToken stopping)
    {
        var bytes = content.ReadAll(record.Manifest!.Digest, OciFormat.ManifestBytesMax);
        var manifest = OciFormat.ReadManifest(bytes);
        var parallel = new ParallelOptions { MaxDegreeOfParallelism = parallelTransfers, CancellationToken = stopping };
        var blobs = manifest.Layers.Append(manifest.Config).DistinctBy(blob => blob.Digest).ToList();
        foreach (var blob in blobs)
        {
            progress.Report(new TransferProgress(blob.Digest, TransferStage.Preparing));
        }

        await Parallel.ForEachAsync(blobs, parallel, async (blob, halting) => await SendAsync(access, blob, MountSource(access, record), progress, halting));
        await registry.PutManifestAsync(access, name.Tag ?? record.Manifest.Digest.ToString(), bytes, manifest.MediaType ?? MediaTypes.OciManifest, stopping);
    }

    /// <summary>Another repository of the same registry that has, or had, these layers.</summary>
    private static string? MountSource(RepositoryAccess access, ImageRecord record)
    {
        var prefix = $"{access.Registry}/";
        return record.Sources.FirstOrDefault(source => source.StartsWith(prefix, StringComparison.Ordinal) && source != prefix + access.Repository)?[prefix.Length..];
    }

    private async Task SendAsync(RepositoryAccess access, Descriptor blob, string? mountFrom, IProgress<TransferProgress> progress, CancellationToken stopping)
    {
        if (await registry.HasBlobAsync(access, blob.Digest, stopping))
        {
            progress.Report(new TransferProgress(blob.Digest, TransferStage.Present));
            return;
        }

        for (var attempt = 0; ; attempt++)
        {
            var place = await registry.BeginUploadAsync(access, blob.Digest, mountFrom, stopping);
            if (place is null)
            {
                progress.Report(new TransferProgress(blob.Digest, TransferStage.Mounted));
                return;
            }

            try
            {
                await registry.UploadAsync(access, place, blob, () => new WatchedFile(new FileStream(content.Open(blob.Digest), FileAccess.Read, bufferSize: 0), blob, progress), stopping);
                progress.Report(new TransferProgress(blob.Digest, TransferStage.Uploaded, blob.SizeBytes, blob.SizeBytes));
                return;
            }
            catch (RegistryException broken) when (broken.Failure is RegistryFailure.Unavailable && attempt + 1 < AttemptsMax)
            {
                progress.Report(new TransferProgress(blob.Digest, TransferStage.Retrying, 0, blob.SizeBytes));
                await registry.WaitAsync(attempt, stopping);
            }
        }
    }

    /// <summary>A file that is sent, telling how far it is.</summary>
    private sealed class WatchedFile(FileStream file, Descriptor blob, IProgress<TransferProgress> progress) : ForwardStream
    {
        private const long StepBytes = 512 << 10;
        private long position;
        private long told;

        public override bool CanRead => true;

        public override int Read(Span<byte> buffer) => Tell(file.Read(buffer));

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) => Tell(await file.ReadAsync(buffer, cancellationToken));

        protected override void Dispose(bool disposing)
        {
            file.Dispose();
            base.Dispose(disposing);
        }

        private int Tell(int count)
        {
            position += count;
            if (position - told >= StepBytes)
            {
                told = position;
                progress.Report(new TransferProgress(blob.Digest, TransferStage.Uploading, position, blob.SizeBytes));
            }

            return count;
        }
    }
}
