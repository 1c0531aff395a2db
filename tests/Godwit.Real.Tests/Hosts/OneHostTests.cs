using System.Diagnostics;
using System.Net;
using System.Net.NetworkInformation;
using System.Text.Json.Nodes;
using Godwit.Real.Tests.Docker;
using Godwit.Real.Tests.Labs;

namespace Godwit.Real.Tests.Hosts;

/// <summary><c>godwit up</c> as a newcomer on one host uses it: the real program, the example from the tree, kubectl.</summary>
[Trait("Needs", "root")]
[Trait("Needs", "qemu")]
public sealed class OneHostTests
{
    [Fact]
    public async Task A_guest_runs_outlives_the_death_of_the_whole_program_and_goes_without_a_trace()
    {
        Needs.Root();
        await using var cluster = new HostCluster();
        await cluster.UpAsync();
        (await cluster.KubectlAsync("apply", "-f", Path.Combine(HostCluster.Tree, "examples", "tiny.yaml"))).MustSucceed();
        var address = await cluster.WaitForGuestAsync("tiny");
        using var guest = new HttpClient { BaseAddress = new Uri($"http://{address}/"), Timeout = TimeSpan.FromSeconds(20) };
        await Eventually.IsTrueAsync("the guest answers", HostCluster.Bound, async () => await CounterAsync(guest) > 0);
        await TheCommandLineShowsItAsync(cluster);

        var prefix = LinkPrefixFor(address);
        var standing = await Traces.FindAsync(cluster, prefix);
        Assert.Multiple(
            () => Assert.Single(standing.Guests),
            () => Assert.Equal(3, standing.Processes.Count), // Godwit itself, QEMU, dnsmasq.
            () => Assert.NotEmpty(standing.Links),
            () => Assert.NotEmpty(standing.Tables),
            () => Assert.NotEmpty(standing.ControlGroups));

        await KillTheProgramAsync(cluster, standing);
        var counter = await CounterAsync(guest);
        await cluster.UpAsync();
        Assert.Equal(address, await cluster.WaitForGuestAsync("tiny"));
        Assert.Equal(standing.Guests, (await Traces.FindAsync(cluster, prefix)).Guests);
        await Eventually.IsTrueAsync("the counter goes on", HostCluster.Bound, async () => await CounterAsync(guest) > counter);
        Assert.True(JsonNode.Parse(await guest.GetStringAsync(new Uri("memory", UriKind.Relative), TestContext.Current.CancellationToken))!["intact"]!.GetValue<bool>());
        Assert.Equal("1", await CountStartsAsync(cluster));
        await TheVerbsReachItAsync(cluster, guest);

        (await cluster.GodwitAsync("down")).MustSucceed();
        Assert.Empty((await Traces.FindAsync(cluster, prefix)).All);
        Assert.False(Directory.Exists(cluster.RunFolder));

        // Its definition was kept: it starts anew.
        await cluster.UpAsync();
        await cluster.WaitForGuestAsync("tiny");
        (await cluster.GodwitAsync("down", "--purge")).MustSucceed();
        Assert.Empty((await Traces.FindAsync(cluster, prefix)).All);
        Assert.False(Directory.Exists(cluster.DataFolder));
    }

    [Fact]
    public async Task What_is_up_keeps_its_folders_and_its_port_and_the_state_of_what_runs_is_not_purged()
    {
        Needs.Root();
        await using var cluster = new HostCluster();
        await cluster.UpAsync();
        await cluster.UpAsync(); // Again: nothing to do.
        var elsewhere = await cluster.GodwitAsync("up", "--data", cluster.DataFolder + "-2");
        Assert.Equal(1, elsewhere.ExitCode);
        Assert.Contains($"It is up already with --data {cluster.DataFolder}", elsewhere.Errors, StringComparison.Ordinal);
        var otherPort = await cluster.GodwitAsync("up", "--port", "1");
        Assert.Equal(1, otherPort.ExitCode);
        Assert.Contains("It is up already with its API on port", otherPort.Errors, StringComparison.Ordinal);
        var lab = await cluster.GodwitAsync("up", "--lab", "2");
        Assert.Contains("There is a cluster on this host up already", lab.Errors, StringComparison.Ordinal);

        // Without the record the program is one that nobody knows to have been started by 'up'.
        File.Move(Path.Combine(cluster.RunFolder, "cluster.json"), Path.Combine(cluster.RunFolder, "aside"));
        var purge = await cluster.GodwitAsync("down", "--purge", "--data", cluster.DataFolder);
        File.Move(Path.Combine(cluster.RunFolder, "aside"), Path.Combine(cluster.RunFolder, "cluster.json"));
        Assert.Equal(1, purge.ExitCode);
        Assert.Contains("Nothing was deleted", purge.Errors, StringComparison.Ordinal);
        (await cluster.GodwitAsync("nodes")).MustSucceed();
    }

