using System.Net;
using System.Net.Sockets;

namespace Godwit.Store.Tests.Etcd;

/// <summary>Stands before a member of etcd on loopback, passes everything on, and loses what it is told to lose.</summary>
internal sealed class LossyProxy : IAsyncDisposable
{
    private readonly TcpListener listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource stop = new();
    private readonly int targetPort;
    private readonly Task accepting;
    private CancellationTokenSource connections = new();
    private volatile bool losesRequests;
    private volatile bool losesAnswers;
    private long lostBytes;

    public LossyProxy(int targetPort)
    {
        this.targetPort = targetPort;
        listener.Start();
        accepting = AcceptAsync();
    }

    public override string ToString() => $"127.0.0.1:{((IPEndPoint)listener.LocalEndpoint).Port}";

    /// <summary>From now on etcd does not get what is sent.</summary>
    public void LoseRequests() => losesRequests = true;

    /// <summary>From now on etcd's answers do not arrive.</summary>
    public void LoseAnswers() => losesAnswers = true;

    /// <summary>Waits until so many bytes have been lost.</summary>
    public Task LostAsync(int bytes, CancellationToken stopping) => Until.HoldsAsync(() => Interlocked.Read(ref lostBytes) >= bytes, stopping);

    /// <summary>Breaks every connection; new ones pass everything on.</summary>
    public async Task CutAsync()
    {
        var cut = Interlocked.Exchange(ref connections, new CancellationTokenSource());
        losesRequests = losesAnswers = false;
        Interlocked.Exchange(ref lostBytes, 0);
        await cut.CancelAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await stop.CancelAsync();
        await CutAsync();
        listener.Dispose();
        await accepting.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        connections.Dispose();
        stop.Dispose();
    }

    private async Task AcceptAsync()
    {
        while (true)
        {
            var client = await listener.AcceptSocketAsync(stop.Token);
            _ = CarryAsync(client, Volatile.Read(ref connections).Token);
        }
    }

    private async Task CarryAsync(Socket client, CancellationToken cut)
    {
        using var server = new Socket(SocketType.Stream, ProtocolType.Tcp);
        using (client)
        {
            try
            {
                await server.ConnectAsync(IPAddress.Loopback, targetPort, cut);
                await Task.WhenAny(PumpAsync(client, server, () => losesRequests, cut), PumpAsync(server, client, () => losesAnswers, cut));
            }
            catch (Exception error) when (error is SocketException or OperationCanceledException)
            {
                // The connection is over, as it was meant to be.
            }
        }
    }

    private async Task PumpAsync(Socket from, Socket to, Func<bool> loses, CancellationToken cut)
    {
        var buffer = new byte[64 * 1024];
        while (true)
        {
            var read = await from.ReceiveAsync(buffer, cut);
            if (read == 0)
            {
                return;
            }

            if (loses())
            {
                Interlocked.Add(ref lostBytes, read);
            }
            else
            {
                await to.SendAsync(buffer.AsMemory(0, read), cut);
            }
        }
    }
}
