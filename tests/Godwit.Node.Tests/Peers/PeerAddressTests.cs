using System.Net;
using System.Net.Sockets;
using Godwit.Node.Peers;

namespace Godwit.Node.Tests.Peers;

/// <summary>Nodes with several addresses.</summary>
public sealed class PeerAddressTests
{
    private static readonly NodeName Node = NodeName.Parse("node-2");

    [Fact]
    public void Addresses_are_read_in_their_order_and_written_again()
    {
        Assert.True(PeerEndpoint.TryParse(Node, "192.0.2.2:10260,198.51.100.2:10261", out var endpoint));
        Assert.Equal([IPEndPoint.Parse("192.0.2.2:10260"), IPEndPoint.Parse("198.51.100.2:10261")], endpoint.Addresses);
        Assert.Equal(endpoint.Addresses[0], endpoint.Address);
        Assert.True(PeerEndpoint.TryParse(Node, endpoint.AddressText, out var again));
        Assert.Equal(endpoint, again);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("192.0.2.2")]
    [InlineData("192.0.2.2:10260,")]
    [InlineData("192.0.2.2:10260,name:1")]
    [InlineData("192.0.2.1:1,192.0.2.2:1,192.0.2.3:1,192.0.2.4:1,192.0.2.5:1")]
    public void What_is_no_address_or_no_few_of_them_is_refused(string? text) => Assert.False(PeerEndpoint.TryParse(Node, text, out _));

    [Fact]
    public async Task A_node_that_does_not_answer_at_its_first_address_is_reached_at_its_second()
    {
        await using var pair = new TestPair();
        using var silent = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        silent.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        silent.Listen(); // Takes connections and says nothing, as a link that has died.
        var listening = pair.Target.Endpoint;
        Assert.True(PeerEndpoint.TryParse(listening.Node, $"{silent.LocalEndPoint},{listening.Address}", out var endpoint));

        await using (var connection = await pair.Source.Dialer.OpenControlAsync(endpoint, Bound.Token()))
        {
            Assert.Equal("node-1", (await connection.RequestAsync(TestAgent.Echo, new Ping("hello"), Bound.Token())).From);
        }

        var asked = 0;
        while (silent.Poll(0, SelectMode.SelectRead))
        {
            silent.Accept().Dispose();
            asked++;
        }

        await using var second = await pair.Source.Dialer.OpenControlAsync(endpoint, Bound.Token());
        Assert.Equal(1, asked);
        Assert.False(silent.Poll(0, SelectMode.SelectRead), "What answered last was not tried first.");
    }

    [Fact]
    public async Task A_node_that_answers_nowhere_is_told_with_its_last_address()
    {
        await using var pair = new TestPair();
        Assert.True(PeerEndpoint.TryParse(Node, "127.0.0.1:1,127.0.0.1:2", out var endpoint));

        var error = await Assert.ThrowsAsync<PeerException>(() => pair.Source.Dialer.OpenControlAsync(endpoint, Bound.Token()));

        Assert.Contains("127.0.0.1:2", error.Message, StringComparison.Ordinal);
    }
}
