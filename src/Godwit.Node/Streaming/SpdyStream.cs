using System.IO.Pipelines;

namespace Godwit.Node.Streaming;

/// <summary>One stream of a SPDY connection. Each end closes its own half.</summary>
internal sealed class SpdyStream(SpdyConnection connection, int id, IReadOnlyDictionary<string, string> headers)
{
    /// <summary>Bytes that have come and were not read, before the connection is held up.</summary>
    private const int BehindBytesMax = 1 << 20;

    private readonly Pipe input = new(new PipeOptions(pauseWriterThreshold: BehindBytesMax, resumeWriterThreshold: BehindBytesMax / 2));
    private Stream? reader;
    private int ended;

    /// <summary>What the client said when it opened it; names in any case.</summary>
    internal IReadOnlyDictionary<string, string> Headers => headers;

    /// <summary>The number of bytes read; zero when the client has closed its half.</summary>
    internal ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken stopping) => (reader ??= input.Reader.AsStream()).ReadAsync(buffer, stopping);

    internal ValueTask WriteAsync(ReadOnlyMemory<byte> bytes, CancellationToken stopping) => connection.WriteAsync(id, bytes, isEnd: false, stopping);

    /// <summary>Closes our half.</summary>
    internal ValueTask EndAsync(CancellationToken stopping) => connection.WriteAsync(id, default, isEnd: true, stopping);

    /// <summary>Nobody reads it any more: what still comes is dropped.</summary>
    internal void Close()
    {
        connection.Forget(id);
        EndInput();
        input.Reader.Complete();
    }

    internal async ValueTask TakeAsync(ReadOnlyMemory<byte> bytes, CancellationToken stopping)
    {
        if (Volatile.Read(ref ended) == 0)
        {
            await input.Writer.WriteAsync(bytes, stopping);
        }
    }

    internal void EndInput()
    {
        if (Interlocked.Exchange(ref ended, 1) == 0)
        {
            input.Writer.Complete();
        }
    }
}
