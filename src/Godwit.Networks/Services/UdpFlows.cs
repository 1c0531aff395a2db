using System.Globalization;
using System.Net;
using Godwit.Linux.Commands;
using Godwit.Linux.Networking;

namespace Godwit.Networks.Services;

/// <summary>Where a flow of datagrams was sent, and where it was led: what all flows that must be forgotten together have in common.</summary>
internal readonly record struct UdpFlow(IPAddress Address, int Port, ServiceBackend Backend);

/// <summary>
/// Flows of datagrams that are led to a backend. They have no end: the kernel leads one on as long as its client sends, whatever the rules say by then.
/// So what was led to a backend that is none any more is forgotten, and its next datagram meets the rules. Flows are found in the kernel's own
/// table (conntrack(8)): an agent that comes back needs to know nothing of what it led before.
/// </summary>
internal static class UdpFlows
{
    private const int NothingFound = 1;

    /// <summary>Of flows that rules of ours led.</summary>
    private const string Mark = "0x04000000/0x04000000";

    internal static async Task ForgetGoneAsync(ServiceState state, NetworkNamespace place, TimeProvider time, CancellationToken stopping)
    {
        var table = await new Command("conntrack", "-L", "-f", "ipv4", "-p", "udp", "--mark", Mark) { Place = place }.RunAsync(time, stopping);
        foreach (var gone in FindGone(Read(table), state))
        {
            await ForgetAsync(gone, place, time, stopping);
        }
    }

    /// <summary>Lines of conntrack(8): of each of its words that come twice, the first is the client's way and the second the answer's.</summary>
    internal static IReadOnlySet<UdpFlow> Read(string table)
    {
        var flows = new HashSet<UdpFlow>();
        foreach (var line in table.Split('\n'))
        {
            var words = line.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(word => word.Split('=', 2)).Where(pair => pair.Length == 2).ToLookup(pair => pair[0], pair => pair[1]);
            if (IPAddress.TryParse(words["dst"].FirstOrDefault(), out var address) && TryPort(words["dport"].FirstOrDefault(), out var port)
                && IPAddress.TryParse(words["src"].ElementAtOrDefault(1), out var backend) && TryPort(words["sport"].ElementAtOrDefault(1), out var backendPort))
            {
                flows.Add(new UdpFlow(address, port, new ServiceBackend(backend, backendPort)));
            }
        }

        return flows;
    }

    /// <summary>Those that would be led elsewhere now, or nowhere.</summary>
    internal static IEnumerable<UdpFlow> FindGone(IEnumerable<UdpFlow> flows, ServiceState state)
    {
        var places = state.Places.Where(place => place.Protocol == ServiceProtocol.Udp).ToLookup(place => (place.Address, place.Port));
        return flows.Where(flow => !places[(flow.Address, flow.Port)].Concat(places[(null, flow.Port)])
            .Any(place => place.Backends.Contains(flow.Backend) || place.InsideBackends?.Contains(flow.Backend) == true));
    }

    private static async Task ForgetAsync(UdpFlow flow, NetworkNamespace place, TimeProvider time, CancellationToken stopping)
    {
        try
        {
            await new Command(
                "conntrack", "-D", "-f", "ipv4", "-p", "udp", "--mark", Mark,
                "--orig-dst", flow.Address.ToString(), "--orig-port-dst", flow.Port.ToString(CultureInfo.InvariantCulture),
                "--reply-src", flow.Backend.Address.ToString(), "--reply-port-src", flow.Backend.Port.ToString(CultureInfo.InvariantCulture)) { Place = place }.RunAsync(time, stopping);
        }
        catch (CommandException nothing) when (nothing.ExitCode == NothingFound && nothing.Message.Contains("0 flow entries", StringComparison.Ordinal))
        {
            // It was silent for long enough that the kernel forgot it first.
        }
    }

    private static bool TryPort(string? text, out int port) => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out port);
}
