using System.Net;
using System.Net.NetworkInformation;
using Godwit.Linux.Netlink;
using Godwit.Networks.Services;
using Microsoft.Extensions.Logging.Abstractions;

namespace Godwit.Networks.Tests.Real;

[Trait("Needs", "root")]
public sealed class AddressAnnouncerTests
{
    private static readonly IPAddress Announced = IPAddress.Parse("192.0.2.200");

    private static CancellationToken Stopping => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_client_that_asks_is_answered_hears_at_once_of_another_host_that_takes_over_and_nobody_answers_when_all_have_ended()
    {
        await using var hosts = await OverlayHosts.CreateAsync();
        using var first = AnnouncerOf(hosts, 1);
        using var second = AnnouncerOf(hosts, 2);
        first.Apply([Announced, IPAddress.Parse("192.0.2.201")]);
        await Wait.ForAsync(async () => (await AskAsync(hosts)).Contains(MacOf(hosts, 1), StringComparison.Ordinal), "the client knows the address at the first host");

        // It does not ask again: it is told.
        first.Apply([IPAddress.Parse("192.0.2.201")]);
        second.Apply([Announced]);
        await Wait.ForAsync(async () => (await KnownAsync(hosts)).Contains(MacOf(hosts, 2), StringComparison.Ordinal), "the client knows the address at the second host");
        await ForgetAsync(hosts);
        await Wait.ForAsync(async () => (await AskAsync(hosts)).Contains(MacOf(hosts, 2), StringComparison.Ordinal), "the second host answers");

        second.Dispose();
        await ForgetAsync(hosts);
        await Wait.ForAsync(async () => (await AskAsync(hosts)).Contains("FAILED", StringComparison.Ordinal), "nobody answers");
    }

    [Fact]
    public async Task A_link_that_was_made_anew_is_found_by_the_next_look()
    {
        await using var hosts = await OverlayHosts.CreateAsync();
        using var announcer = AnnouncerOf(hosts, 1);
        announcer.Apply([Announced]);
        using (var inside = RouteSocket.Open(hosts.Host(1).Place))
        {
            // Another card in the place of the first one, for whoever looks from outside.
            inside.ChangeLink(inside.GetLink("eth0").Index, new LinkChange { Mac = Linux.Networking.MacAddress.Parse("02:00:5e:00:00:77") });
        }

        announcer.Apply([Announced]);
        await Wait.ForAsync(async () => (await AskAsync(hosts)).Contains("02:00:5e:00:00:77", StringComparison.Ordinal), "the client knows the address at the new MAC address");
    }

    private static AddressAnnouncer AnnouncerOf(OverlayHosts hosts, int number) =>
        new(hosts.Host(number).Place, [hosts.Host(number).Address], TimeProvider.System, NullLogger<AddressAnnouncer>.Instance);

    private static string MacOf(OverlayHosts hosts, int number)
    {
        using var inside = RouteSocket.Open(hosts.Host(number).Place);
        return inside.GetLink("eth0").Mac.ToString();
    }

    /// <summary>What the third host knows of the address, after it had something to send there.</summary>
    private static Task<string> AskAsync(OverlayHosts hosts)
    {
        hosts.Host(OverlayHosts.ObserverNumber).Place.Run(() =>
        {
            using var ping = new Ping();
            ping.Send(Announced, 50); // No host has the address: only the question before it is answered.
        });
        return KnownAsync(hosts);
    }

    private static Task<string> KnownAsync(OverlayHosts hosts) => IpAsync(hosts, "neigh", "show", Announced.ToString());

    private static Task<string> ForgetAsync(OverlayHosts hosts) => IpAsync(hosts, "neigh", "flush", "to", Announced.ToString());

    private static Task<string> IpAsync(OverlayHosts hosts, params string[] arguments) =>
        new Linux.Commands.Command("ip", arguments) { Place = hosts.Host(OverlayHosts.ObserverNumber).Place }.RunAsync(TimeProvider.System, Stopping);
}
