using System.Collections.Frozen;
using System.Net;
using Godwit.Linux;
using Godwit.Linux.Netlink;
using Godwit.Linux.Networking;
using Godwit.Networks.Guests;
using Microsoft.Extensions.Logging;

namespace Godwit.Networks.Services;

/// <summary>
/// Makes hosts on the underlay send what is for some addresses here, although no device of this host has them: ARP (RFC 826) for them is answered by this process, on the links that hold
/// the host's own addresses, and what is new is said unasked.
/// <code>
///   client ── "who has 192.0.2.200?" ──▶ link ──▶ this process ──▶ "at the link's MAC address"
///   client ── packets ─────────────────▶ link ──▶ the kernel: the rules of ServiceRules lead them on
/// </code>
/// <b>Why not the kernel.</b> An address of a device, and an entry of its proxy table (ip-neighbour(8)), are answered for as long as the kernel runs: a host whose agent died would go on
/// claiming what another one was given meanwhile. What a process answers ends with the process. What has been led stays led, for packets need no answers of ours.
/// <para>One caller at a time.</para>
/// </summary>
/// <param name="place">Where the links are.</param>
/// <param name="own">The host's addresses on them.</param>
public sealed partial class AddressAnnouncer(NetworkNamespace place, IReadOnlyList<IPAddress> own, TimeProvider time, ILogger<AddressAnnouncer> log) : IDisposable
{
    private readonly Dictionary<(int Index, MacAddress Mac), AddressResponder> responders = [];
    private bool wasSilent;

    /// <summary>Announces these and no others. Idempotent; links that came or went meanwhile are noticed.</summary>
    /// <exception cref="LinuxException">The kernel refused; applying again goes on from there.</exception>
    public void Apply(IReadOnlyCollection<IPAddress> addresses)
    {
        var links = addresses.Count == 0 ? [] : FindLinks();
        foreach (var (key, responder) in responders.Where(each => !links.ContainsKey(each.Key) || !each.Value.Runs).ToList())
        {
            responders.Remove(key);
            responder.Dispose();
        }

        var isSilent = addresses.Count > 0 && links.Count == 0;
        if (isSilent && !wasSilent)
        {
            Log.NoLink(log, string.Join(", ", own), string.Join(", ", addresses.Take(10)));
        }

        wasSilent = isSilent;
        var wanted = addresses.ToFrozenSet();
        foreach (var (key, link) in links)
        {
            if (!responders.TryGetValue(key, out var responder))
            {
                responders[key] = responder = AddressResponder.Start(link, place, time, log);
            }

            responder.Apply(wanted);
        }
    }

    public void Dispose()
    {
        foreach (var responder in responders.Values)
        {
            responder.Dispose();
        }

        responders.Clear();
    }

    /// <summary>One with no MAC address, as the loopback, has nobody to be asked by.</summary>
    private Dictionary<(int Index, MacAddress Mac), Link> FindLinks()
    {
        using var routes = RouteSocket.Open(place);
        var indices = routes.ListAddresses().Where(address => own.Contains(address.Address)).Select(address => address.LinkIndex).ToHashSet();
        return routes.ListLinks().Where(link => indices.Contains(link.Index) && link.Mac != default).ToDictionary(link => (link.Index, link.Mac));
    }

    private static partial class Log
    {
        [LoggerMessage(EventId = 2151, Level = LogLevel.Warning, Message = "No link of this host has one of its addresses {Own} and a MAC address: nobody is told where {Addresses} are")]
        internal static partial void NoLink(ILogger log, string own, string addresses);
    }
}
