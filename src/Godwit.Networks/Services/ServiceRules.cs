using System.Globalization;
using System.Net;
using System.Text;
using Godwit.Networks.Overlays;

namespace Godwit.Networks.Services;

/// <summary>
/// Virtual addresses of services as nft(8) rules. Pure; the same state gives the same text.
/// <code>
///   pod, guest ─▶ its gateway: prerouting ──┐
///   this host  ─────────────▶ output ───────┼─▶ address . protocol . port ─▶ the place's chain: marked, dnat to one of its backends
///   from outside, to this node's addresses ─┘          protocol . port ─▶ (node ports) the same
///   marked, towards the guests' network ─▶ postrouting: under this node's own address there, so that the answer comes back here
///   back ─▶ the connection's entry turns it round; only the first packet of a connection ever meets these rules
/// </code>
/// So a change of the rules, which replaces the table as a whole, cuts off no connection. New ones spread by <c>numgen</c>, one
/// after the other. Where clients are held, each backend has a set of those that came to it, who stay until they have made no new connection for the time that the
/// service says; whoever is in no set goes by turns, and into one (<see cref="HeldClients"/>).
/// </summary>
internal static class ServiceRules
{
    /// <summary>Of the connection's mark: it was led by a rule of ours; others on this host lead connections too.</summary>
    private const string Ours = "0x04000000";

    /// <summary>And its client's address is kept, if it is from outside.</summary>
    private const string Kept = "0x08000000";

    internal static string TableOf(OverlayNames names) => $"{names.Table}-services";

    /// <param name="names">The overlay's.</param>
    /// <param name="state">What is served.</param>
    /// <param name="held">Who is held now; null for nobody.</param>
    internal static string Build(OverlayNames names, ServiceState state, ILookup<string, HeldClient>? held = null)
    {
        var places = state.Places
            .OrderBy(place => place.Name, StringComparer.Ordinal)
            .ThenBy(place => place.Protocol)
            .ThenBy(KeyOf, StringComparer.Ordinal)
            .DistinctBy(place => (place.Address, place.Protocol, place.Port))
            .Take(ServiceState.PlacesMax)
            .ToList();
        var served = places.Where(place => place.Backends.Count > 0 || place.InsideBackends is { Count: > 0 }).ToList();
        var empty = places.Except(served).Where(place => place.Address is not null).ToList();
        var table = TableOf(names);
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"add table ip {table}\ndelete table ip {table}\ntable ip {table} {{\n");
        AppendElements(text, "map places", "ipv4_addr . inet_proto . inet_service : verdict", [.. served.Where(place => place.Address is not null).Select(place => $"{KeyOf(place)} : goto {ChainOf(place)}")]);
        AppendElements(text, "map nodeports", "inet_proto . inet_service : verdict", [.. served.Where(place => place.Address is null).Select(place => $"{KeyOf(place)} : goto {ChainOf(place)}")]);
        AppendElements(text, "set unserved", "ipv4_addr . inet_proto . inet_service", [.. empty.Select(KeyOf)]);
        foreach (var place in served)
        {
            AppendPlace(text, state, place, held ?? HeldClients.None);
        }

