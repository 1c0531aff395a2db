using System.Runtime.CompilerServices;
using Godwit.Containers;

namespace Godwit.Node.Streaming;

/// <summary>A client's terminal over SPDY, in Kubernetes' protocol v4: a stream each for standard input, output, errors, sizes, and how it ended, named by the header <c>streamType</c>.</summary>
internal sealed class SpdyLine : IRemoteLine
{
    internal const string Protocol = "v4.channel.k8s.io";

    private const string TypeHeader = "streamtype";
    private const int SizeBytesMax = 4096;

    private static readonly TimeSpan OpenBound = TimeSpan.FromSeconds(30);

    private readonly SpdyConnection connection;
    private readonly Task running;
    private readonly Dictionary<string, SpdyStream> streams = new(StringComparer.OrdinalIgnoreCase);

    private SpdyLine(SpdyConnection connection, Task running)
    {
        this.connection = connection;
        this.running = running;
    }

    /// <summary>Waits until the client has opened all streams that its request announced.</summary>
    /// <exception cref="TimeoutException">It has not within 30 s.</exception>
    internal static async Task<SpdyLine> OpenAsync(Stream transport, RemoteOptions options, TimeProvider time, CancellationToken stopping)
    {
        var spdy = new SpdyConnection(transport);
        var line = new SpdyLine(spdy, spdy.RunAsync(stopping));
        while (line.streams.Count < options.StreamCount)
        {
            var stream = await spdy.Opened.ReadAsync(stopping).AsTask().WaitAsync(OpenBound, time, stopping);
            line.streams[stream.Headers.GetValueOrDefault(TypeHeader, "")] = stream;
        }

        return line;
    }

    public Task RunAsync(CancellationToken stopping) => running.WaitAsync(stopping);

    public ValueTask<int> ReadInputAsync(Memory<byte> buffer, CancellationToken stopping) => streams.TryGetValue("stdin", out var stream) ? stream.ReadAsync(buffer, stopping) : ValueTask.FromResult(0);

    public async IAsyncEnumerable<TerminalSize> ReadSizesAsync([EnumeratorCancellation] CancellationToken stopping)
    {
        if (!streams.TryGetValue("resize", out var stream))
        {
            yield break;
        }

        // Each size is one JSON object; clients send each in a frame of its own, with a line's end.
        var buffer = new byte[SizeBytesMax];
        while (await stream.ReadAsync(buffer, stopping) is > 0 and var count)
        {
            foreach (var range in SplitLines(buffer, count))
            {
                if (SizeMessage.Read(buffer.AsSpan(range)) is { } size)
                {
                    yield return size;
                }
            }
        }
    }

    public ValueTask WriteOutputAsync(OutputStream stream, ReadOnlyMemory<byte> bytes, CancellationToken stopping) =>
        streams.TryGetValue(stream is OutputStream.Standard ? "stdout" : "stderr", out var found) ? found.WriteAsync(bytes, stopping) : ValueTask.CompletedTask;

    public async ValueTask EndAsync(ReadOnlyMemory<byte> status, CancellationToken stopping)
    {
        if (streams.TryGetValue("error", out var error))
        {
            await error.WriteAsync(status, stopping);
        }

        foreach (var (type, stream) in streams)
        {
            if (type is "stdout" or "stderr" or "error")
            {
                await stream.EndAsync(stopping);
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var stream in streams.Values)
        {
            stream.Close();
        }

        await connection.DisposeAsync();
        await running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private static List<Range> SplitLines(byte[] buffer, int count)
    {
        var lines = new List<Range>();
        for (var start = 0; start < count;)
        {
            var length = buffer.AsSpan(start, count - start).IndexOf((byte)'\n');
            var end = length < 0 ? count : start + length;
            lines.Add(start..end);
            start = end + 1;
        }

        return lines;
    }
}
