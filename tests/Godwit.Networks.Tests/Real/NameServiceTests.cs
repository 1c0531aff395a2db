using System.Net;
using Godwit.Linux.Commands;
using Godwit.Linux.Processes;
using Godwit.Networks.Names;
using Microsoft.Extensions.Logging.Abstractions;

namespace Godwit.Networks.Tests.Real;

[Trait("Needs", "root")]
public sealed class NameServiceTests
{
    private static CancellationToken Stopping => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_known_guest_gets_its_address_from_its_own_host_and_a_stranger_gets_nothing()
    {
        await using var hosts = await OverlayHosts.CreateAsync();
        await using var service = await StartAsync(hosts, 1);
        var known = await hosts.AddGuestAsync(1, 1, configured: false);
        var stranger = await hosts.AddGuestAsync(1, 3, configured: false);
        var elsewhere = await hosts.AddGuestAsync(2, 2, configured: false);
        await service.Names.ApplyAsync(Table(known, elsewhere), Stopping);
        var words = await AskAsync(known, tries: 10);
        Assert.Contains($"ip={known.Address}", words, StringComparison.Ordinal);
        Assert.Contains($"router={OverlayHosts.Gateway}", words, StringComparison.Ordinal);
        Assert.Contains($"dns={OverlayHosts.Gateway}", words, StringComparison.Ordinal);
        Assert.Contains("mtu=1450", words, StringComparison.Ordinal);
        Assert.Contains("hostname=guest1", words, StringComparison.Ordinal);
        // Both would be answered, were they not strange, or not behind the tunnel: the one above was.
        await Assert.ThrowsAsync<CommandException>(() => AskAsync(stranger, tries: 2));
        await Assert.ThrowsAsync<CommandException>(() => AskAsync(elsewhere, tries: 2));
    }

    [Fact]
    public async Task Names_resolve_and_follow_their_table()
    {
        await using var hosts = await OverlayHosts.CreateAsync();
        await using var service = await StartAsync(hosts, 1);
        var guest = await hosts.AddGuestAsync(1, 1);
        await service.Names.ApplyAsync(new NameTable([], [new GuestName("web.default", guest.Address)]), Stopping);
        await ResolvesAsync(guest, "web.default.vm.cluster.local", guest.Address);
        var before = service.Identity;
        await service.Names.ApplyAsync(new NameTable([], [new GuestName("db.default", IPAddress.Parse("10.244.9.9"))]), Stopping);
        await ResolvesAsync(guest, "db.default.vm.cluster.local", IPAddress.Parse("10.244.9.9"));
        await Assert.ThrowsAsync<CommandException>(() => LookUpAsync(guest, "web.default.vm.cluster.local"));
        Assert.Equal(before, service.Identity);
    }

    [Fact]
    public async Task Services_have_names_both_ways_stay_while_they_are_not_known_and_nothing_else_below_the_domain_is_asked_of_others()
    {
        await using var hosts = await OverlayHosts.CreateAsync();
        await using var service = await StartAsync(hosts, 1, IPAddress.Parse("192.0.2.53")); // Never answers: whoever asks it waits.
        var guest = await hosts.AddGuestAsync(1, 1);
        var (virtualAddress, place) = (IPAddress.Parse("10.96.0.10"), IPAddress.Parse("10.244.0.7"));
        var names = new ServiceNames
        {
            Hosts = [new("db-0.db.default.svc.cluster.local", place), new("web.default.svc.cluster.local", virtualAddress), new("db.default.svc.cluster.local", place), new("db.default.svc.cluster.local", IPAddress.Parse("10.244.0.8"))],
        };
        await service.Names.ApplyAsync(new NameTable([], [new GuestName("web.default", guest.Address)]) { Services = names }, Stopping);
        await ResolvesAsync(guest, "web.default.svc.cluster.local", virtualAddress);
        await ResolvesAsync(guest, "db.default.svc.cluster.local", place);
        await ResolvesAsync(guest, "db.default.svc.cluster.local", IPAddress.Parse("10.244.0.8"));
        Assert.Contains("db-0.db.default.svc.cluster.local", await AskBackAsync(guest, place), StringComparison.Ordinal);
        Assert.Contains("web.default.svc.cluster.local", await AskBackAsync(guest, virtualAddress), StringComparison.Ordinal);
        Assert.Contains("NXDOMAIN", await AskAsync(guest, "a", "no.default.svc.cluster.local"), StringComparison.Ordinal);
        Assert.Contains("NXDOMAIN", await AskBackAsync(guest, IPAddress.Parse("10.96.0.11")), StringComparison.Ordinal);

        service.Forget();
        await service.Names.ApplyAsync(new NameTable([], []), Stopping);
        await ResolvesAsync(guest, "web.default.svc.cluster.local", virtualAddress);
        await service.Names.ApplyAsync(new NameTable([], []) { Services = new ServiceNames() }, Stopping);
        await Assert.ThrowsAsync<CommandException>(() => LookUpAsync(guest, "web.default.svc.cluster.local"));
    }

