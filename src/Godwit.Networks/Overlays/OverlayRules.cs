using System.Globalization;
using System.Text;
using Godwit.Linux.Networking;
using System.Net;

namespace Godwit.Networks.Overlays;

/// <summary>
/// The packet filter of an overlay as nft(8) rules.
/// <code>
///   tap ──▶ arriving ──▶ [its own chain: only the guest's MAC and IP] ─┐
///   tunnel ─▶ arriving: nothing from or for a gateway, no DHCP ────────┼─▶ bridge ─▶ forward ─▶ tap, tunnel
///                                     this host's gateway ─▶ leaving ──┘             └─▶ no DHCP, no ARP for the gateway into the tunnel
///   tap of a silent port (in no bridge) ─▶ the host's own ARP and IP: dropped
/// </code>
/// The host itself has an address of its own on the network, and towards the tunnel a MAC address of its own too: what the gateway
/// says to other hosts passes under these, and what comes for them is the gateway's.
/// Rulesets replace chains and keep the set of guests' ports, so that setting up the overlay anew cuts nobody off. Each is one
/// transaction, and may be repeated.
/// </summary>
internal static class OverlayRules
{
    /// <summary>QEMU announces a guest by reverse ARP.</summary>
    private const string ReverseArp = "0x8035";

    private static readonly string[] Families = ["bridge", "arp", "ip"];

    internal static string Build(OverlayState state)
    {
        var (names, table) = (state.Names, state.Names.Table);
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $$"""
            add table bridge {{table}}
            add map bridge {{table}} ports { type ifname : verdict; }
            add chain bridge {{table}} arriving { type filter hook prerouting priority -300; policy accept; }
            add chain bridge {{table}} forward { type filter hook forward priority 0; policy accept; }
            add chain bridge {{table}} leaving { type filter hook output priority 0; policy accept; }
            flush chain bridge {{table}} arriving
            flush chain bridge {{table}} forward
            flush chain bridge {{table}} leaving
            add rule bridge {{table}} arriving iifname "{{names.Tunnel}}" ether saddr {{OverlayState.GatewayMac}} drop
            add rule bridge {{table}} arriving iifname "{{names.Tunnel}}" arp daddr ip {{state.Gateway}} drop
            add rule bridge {{table}} arriving iifname "{{names.Tunnel}}" arp saddr ip {{state.Gateway}} drop
            add rule bridge {{table}} arriving iifname "{{names.Tunnel}}" udp dport { 67, 68 } drop
            add rule bridge {{table}} arriving iifname "{{names.TapPrefix}}*" iifname vmap @ports
            add rule bridge {{table}} arriving iifname "{{names.TapPrefix}}*" counter drop
            add rule bridge {{table}} forward oifname "{{names.Tunnel}}" arp daddr ip {{state.Gateway}} drop
            add rule bridge {{table}} forward oifname "{{names.Tunnel}}" udp dport { 67, 68 } drop

            """);
        AppendStation(text, state);
        text.Append(CultureInfo.InvariantCulture, $$"""
            add table arp {{table}}
            add chain arp {{table}} arriving { type filter hook input priority 0; policy accept; }
            flush chain arp {{table}} arriving
            add rule arp {{table}} arriving iifname "{{names.TapPrefix}}*" drop
            add table ip {{table}}
            add chain ip {{table}} arriving { type filter hook prerouting priority -300; policy accept; }
            flush chain ip {{table}} arriving
            add rule ip {{table}} arriving iifname "{{names.TapPrefix}}*" drop
            add chain ip {{table}} postrouting { type nat hook postrouting priority 100; policy accept; }
            flush chain ip {{table}} postrouting

            """);
        if (state.Masquerades)
        {
            text.Append(CultureInfo.InvariantCulture, $"add rule ip {table} postrouting ip saddr {state.Network} ip daddr != {state.Network} masquerade\n");
        }

        if (state.StationAddress is { } station)
        {
            // DHCP answers come from the gateway; answers in general are no beginning of a connection and never come here.
            text.Append(CultureInfo.InvariantCulture, $"add rule ip {table} postrouting udp sport 67 accept\n");
            text.Append(CultureInfo.InvariantCulture, $"add rule ip {table} postrouting oifname \"{names.Bridge}\" ip saddr {state.Gateway} ip daddr {state.Network} snat to {station}\n");
        }

