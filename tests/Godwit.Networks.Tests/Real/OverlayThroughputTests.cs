using System.Net;
using System.Net.Sockets;
using Godwit.Linux.Networking;

namespace Godwit.Networks.Tests.Real;

/// <summary>What the overlay costs: the same TCP stream between two hosts, straight and through the tunnel.</summary>
[Trait("Needs", "root")]
public sealed class OverlayThroughputTests
{
    private const int Rounds = 3;
    private const int Port = 5001;
    private const long StreamBytes = 1L << 27;

    [Fact]
    public async Task A_stream_through_the_tunnel_is_of_the_order_of_one_straight_between_the_hosts()
    {
        await using var hosts = await OverlayHosts.CreateAsync();
        var first = await hosts.AddGuestAsync(1, 1);
        var second = await hosts.AddGuestAsync(2, 2);
        var (straight, tunnelled) = (new List<double>(), new List<double>());
        for (var round = 0; round < Rounds; round++)
        {
            straight.Add(Stream(hosts.Host(1).Place, hosts.Host(2).Place, hosts.Host(2).Address));
            tunnelled.Add(Stream(first.Place, second.Place, second.Address));
        }

        straight.Sort();
        tunnelled.Sort();
        TestContext.Current.SendDiagnosticMessage($"straight {straight[Rounds / 2]:0} MB/s, through the tunnel {tunnelled[Rounds / 2]:0} MB/s (medians of {Rounds}): {tunnelled[Rounds / 2] / straight[Rounds / 2]:0.00}");
        Assert.True(tunnelled[Rounds / 2] > straight[Rounds / 2] / 10, "the tunnel costs more than nine tenths of the rate");
    }

    private static double Stream(NetworkNamespace from, NetworkNamespace to, IPAddress address)
    {
        using var listener = to.Run(() => new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp));
        listener.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, true);
        listener.Bind(new IPEndPoint(address, Port));
        listener.Listen();
        using var sender = from.Run(() => new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp));
        sender.Connect(address, Port);
        using var receiver = listener.Accept();
        var start = TimeProvider.System.GetTimestamp();
        var sending = new Thread(() =>
        {
            var buffer = new byte[1 << 18];
            for (long sent = 0; sent < StreamBytes; sent += buffer.Length)
            {
                sender.Send(buffer);
            }
        });
        sending.Start();
        var space = new byte[1 << 18];
        for (long received = 0; received < StreamBytes;)
        {
            received += receiver.Receive(space);
        }

        sending.Join();
        return StreamBytes / 1e6 / TimeProvider.System.GetElapsedTime(start).TotalSeconds;
    }
}