    [Fact]
    public async Task Ports_aliases_and_pods_are_answered_by_the_responder_behind_it_and_addresses_without()
    {
        await using var hosts = await OverlayHosts.CreateAsync();
        await using var service = await StartAsync(hosts, 1);
        var guest = await hosts.AddGuestAsync(1, 1);
        var names = new ServiceNames
        {
            Hosts =
            [
                new("web.default.svc.cluster.local", IPAddress.Parse("10.96.0.10")),
                .. Enumerable.Range(1, 150).Select(number => new HostName("many.default.svc.cluster.local", IPAddress.Parse($"10.244.1.{number}"))),
            ],
            Targets = new Dictionary<string, IReadOnlyList<ServiceTarget>>
            {
                ["_http._tcp.web.default.svc.cluster.local"] = [new(8080, "web.default.svc.cluster.local")],
            },
            Aliases = new Dictionary<string, string> { ["shop.default.svc.cluster.local"] = "web.default.svc.cluster.local", ["crowd.default.svc.cluster.local"] = "many.default.svc.cluster.local" },
        };
        using (var responder = NameResponder.Open(service.Settings.Place, TimeProvider.System))
        using (var ending = CancellationTokenSource.CreateLinkedTokenSource(Stopping))
        {
            responder.Serve(names, service.Settings);
            var running = responder.RunAsync(ending.Token);
            await service.Names.ApplyAsync(new NameTable([], []) { Services = names, ResponderPort = responder.Port }, Stopping);
            Assert.Contains("8080 web.default.svc.cluster.local", await AskAsync(guest, "srv", "_http._tcp.web.default.svc.cluster.local"), StringComparison.Ordinal);
            Assert.Contains("NXDOMAIN", await AskAsync(guest, "srv", "_https._tcp.web.default.svc.cluster.local"), StringComparison.Ordinal);
            await ResolvesAsync(guest, "shop.default.svc.cluster.local", IPAddress.Parse("10.96.0.10"));
            await ResolvesAsync(guest, "10-244-0-9.default.pod.cluster.local", IPAddress.Parse("10.244.0.9"));
            // More than a datagram holds: by TCP to the service, from there to the responder, and from there to the service again.
            var lookup = new NameLookup(new IPEndPoint(OverlayHosts.Gateway, 53), service.Settings.Place, TimeProvider.System);
            Assert.Equal(150, (await lookup.AskAsync("crowd.default.svc.cluster.local", DnsType.A, Stopping))?.Addresses.Count);
            await ending.CancelAsync();
            await running;
        }

        await ResolvesAsync(guest, "web.default.svc.cluster.local", IPAddress.Parse("10.96.0.10"));
        Assert.Contains("NXDOMAIN", await AskAsync(guest, "a", "no.default.svc.cluster.local"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task It_outlives_who_started_it_is_adopted_and_started_again_when_it_dies()
    {
        await using var hosts = await OverlayHosts.CreateAsync();
        await using var service = await StartAsync(hosts, 1);
        await service.Names.ApplyAsync(new NameTable([], []), Stopping);
        var first = service.Identity;
        service.Forget();
        await service.Names.ApplyAsync(new NameTable([], []), Stopping);
        Assert.Equal(first, service.Identity);
        using (var process = LinuxProcess.TryOpen(first))
        {
            process!.Send(ProcessSignal.Kill);
        }

        await service.Names.Ended.WaitAsync(Wait.Bound, Stopping);
        Assert.False(service.Names.IsRunning);
        await service.Names.ApplyAsync(new NameTable([], []), Stopping);
        Assert.NotEqual(first, service.Identity);
        // Another configuration is another process.
        var second = service.Identity;
        service.Forget(service.Settings with { MtuBytes = 1400 });
        await service.Names.ApplyAsync(new NameTable([], []), Stopping);
        Assert.NotEqual(second, service.Identity);
        Assert.Null(LinuxProcess.TryOpen(second));
    }

    [Fact]
    public async Task It_does_not_run_as_root_and_leaves_nothing()
    {
        await using var hosts = await OverlayHosts.CreateAsync();
        await using var service = await StartAsync(hosts, 1);
        await service.Names.ApplyAsync(new NameTable([], []), Stopping);
        var identity = service.Identity;
        await Wait.ForAsync(() => File.ReadAllLines($"/proc/{identity.ProcessId}/status").Any(line => line.StartsWith("Uid:", StringComparison.Ordinal) && !line.Contains("\t0", StringComparison.Ordinal)), "it has dropped root");
        await service.Names.RemoveAsync(Stopping);
        await service.Names.RemoveAsync(Stopping);
        Assert.Null(LinuxProcess.TryOpen(identity));
        Assert.False(Directory.Exists(service.Settings.Folder));
    }

    [Fact]
    public async Task What_keeps_it_from_serving_is_told_in_its_own_words()
    {
        await using var hosts = await OverlayHosts.CreateAsync();
        await using var service = await StartAsync(hosts, 1);
        // The address of its socket is taken by the first one.
        await using var second = new RunningNameService(service.Settings with { Folder = service.Settings.Folder + "-second" });
        var refusal = await Assert.ThrowsAsync<ProcessLaunchException>(() => second.Names.ApplyAsync(new NameTable([], []), Stopping));
        Assert.Contains("ddress already in use", refusal.Message, StringComparison.Ordinal);
        Assert.False(second.Names.IsRunning);
    }

    private static NameTable Table(params FakeGuest[] guests) => new(
        [.. guests.Select(guest => new GuestLease(guest.Mac, guest.Address, $"guest{guest.Mac.ToBytes()[5]}"))],
        [.. guests.Select(guest => new GuestName($"guest{guest.Mac.ToBytes()[5]}.default", guest.Address))]);

    /// <summary>Asks for an address and prints what was given, as the guest's own script would see it.</summary>
    private static Task<string> AskAsync(FakeGuest guest, int tries)
    {
        Needs.Program("/usr/bin/busybox");
        var script = Path.Combine(Path.GetTempPath(), $"godwit-net-{Environment.ProcessId}-{guest.Place.Name}.sh");
        File.WriteAllText(script, "#!/bin/sh\n[ \"$1\" = bound ] && echo \"ip=$ip router=$router dns=$dns mtu=$mtu hostname=$hostname\"\nexit 0\n");
        File.SetUnixFileMode(script, UnixFileMode.UserRead | UnixFileMode.UserExecute);
        return RunAsync();

        async Task<string> RunAsync()
        {
            try
            {
                return await new Command("busybox", "udhcpc", "-i", "eth0", "-n", "-q", "-f", "-t", $"{tries}", "-T", "1", "-O", "mtu", "-O", "hostname", "-s", script) { Place = guest.Place }.RunAsync(TimeProvider.System, Stopping);
            }
            finally
            {
                File.Delete(script);
            }
        }
    }

    private static Task<string> LookUpAsync(FakeGuest guest, string name) =>
        new Command("busybox", "nslookup", "-type=a", name, OverlayHosts.Gateway.ToString()) { Place = guest.Place }.RunAsync(TimeProvider.System, Stopping);

    private static Task<string> AskBackAsync(FakeGuest guest, IPAddress address) => AskAsync(guest, "ptr", $"{string.Join('.', address.GetAddressBytes().Reverse())}.in-addr.arpa");

    /// <summary>What is answered, be it that there is no such name.</summary>
    private static Task<string> AskAsync(FakeGuest guest, string type, string name) =>
        new Command("sh", "-c", $"busybox nslookup -type={type} {name} {OverlayHosts.Gateway}; true") { Place = guest.Place }.RunAsync(TimeProvider.System, Stopping);

    /// <summary>At once: the table is read when it has been applied.</summary>
    private static async Task ResolvesAsync(FakeGuest guest, string name, IPAddress address)
    {
        Needs.Program("/usr/bin/busybox");
        Assert.Contains(address.ToString(), await LookUpAsync(guest, name), StringComparison.Ordinal);
    }

    private static async Task<RunningNameService> StartAsync(OverlayHosts hosts, int host, params IReadOnlyList<IPAddress> resolvers)
    {
        Needs.Program("/usr/sbin/dnsmasq");
        var service = new RunningNameService(new NameServiceSettings
        {
            Folder = Path.Combine(Path.GetTempPath(), $"godwit-names-{Environment.ProcessId}-{Guid.NewGuid():N}"),
            BridgeName = OverlayHosts.Names.Bridge,
            Place = hosts.Host(host).Place,
            Network = OverlayHosts.Network,
            Gateway = OverlayHosts.Gateway,
            MtuBytes = 1450,
            Resolvers = resolvers,
        });
        await service.Names.ApplyAsync(new NameTable([], []), Stopping);
        return service;
    }

    /// <summary>A service that is taken down whatever happens to the test.</summary>
    private sealed class RunningNameService(NameServiceSettings settings) : IAsyncDisposable
    {
        internal NameServiceSettings Settings { get; private set; } = settings;

        internal NameService Names { get; private set; } = Make(settings);

        internal ProcessIdentity Identity => ProcessIdentity.TryParse(File.ReadAllText(Path.Combine(Settings.Folder, "process")), out var identity) ? identity : default;

        /// <summary>As an agent that died and came back, perhaps with other settings.</summary>
        internal void Forget(NameServiceSettings? others = null)
        {
            Names.Dispose();
            Settings = others ?? Settings;
            Names = Make(Settings);
        }

        public async ValueTask DisposeAsync()
        {
            await Names.RemoveAsync(CancellationToken.None);
            Names.Dispose();
        }

        private static NameService Make(NameServiceSettings settings) => new(settings, TimeProvider.System, NullLogger<NameService>.Instance);
    }
}
