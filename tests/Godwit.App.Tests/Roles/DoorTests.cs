using System.Net;
using System.Net.Sockets;
using Godwit.App.Clusters;
using Godwit.App.Roles;
using Godwit.Base;

namespace Godwit.App.Tests.Roles;

public sealed class DoorTests
{
    [Theory]
    [InlineData("127.0.0.1", "127.0.0.1")]
    [InlineData("127.0.0.1", "0.0.0.0")]
    [InlineData("127.0.0.1", "::")]
    [InlineData("0.0.0.0", "127.0.0.1")]
    public void A_port_in_use_is_told_with_its_number_who_wanted_it_and_the_flag_that_changes_it(string taken, string wanted)
    {
        using var other = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        other.Bind(new IPEndPoint(IPAddress.Parse(taken), 0));
        other.Listen();
        var port = ((IPEndPoint)other.LocalEndPoint!).Port;

        var error = Assert.Throws<ClusterException>(() => Door.MustBeFree(new Door("godwit agent", "other agents", new IPEndPoint(IPAddress.Parse(wanted), port), "--peer-listen")));

        var words = ErrorChain.Describe(error);
        Assert.StartsWith($"godwit agent cannot listen on {new IPEndPoint(IPAddress.Parse(wanted), port)} (TCP) for other agents:", words, StringComparison.Ordinal);
        Assert.Contains($"another process listens on port {port}.", words, StringComparison.Ordinal);
        Assert.Contains("choose another port with --peer-listen", words, StringComparison.Ordinal);
        Assert.Contains("in use", words, StringComparison.Ordinal);
    }

    [Fact]
    public void An_address_that_this_host_does_not_have_is_told_as_such()
    {
        var error = Assert.Throws<ClusterException>(() => Door.MustBeFree(new Door("godwit server", "the API", new IPEndPoint(IPAddress.Parse("192.0.2.1"), 6443), "--listen")));

        Assert.Contains("no interface of this host has the address 192.0.2.1", error.Message, StringComparison.Ordinal);
        Assert.Contains("--listen", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Free_ports_stay_free()
    {
        using var probe = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        probe.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        var address = (IPEndPoint)probe.LocalEndPoint!;
        probe.Dispose();

        Door.MustBeFree(new Door("a", "b", address, "--c"), new Door("a", "b", address, "--c"), new Door("a", "b", new IPEndPoint(IPAddress.Loopback, 0), "--c"));
    }
}
