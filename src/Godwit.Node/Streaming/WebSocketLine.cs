using System.IO.Pipelines;
using System.Net.WebSockets;
using System.Threading.Channels;
using Godwit.Containers;

namespace Godwit.Node.Streaming;

/// <summary>
/// A client's terminal over a WebSocket, in the subprotocols <c>v5.channel.k8s.io</c> and <c>v4.channel.k8s.io</c>: the first byte of each binary message is its channel: 0 to 2 are the
/// program's streams, 3 is how it ended, 4 a new size. In v5 a message <c>255, channel</c> closes a channel; in v4 nothing can close standard input but going.
/// </summary>
internal sealed class WebSocketLine(WebSocket socket, TimeProvider time) : IRemoteLine
{
    internal const string ProtocolFive = "v5.channel.k8s.io";
    internal const string ProtocolFour = "v4.channel.k8s.io";

    private const int MessageBytesMax = 64 << 10;
    private const int BehindBytesMax = 256 << 10;
    private const byte InputChannel = 0;
    private const byte ErrorChannel = 3;
    private const byte SizeChannel = 4;
    private const byte CloseChannel = 255;

    private static readonly TimeSpan CloseWait = TimeSpan.FromSeconds(2);

    private readonly TaskCompletionSource closed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Pipe input = new(new PipeOptions(pauseWriterThreshold: BehindBytesMax, resumeWriterThreshold: BehindBytesMax / 2));
    private readonly Channel<TerminalSize> sizes = Channel.CreateBounded<TerminalSize>(new BoundedChannelOptions(4) { FullMode = BoundedChannelFullMode.DropOldest });
    private readonly SemaphoreSlim writing = new(1, 1);
    private Stream? reader;

    /// <summary>The subprotocol to speak, of those that the client offers; null when there is none in common.</summary>
    internal static string? Choose(IEnumerable<string> offered) => offered.Contains(ProtocolFive) ? ProtocolFive : offered.Contains(ProtocolFour) ? ProtocolFour : null;

    public async Task RunAsync(CancellationToken stopping)
    {
        try
        {
            var buffer = new byte[MessageBytesMax];
            byte channel = 0;
            var isFirst = true;
            while (await socket.ReceiveAsync(buffer.AsMemory(), stopping) is { MessageType: not WebSocketMessageType.Close } piece)
            {
                // A message may come in pieces: the first begins with the channel.
                var bytes = buffer.AsMemory(0, piece.Count);
                if (isFirst && piece.Count > 0)
                {
                    channel = bytes.Span[0];
                    bytes = bytes[1..];
                }

                isFirst = piece.EndOfMessage;
                await TakeAsync(channel, bytes, stopping);
            }
        }
        catch (WebSocketException)
        {
            // It broke: the client has gone.
        }
        finally
        {
            await input.Writer.CompleteAsync();
            sizes.Writer.TryComplete();
            closed.TrySetResult();
        }
    }

    public ValueTask<int> ReadInputAsync(Memory<byte> buffer, CancellationToken stopping) => (reader ??= input.Reader.AsStream()).ReadAsync(buffer, stopping);

    public IAsyncEnumerable<TerminalSize> ReadSizesAsync(CancellationToken stopping) => sizes.Reader.ReadAllAsync(stopping);

    public ValueTask WriteOutputAsync(OutputStream stream, ReadOnlyMemory<byte> bytes, CancellationToken stopping) => SendAsync((byte)stream, bytes, stopping);

    public async ValueTask EndAsync(ReadOnlyMemory<byte> status, CancellationToken stopping)
    {
        await SendAsync(ErrorChannel, status, stopping);
        await socket.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, null, stopping);
        try
        {
            // A connection that is dropped with something unread in it takes the last words along.
            await closed.Task.WaitAsync(CloseWait, time, stopping);
        }
        catch (TimeoutException)
        {
            // The client has been told; that it does not answer costs it nothing but these words.
        }
    }

    public ValueTask DisposeAsync()
    {
        input.Reader.Complete();
        writing.Dispose();
        socket.Dispose();
        return ValueTask.CompletedTask;
    }

    private async Task TakeAsync(byte channel, ReadOnlyMemory<byte> bytes, CancellationToken stopping)
    {
        switch (channel)
        {
            case InputChannel when !bytes.IsEmpty:
                await input.Writer.WriteAsync(bytes, stopping);
                break;
            case SizeChannel when SizeMessage.Read(bytes.Span) is { } size:
                sizes.Writer.TryWrite(size);
                break;
            case CloseChannel when bytes.Span is [InputChannel]:
                await input.Writer.CompleteAsync();
                break;
        }
    }

    private async ValueTask SendAsync(byte channel, ReadOnlyMemory<byte> bytes, CancellationToken stopping)
    {
        var message = new byte[1 + bytes.Length];
        message[0] = channel;
        bytes.CopyTo(message.AsMemory(1));
        await writing.WaitAsync(stopping);
        try
        {
            await socket.SendAsync(message, WebSocketMessageType.Binary, endOfMessage: true, stopping);
        }
        finally
        {
            writing.Release();
        }
    }
}
