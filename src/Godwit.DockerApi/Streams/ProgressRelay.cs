using System.Collections.Concurrent;
using System.Threading.Channels;
using Godwit.DockerApi.Mapping;
using Godwit.Images;

namespace Godwit.DockerApi.Streams;

/// <summary>
/// Progress of a transfer as lines to the client. Who reports never waits: what a slow client has not taken is bounded, the
/// oldest goes first; and of one layer's bytes at most a hundred steps are told.
/// </summary>
internal sealed class ProgressRelay : IProgress<TransferProgress>, IAsyncDisposable
{
    private const int BehindMax = 1024;
    private const int StepsMax = 100;
    private const long StepBytesMin = 256 << 10;

    private readonly Channel<TransferProgress> steps = Channel.CreateBounded<TransferProgress>(new BoundedChannelOptions(BehindMax) { FullMode = BoundedChannelFullMode.DropOldest, SingleReader = true });
    private readonly ConcurrentDictionary<(Oci.Digest Item, TransferStage Stage), long> told = new();
    private readonly Task telling;

    public ProgressRelay(JsonLines lines) => telling = TellAsync(lines);

    public void Report(TransferProgress value)
    {
        if (value.Item is not { } item || (value.CurrentBytes > 0 && value.CurrentBytes != value.TotalBytes && !IsFarther(item, value)))
        {
            return;
        }

        steps.Writer.TryWrite(value);
    }

    /// <summary>Returns when the client has all that was reported.</summary>
    public async Task DrainAsync()
    {
        steps.Writer.TryComplete();
        await telling;
    }

    public async ValueTask DisposeAsync()
    {
        steps.Writer.TryComplete();
        await telling.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private bool IsFarther(Oci.Digest item, TransferProgress value)
    {
        var key = (item, value.Stage);
        if (value.CurrentBytes - told.GetValueOrDefault(key) < Math.Max(StepBytesMin, (value.TotalBytes ?? 0) / StepsMax))
        {
            return false;
        }

        told[key] = value.CurrentBytes;
        return true;
    }

    private async Task TellAsync(JsonLines lines)
    {
        await foreach (var step in steps.Reader.ReadAllAsync())
        {
            if (ImageWriter.Progress(step) is { } line)
            {
                await lines.WriteAsync(line);
            }
        }
    }
}
