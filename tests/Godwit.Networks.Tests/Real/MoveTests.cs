using Godwit.Linux.Networking;
using Godwit.Networks.Guests;
using Godwit.Networks.Probing;

namespace Godwit.Networks.Tests.Real;

/// <summary>A guest's addresses go from one host to another, seen from a third.</summary>
[Trait("Needs", "root")]
public sealed class MoveTests
{
    /// <summary>The last answer before a gap may lie this long before it, on a host that is busy with other tests.</summary>
    private const double SchedulingMs = 250;

    private static CancellationToken Stopping => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Traffic_follows_a_moved_guest_at_once_from_everywhere()
    {
        await using var hosts = await OverlayHosts.CreateAsync();
        var source = await hosts.AddGuestAsync(1, 1);
        var target = await hosts.AddGuestAsync(2, 1, admitted: false);
        var (beside, there) = (await hosts.AddGuestAsync(1, 3), await hosts.AddGuestAsync(2, 4));
        await using var probe = GuestProbe.Start(ProbeOf(hosts, source), TimeProvider.System);
        await probe.Answered.WaitAsync(Wait.Bound, Stopping);
        Assert.True(beside.Reaches(source.Address));
        Assert.True(there.Reaches(source.Address));

        var before = probe.Report().RepliesReceived;
        var start = TimeProvider.System.GetTimestamp();
        hosts.Host(1).Ports.Silence(source.Tap);
        var silenced = TimeProvider.System.GetElapsedTime(start);
        hosts.Host(2).Ports.Admit(target.Tap, target.Mac);
        var admitted = TimeProvider.System.GetElapsedTime(start);
        var announced = hosts.Host(2).Announcer.AnnounceAsync(target.Mac, target.Address, Stopping);
        var said = TimeProvider.System.GetElapsedTime(start);
        await Wait.ForAsync(() => probe.Report().RepliesReceived > before + 20, "the guest answers again");
        Assert.True(beside.Reaches(source.Address));
        Assert.True(there.Reaches(source.Address));
        await announced;
        Assert.True(ReceivedBy(target) > 20, "the answers come from the target");
        // Every path was told at once: what is left is the work of this test, far below a neighbour table's or a bridge's own ageing.
        Assert.InRange(probe.Report().LongestSilence!.DurationMs, 0, 5000);
        TestContext.Current.SendDiagnosticMessage($"silent after {silenced.TotalMilliseconds:0.0} ms, admitted after {admitted.TotalMilliseconds:0.0} ms, announced after {said.TotalMilliseconds:0.0} ms: {probe.Report().LongestSilence}");
    }

    [Fact]
    public async Task What_is_said_once_to_a_guest_that_stands_still_reaches_it_where_it_runs_next()
    {
        await using var hosts = await OverlayHosts.CreateAsync();
        var source = await hosts.AddGuestAsync(1, 1);
        var target = await hosts.AddGuestAsync(2, 1, admitted: false);
        NetworkNamespace[] places = [(await hosts.AddGuestAsync(1, 3)).Place, (await hosts.AddGuestAsync(2, 4)).Place, hosts.Host(1).Place, hosts.Host(2).Place, hosts.Host(OverlayHosts.ObserverNumber).Place];
        Assert.All(places, place => Assert.True(AnswersOnce(place, source.Address)));
        using var keeper = FrameKeeper.Start(new GuestPort(source.Tap, source.Mac, source.Address, 0), hosts.Host(1).Place, TimeProvider.System);

        // It hears and does not answer, as one that stands still.
        Assert.True(KernelSetting.TrySet(source.Place, "ipv4/icmp_echo_ignore_all", "1"));
        keeper.Stopped(TimeProvider.System.GetUtcNow());
        Task<bool>[] questions = [.. places.Select(place => Task.Run(() => AnswersOnce(place, source.Address)))];
        await Wait.ForAsync(() => keeper.KeptCount >= places.Length, "each question was heard");
        hosts.Host(2).Ports.Admit(target.Tap, target.Mac);
        await hosts.Host(2).Announcer.AnnounceAsync(target.Mac, target.Address, Stopping);
        Assert.All(questions, question => Assert.False(question.IsCompleted, "nobody asks twice"));
        Assert.True(hosts.Host(2).Ports.Deliver(target.Tap, keeper.Take()) >= places.Length);
        Assert.All(await Task.WhenAll(questions), Assert.True);
    }

    [Fact]
    public async Task A_known_gap_is_measured()
    {
        await using var hosts = await OverlayHosts.CreateAsync();
        var guest = await hosts.AddGuestAsync(1, 1);
        await using var probe = GuestProbe.Start(ProbeOf(hosts, guest), TimeProvider.System);
        await probe.Answered.WaitAsync(Wait.Bound, Stopping);
        await Wait.ForAsync(() => probe.Report().RepliesReceived > 40, "it answers");
        var start = TimeProvider.System.GetTimestamp();
        hosts.Host(1).Ports.Silence(guest.Tap);
        var silenced = TimeProvider.System.GetElapsedTime(start);
        await Wait.ForAsync(() => TimeProvider.System.GetElapsedTime(start) > TimeSpan.FromMilliseconds(400), "the gap is long enough");
        var replies = probe.Report().RepliesReceived;
        var admitting = TimeProvider.System.GetElapsedTime(start);
        hosts.Host(1).Ports.Admit(guest.Tap, guest.Mac);
        await Wait.ForAsync(() => probe.Report().RepliesReceived > replies + 40, "it answers again");
        var answering = TimeProvider.System.GetElapsedTime(start);
        var report = probe.Report();
        Assert.Equal(ProbeMethod.Icmp, report.Method);
        Assert.True(report.IsReachable);
        // At least from the end of the silencing call to the start of the admitting one; at most from just before the one to when answers were seen.
        Assert.InRange(report.LongestSilence!.DurationMs, (admitting - silenced).TotalMilliseconds, answering.TotalMilliseconds + SchedulingMs);
        Assert.True(report.LongestSilence.ProbesLost > 0);
    }

