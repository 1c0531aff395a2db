using System.Net.WebSockets;
using Godwit.Machines;
using Microsoft.AspNetCore.Http;

namespace Godwit.Node.Serving;

/// <summary>A guest's serial console over a WebSocket: binary messages both ways, in KubeVirt's subprotocol <c>plain.kubevirt.io</c>. With <c>?from=start</c> it begins with all that was printed here since the guest came.</summary>
internal static class ConsoleSocket
{
    private const string Subprotocol = "plain.kubevirt.io";
    private const int BufferBytes = 8 * 1024;

    public static async Task ServeAsync(HttpContext http, IMachine machine, CancellationToken stopping)
    {
        var sockets = http.WebSockets;
        if (!sockets.IsWebSocketRequest)
        {
            http.Response.StatusCode = StatusCodes.Status400BadRequest;
            await http.Response.WriteAsync("The console is a WebSocket: ask for the upgrade.", stopping);
            return;
        }

        // Opened first: a console that is not there is an answer in words, not a socket that closes.
        await using var console = await machine.OpenConsoleAsync(stopping);
        await using var log = http.Request.Query["from"].ToString() == "start" ? await machine.OpenLogAsync(tailLines: null, follow: true, stopping) : null;
        using var socket = await sockets.AcceptWebSocketAsync(sockets.WebSocketRequestedProtocols.Contains(Subprotocol) ? Subprotocol : null);
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        var toGuest = ToGuestAsync(socket, console, ended.Token);
        var fromGuest = FromGuestAsync(log ?? console, socket, ended.Token);
        await Task.WhenAny(toGuest, fromGuest);
        if (fromGuest.IsCompleted && socket.State is WebSocketState.Open or WebSocketState.CloseReceived)
        {
            await socket.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, "the guest's console ended", stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        await ended.CancelAsync();
        await Task.WhenAll(toGuest, fromGuest).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private static async Task ToGuestAsync(WebSocket socket, Stream console, CancellationToken stopping)
    {
        var buffer = new byte[BufferBytes];
        while (await socket.ReceiveAsync(buffer.AsMemory(), stopping) is { MessageType: not WebSocketMessageType.Close } piece)
        {
            await console.WriteAsync(buffer.AsMemory(0, piece.Count), stopping);
            await console.FlushAsync(stopping);
        }
    }

    private static async Task FromGuestAsync(Stream console, WebSocket socket, CancellationToken stopping)
    {
        var buffer = new byte[BufferBytes];
        while (await console.ReadAsync(buffer, stopping) is > 0 and var count)
        {
            await socket.SendAsync(buffer.AsMemory(0, count), WebSocketMessageType.Binary, endOfMessage: true, stopping);
        }
    }
}
