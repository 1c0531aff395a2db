using System.Net;
using CsCheck;
using Godwit.Networks.Addressing;
using Godwit.Networks.Overlays;
using Godwit.Networks.Services;

namespace Godwit.Networks.Tests.Services;

public sealed class ServiceRulesTests
{
    private static readonly ServicePlace Web = new()
    {
        Name = "default/web:http",
        Address = IPAddress.Parse("10.96.0.10"),
        Protocol = ServiceProtocol.Tcp,
        Port = 80,
        Backends = [new ServiceBackend(IPAddress.Parse("10.77.0.3"), 8080), new ServiceBackend(IPAddress.Parse("10.77.0.2"), 8080)],
    };

    private static readonly ServicePlace Names = Web with
    {
        Name = "kube-system/names:dns", Address = IPAddress.Parse("10.96.0.11"), Protocol = ServiceProtocol.Udp, Port = 53, Backends = [new ServiceBackend(IPAddress.Parse("10.77.0.9"), 5353)],
    };

    private static readonly ServicePlace Empty = Web with { Name = "default/empty:", Address = IPAddress.Parse("10.96.0.12"), Backends = [] };

    private static readonly ServicePlace Outside = Web with { Address = null, Port = 30080, KeepsClients = true, HoldsClients = true, InsideBackends = Web.Backends, Backends = [Web.Backends[0]] };

    [Fact]
    public void The_rules_are_those_of_the_golden_file()
    {
        var golden = Path.Combine(AppContext.BaseDirectory, "Services", "Golden", "services.nft");
        Assert.Equal(File.ReadAllText(golden), Build(Web, Names, Empty, Outside));
    }

    [Fact]
    public void The_same_state_in_another_order_gives_the_same_rules() =>
        Assert.Equal(
            Build(Web, Names, Empty),
            Build(Empty, Names, Web with { Backends = [.. Web.Backends.Reverse()] }));

    [Fact]
    public void A_name_from_outside_cannot_leave_its_comment() =>
        Assert.DoesNotContain("flush", Build(Web with { Name = "x\" } flush ruleset" }).Replace("xflushruleset", "", StringComparison.Ordinal), StringComparison.Ordinal);

    [Fact]
    public void When_a_backend_goes_only_its_own_clients_change_hands() => Gen.Select(Gen.Int[2, 12], Gen.Int[0, 11]).Sample((count, gone) =>
    {
        var backends = Enumerable.Range(1, count).Select(i => new ServiceBackend(IPAddress.Parse($"10.77.0.{i}"), 80)).ToList();
        var lost = backends[gone % count];
        var rest = backends.Where(backend => backend != lost).ToList();
        for (var slot = 0; slot < ServiceRules.HoldingSlots; slot++)
        {
            var owner = ServiceRules.OwnerOf(slot, backends);
            Assert.True(owner == lost || ServiceRules.OwnerOf(slot, rest) == owner);
        }
    });

    [Fact]
    public void Held_clients_spread_over_all_backends()
    {
        var backends = Enumerable.Range(1, 4).Select(i => new ServiceBackend(IPAddress.Parse($"10.77.0.{i}"), 80)).ToList();
        var shares = Enumerable.Range(0, ServiceRules.HoldingSlots).GroupBy(slot => ServiceRules.OwnerOf(slot, backends)).Select(group => group.Count()).ToList();

        Assert.Equal(4, shares.Count);
        Assert.All(shares, share => Assert.InRange(share, 32, 96));
    }

    private static string Build(params ServicePlace[] places) => ServiceRules.Build(new OverlayNames(), new ServiceState
    {
        Network = Ipv4Network.Parse("10.77.0.0/16"),
        StationAddress = IPAddress.Parse("10.77.0.200"),
        Ranges = [Ipv4Network.Parse("10.96.0.0/16")],
        Places = places,
    });
}
