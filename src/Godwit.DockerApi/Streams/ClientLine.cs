using System.Buffers;
using System.IO.Pipelines;
using Microsoft.AspNetCore.Connections;

namespace Godwit.DockerApi.Streams;

/// <summary>
/// A client's connection, and what it means that the client has closed its side. To an ordinary request it means that the
/// client is gone. To a hijacked stream it means that standard input is at its end while output goes on; there the client
/// is gone when it takes no more bytes. The web server knows the first meaning only, and no upgrade of a request that has a
/// body, which Docker's clients send: so a hijacked connection is taken from the server, which writes into the void then.
/// <code>
///   client closes its side ── ordinary ──▶ gone
///                          └─ hijacked ──▶ input ends, nothing else
///   a send fails ─────────────────────────▶ gone
/// </code>
/// </summary>
internal sealed class ClientLine : IDisposable
{
    private readonly CancellationTokenSource gone = new();
    private readonly CancellationTokenRegistration closed;
    private readonly PipeReader input;
    private readonly WatchedWriter output;
    private volatile bool hijacked;

    private ClientLine(ConnectionContext connection)
    {
        input = connection.Transport.Input;
        output = new WatchedWriter(connection.Transport.Output, Lose);
        closed = connection.ConnectionClosed.Register(
            () =>
            {
                if (!hijacked)
                {
                    Lose();
                }
            });
        connection.Transport = new DuplexPipe(input, output);
        connection.ConnectionClosed = gone.Token;
        connection.Features.Set(this);
    }

    /// <summary>Connection middleware.</summary>
    public static async Task ServeAsync(ConnectionContext connection, ConnectionDelegate next)
    {
        using var line = new ClientLine(connection);
        await next(connection);
    }

    /// <summary>
    /// Takes the connection from the web server. The request's body must have been read to its end, and nothing of an answer
    /// been written. When the request has been handled the connection is closed.
    /// </summary>
    public (Stream Input, Stream Output) Hijack()
    {
        hijacked = true;
        return (input.AsStream(leaveOpen: true), output.Detach().AsStream(leaveOpen: true));
    }

    public void Dispose()
    {
        closed.Dispose();
        gone.Dispose();
    }

    private void Lose()
    {
        try
        {
            gone.Cancel();
        }
        catch (ObjectDisposedException)
        {
            // The connection has been served to its end.
        }
    }

    private sealed record DuplexPipe(PipeReader Input, PipeWriter Output) : IDuplexPipe;

    /// <summary>Tells when what is written goes nowhere any more.</summary>
    private sealed class WatchedWriter(PipeWriter writer, Action lose) : PipeWriter
    {
        private ArrayBufferWriter<byte>? theVoid;

        public override bool CanGetUnflushedBytes => writer.CanGetUnflushedBytes;

        public override long UnflushedBytes => theVoid is null ? writer.UnflushedBytes : 0;

        /// <summary>The way out for the connection's new owner; what the old one writes from now on is dropped.</summary>
        public WatchedWriter Detach()
        {
            theVoid = new ArrayBufferWriter<byte>();
            return new WatchedWriter(writer, lose);
        }

        public override void Advance(int bytes)
        {
            if (theVoid is null)
            {
                writer.Advance(bytes);
            }
        }

        public override void CancelPendingFlush() => writer.CancelPendingFlush();

        public override void Complete(Exception? exception = null) => writer.Complete(exception);

        public override ValueTask CompleteAsync(Exception? exception = null) => writer.CompleteAsync(exception);

        public override Memory<byte> GetMemory(int sizeHint = 0) => theVoid is null ? writer.GetMemory(sizeHint) : theVoid.GetMemory(sizeHint);

        public override Span<byte> GetSpan(int sizeHint = 0) => theVoid is null ? writer.GetSpan(sizeHint) : theVoid.GetSpan(sizeHint);

        public override async ValueTask<FlushResult> FlushAsync(CancellationToken cancellationToken = default)
        {
            if (theVoid is not null)
            {
                return default;
            }

            var result = await writer.FlushAsync(cancellationToken);
            if (result.IsCompleted)
            {
                lose();
            }

            return result;
        }
    }
}