    [Fact]
    public async Task A_guest_that_drops_icmp_is_probed_by_arp_and_one_that_is_not_there_is_unreachable()
    {
        await using var hosts = await OverlayHosts.CreateAsync();
        var guest = await hosts.AddGuestAsync(1, 1);
        Assert.True(KernelSetting.TrySet(guest.Place, "ipv4/icmp_echo_ignore_all", "1"));
        await using (var probe = GuestProbe.Start(ProbeOf(hosts, guest), TimeProvider.System))
        {
            await probe.Answered.WaitAsync(Wait.Bound, Stopping);
            Assert.Equal(ProbeMethod.Arp, probe.Report().Method);
        }

        Assert.False(await GuestProbe.IsReachableAsync(ProbeOf(hosts, guest) with { Address = OverlayHosts.Network.UsableAt(500) }, TimeSpan.FromMilliseconds(300), TimeProvider.System, Stopping));
    }

    [Fact]
    public async Task A_port_that_is_not_admitted_hears_and_says_nothing()
    {
        await using var hosts = await OverlayHosts.CreateAsync();
        var silent = await hosts.AddGuestAsync(2, 1, admitted: false);
        var other = await hosts.AddGuestAsync(2, 2);
        Assert.False(hosts.Host(2).Ports.IsAdmitted(silent.Tap));
        Assert.False(silent.Reaches(other.Address, boundMs: 300));
        Assert.False(other.Reaches(silent.Address, boundMs: 300));
        hosts.Host(2).Ports.Admit(silent.Tap, silent.Mac);
        Assert.True(hosts.Host(2).Ports.IsAdmitted(silent.Tap));
        await Wait.ForAsync(() => silent.Reaches(other.Address, boundMs: 300), "it is heard");
        hosts.Host(2).Ports.Silence(silent.Tap);
        Assert.False(silent.Reaches(other.Address, boundMs: 300));
    }

    [Fact]
    public async Task A_tap_is_made_silent_admitted_in_milliseconds_and_removed_with_its_rules()
    {
        await using var hosts = await OverlayHosts.CreateAsync();
        Needs.Program("/dev/net/tun");
        var ports = hosts.Host(1).Ports;
        var port = new GuestPort(OverlayHosts.Names.Tap("real"), MacAddress.Parse("02:00:00:00:00:09"), OverlayHosts.Network.UsableAt(9), 61234);
        await ports.CreateAsync(port, Stopping);
        Assert.False(ports.IsAdmitted(port.TapName));
        Assert.Equal([port.TapName], ports.List());
        var times = new List<double>();
        for (var round = 0; round < 21; round++)
        {
            var start = TimeProvider.System.GetTimestamp();
            ports.Admit(port.TapName, port.Mac);
            times.Add(TimeProvider.System.GetElapsedTime(start).TotalMilliseconds);
            await ports.CreateAsync(port with { Address = OverlayHosts.Network.UsableAt(10) }, Stopping);
            Assert.True(ports.IsAdmitted(port.TapName), "repeating the making does not silence");
            ports.Silence(port.TapName);
        }

        times.Sort();
        TestContext.Current.SendDiagnosticMessage($"admitting took {times[times.Count / 2]:0.00} ms (median), {times[^1]:0.00} ms at most");
        Assert.InRange(times[times.Count / 2], 0, 50);
        await ports.RemoveAsync(port.TapName, Stopping);
        await ports.RemoveAsync(port.TapName, Stopping);
        Assert.Empty(ports.List());
        ports.Silence(port.TapName);
    }

    /// <summary>Asks one single time, and waits for the answer for long.</summary>
    private static bool AnswersOnce(NetworkNamespace place, System.Net.IPAddress guest) => place.Run(() =>
    {
        using var ping = new System.Net.NetworkInformation.Ping();
        return ping.Send(guest, (int)Wait.Bound.TotalMilliseconds).Status == System.Net.NetworkInformation.IPStatus.Success;
    });

    private static ProbeTarget ProbeOf(OverlayHosts hosts, FakeGuest guest) => new()
    {
        LinkName = OverlayHosts.Names.Observer,
        Place = hosts.Host(OverlayHosts.ObserverNumber).Place,
        SourceAddress = OverlayHosts.ObserverAddress,
        Address = guest.Address,
    };

    private static ulong ReceivedBy(FakeGuest guest)
    {
        using var routes = Godwit.Linux.Netlink.RouteSocket.Open(guest.Place);
        return routes.GetLink("eth0").Statistics.ReceivedPackets;
    }
}
