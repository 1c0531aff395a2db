using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Godwit.Networks.Containers;

/// <summary>
/// The packet filter of all container networks as one table in the words of nft(8): a function of the networks and the published ports, applied as a whole in one
/// transaction, so that it is right after every change and every start. No process stands behind a port.
/// <code>
///   from outside ──▶ prerouting ─┐
///                                ├─ to an address of this host? ─▶ published: port → container
///   from this host ──▶ output ───┘
///   into a bridge: from itself, answers, published ports; nothing else
///   out of a bridge: masqueraded; an internal one: nothing
/// </code>
/// The host's own ::1 leads nowhere: an answer to it that comes in from a bridge is dropped by the kernel, which has no route_localnet for IPv6. So it is left alone, and
/// who asks there is refused at once, as by a port that nobody listens on, rather than left waiting.
/// For ports on 127.0.0.1 the bridges route loopback addresses (route_localnet); what comes in from a bridge with such a destination is dropped first.
/// </summary>
internal static class ContainerRules
{
    /// <param name="table">The table's name.</param>
    /// <param name="networks">All of them.</param>
    /// <param name="ports">Each with the container's addresses.</param>
    internal static string Build(string table, IReadOnlyList<ContainerNetwork> networks, IReadOnlyList<PublishedTarget> ports)
    {
        var text = new StringBuilder();
        var bridges = string.Join(", ", networks.Select(network => $"\"{network.Bridge}\""));
        text.Append(CultureInfo.InvariantCulture, $$"""
            add table inet {{table}}
            delete table inet {{table}}
            table inet {{table}} {
              chain guard {
                type filter hook prerouting priority raw; policy accept;

            """);
        if (networks.Count > 0)
        {
            text.Append(CultureInfo.InvariantCulture, $"    iifname {{ {bridges} }} ip daddr 127.0.0.0/8 drop\n");
        }

        text.Append("""
              }
              chain published {

            """);
        foreach (var port in ports)
        {
            AddPort(text, port);
        }

        text.Append("""
              }
              chain prerouting {
                type nat hook prerouting priority dstnat; policy accept;
                fib daddr type local jump published
              }
              chain output {
                type nat hook output priority -100; policy accept;
                ip6 daddr ::1 return
                fib daddr type local jump published
              }
              chain postrouting {
                type nat hook postrouting priority srcnat; policy accept;

            """);
        AddWaysOut(text, networks);
        text.Append("""
              }
              chain forward {
                type filter hook forward priority filter; policy accept;

            """);
        AddForward(text, networks);
        return text.Append("  }\n}\n").ToString();
    }

    internal static string Remove(string table) => $"add table inet {table}\ndelete table inet {table}\n";

    private static void AddWaysOut(StringBuilder text, IReadOnlyList<ContainerNetwork> networks)
    {
        foreach (var network in networks)
        {
            // From the host's own loopback addresses, and from a container to itself over a published port.
            text.Append(CultureInfo.InvariantCulture, $"    oifname \"{network.Bridge}\" ip saddr 127.0.0.0/8 masquerade\n");
            // Told by the source: where bridges pass frames to this filter, the way in is a port of the bridge by now.
            text.Append(CultureInfo.InvariantCulture, $"    oifname \"{network.Bridge}\" ip saddr {network.Range.Subnet} ct status dnat masquerade\n");
            if (network.RangeV6 is { } own)
            {
                text.Append(CultureInfo.InvariantCulture, $"    oifname \"{network.Bridge}\" ip6 saddr {own.Subnet} ct status dnat masquerade\n");
            }

            if (network.Internal || !network.Masquerades)
            {
                continue;
            }

            text.Append(CultureInfo.InvariantCulture, $"    ip saddr {network.Range.Subnet} oifname != \"{network.Bridge}\" masquerade\n");
            if (network.RangeV6 is { } six)
            {
                text.Append(CultureInfo.InvariantCulture, $"    ip6 saddr {six.Subnet} oifname != \"{network.Bridge}\" masquerade\n");
            }
        }
    }

    private static void AddForward(StringBuilder text, IReadOnlyList<ContainerNetwork> networks)
    {
        foreach (var network in networks)
        {
            // Where bridges pass frames to this filter, or a packet is led back; else the bridge's ports are isolated.
            var met = network.LetsMembersMeet ? "accept" : "ct status dnat accept\n    iifname \"" + network.Bridge + "\" oifname \"" + network.Bridge + "\" ct state new drop";
            text.Append(CultureInfo.InvariantCulture, $"    iifname \"{network.Bridge}\" oifname \"{network.Bridge}\" {met}\n");
            if (network.Internal)
            {
                text.Append(CultureInfo.InvariantCulture, $"    iifname \"{network.Bridge}\" drop\n    oifname \"{network.Bridge}\" drop\n");
            }
        }

        foreach (var network in networks.Where(network => !network.Internal))
        {
            text.Append(CultureInfo.InvariantCulture, $"    oifname \"{network.Bridge}\" ct state established,related accept\n");
            text.Append(CultureInfo.InvariantCulture, $"    oifname \"{network.Bridge}\" ct status dnat accept\n    oifname \"{network.Bridge}\" drop\n");
        }
    }

    private static void AddPort(StringBuilder text, PublishedTarget port)
    {
        var host = IPAddress.Parse(port.Binding.HostAddress);
        var (target, family) = host.AddressFamily is AddressFamily.InterNetworkV6 ? (port.AddressV6, "ip6") : (port.Address, "ip");
        if (target is null)
        {
            return;
        }

        var only = host.Equals(IPAddress.Any) || host.Equals(IPAddress.IPv6Any) ? $"meta nfproto {(family == "ip6" ? "ipv6" : "ipv4")} " : $"{family} daddr {host} ";
        var place = family == "ip6" ? $"[{target}]" : target;
        text.Append(CultureInfo.InvariantCulture, $"    {only}{port.Binding.Protocol} dport {port.Binding.HostPort} dnat {family} to {place}:{port.Binding.ContainerPort}\n");
    }
}

/// <summary>A published port with where it leads; an address is null when the container has none of that family.</summary>
internal sealed record PublishedTarget(PortBinding Binding, string? Address, string? AddressV6);
