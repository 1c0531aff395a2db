using System.Net.Sockets;
using System.Runtime.CompilerServices;
using Godwit.Linux.Networking;

namespace Godwit.Containers.Attaching;

/// <summary>A line to a monitor's attach socket: messages of output, each with its stream in the first byte; what is sent is input, and the end of sending its end.</summary>
internal sealed class MonitorConnection : IAsyncDisposable
{
    private const byte StandardOutput = 2;
    private const byte StandardError = 3;

    /// <summary>The monitor reads messages of at most 8 KiB whole.</summary>
    private const int InputBytesMax = 4 << 10;

    private const int MessageBytesMax = 64 << 10;

    private readonly Socket socket;

    private MonitorConnection(Socket socket) => this.socket = socket;

    /// <summary>For input alone: what the monitor would send is refused, so that it never waits for us to read it.</summary>
    internal static async Task<MonitorConnection> OpenForInputAsync(MonitorFolder folder, CancellationToken stopping)
    {
        var connection = await OpenAsync(folder, stopping);
        connection.socket.Shutdown(SocketShutdown.Receive);
        return connection;
    }

    /// <summary>For output, which must be read on: until it is, the program waits.</summary>
    internal static async Task<MonitorConnection> OpenAsync(MonitorFolder folder, CancellationToken stopping) =>
        new(await SequencedSocket.ConnectAsync(folder.Path, MonitorFolder.Socket, stopping));

    internal async IAsyncEnumerable<OutputChunk> ReadAsync([EnumeratorCancellation] CancellationToken stopping)
    {
        var buffer = new byte[MessageBytesMax];
        int count;
        while ((count = await ReceiveAsync(buffer, stopping)) > 0)
        {
            if (count > 1 && buffer[0] is StandardOutput or StandardError)
            {
                yield return new OutputChunk(buffer[0] == StandardOutput ? OutputStream.Standard : OutputStream.Error, buffer.AsMemory(1, count - 1));
            }
        }
    }

    internal async ValueTask WriteAsync(ReadOnlyMemory<byte> bytes, CancellationToken stopping)
    {
        try
        {
            for (; !bytes.IsEmpty; bytes = bytes[Math.Min(InputBytesMax, bytes.Length)..])
            {
                await socket.SendAsync(bytes[..Math.Min(InputBytesMax, bytes.Length)], SocketFlags.None, stopping);
            }
        }
        catch (SocketException gone)
        {
            throw new IOException("the program does not read any more", gone);
        }
    }

    internal void EndInput()
    {
        try
        {
            socket.Shutdown(SocketShutdown.Send);
        }
        catch (SocketException)
        {
            // The monitor has ended: so has the input.
        }
    }

    /// <summary>Nothing more is taken from the monitor, so that it waits for us no longer; what it has sent can still be read.</summary>
    internal void RefuseOutput()
    {
        try
        {
            socket.Shutdown(SocketShutdown.Receive);
        }
        catch (Exception gone) when (gone is SocketException or ObjectDisposedException)
        {
            // It waits for nobody.
        }
    }

    public ValueTask DisposeAsync()
    {
        socket.Dispose();
        return ValueTask.CompletedTask;
    }

    /// <summary>
    /// A monitor that ends with input of ours unread resets the connection, and the kernel says so before it hands out what the monitor had sent: once, so what lies
    /// behind is read on to its end.
    /// </summary>
    private async ValueTask<int> ReceiveAsync(byte[] buffer, CancellationToken stopping)
    {
        for (var mayReset = true; ; mayReset = false)
        {
            try
            {
                return await socket.ReceiveAsync(buffer, SocketFlags.None, stopping);
            }
            catch (SocketException gone) when (gone.SocketErrorCode is SocketError.ConnectionReset or SocketError.ConnectionAborted or SocketError.NotConnected)
            {
                if (!mayReset)
                {
                    return 0;
                }
            }
        }
    }
}
