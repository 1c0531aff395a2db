using System.Net;
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

    private static readonly ServicePlace Outside = Web with { Address = null, Port = 30080, KeepsClients = true, HoldSeconds = 60, InsideBackends = Web.Backends, Backends = [Web.Backends[0]] };

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
    public void Who_is_held_stays_so_when_the_rules_change_but_no_longer_than_the_service_says_and_not_to_a_backend_that_is_gone()
    {
        const string Listing = """
            {"nftables": [{"metainfo": {"version": "1.0.6"}},
            {"set": {"name": "held-to-10-96-0-10-tcp-80-10-77-0-2-8080", "elem": [{"elem": {"val": "10.77.0.9", "expires": 58}}, {"elem": {"val": "10.77.0.8", "timeout": 900, "expires": 800}}, {"elem": {"val": "10.77.0.7", "expires": 0}}, "10.77.0.6", {"elem": {"val": "x\" } flush ruleset", "expires": 1}}]}},
            {"set": {"name": "held-to-10-96-0-10-tcp-80-10-77-0-4-8080", "elem": [{"elem": {"val": "10.77.0.5", "expires": 58}}]}},
            {"set": {"name": "unserved", "elem": [{"elem": {"val": "10.77.0.5", "expires": 58}}]}}]}
            """;
        var rules = ServiceRules.Build(new OverlayNames(), StateOf(Web with { HoldSeconds = 60 }), HeldClients.Read(Listing));
        Assert.Contains("elements = { 10.77.0.9 expires 58s, 10.77.0.8 expires 60s }", rules, StringComparison.Ordinal);
        Assert.DoesNotContain("10.77.0.5", rules, StringComparison.Ordinal);
        Assert.DoesNotContain("10.77.0.7", rules, StringComparison.Ordinal);
        Assert.DoesNotContain("flush", rules, StringComparison.Ordinal);
        Assert.Empty(HeldClients.Read("no JSON"));
    }

    private static string Build(params ServicePlace[] places) => ServiceRules.Build(new OverlayNames(), StateOf(places));

    private static ServiceState StateOf(params ServicePlace[] places) => new()
    {
        Network = Ipv4Network.Parse("10.77.0.0/16"),
        StationAddress = IPAddress.Parse("10.77.0.200"),
        Ranges = [Ipv4Network.Parse("10.96.0.0/16")],
        Places = places,
    };
}
