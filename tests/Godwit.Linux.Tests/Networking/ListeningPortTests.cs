using System.Net;
using System.Net.Sockets;
using Godwit.Linux.Networking;

namespace Godwit.Linux.Tests.Networking;

public sealed class ListeningPortTests
{
    [Theory]
    [InlineData("32768\t60999\n", 32768)]
    [InlineData("1024 65535", 1024)]
    [InlineData("", ushort.MaxValue + 1)]
    [InlineData("many\tfew", ushort.MaxValue + 1)]
    public void The_kernels_range_begins_with_the_first_of_its_two_numbers(string range, int first) => Assert.Equal(first, ListeningPort.FirstOutgoing(range));

    [Fact]
    public void A_port_that_is_found_is_none_that_an_outgoing_connection_may_take_and_can_be_listened_on()
    {
        var first = ListeningPort.FirstOutgoing(File.ReadAllText("/proc/sys/net/ipv4/ip_local_port_range"));
        Assert.SkipUnless(first > ListeningPort.First, "needs a kernel whose outgoing connections leave ports below free: net.ipv4.ip_local_port_range");

        for (var look = 0; look < 50; look++)
        {
            Assert.InRange(ListeningPort.FindFree(IPAddress.Loopback)!.Value, ListeningPort.First, Math.Min(ListeningPort.Last, first - 1));
        }
    }

    [Fact]
    public void A_port_that_somebody_listens_on_is_not_free()
    {
        using var listener = new TcpListener(IPAddress.Loopback, ListeningPort.FindFree(IPAddress.Loopback)!.Value);
        listener.Start();

        Assert.Null(ListeningPort.TryBind(IPAddress.Loopback, ((IPEndPoint)listener.LocalEndpoint).Port));
    }
}
