using System.Net;
using Godwit.Linux.Networking;
using Godwit.Networks.Addressing;
using Godwit.Networks.Overlays;

namespace Godwit.Networks.Tests.Overlays;

public sealed class OverlayRulesTests
{
    private static readonly OverlayState State = new()
    {
        NetworkId = 7711,
        UnderlayAddress = IPAddress.Parse("10.66.0.11"),
        Network = Ipv4Network.Parse("10.244.0.0/16"),
        Gateway = IPAddress.Parse("10.244.0.1"),
        IsGateway = true,
        Masquerades = true,
    };

    [Fact]
    public void The_overlays_rules_are_these() => Assert.Equal(
        """
        add table bridge godwit-gw
        add map bridge godwit-gw ports { type ifname : verdict; }
        add chain bridge godwit-gw arriving { type filter hook prerouting priority -300; policy accept; }
        add chain bridge godwit-gw forward { type filter hook forward priority 0; policy accept; }
        add chain bridge godwit-gw leaving { type filter hook output priority 0; policy accept; }
        flush chain bridge godwit-gw arriving
        flush chain bridge godwit-gw forward
        flush chain bridge godwit-gw leaving
        add rule bridge godwit-gw arriving iifname "gw-vx" ether saddr 02:67:77:00:00:01 drop
        add rule bridge godwit-gw arriving iifname "gw-vx" arp daddr ip 10.244.0.1 drop
        add rule bridge godwit-gw arriving iifname "gw-vx" arp saddr ip 10.244.0.1 drop
        add rule bridge godwit-gw arriving iifname "gw-vx" udp dport { 67, 68 } drop
        add rule bridge godwit-gw arriving iifname "gw-t*" iifname vmap @ports
        add rule bridge godwit-gw arriving iifname "gw-t*" counter drop
        add rule bridge godwit-gw forward oifname "gw-vx" arp daddr ip 10.244.0.1 drop
        add rule bridge godwit-gw forward oifname "gw-vx" udp dport { 67, 68 } drop
        add rule bridge godwit-gw leaving oifname "gw-vx" ether saddr 02:67:77:00:00:01 drop
        add table arp godwit-gw
        add chain arp godwit-gw arriving { type filter hook input priority 0; policy accept; }
        flush chain arp godwit-gw arriving
        add rule arp godwit-gw arriving iifname "gw-t*" drop
        add table ip godwit-gw
        add chain ip godwit-gw arriving { type filter hook prerouting priority -300; policy accept; }
        flush chain ip godwit-gw arriving
        add rule ip godwit-gw arriving iifname "gw-t*" drop
        add chain ip godwit-gw postrouting { type nat hook postrouting priority 100; policy accept; }
        flush chain ip godwit-gw postrouting
        add rule ip godwit-gw postrouting ip saddr 10.244.0.0/16 ip daddr != 10.244.0.0/16 masquerade

        """,
        OverlayRules.Build(State));

    [Fact]
    public void A_ports_rules_are_these() => Assert.Equal(
        """
        add chain bridge godwit-gw gw-t00
        flush chain bridge godwit-gw gw-t00
        add rule bridge godwit-gw gw-t00 ether saddr != 02:00:00:00:00:05 drop
        add rule bridge godwit-gw gw-t00 ether type arp arp saddr ether != 02:00:00:00:00:05 drop
        add rule bridge godwit-gw gw-t00 ether type ip ip saddr 10.244.0.5 accept
        add rule bridge godwit-gw gw-t00 ether type arp arp saddr ip 10.244.0.5 accept
        add rule bridge godwit-gw gw-t00 ether type arp arp saddr ip 0.0.0.0 accept
        add rule bridge godwit-gw gw-t00 ether type ip ip saddr 0.0.0.0 udp sport 68 udp dport 67 accept
        add rule bridge godwit-gw gw-t00 ether type 0x8035 accept
        add rule bridge godwit-gw gw-t00 counter drop
        add element bridge godwit-gw ports { "gw-t00" : jump gw-t00 }

        """,
        OverlayRules.AddPort(State.Names, "gw-t00", MacAddress.Parse("02:00:00:00:00:05"), IPAddress.Parse("10.244.0.5")));

    [Fact]
    public void Names_of_taps_fit_the_kernel_and_differ()
    {
        var names = new OverlayNames("gwxy");
        var taps = Enumerable.Range(0, 1000).Select(number => names.Tap($"machine-{number}", number % 2)).ToList();
        Assert.All(taps, tap => Assert.InRange(tap.Length, 1, 15));
        Assert.Equal(taps.Count, taps.Distinct().Count());
        Assert.Equal(names.Tap("machine-1"), new OverlayNames("gwxy").Tap("machine-1"));
    }

    [Theory]
    [InlineData("")]
    [InlineData("toolong")]
    [InlineData("1gw")]
    [InlineData("g w")]
    [InlineData("g\"w")]
    public void A_prefix_that_is_no_prefix_is_refused(string prefix) => Assert.Throws<ArgumentException>(() => new OverlayNames(prefix));

    [Fact]
    public void A_state_that_contradicts_itself_is_refused_with_where()
    {
        Assert.Contains("VNI", Refusal(State with { NetworkId = 1 << 24 }), StringComparison.Ordinal);
        Assert.Contains("gateway", Refusal(State with { Gateway = IPAddress.Parse("10.245.0.1") }), StringComparison.Ordinal);
        Assert.Contains("underlay", Refusal(State with { UnderlayAddress = IPAddress.Parse("10.244.3.3") }), StringComparison.Ordinal);
        Assert.Contains("observer", Refusal(State with { ObserverAddress = State.Gateway }), StringComparison.Ordinal);
        Assert.Contains("MTU", Refusal(State with { MtuBytes = 20 }), StringComparison.Ordinal);
        State.Check();

        static string Refusal(OverlayState state) => Assert.Throws<ArgumentException>(state.Check).Message;
    }
}
