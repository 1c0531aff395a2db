using Godwit.Images.Content;
using Godwit.Images.Layers;
using Godwit.Oci;
using Godwit.Oci.Distribution;

namespace Godwit.Images.Transfers;

/// <summary>
/// Brings one layer here: downloads its blob, going on where a broken connection left off, and unpacks it while it comes.
/// A blob or an unpacked layer that is here already is not made again.
/// </summary>
internal sealed class BlobFetcher(RegistryClient registry, ContentStore content, LayerParts parts)
{
    private const int AttemptsWithoutProgressMax = 6;
    private const int BufferBytes = 256 << 10;
    private static readonly TimeSpan StallMax = TimeSpan.FromSeconds(60);

    private readonly SharedTransfers<UnpackedLayer> shared = new();
    private readonly UnpackedLayers layers = parts.Unpacked;

    /// <summary>Returns when the blob is stored and the layer unpacked.</summary>
    public Task<UnpackedLayer> FetchLayerAsync(RepositoryAccess access, Descriptor blob, Digest diffId, IProgress<TransferProgress> progress, CancellationToken stopping)
    {
        if (content.Has(blob.Digest) && layers.Find(diffId) is { } present)
        {
            progress.Report(new TransferProgress(blob.Digest, TransferStage.Present));
            return Task.FromResult(present);
        }

        return shared.RunAsync(blob.Digest, (heard, halting) => BringAsync(access, blob, diffId, heard, halting), progress, stopping);
    }

    /// <summary>Unpacks a layer from the blob that is here.</summary>
    public async Task<UnpackedLayer> UnpackStoredAsync(Descriptor blob, Digest diffId, IProgress<TransferProgress> progress, CancellationToken stopping)
    {
        await using var file = new FileStream(content.Open(blob.Digest), FileAccess.Read, bufferSize: 0);
        return await UnpackAsync(file, blob, diffId, progress, stopping);
    }

    /// <summary>A small blob, whole and checked, from here or from the registry. It is not kept here by this.</summary>
    public async Task<byte[]> ReadSmallAsync(RepositoryAccess access, Descriptor blob, int bytesMax, CancellationToken stopping)
    {
        if (blob.SizeBytes > bytesMax)
        {
            throw new ImageException(ImageErrorKind.Corrupt, $"The content {blob.Digest} is announced with {blob.SizeBytes} bytes where at most {bytesMax} are expected.");
        }

        return content.Has(blob.Digest) ? content.ReadAll(blob.Digest, bytesMax) : await registry.ReadBlobAsync(access, blob, stopping);
    }

    private async Task<UnpackedLayer> BringAsync(RepositoryAccess access, Descriptor blob, Digest diffId, IProgress<TransferProgress> progress, CancellationToken stopping)
    {
        if (content.Has(blob.Digest))
        {
            return layers.Find(diffId) ?? await UnpackStoredAsync(blob, diffId, progress, stopping);
        }

        using var partial = content.Resume(blob);
        try
        {
            return await BringAsync(access, blob, diffId, partial, progress, stopping);
        }
        catch (Exception reason) when (FullDisk.IsCauseOf(reason) || !content.HasRoomFor(blob.SizeBytes - partial.AvailableBytes))
        {
            partial.Discard(); // Others need the room, and the next attempt could not end either.
            throw;
        }
    }

    private async Task<UnpackedLayer> BringAsync(RepositoryAccess access, Descriptor blob, Digest diffId, PartialBlob partial, IProgress<TransferProgress> progress, CancellationToken stopping)
    {
        using var halt = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        var unpacking = layers.Find(diffId) is { } present ? Task.FromResult(present) : UnpackBehindAsync(partial, blob, diffId, progress, halt);
        try
        {
            await DownloadAsync(access, blob, partial, progress, halt.Token);
            partial.Complete();
            progress.Report(new TransferProgress(blob.Digest, TransferStage.Downloaded, blob.SizeBytes, blob.SizeBytes));
        }
        catch (Exception reason) when (!unpacking.IsFaulted)
        {
            partial.Fail(reason);
            await halt.CancelAsync();
            await unpacking.ContinueWith(_ => { }, CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default); // It holds the file.
            throw;
        }
        catch (OperationCanceledException)
        {
            // Unpacking failed and stopped us: its reason is the one to tell.
        }

        return await unpacking;
    }

    private async Task<UnpackedLayer> UnpackBehindAsync(PartialBlob partial, Descriptor blob, Digest diffId, IProgress<TransferProgress> progress, CancellationTokenSource halt)
    {
        try
        {
            await using var follower = partial.OpenReader(halt.Token);
            return await UnpackAsync(follower, blob, diffId, progress, halt.Token);
        }
        catch
        {
            // The download has no use any more. Not awaited: its continuation awaits us.
            _ = halt.CancelAsync();
            throw;
        }
    }

