using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Text;

namespace Godwit.ApiServer.Tests;

/// <summary>Clients that hold on to what they take: they are cut off, and the others are served meanwhile.</summary>
public sealed class SlowClientTests
{
    private const string ConfigMaps = "/api/v1/namespaces/default/configmaps";

    [Theory]
    [InlineData("GET /version HTTP/1.1\r\nHost: x\r\nX-Slow: ")]
    [InlineData("POST /api/v1/namespaces/default/configmaps HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{")]
    public async Task Who_never_ends_a_request_is_cut_off(string beginning)
    {
        await using var server = await TestServer.StartAsync();
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(IPAddress.Loopback, server.Host.Ports[0], TestServer.Stopping);
        await using var connection = new SslStream(new NetworkStream(socket, ownsSocket: true), leaveInnerStreamOpen: false, server.IsOfAuthority);
        await connection.AuthenticateAsClientAsync(new SslClientAuthenticationOptions { TargetHost = "localhost", ClientCertificates = [server.CertificateOf("admin")] }, TestServer.Stopping);
        await connection.WriteAsync(Encoding.ASCII.GetBytes(beginning), TestServer.Stopping);

        var answer = "";
        try
        {
            using var reader = new StreamReader(connection);
            answer = await reader.ReadToEndAsync(TestServer.Stopping).WaitAsync(TimeSpan.FromMinutes(2), TimeProvider.System, TestServer.Stopping);
        }
        catch (IOException)
        {
            // Cut without a word: just as well.
        }

        Assert.True(answer.Length == 0 || answer.StartsWith("HTTP/1.1 408", StringComparison.Ordinal), answer);
        Assert.Equal(HttpStatusCode.OK, (await server.GetAsync("/api/v1/namespaces/default")).Code);
    }

    [Fact]
    public async Task Many_watches_on_one_connection_all_hear_and_leave_nothing_behind()
    {
        const int Watches = 400;
        await using var server = await TestServer.StartAsync();
        var watches = await Task.WhenAll(Enumerable.Range(0, Watches).Select(_ => server.WatchAsync(ConfigMaps + "?watch=1")));
        await server.PostAsync(ConfigMaps, """{"metadata":{"name":"a"}}""");
        foreach (var watch in watches)
        {
            Assert.Equal("ADDED", (await watch.NextAsync())?.Type);
            watch.Dispose();
        }

        using var ticks = new PeriodicTimer(TimeSpan.FromMilliseconds(20));
        var open = Watches;
        for (var tick = 0; open > 0 && tick < 3000; tick++)
        {
            await ticks.WaitForNextTickAsync(TestServer.Stopping);
            using var response = await server.Admin.GetAsync("/metrics", TestServer.Stopping);
            var metric = (await response.Content.ReadAsStringAsync(TestServer.Stopping)).Split('\n').Single(line => line.StartsWith("godwit_apiserver_watchers ", StringComparison.Ordinal));
            open = (int)double.Parse(metric.Split(' ')[^1], System.Globalization.CultureInfo.InvariantCulture);
        }

        Assert.Equal(0, open);
    }
}
