using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using Godwit.Linux.Networking;

namespace Godwit.Networks.Names;

/// <summary>
/// Answers for the part of the cluster's names that dnsmasq cannot hold in its tables (<see cref="ClusterZone"/>), on a port of the loopback that
/// dnsmasq asks. It lives and ends with the agent; addresses and their names do not depend on it.
/// <para>Questions wait for nothing but an alias's addresses; so many of these may wait at once, and what is beyond is not answered: its asker asks again.</para>
/// </summary>
public sealed class NameResponder : IDisposable
{
    private const int WaitingMax = 64;
    private const int ConnectionsMax = 32;
    private const int PortTries = 20;
    private const int AliasTtlMaxSeconds = 30;
    private const int DnsPort = 53;
    private static readonly TimeSpan TroublePause = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan IdleBound = TimeSpan.FromSeconds(10);

    private readonly Socket datagrams;
    private readonly Socket connections;
    private readonly TimeProvider time;
    private readonly SemaphoreSlim waiting = new(WaitingMax);
    private readonly SemaphoreSlim connected = new(ConnectionsMax);
    private readonly byte[] datagram = new byte[DnsMessage.UdpBytesMax];
    private volatile State? state;

    private NameResponder(Socket udp, Socket tcp, TimeProvider time) => (datagrams, connections, this.time) = (udp, tcp, time);

    /// <summary>Of UDP and TCP, on the loopback.</summary>
    public int Port => ((IPEndPoint)datagrams.LocalEndPoint!).Port;

    /// <exception cref="SocketException">No port is free.</exception>
    public static NameResponder Open(NetworkNamespace place, TimeProvider time) => place.Run(() =>
    {
        for (var left = PortTries; ; left--)
        {
            var udp = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
            var tcp = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            try
            {
                udp.Bind(new IPEndPoint(IPAddress.Loopback, 0));
                tcp.Bind(new IPEndPoint(IPAddress.Loopback, ((IPEndPoint)udp.LocalEndPoint!).Port));
                tcp.Listen(ConnectionsMax);
                return new NameResponder(udp, tcp, time);
            }
            catch (SocketException)
            {
                udp.Dispose();
                tcp.Dispose();
                if (left == 0)
                {
                    throw;
                }
            }
        }
    });

    /// <summary>Answers from these from now on.</summary>
    /// <param name="names">All names of services.</param>
    /// <param name="settings">Of the name service that asks, and that is asked for the addresses of names elsewhere.</param>
    public void Serve(ServiceNames names, NameServiceSettings settings) =>
        state = new State(new ClusterZone(names, settings.ClusterDomain, settings.Network), new NameLookup(new IPEndPoint(settings.Gateway, DnsPort), settings.Place, time));

    /// <summary>Runs until cancelled.</summary>
    public async Task RunAsync(CancellationToken stopping)
    {
        try
        {
            await Task.WhenAll(RepeatAsync(ReceiveAsync, stopping), RepeatAsync(AcceptAsync, stopping));
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // The agent ends.
        }
    }

    /// <summary>What goes wrong with one (the host has no descriptor left) is over when the next comes.</summary>
    private async Task RepeatAsync(Func<CancellationToken, Task> step, CancellationToken stopping)
    {
        while (true)
        {
            try
            {
                await step(stopping);
            }
            catch (SocketException)
            {
                await Task.Delay(TroublePause, time, stopping);
            }
        }
    }

    public void Dispose()
    {
        datagrams.Dispose();
        connections.Dispose();
        waiting.Dispose();
        connected.Dispose();
    }

    private async Task ReceiveAsync(CancellationToken stopping)
    {
        var received = await datagrams.ReceiveFromAsync(datagram, SocketFlags.None, new IPEndPoint(IPAddress.Any, 0), stopping);
        if (state is { } current && DnsMessage.ReadQuery(datagram.AsSpan(0, received.ReceivedBytes)) is { } query)
        {
            await AnswerAsync(current, query, received.RemoteEndPoint, stopping);
        }
    }