    private async Task<UnpackedLayer> UnpackAsync(Stream source, Descriptor blob, Digest diffId, IProgress<TransferProgress> progress, CancellationToken stopping)
    {
        var compression = MediaTypes.CompressionOf(blob.MediaType) ?? throw new ImageException(ImageErrorKind.Invalid, $"The layer {blob.Digest} has the type {blob.MediaType}, which is no layer that can be unpacked.");
        await using var watched = new ProgressStream(source, blob, progress);
        using var lease = parts.Pins.Begin();
        var layer = await parts.Unpacker.UnpackAsync(watched, compression, diffId, lease, stopping);
        progress.Report(new TransferProgress(blob.Digest, TransferStage.Complete, blob.SizeBytes, blob.SizeBytes));
        return layer;
    }

    private async Task DownloadAsync(RepositoryAccess access, Descriptor blob, PartialBlob partial, IProgress<TransferProgress> progress, CancellationToken stopping)
    {
        var attempt = 0;
        while (partial.AvailableBytes < blob.SizeBytes)
        {
            var before = partial.AvailableBytes;
            try
            {
                await DownloadOnceAsync(access, blob, partial, progress, stopping);
                if (partial.AvailableBytes < blob.SizeBytes)
                {
                    throw new IOException($"The registry ended after {partial.AvailableBytes} of {blob.SizeBytes} bytes.");
                }
            }
            catch (Exception broken) when (IsPassing(broken, stopping))
            {
                attempt = partial.AvailableBytes > before ? 1 : attempt + 1;
                if (attempt >= AttemptsWithoutProgressMax)
                {
                    throw new ImageException(ImageErrorKind.Unavailable, $"The download of {blob.Digest} broke off {attempt} times at byte {before} of {blob.SizeBytes}: try again later, it goes on from there.", broken);
                }

                progress.Report(new TransferProgress(blob.Digest, TransferStage.Retrying, partial.AvailableBytes, blob.SizeBytes));
                await registry.WaitAsync(attempt, stopping);
            }
        }
    }

    /// <summary>A broken connection passes; so does silence. The registry's own refusals were retried already where that helps.</summary>
    private static bool IsPassing(Exception broken, CancellationToken stopping) =>
        !stopping.IsCancellationRequested && broken is IOException or HttpRequestException or TimeoutException or RegistryException { Failure: RegistryFailure.Unavailable };

    private async Task DownloadOnceAsync(RepositoryAccess access, Descriptor blob, PartialBlob partial, IProgress<TransferProgress> progress, CancellationToken stopping)
    {
        var (response, begins) = await registry.OpenBlobAsync(access, blob.Digest, partial.AvailableBytes, stopping);
        using var _ = response;
        await using var body = await response.Content.ReadAsStreamAsync(stopping);
        var skip = partial.AvailableBytes - begins; // A registry that cannot begin in the middle sends what we have once more.
        var buffer = new byte[BufferBytes];
        using var stall = new CancellationTokenSource(StallMax, parts.Time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(stall.Token, stopping);
        while (true)
        {
            int count;
            try
            {
                count = await body.ReadAtLeastAsync(buffer, BufferBytes / 4, throwOnEndOfStream: false, either.Token);
            }
            catch (OperationCanceledException silence) when (stall.IsCancellationRequested && !stopping.IsCancellationRequested)
            {
                throw new TimeoutException($"Nothing came for {StallMax.TotalSeconds} s.", silence);
            }

            if (count == 0)
            {
                return;
            }

            stall.CancelAfter(StallMax);
            var known = (int)Math.Min(skip, count);
            skip -= known;
            partial.Append(buffer.AsSpan(known, count - known));
            progress.Report(new TransferProgress(blob.Digest, TransferStage.Downloading, partial.AvailableBytes, blob.SizeBytes));
        }
    }

    /// <summary>Tells how far unpacking is, in bytes of the compressed layer.</summary>
    private sealed class ProgressStream(Stream inner, Descriptor blob, IProgress<TransferProgress> progress) : ForwardStream
    {
        private const long StepBytes = 512 << 10;
        private long position;
        private long told;

        public override bool CanRead => true;

        public override int Read(Span<byte> buffer)
        {
            var count = inner.Read(buffer);
            position += count;
            if (position - told >= StepBytes)
            {
                told = position;
                progress.Report(new TransferProgress(blob.Digest, TransferStage.Extracting, position, blob.SizeBytes));
            }

            return count;
        }
    }
}