    [Fact]
    public async Task Containers_run_beside_the_machines_and_go_with_them()
    {
        Needs.Root();
        Assert.SkipUnless(DockerClients.Newest is not null, DockerClients.Need);
        await using var cluster = new HostCluster();
        await cluster.UpAsync();
        var socket = Path.Combine(cluster.RunFolder, "docker.sock");
        Task<(int Code, string Output, string Error)> DockerAsync(params string[] arguments) => DockerClients.RunAsync(DockerClients.Newest!, $"unix://{socket}", cluster.DataFolder, "", arguments);
        await Eventually.IsTrueAsync("the engine answers", HostCluster.Bound, async () => (await DockerAsync("version")).Code == 0);
        await DockerLab.ImportAsync(cluster.DataFolder, async tar => Assert.Equal(0, (await DockerAsync("import", "--change", "ENV PATH=/bin", tar, "box")).Code));
        Assert.Equal(0, (await DockerAsync("run", "-d", "--name", "beside", "-p", "127.0.0.1::80", "box", "sleep", "1000")).Code);
        Assert.NotEmpty(await ContainerTracesAsync(cluster));

        (await cluster.GodwitAsync("down")).MustSucceed();
        Assert.Empty(await ContainerTracesAsync(cluster));
        await cluster.UpAsync();
        await Eventually.IsTrueAsync("the engine answers again", HostCluster.Bound, async () => (await DockerAsync("version")).Code == 0);
        Assert.Equal("exited", (await DockerAsync("inspect", "--format", "{{.State.Status}}", "beside")).Output.Trim()); // Stopped, and kept.
        (await cluster.GodwitAsync("down", "--purge")).MustSucceed();
        Assert.False(Directory.Exists(Path.Combine(cluster.DataFolder, "engine")));
    }

    /// <summary>Mounts, processes and cgroups of the instance's containers.</summary>
    private static async Task<IReadOnlyList<string>> ContainerTracesAsync(HostCluster cluster)
    {
        var processes = (await Command.RunAsync("ps", ["-eo", "args"], HostCluster.Bound)).MustSucceed().Output.Split('\n');
        return
        [
            .. processes.Where(line => line.Contains("conmon", StringComparison.Ordinal) && line.Contains(cluster.Instance, StringComparison.Ordinal)),
            .. File.ReadLines("/proc/self/mounts").Where(line => line.Contains(cluster.Instance, StringComparison.Ordinal)),
            .. Directory.EnumerateDirectories("/sys/fs/cgroup", $"godwit-{cluster.Instance}-containers", new EnumerationOptions { RecurseSubdirectories = true, MaxRecursionDepth = 2, IgnoreInaccessible = true }),
        ];
    }

    private static async Task TheCommandLineShowsItAsync(HostCluster cluster)
    {
        var listed = (await cluster.GodwitAsync("vm", "list", "-o", "json")).MustSucceed();
        Assert.Equal("tiny", JsonNode.Parse(listed.Output)!["items"]!.AsArray().Single()!["metadata"]!["name"]!.GetValue<string>());
        Assert.Contains("Running", (await cluster.GodwitAsync("vm", "list")).MustSucceed().Output, StringComparison.Ordinal);
        Assert.Contains("Running", (await cluster.KubectlAsync("get", "vmi", "tiny")).MustSucceed().Output, StringComparison.Ordinal);
        var console = await cluster.GodwitWithInputAsync("\necho heard-$((40+2))\n", "vm", "console", "tiny");
        Assert.Contains("heard-42", console.MustSucceed().Output, StringComparison.Ordinal);
    }

