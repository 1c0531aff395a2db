using System.Net.WebSockets;

namespace Godwit.Cli.Consoles;

/// <summary>How a console session ended.</summary>
internal enum ConsoleEnd
{
    /// <summary>The person left with the escape key.</summary>
    Escaped,

    /// <summary>The other side closed.</summary>
    Closed,

    /// <summary>The input ended, and the guest has been silent since.</summary>
    Silent,
}

/// <summary>
/// Bytes between a guest's serial line and a terminal or pipe.
/// <code>
///   input ──▶ (escape byte? leave) ──▶ WebSocket ──▶ guest
///   output ◀──────────────────────────────────────── guest
/// </code>
/// On a terminal it ends by the escape byte. In a pipe the end of the input is not the end of the answer: it ends when
/// the guest has been silent for <see cref="Linger"/> after that. Either way it ends when the other side closes.
/// </summary>
internal sealed class ConsoleRelay(WebSocket socket, Stream input, Stream output, TimeProvider clock)
{
    /// <summary>What Ctrl-] sends.</summary>
    public const byte ControlRightBracket = 0x1D;

    private const int BufferBytes = 4096;

    /// <summary>The byte that leaves; null: every byte is the guest's.</summary>
    public byte? EscapeByte { get; init; }

    /// <summary>How long a silence after the end of the input ends the session; null: none does.</summary>
    public TimeSpan? Linger { get; init; }

    public async Task<ConsoleEnd> RunAsync(CancellationToken stopping)
    {
        using var over = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        using var silence = new CancellationTokenSource(Timeout.InfiniteTimeSpan, clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(over.Token, silence.Token);
        var sending = Task.Run(() => SendAsync(silence, over.Token), CancellationToken.None);
        var receiving = ReceiveAsync(silence, sending, either.Token);
        var first = await Task.WhenAny(sending, receiving);
        if (first == sending && !await sending)
        {
            first = receiving; // The input has ended, the answer has not.
            await Task.WhenAny(receiving);
        }

        await over.CancelAsync(); // A read of a terminal cannot be cancelled: it is left behind, and ends with the process.
        if (first == sending)
        {
            return ConsoleEnd.Escaped;
        }

        try
        {
            await receiving;
            return ConsoleEnd.Closed;
        }
        catch (OperationCanceledException) when (silence.IsCancellationRequested && !stopping.IsCancellationRequested)
        {
            return ConsoleEnd.Silent;
        }
    }

    /// <summary>True when the escape byte came, false when the input ended.</summary>
    private async Task<bool> SendAsync(CancellationTokenSource silence, CancellationToken stopping)
    {
        var buffer = new byte[BufferBytes];
        int count;
        while ((count = await input.ReadAsync(buffer, stopping)) > 0)
        {
            var escape = EscapeByte is { } wanted ? buffer.AsSpan(0, count).IndexOf(wanted) : -1;
            await socket.SendAsync(buffer.AsMemory(0, escape < 0 ? count : escape), WebSocketMessageType.Binary, endOfMessage: true, stopping);
            if (escape >= 0)
            {
                return true;
            }
        }

        if (Linger is { } linger)
        {
            silence.CancelAfter(linger);
        }

        return false;
    }

    private async Task ReceiveAsync(CancellationTokenSource silence, Task inputEnded, CancellationToken stopping)
    {
        var buffer = new byte[BufferBytes];
        while (await ReceiveAsync(buffer, stopping) is { MessageType: not WebSocketMessageType.Close } received)
        {
            await output.WriteAsync(buffer.AsMemory(0, received.Count), stopping);
            await output.FlushAsync(stopping);
            if (Linger is { } linger && inputEnded.IsCompleted)
            {
                silence.CancelAfter(linger);
            }
        }
    }

    /// <summary>A connection that breaks is one that was closed, as far as the person is concerned.</summary>
    private async Task<ValueWebSocketReceiveResult> ReceiveAsync(Memory<byte> buffer, CancellationToken stopping)
    {
        try
        {
            return await socket.ReceiveAsync(buffer, stopping);
        }
        catch (WebSocketException)
        {
            return new ValueWebSocketReceiveResult(0, WebSocketMessageType.Close, endOfMessage: true);
        }
    }
}
