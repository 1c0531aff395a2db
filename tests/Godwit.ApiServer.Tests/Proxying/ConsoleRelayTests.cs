using System.Net;
using System.Net.Sockets;
using System.Net.WebSockets;
using System.Text;
using Godwit.ApiServer.Proxying;

namespace Godwit.ApiServer.Tests.Proxying;

public sealed class ConsoleRelayTests
{
    private static CancellationToken Stopping => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(true, WebSocketCloseStatus.NormalClosure)]
    [InlineData(false, WebSocketCloseStatus.InternalServerError)]
    public async Task A_client_hears_all_that_the_agent_said_and_whether_it_closed_or_broke(bool closes, WebSocketCloseStatus expected)
    {
        var (clientEnd, clientSide) = await PairAsync();
        var (agentEnd, agentSide) = await PairAsync();
        using var client = Socket(clientSide, isServer: false);
        using var near = Socket(clientEnd, isServer: true);
        using var agent = Socket(agentSide, isServer: true);
        var relay = ConsoleRelay.RunAsync(near, Socket(agentEnd, isServer: false), next: null, TimeProvider.System, Stopping);

        await agent.SendAsync("said"u8.ToArray(), WebSocketMessageType.Binary, endOfMessage: true, Stopping);
        if (closes)
        {
            await agent.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, null, Stopping);
        }
        else
        {
            await agentSide.DisposeAsync();
        }

        var buffer = new byte[100];
        var said = await client.ReceiveAsync(buffer, Stopping);
        Assert.Equal("said", Encoding.UTF8.GetString(buffer, 0, said.Count));
        Assert.Equal(WebSocketMessageType.Close, (await client.ReceiveAsync(buffer, Stopping)).MessageType);
        Assert.Equal(expected, client.CloseStatus);
        await client.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, null, Stopping);
        await relay;
    }

    private static WebSocket Socket(Stream transport, bool isServer) => WebSocket.CreateFromStream(transport, new WebSocketCreationOptions { IsServer = isServer });

    private static async Task<(Stream Near, Stream Far)> PairAsync()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var far = new TcpClient();
        var accepting = listener.AcceptSocketAsync(Stopping);
        await far.ConnectAsync((IPEndPoint)listener.LocalEndpoint, Stopping);
        return (new NetworkStream(await accepting, ownsSocket: true), far.GetStream());
    }
}