        AppendHooks(text, names, state);
        text.Append("}\n");
        return text.ToString();
    }

    internal static string Remove(OverlayNames names) => $"add table ip {TableOf(names)}\ndelete table ip {TableOf(names)}\n";

    private static void AppendHooks(StringBuilder text, OverlayNames names, ServiceState state)
    {
        var own = state.StationAddress is { } station ? $"snat to {station}" : "masquerade";
        text.Append(CultureInfo.InvariantCulture, $$"""
            	chain find {
            		ip daddr . meta l4proto . th dport vmap @places
            		ip daddr != 127.0.0.0/8 fib daddr type local meta l4proto . th dport vmap @nodeports
            	}
            	chain arriving {
            		type nat hook prerouting priority -100; policy accept;
            		meta l4proto { tcp, udp, sctp } jump find
            	}
            	chain starting {
            		type nat hook output priority -100; policy accept;
            		meta l4proto { tcp, udp, sctp } jump find
            	}
            	chain leaving {
            		type nat hook postrouting priority 90; policy accept;
            		ct mark and {{Ours}} == 0 return
            		ct mark and {{Kept}} != 0 ip saddr != {{state.Network}} fib saddr type != local accept
            		oifname "{{names.Bridge}}" {{own}}
            		fib saddr type != local masquerade
            	}
            	chain refuse {
            		meta l4proto tcp reject with tcp reset
            		reject with icmp port-unreachable
            	}
            	chain unanswered {
            		ip daddr . meta l4proto . th dport @unserved goto refuse

            """);
        foreach (var range in state.Ranges)
        {
            text.Append(CultureInfo.InvariantCulture, $"\t\tip daddr {range} goto refuse\n");
        }

        // Whoever is led from the network back into it must not be told that there is a shorter way: it is no way to a virtual address.
        text.Append(CultureInfo.InvariantCulture, $$"""
            	}
            	chain forwarding {
            		type filter hook forward priority -10; policy accept;
            		ct state new jump unanswered
            	}
            	chain sending {
            		type filter hook output priority -10; policy accept;
            		oifname "{{names.Bridge}}" icmp type redirect drop
            		ct state new jump unanswered
            	}

            """);
    }

    private static void AppendPlace(StringBuilder text, ServiceState state, ServicePlace place, ILookup<string, HeldClient> held)
    {
        if (place.InsideBackends is { } inside)
        {
            AppendHolding(text, place, InsideChainOf(place), Once(inside), held);
            AppendTarget(text, place, InsideChainOf(place), Once(inside), null);
        }

        AppendHolding(text, place, ChainOf(place), Once(place.Backends), held);
        AppendTarget(text, place, ChainOf(place), Once(place.Backends), place.InsideBackends is null ? null : $"ip saddr {state.Network} goto {InsideChainOf(place)}\n\t\tfib saddr type local goto {InsideChainOf(place)}");
    }

    private static void AppendTarget(StringBuilder text, ServicePlace place, string chain, List<ServiceBackend> backends, string? first)
    {
        var protocol = WordOf(place.Protocol);
        text.Append(CultureInfo.InvariantCulture, $"\tchain {chain} {{\n\t\tcomment \"{CommentOf(place.Name)}\"\n");
        if (first is not null)
        {
            text.Append("\t\t").Append(first).Append('\n');
        }

        if (backends.Count > 0)
        {
            text.Append(CultureInfo.InvariantCulture, $"\t\tct mark set ct mark or {(place.KeepsClients ? "0x0c000000" : Ours)}\n");
        }

        if (place.HoldSeconds is not null && backends.Count > 0)
        {
            foreach (var backend in backends)
            {
                text.Append(CultureInfo.InvariantCulture, $"\t\tip saddr @{SetOf(chain, backend)} goto {HoldingChainOf(chain, backend)}\n");
            }

            var turns = backends.Select((backend, turn) => $"{turn} : goto {HoldingChainOf(chain, backend)}");
            text.Append(CultureInfo.InvariantCulture, $"\t\tnumgen inc mod {backends.Count} vmap {{ {string.Join(", ", turns)} }}\n");
        }
        else if (backends is [var only])
        {
            text.Append(CultureInfo.InvariantCulture, $"\t\tmeta l4proto {protocol} dnat to {only.Address}:{only.Port}\n");
        }
        else if (backends.Count > 0)
        {
            var turns = backends.Select((backend, turn) => $"{turn} : {EndOf(backend)}");
            text.Append(CultureInfo.InvariantCulture, $"\t\tmeta l4proto {protocol} dnat to numgen inc mod {backends.Count} map {{ {string.Join(", ", turns)} }}\n");
        }

        text.Append("\t}\n");
    }

    /// <summary>Of each backend the set of the clients that are held to it, and the chain that leads there and counts their time anew.</summary>
    private static void AppendHolding(StringBuilder text, ServicePlace place, string chain, List<ServiceBackend> backends, ILookup<string, HeldClient> held)
    {
        if (place.HoldSeconds is not { } seconds)
        {
            return;
        }

        foreach (var backend in backends)
        {
            var set = SetOf(chain, backend);
            text.Append(CultureInfo.InvariantCulture, $"\tset {set} {{\n\t\ttype ipv4_addr\n\t\tsize {HeldClients.ClientsMax}\n\t\tflags dynamic,timeout\n\t\ttimeout {seconds}s\n");
            var clients = held[set].Where(client => client.Seconds > 0).Select(client => string.Create(CultureInfo.InvariantCulture, $"{client.Address} expires {Math.Min(client.Seconds, seconds)}s")).ToList();
            if (clients.Count > 0)
            {
                text.Append("\t\telements = { ").AppendJoin(", ", clients).Append(" }\n");
            }

            text.Append(CultureInfo.InvariantCulture, $"\t}}\n\tchain {HoldingChainOf(chain, backend)} {{\n\t\tupdate @{set} {{ ip saddr }}\n\t\tmeta l4proto {WordOf(place.Protocol)} dnat to {backend.Address}:{backend.Port}\n\t}}\n");
        }
    }

    private static List<ServiceBackend> Once(IEnumerable<ServiceBackend> backends) =>
    [
        .. backends
            .Distinct()
            .OrderBy(backend => backend.Address.ToString(), StringComparer.Ordinal)
            .ThenBy(backend => backend.Port)
            .Take(ServiceState.BackendsMax),
    ];

    private static void AppendElements(StringBuilder text, string what, string type, IReadOnlyList<string> elements)
    {
        text.Append(CultureInfo.InvariantCulture, $"\t{what} {{\n\t\ttype {type}\n");
        if (elements.Count > 0)
        {
            text.Append("\t\telements = { ").AppendJoin(", ", elements).Append(" }\n");
        }

        text.Append("\t}\n");
    }

    private static string KeyOf(ServicePlace place) =>
        string.Create(CultureInfo.InvariantCulture, $"{(place.Address is null ? "" : $"{place.Address} . ")}{WordOf(place.Protocol)} . {place.Port}");

    private static string EndOf(ServiceBackend backend) => string.Create(CultureInfo.InvariantCulture, $"{backend.Address} . {backend.Port}");

    private static string ChainOf(ServicePlace place) =>
        string.Create(CultureInfo.InvariantCulture, $"to-{place.Address?.ToString().Replace('.', '-') ?? "node"}-{WordOf(place.Protocol)}-{place.Port}");

    private static string HoldingChainOf(string chain, ServiceBackend backend) => string.Create(CultureInfo.InvariantCulture, $"{chain}-{backend.Address.ToString().Replace('.', '-')}-{backend.Port}");

    private static string SetOf(string chain, ServiceBackend backend) => HeldClients.Prefix + HoldingChainOf(chain, backend);

    private static string InsideChainOf(ServicePlace place) => $"{ChainOf(place)}-inside";

    private static string WordOf(ServiceProtocol protocol) => protocol switch
    {
        ServiceProtocol.Udp => "udp",
        ServiceProtocol.Sctp => "sctp",
        _ => "tcp",
    };

    /// <summary>Names come from the API and stand in a text of ours.</summary>
    private static string CommentOf(string name) => new([.. name.Where(letter => char.IsAsciiLetterOrDigit(letter) || letter is '/' or '-' or '.' or ':').Take(120)]);
}
