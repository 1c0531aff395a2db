using System.Threading.Channels;
using Godwit.Builder;
using Godwit.DockerApi.Mapping;
using Godwit.DockerApi.Wire;

namespace Godwit.DockerApi.Streams;

/// <summary>
/// A build's events as lines to the client, in their order. What a step prints is never dropped: a client that does not read holds
/// the build up, and its leaving ends it.
/// </summary>
internal sealed class BuildRelay : IProgress<BuildEvent>, IAsyncDisposable
{
    private const int BehindMax = 1024;

    private readonly Channel<BuildEvent> events = Channel.CreateBounded<BuildEvent>(new BoundedChannelOptions(BehindMax) { SingleReader = true });
    private readonly CancellationToken stopping;
    private readonly Task telling;

    /// <param name="lines">To the client.</param>
    /// <param name="isQuiet">Tell nothing.</param>
    /// <param name="stopping">The client has gone.</param>
    public BuildRelay(JsonLines lines, bool isQuiet, CancellationToken stopping)
    {
        this.stopping = stopping;
        telling = TellAsync(lines, isQuiet);
    }

    public void Report(BuildEvent value)
    {
        if (!events.Writer.TryWrite(value))
        {
            // Progress has no way to wait but this; the thread is a step's own reader.
            events.Writer.WriteAsync(value, stopping).AsTask().GetAwaiter().GetResult();
        }
    }

    /// <summary>Returns when the client has all that was reported.</summary>
    public async Task DrainAsync()
    {
        events.Writer.TryComplete();
        await telling;
    }

    public async ValueTask DisposeAsync()
    {
        events.Writer.TryComplete();
        await telling.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private async Task TellAsync(JsonLines lines, bool isQuiet)
    {
        try
        {
            await foreach (var what in events.Reader.ReadAllAsync(stopping))
            {
                if (!isQuiet)
                {
                    await TellAsync(lines, what);
                }
            }
        }
        catch (Exception error)
        {
            events.Writer.TryComplete(error); // Nobody hears any more: the build's next word ends it.
            throw;
        }
    }

    private static async Task TellAsync(JsonLines lines, BuildEvent what)
    {
        if (what is BuildEvent.Pulls pulls)
        {
            if (ImageWriter.Progress(pulls.Progress) is { } progress)
            {
                await lines.WriteAsync(progress);
            }

            return;
        }

        if (what is BuildEvent.Built built)
        {
            await lines.WriteAsync(new ProgressLine { Result = new ProgressResult { ID = built.Image.ToString() } });
        }

        // At the end a line each: clients look for "Successfully built ID" as all that one says.
        var text = ClassicText.Of(what);
        foreach (var piece in what is BuildEvent.Built ? text.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => line + "\n") : text.Length > 0 ? [text] : [])
        {
            await lines.WriteAsync(new ProgressLine { Stream = piece });
        }
    }
}