    private async Task AnswerAsync(State current, DnsQuery query, EndPoint asker, CancellationToken stopping)
    {
        if (current.Zone.Answer(query.Name, query.Type) is not ZoneAnswer.Elsewhere elsewhere)
        {
            await SendAsync(await current.AnswerAsync(query, query.SizeMax, stopping), asker, stopping);
        }
        else if (waiting.Wait(0, stopping))
        {
            _ = LaterAsync();
        }

        async Task LaterAsync()
        {
            try
            {
                await SendAsync(await current.FollowAsync(query, elsewhere, query.SizeMax, stopping), asker, stopping);
            }
            catch (Exception end) when (end is OperationCanceledException or ObjectDisposedException)
            {
                // The agent ends.
            }
            finally
            {
                waiting.Release();
            }
        }
    }

    private async Task SendAsync(byte[] answer, EndPoint asker, CancellationToken stopping)
    {
        try
        {
            await datagrams.SendToAsync(answer, asker, stopping);
        }
        catch (SocketException)
        {
            // Who asked has gone.
        }
    }

    private async Task AcceptAsync(CancellationToken stopping)
    {
        await connected.WaitAsync(stopping);
        try
        {
            _ = ConverseAsync(await connections.AcceptAsync(stopping), stopping);
        }
        catch
        {
            connected.Release();
            throw;
        }
    }

    private async Task ConverseAsync(Socket socket, CancellationToken stopping)
    {
        try
        {
            await using var stream = new NetworkStream(socket, ownsSocket: true);
            var length = new byte[2];
            while (true)
            {
                using var bound = new CancellationTokenSource(IdleBound, time);
                using var over = CancellationTokenSource.CreateLinkedTokenSource(stopping, bound.Token);
                await stream.ReadExactlyAsync(length, over.Token);
                var message = new byte[BinaryPrimitives.ReadUInt16BigEndian(length)];
                await stream.ReadExactlyAsync(message, over.Token);
                if (state is not { } current || DnsMessage.ReadQuery(message) is not { } query)
                {
                    return;
                }

                var answer = await current.AnswerAsync(query, ushort.MaxValue, over.Token);
                BinaryPrimitives.WriteUInt16BigEndian(length, (ushort)answer.Length);
                await stream.WriteAsync((byte[])[.. length, .. answer], over.Token);
            }
        }
        catch (Exception end) when (end is IOException or SocketException or OperationCanceledException or ObjectDisposedException)
        {
            // Its asker has gone, or is silent, or we end.
        }
        finally
        {
            connected.Release();
        }
    }

    private sealed record State(ClusterZone Zone, NameLookup Lookup)
    {
        internal async Task<byte[]> AnswerAsync(DnsQuery query, int sizeMax, CancellationToken stopping) => Zone.Answer(query.Name, query.Type) switch
        {
            ZoneAnswer.Found found => DnsMessage.WriteAnswer(query, DnsCode.NoError, found.Records, sizeMax),
            ZoneAnswer.Elsewhere elsewhere => await FollowAsync(query, elsewhere, sizeMax, stopping),
            _ => DnsMessage.WriteAnswer(query, DnsCode.NoSuchName, [], sizeMax),
        };

        internal async Task<byte[]> FollowAsync(DnsQuery query, ZoneAnswer.Elsewhere elsewhere, int sizeMax, CancellationToken stopping) =>
            await Lookup.AskAsync(elsewhere.Target, query.Type, stopping) is { } there
                ? DnsMessage.WriteAnswer(
                    query,
                    DnsCode.NoError,
                    [.. elsewhere.Records, .. there.Addresses.Select(address => new DnsRecord.Host(elsewhere.Target, Math.Clamp(there.TtlSeconds, 0, AliasTtlMaxSeconds), address))],
                    sizeMax)
                : DnsMessage.WriteAnswer(query, DnsCode.ServerFailure, [], sizeMax);
    }
}