    /// <summary>Frozen and let go on, it is the same guest; restarted, or stopped and started, it is another, which counts from the beginning.</summary>
    private static async Task TheVerbsReachItAsync(HostCluster cluster, HttpClient guest)
    {
        Task<string> ReadAsync(string path) => OutputAsync(cluster.KubectlAsync("get", "vmi", "tiny", "--ignore-not-found", "-o", $"jsonpath={path}"));
        var (uid, counter) = (await ReadAsync("{.metadata.uid}"), await CounterAsync(guest));
        (await cluster.GodwitAsync("vm", "pause", "tiny")).MustSucceed();
        await Eventually.IsTrueAsync("QEMU says that it is paused", HostCluster.Bound, async () => await ReadAsync("{.status.conditions[?(@.type=='Paused')].status}") == "True");
        (await cluster.GodwitAsync("vm", "resume", "tiny")).MustSucceed();
        await Eventually.IsTrueAsync("the counter goes on", HostCluster.Bound, async () => await CounterAsync(guest) > counter);
        Assert.Equal(uid, await ReadAsync("{.metadata.uid}"));

        (await cluster.GodwitAsync("vm", "restart", "tiny", "--wait")).MustSucceed();
        var second = await ReadAsync("{.metadata.uid}");
        Assert.NotEqual(uid, second);
        await Eventually.IsTrueAsync("it was booted anew", HostCluster.Bound, async () => await CounterAsync(guest) > 0);

        (await cluster.GodwitAsync("vm", "stop", "tiny", "--wait")).MustSucceed();
        Assert.Equal("", await ReadAsync("{.metadata.uid}"));
        Assert.Empty(QemuProcesses.Of(cluster.DataFolder));
        Assert.Contains("Stopped", (await cluster.GodwitAsync("vm", "list")).MustSucceed().Output, StringComparison.Ordinal);
        (await cluster.GodwitAsync("vm", "start", "tiny", "--wait")).MustSucceed();
        Assert.NotEqual(second, await ReadAsync("{.metadata.uid}"));
        Assert.Single(QemuProcesses.Of(cluster.DataFolder));
    }

    private static async Task<string> OutputAsync(Task<CommandResult> ran) => (await ran).MustSucceed().Output.Trim();

    private static async Task KillTheProgramAsync(HostCluster cluster, Traces standing)
    {
        var program = standing.Processes.Single(process => process.CommandLine.Contains("--foreground", StringComparison.Ordinal));
        using var process = Process.GetProcessById(program.ProcessId);
        process.Kill();
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.Equal(4, (await cluster.GodwitAsync("vm", "list")).ExitCode); // No server.
    }

    /// <summary>How often the guest was started, as the cluster's events tell it.</summary>
    private static async Task<string> CountStartsAsync(HostCluster cluster) =>
        (await cluster.KubectlAsync("get", "events", "--field-selector", "reason=Started", "-o", "jsonpath={.items[*].count}")).MustSucceed().Output.Trim();

    // The bridge whose network the guest is in is named after the prefix.
    private static string LinkPrefixFor(string guest)
    {
        var network = IPAddress.Parse(guest).GetAddressBytes()[..2];
        var bridge = NetworkInterface.GetAllNetworkInterfaces().Single(link =>
            link.Name.EndsWith("-br", StringComparison.Ordinal) && link.GetIPProperties().UnicastAddresses.Any(address => address.Address.GetAddressBytes().AsSpan().StartsWith(network)));
        return bridge.Name[..^"-br".Length];
    }

    private static async Task<long> CounterAsync(HttpClient guest) =>
        JsonNode.Parse(await guest.GetStringAsync(new Uri("counter", UriKind.Relative), TestContext.Current.CancellationToken))!["counter"]!.GetValue<long>();
}
