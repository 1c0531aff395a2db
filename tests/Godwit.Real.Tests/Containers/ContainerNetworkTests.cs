using System.Net;
using System.Net.Sockets;
using Godwit.Containers;
using Godwit.Networks.Containers;

namespace Godwit.Real.Tests.Containers;

[Trait("Needs", "root")]
public sealed class ContainerNetworkTests
{
    private const string Server = "mkdir -p /www; echo served > /www/index.html; exec httpd -f -p 80 -h /www";

    [Fact]
    public async Task Containers_of_the_default_network_reach_each_other_and_have_a_way_out()
    {
        await using var lab = await EngineLab.OpenAsync();
        var server = await lab.StartAsync(Joined(EngineLab.Shell(Server)));
        var address = Assert.Single(lab.Engine.Get(server).Endpoints).Value.Addresses!.Address;
        var (output, exit) = await lab.RunAsync(Joined(EngineLab.Shell($"until wget -q -O - http://{address}/; do sleep 0.1; done; ip route | grep -c default; cat /etc/hosts | grep -c $(hostname)")));
        Assert.Equal(0, exit.Code);
        Assert.Equal("served\n1\n1\n", output.Replace("wget: can't connect to remote host (" + address + "): Connection refused\n", "", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_published_port_answers_on_the_hosts_addresses_loopback_included_without_a_process()
    {
        await using var lab = await EngineLab.OpenAsync();
        var spec = Joined(EngineLab.Shell(Server));
        var id = await lab.StartAsync(spec with { Network = spec.Network with { Ports = [new PublishedPort(80, "tcp", "", 0)] } });
        var port = lab.Engine.Get(id).Ports.First(port => port.HostAddress == "0.0.0.0").HostPort;
        Assert.Equal("served\n", await GetAsync(IPAddress.Loopback, port));
        var gateway = IPAddress.Parse(lab.Engine.Networks.Get("bridge").Range.Gateway);
        Assert.Equal("served\n", await GetAsync(gateway, port));
        Assert.DoesNotContain($":{port} ", await EngineLab.HostAsync("ss", "-ltnH"), StringComparison.Ordinal);
        // A container reaches itself over the published port too.
        Assert.Equal("served\n", (await lab.ExecuteAsync(id, "wget", "-q", "-O", "-", $"http://{gateway}:{port}/")).Output);

        await lab.StopEngineAsync();
        Assert.Equal("served\n", await GetAsync(IPAddress.Loopback, port));
        await lab.StartEngineAsync();
        Assert.Equal("served\n", await GetAsync(IPAddress.Loopback, port));

        await lab.Engine.RemoveAsync(id, new RemoveOptions(Force: true), EngineLab.Stopping);
        using var late = new TcpClient();
        var refused = await Assert.ThrowsAsync<SocketException>(() => late.ConnectAsync(IPAddress.Loopback, port, EngineLab.Stopping).AsTask());
        Assert.Equal(SocketError.ConnectionRefused, refused.SocketErrorCode);
    }

    [Fact]
    public async Task A_published_udp_port_answers_from_the_host_itself()
    {
        Assert.SkipUnless(File.Exists("/usr/bin/socat"), "needs socat: install the package of this name");
        await using var lab = await EngineLab.OpenAsync();
        var spec = Joined(EngineLab.Spec("sleep", "1000"));
        var id = await lab.StartAsync(spec with { Network = spec.Network with { Ports = [new PublishedPort(9000, "udp", "127.0.0.1", 0)] } });
        var port = Assert.Single(lab.Engine.Get(id).Ports).HostPort;
        // Busybox has no server of datagrams: the host's own program serves in the container's network.
        var inside = ((ContainerState.Running)lab.Engine.Get(id).State).Now.ProcessId;
        using var server = System.Diagnostics.Process.Start("nsenter", ["--target", $"{inside}", "--net", "/usr/bin/socat", "UDP4-LISTEN:9000,fork", "EXEC:cat"]);
        using var client = new UdpClient(new IPEndPoint(IPAddress.Loopback, 0));
        Assert.NotEqual(port, ((IPEndPoint)client.Client.LocalEndPoint!).Port);
        try
        {
            client.Connect(IPAddress.Loopback, port);
            await EngineLab.UntilAsync(() => EchoesAsync(client), "the echo came back");
        }
        finally
        {
            server.Kill(entireProcessTree: true);
        }
    }

    private static async Task<bool> EchoesAsync(UdpClient client)
    {
        using var bound = new CancellationTokenSource(TimeSpan.FromSeconds(1), TimeProvider.System);
        try
        {
            await client.SendAsync("ping"u8.ToArray(), bound.Token);
            return (await client.ReceiveAsync(bound.Token)).Buffer.AsSpan().SequenceEqual("ping"u8);
        }
        catch (Exception refused) when (refused is OperationCanceledException or SocketException)
        {
            return false;
        }
    }

    [Fact]
    public async Task A_port_that_is_in_use_is_refused_and_a_range_steps_over_it()
    {
        await using var lab = await EngineLab.OpenAsync();
        using var busy = new TcpListener(IPAddress.Any, 0);
        busy.Start();
        var port = (ushort)((IPEndPoint)busy.LocalEndpoint).Port;
        var spec = Joined(EngineLab.Spec("sleep", "1000"));
        var refused = await Assert.ThrowsAsync<ConflictException>(() => lab.StartAsync(spec with { Network = spec.Network with { Ports = [new PublishedPort(80, "tcp", "0.0.0.0", port)] } }));
        Assert.Contains("already allocated", refused.Message, StringComparison.Ordinal);
        var id = await lab.StartAsync(spec with { Network = spec.Network with { Ports = [new PublishedPort(80, "tcp", "0.0.0.0", port, (ushort)(port + 20))] } });
        Assert.InRange(Assert.Single(lab.Engine.Get(id).Ports).HostPort, port + 1, port + 20);
    }

    [Fact]
    public async Task Names_resolve_within_a_network_of_ones_own_and_keep_resolving_while_no_engine_is_there()
    {
        await using var lab = await EngineLab.OpenAsync();
        await lab.Engine.Networks.CreateAsync(new ContainerNetworkRequest { Name = "app" }, EngineLab.Stopping);
        await lab.Engine.Networks.CreateAsync(new ContainerNetworkRequest { Name = "other" }, EngineLab.Stopping);
        var server = await lab.StartAsync(Joined(EngineLab.Shell(Server), new EndpointSpec("app") { Aliases = ["db", "store"] }), "server");
        var client = await lab.StartAsync(Joined(EngineLab.Spec("sleep", "1000"), new EndpointSpec("app")), "client");
        var stranger = await lab.StartAsync(Joined(EngineLab.Spec("sleep", "1000"), new EndpointSpec("other")), "stranger");
        Assert.Contains("nameserver 127.0.0.11", (await lab.ExecuteAsync(client, "cat", "/etc/resolv.conf")).Output, StringComparison.Ordinal);
        foreach (var name in new[] { "server", "db", "store", server[..12] })
        {
            await EngineLab.UntilAsync(async () => (await lab.ExecuteAsync(client, "wget", "-q", "-O", "-", $"http://{name}/")).Output == "served\n", $"{name} answers");
        }

        Assert.NotEqual(0, (await lab.ExecuteAsync(stranger, "nslookup", "db.", "127.0.0.11")).Code);
        var address = lab.Engine.Get(server).Endpoints["app"].Addresses!.Address;
        Assert.NotEqual("served\n", (await lab.ExecuteAsync(stranger, "wget", "-q", "-T", "2", "-O", "-", $"http://{address}/")).Output);

        var process = ((ContainerState.Running)lab.Engine.Get(client).State).Now.ProcessId;
        await lab.StopEngineAsync();
        Assert.Equal("served\n", await EngineLab.HostAsync("nsenter", "--target", $"{process}", "--net", "--mount", "--root", "/bin/wget", "-q", "-O", "-", "http://db/"));
        await lab.StartEngineAsync();
    }

    [Fact]
    public async Task Names_of_elsewhere_are_asked_of_the_containers_servers_and_a_silent_one_hides_no_container()
    {
        await using var lab = await EngineLab.OpenAsync();
        await lab.Engine.Networks.CreateAsync(new ContainerNetworkRequest { Name = "app" }, EngineLab.Stopping);
        await lab.StartAsync(Joined(EngineLab.Shell(Server), new EndpointSpec("app")), "server");
        // Loopback addresses that no other run of this test takes: servers are asked on port 53 and no other.
        var place = $"127.{64 + ((Environment.ProcessId >> 8) & 63)}.{Environment.ProcessId & 255}";
        using var silent = new UdpClient(new IPEndPoint(IPAddress.Parse($"{place}.2"), 53));
        using var upstream = System.Diagnostics.Process.Start(
            "/usr/sbin/dnsmasq", ["--keep-in-foreground", "--conf-file=/dev/null", "--pid-file=", "--no-resolv", "--no-hosts", "--bind-interfaces", $"--listen-address={place}.1", "--address=/far.example/192.0.2.77"]);
        try
        {
            var asking = await AskerAsync(lab, $"{place}.1");
            await EngineLab.UntilAsync(async () => (await lab.ExecuteAsync(asking, "nslookup", "www.far.example.", "127.0.0.11")).Output.Contains("192.0.2.77", StringComparison.Ordinal), "the name of elsewhere is known");

            var unheard = await AskerAsync(lab, $"{place}.2");
            var (output, code) = await lab.ExecuteAsync(unheard, "nslookup", "www.far.example.", "127.0.0.11");
            Assert.True(code != 0 && !output.Contains("192.0.2.77", StringComparison.Ordinal), output);
            Assert.NotEqual(0, silent.Available); // It was asked.
            foreach (var container in new[] { asking, unheard })
            {
                await EngineLab.UntilAsync(async () => (await lab.ExecuteAsync(container, "wget", "-q", "-O", "-", "http://server/")).Output == "served\n", "a container is found by its name");
            }
        }
        finally
        {
            upstream.Kill();
            await upstream.WaitForExitAsync(CancellationToken.None);
        }
    }

    private static async Task<string> AskerAsync(EngineLab lab, string server)
    {
        var spec = Joined(EngineLab.Spec("sleep", "1000"), new EndpointSpec("app"));
        return await lab.StartAsync(spec with { Network = spec.Network with { NameServers = [server] } });
    }

    [Fact]
    public async Task Networks_are_joined_and_left_while_a_container_runs()
    {
        await using var lab = await EngineLab.OpenAsync();
        await lab.Engine.Networks.CreateAsync(new ContainerNetworkRequest { Name = "front" }, EngineLab.Stopping);
        await lab.Engine.Networks.CreateAsync(new ContainerNetworkRequest { Name = "back", Internal = true }, EngineLab.Stopping);
        await lab.StartAsync(Joined(EngineLab.Shell(Server), new EndpointSpec("back")), "server");
        var client = await lab.StartAsync(Joined(EngineLab.Spec("sleep", "1000"), new EndpointSpec("front")), "client");
        Assert.NotEqual(0, (await lab.ExecuteAsync(client, "wget", "-q", "-O", "-", "http://server/")).Code);
        await lab.Engine.ConnectAsync("client", new EndpointSpec("back"), EngineLab.Stopping);
        await EngineLab.UntilAsync(async () => (await lab.ExecuteAsync(client, "wget", "-q", "-O", "-", "http://server/")).Output == "served\n", "the server is reached by its name");
        Assert.Equal(["back", "front"], lab.Engine.Get(client).Endpoints.Keys.Order());
        await lab.Engine.DisconnectAsync("client", "back", force: false, EngineLab.Stopping);
        Assert.NotEqual(0, (await lab.ExecuteAsync(client, "wget", "-q", "-T", "2", "-O", "-", "http://server/")).Code);
        // The internal network has no way out.
        Assert.DoesNotContain("default", (await lab.ExecuteAsync("server", "ip", "route")).Output, StringComparison.Ordinal);
        Assert.Contains("active endpoints", (await Assert.ThrowsAsync<NetworkException>(() => lab.Engine.Networks.RemoveAsync("back", EngineLab.Stopping))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_network_with_IPv6_gives_its_containers_addresses_of_both_families()
    {
        Assert.SkipUnless(Directory.Exists("/proc/sys/net/ipv6"), "this host has no IPv6");
        await using var lab = await EngineLab.OpenAsync();
        await lab.Engine.Networks.CreateAsync(new ContainerNetworkRequest { Name = "six", EnableIpv6 = true }, EngineLab.Stopping);
        var id = await lab.StartAsync(Joined(EngineLab.Shell("mkdir -p /www; echo served > /www/index.html; exec httpd -f -p '[::]:80' -h /www"), new EndpointSpec("six")), "server");
        var address = lab.Engine.Get(id).Endpoints["six"].Addresses!.AddressV6;
        var (output, _) = await lab.RunAsync(Joined(EngineLab.Shell($"until wget -q -O - 'http://[{address}]/'; do sleep 0.1; done 2>/dev/null"), new EndpointSpec("six")));
        Assert.Equal("served\n", output);
    }

    [Fact]
    public async Task A_published_port_answers_over_IPv6_too()
    {
        Assert.SkipUnless(Directory.Exists("/proc/sys/net/ipv6"), "this host has no IPv6");
        await using var lab = await EngineLab.OpenAsync();
        await lab.Engine.Networks.CreateAsync(new ContainerNetworkRequest { Name = "six", EnableIpv6 = true }, EngineLab.Stopping);
        var spec = Joined(EngineLab.Shell("mkdir -p /www; echo served > /www/index.html; exec httpd -f -p '[::]:80' -h /www"), new EndpointSpec("six"));
        var id = await lab.StartAsync(spec with { Network = spec.Network with { Ports = [new PublishedPort(80, "tcp", "", 0)] } });
        var bindings = lab.Engine.Get(id).Ports;
        Assert.Equal(["0.0.0.0", "::"], bindings.Select(binding => binding.HostAddress).Order(StringComparer.Ordinal));
        var port = bindings.First(binding => binding.HostAddress == "::").HostPort;
        Assert.Equal(port, bindings.First(binding => binding.HostAddress == "0.0.0.0").HostPort);
        var gateway = IPAddress.Parse(lab.Engine.Get(id).Endpoints["six"].Addresses!.GatewayV6!);
        Assert.Equal("served\n", await GetAsync(gateway, port));
        Assert.Equal("served\n", await GetAsync(IPAddress.Loopback, port));

        // Not at ::1, which the kernel lets no answer come back to: there it is refused at once, and who asks for "localhost" goes on to 127.0.0.1.
        using var client = new TcpClient(AddressFamily.InterNetworkV6);
        var refusal = await Assert.ThrowsAsync<SocketException>(() => client.ConnectAsync(IPAddress.IPv6Loopback, port, EngineLab.Stopping).AsTask());
        Assert.Equal(SocketError.ConnectionRefused, refusal.SocketErrorCode);
        var words = await Assert.ThrowsAsync<InvalidRequestException>(() => lab.StartAsync(spec with { Network = spec.Network with { Ports = [new PublishedPort(80, "tcp", "::1", 0)] } }));
        Assert.Contains("publish it on 127.0.0.1", words.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Addresses_are_as_asked_and_never_given_twice()
    {
        await using var lab = await EngineLab.OpenAsync();
        var network = await lab.Engine.Networks.CreateAsync(new ContainerNetworkRequest { Name = "fixed" }, EngineLab.Stopping);
        var wanted = network.Range.Subnet.Replace(".0/24", ".77", StringComparison.Ordinal);
        var id = await lab.StartAsync(Joined(EngineLab.Spec("sleep", "1000"), new EndpointSpec("fixed") { Address = wanted }));
        Assert.Equal(wanted, lab.Engine.Get(id).Endpoints["fixed"].Addresses!.Address);
        await Assert.ThrowsAsync<ConflictException>(() => lab.StartAsync(Joined(EngineLab.Spec("sleep", "1000"), new EndpointSpec("fixed") { Address = wanted })));
    }

    private static ContainerSpec Joined(ContainerSpec spec, params EndpointSpec[] endpoints) => spec with { Network = new NetworkSpec { Endpoints = endpoints } };

    /// <summary>What is served there, once the server in the container listens.</summary>
    private static async Task<string> GetAsync(IPAddress address, int port)
    {
        using var client = new HttpClient { Timeout = TimeSpan.FromSeconds(20) };
        var served = "";
        await EngineLab.UntilAsync(
            async () =>
            {
                try
                {
                    served = await client.GetStringAsync(new UriBuilder("http", address.ToString(), port).Uri, EngineLab.Stopping);
                    return true;
                }
                catch (HttpRequestException refused) when (refused.HttpRequestError == HttpRequestError.ConnectionError)
                {
                    return false;
                }
            },
            $"the server behind {address} port {port} listens");
        return served;
    }
}
