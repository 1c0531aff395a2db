using System.Net;
using Godwit.Linux.Netlink;
using Godwit.Linux.Networking;
using Godwit.Networks.Addressing;
using Godwit.Networks.Guests;
using Godwit.Networks.Overlays;
using Godwit.Networks.Services;
using Microsoft.Extensions.Logging.Abstractions;

namespace Godwit.ServiceBench;

/// <summary>A host in a network namespace of its own, with Godwit's bridge, rules and virtual addresses, and two pods on it: one calls, the other answers.</summary>
internal sealed class Stage : IAsyncDisposable
{
    internal const int Port = 8080;
    internal const int NodePort = 30080;

    private static readonly Ipv4Network Network = Ipv4Network.Parse("10.244.0.0/16");
    private readonly OverlayNames names = new("gwsb");
    private readonly List<NetworkNamespace> places = [];

    private Stage()
    {
        Host = AddPlace("host");
        Caller = AddPlace("caller");
        Backend = AddPlace("backend");
    }

    internal NetworkNamespace Host { get; }

    internal NetworkNamespace Caller { get; }

    internal NetworkNamespace Backend { get; }

    internal IPAddress HostAddress { get; } = IPAddress.Parse("192.0.2.1");

    internal IPAddress BackendAddress { get; } = Network.UsableAt(102);

    internal IPAddress ServiceAddress { get; } = IPAddress.Parse("10.96.0.10");

    internal static async Task<Stage> CreateAsync(CancellationToken stopping)
    {
        var stage = new Stage();
        try
        {
            await stage.SetUpAsync(stopping);
            return stage;
        }
        catch
        {
            await stage.DisposeAsync();
            throw;
        }
    }

    public ValueTask DisposeAsync()
    {
        foreach (var place in places)
        {
            NetworkNamespace.Delete(place.Name);
        }

        return ValueTask.CompletedTask;
    }

    private async Task SetUpAsync(CancellationToken stopping)
    {
        using (var routes = RouteSocket.Open(Host))
        {
            var loopback = routes.GetLink("lo").Index;
            routes.ChangeLink(loopback, new LinkChange { IsUp = true });
            routes.AddAddress(new LinkAddress(loopback, HostAddress, 32));
        }

        await new Overlay(Host, TimeProvider.System, NullLogger<Overlay>.Instance).ApplyAsync(
            new OverlayState
            {
                Names = names, NetworkId = 7712, UnderlayAddress = HostAddress, Network = Network, Gateway = Network.FirstUsable, IsGateway = true, StationAddress = Network.UsableAt(40), Masquerades = true,
            },
            stopping);
        KernelSetting.TrySet(Host, "ipv4/ip_forward", "1");
        var ports = new SandboxPorts(Host, names, TimeProvider.System);
        await ports.PlugAsync(new SandboxPort("caller", Caller, Network.UsableAt(101)), Network, Network.FirstUsable, stopping);
        await ports.PlugAsync(new SandboxPort("backend", Backend, BackendAddress), Network, Network.FirstUsable, stopping);
        var web = new ServicePlace { Name = "bench/web:http", Address = ServiceAddress, Protocol = ServiceProtocol.Tcp, Port = Port, Backends = [new ServiceBackend(BackendAddress, Port)] };
        await new ServicePlane(Host, names, TimeProvider.System).ApplyAsync(
            new ServiceState { Network = Network, StationAddress = Network.UsableAt(40), Ranges = [Ipv4Network.Parse("10.96.0.0/16")], Places = [web, web with { Address = null, Port = NodePort }] },
            isRepair: false,
            stopping);
    }

    private NetworkNamespace AddPlace(string purpose)
    {
        var place = NetworkNamespace.Create($"godwit-service-bench-{Environment.ProcessId}-{purpose}");
        places.Add(place);
        return place;
    }
}