        return text.ToString();
    }

    /// <summary>Nothing of a gateway leaves by the tunnel as such: under the host's own addresses, or not at all.</summary>
    private static void AppendStation(StringBuilder text, OverlayState state)
    {
        var (table, tunnel) = (state.Names.Table, state.Names.Tunnel);
        var leaving = $"add rule bridge {table} leaving oifname \"{tunnel}\" ether saddr {OverlayState.GatewayMac}";
        if (state.StationAddress is { } station)
        {
            var own = OverlayState.HostMac(state.UnderlayAddress);
            // The bridge has looked at the address already: whom the frame is for must be said too.
            text.Append(CultureInfo.InvariantCulture, $"add rule bridge {table} arriving iifname \"{tunnel}\" ether daddr {own} meta pkttype set host ether daddr set {OverlayState.GatewayMac}\n");
            text.Append(CultureInfo.InvariantCulture, $"{leaving} arp daddr ip {state.Gateway} drop\n");
            text.Append(CultureInfo.InvariantCulture, $"{leaving} arp saddr ip {state.Gateway} arp saddr ip set {station}\n");
            text.Append(CultureInfo.InvariantCulture, $"{leaving} arp saddr ip {station} arp saddr ether set {own} ether saddr set {own} accept\n");
            text.Append(CultureInfo.InvariantCulture, $"{leaving} ip saddr {station} ether saddr set {own} accept\n");
        }

        text.Append(CultureInfo.InvariantCulture, $"{leaving} drop\n");
    }

    /// <summary>The chain of one guest's port: its own addresses, DHCP before it has one, and announcements; nothing else.</summary>
    internal static string AddPort(OverlayNames names, string tap, MacAddress mac, IPAddress? address)
    {
        var chain = $"bridge {names.Table} {tap}";
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"add chain {chain}\nflush chain {chain}\n");
        text.Append(CultureInfo.InvariantCulture, $"add rule {chain} ether saddr != {mac} drop\n");
        text.Append(CultureInfo.InvariantCulture, $"add rule {chain} ether type arp arp saddr ether != {mac} drop\n");
        if (address is not null)
        {
            text.Append(CultureInfo.InvariantCulture, $"add rule {chain} ether type ip ip saddr {address} accept\n");
            text.Append(CultureInfo.InvariantCulture, $"add rule {chain} ether type arp arp saddr ip {address} accept\n");
        }

        text.Append(CultureInfo.InvariantCulture, $"add rule {chain} ether type arp arp saddr ip 0.0.0.0 accept\n");
        text.Append(CultureInfo.InvariantCulture, $"add rule {chain} ether type ip ip saddr 0.0.0.0 udp sport 68 udp dport 67 accept\n");
        text.Append(CultureInfo.InvariantCulture, $"add rule {chain} ether type {ReverseArp} accept\n");
        text.Append(CultureInfo.InvariantCulture, $"add rule {chain} counter drop\n");
        text.Append(CultureInfo.InvariantCulture, $"add element bridge {names.Table} ports {{ \"{tap}\" : jump {tap} }}\n");
        return text.ToString();
    }

    /// <summary>Added before it is deleted: nft refuses to delete what is not there.</summary>
    internal static string RemovePort(OverlayNames names, string tap) => string.Create(CultureInfo.InvariantCulture, $$"""
        add table bridge {{names.Table}}
        add map bridge {{names.Table}} ports { type ifname : verdict; }
        add chain bridge {{names.Table}} {{tap}}
        add element bridge {{names.Table}} ports { "{{tap}}" : jump {{tap}} }
        delete element bridge {{names.Table}} ports { "{{tap}}" }
        flush chain bridge {{names.Table}} {{tap}}
        delete chain bridge {{names.Table}} {{tap}}

        """);

    internal static string Remove(OverlayNames names) =>
        string.Concat(Families.Select(family => $"add table {family} {names.Table}\ndelete table {family} {names.Table}\n"));
}
