using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Godwit.Base;
using Godwit.Linux.Networking;

namespace Godwit.Node.Streaming;

/// <summary>
/// Ports of a sandbox for a client: over one SPDY connection the client opens, for each connection to a port, two streams with one <c>requestID</c>: errors in words, and the data.
/// </summary>
internal static class PortForward
{
    internal const string Protocol = "portforward.k8s.io";

    private const int BufferBytes = 32 << 10;
    private const int WaitingMax = 64;

    private static readonly TimeSpan ConnectBound = TimeSpan.FromSeconds(10);

    /// <summary>Until the client goes.</summary>
    /// <param name="transport">Carries SPDY.</param>
    /// <param name="place">The network whose loopback has the ports.</param>
    /// <param name="time">For bounds.</param>
    /// <param name="stopping">Ends it.</param>
    public static async Task RunAsync(Stream transport, NetworkNamespace place, TimeProvider time, CancellationToken stopping)
    {
        using var over = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        await using var connection = new SpdyConnection(transport);
        var running = connection.RunAsync(over.Token);
        var errors = new Dictionary<string, SpdyStream>(StringComparer.Ordinal);
        var forwards = new List<Task>();
        await foreach (var stream in connection.Opened.ReadAllAsync(over.Token))
        {
            var request = stream.Headers.GetValueOrDefault("requestid", "");
            if (stream.Headers.GetValueOrDefault("streamtype", "") == "error")
            {
                if (errors.Count >= WaitingMax || !errors.TryAdd(request, stream))
                {
                    stream.Close();
                }

                continue;
            }

            if (!errors.Remove(request, out var error))
            {
                stream.Close();
                continue;
            }

            forwards.RemoveAll(forward => forward.IsCompleted);
            forwards.Add(ForwardAsync(stream, error, place, time, over.Token));
        }

        await over.CancelAsync();
        await Task.WhenAll(forwards.Append(running)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (running.Exception?.InnerException is InvalidDataException broken)
        {
            throw new IOException("What came on a connection for port forwarding is no SPDY; it was closed", broken);
        }
    }

    private static async Task ForwardAsync(SpdyStream data, SpdyStream error, NetworkNamespace place, TimeProvider time, CancellationToken stopping)
    {
        try
        {
            if (!ushort.TryParse(data.Headers.GetValueOrDefault("port", ""), NumberStyles.None, CultureInfo.InvariantCulture, out var port))
            {
                throw new InvalidDataException("the stream names no port");
            }

            using var socket = place.Run(() => new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true });
            await ConnectAsync(socket, port, time, stopping);
            await using var target = new NetworkStream(socket);
            var toTarget = ToTargetAsync(data, socket, target, stopping);
            await FromTargetAsync(target, data, stopping);
            await data.EndAsync(stopping);
            await toTarget.WaitAsync(ConnectBound, time, stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
        catch (Exception failure) when (failure is IOException or SocketException or InvalidDataException or TimeoutException)
        {
            await TellAsync(error, ErrorChain.Describe(failure), stopping);
        }
        finally
        {
            await error.EndAsync(CancellationToken.None).AsTask().ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            data.Close();
            error.Close();
        }
    }

    private static async Task ConnectAsync(Socket socket, ushort port, TimeProvider time, CancellationToken stopping)
    {
        try
        {
            await socket.ConnectAsync(new IPEndPoint(IPAddress.Loopback, port), stopping).AsTask().WaitAsync(ConnectBound, time, stopping);
        }
        catch (SocketException refused)
        {
            throw new IOException(string.Create(CultureInfo.InvariantCulture, $"nothing answers on port {port} of the pod's loopback"), refused);
        }
    }

    private static async Task ToTargetAsync(SpdyStream data, Socket socket, NetworkStream target, CancellationToken stopping)
    {
        var buffer = new byte[BufferBytes];
        while (await data.ReadAsync(buffer, stopping) is > 0 and var count)
        {
            await target.WriteAsync(buffer.AsMemory(0, count), stopping);
        }

        socket.Shutdown(SocketShutdown.Send);
    }

    private static async Task FromTargetAsync(NetworkStream target, SpdyStream data, CancellationToken stopping)
    {
        var buffer = new byte[BufferBytes];
        while (await target.ReadAsync(buffer, stopping) is > 0 and var count)
        {
            await data.WriteAsync(buffer.AsMemory(0, count), stopping);
        }
    }

    private static async Task TellAsync(SpdyStream error, string words, CancellationToken stopping)
    {
        try
        {
            await error.WriteAsync(Encoding.UTF8.GetBytes(words), stopping);
        }
        catch (Exception gone) when (gone is IOException or ObjectDisposedException or System.Net.WebSockets.WebSocketException)
        {
            // Nobody is there to be told.
        }
    }
}
