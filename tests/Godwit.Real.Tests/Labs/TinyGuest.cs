using System.Globalization;
using System.Net.Sockets;
using System.Text;
using System.Text.Json.Nodes;
using Godwit.Api.KubeVirt.V1;
using Godwit.Client;

namespace Godwit.Real.Tests.Labs;

/// <summary>A `tiny` guest in the lab, and a client of what it serves: a counter, and a check of all its memory.</summary>
internal sealed class TinyGuest : IAsyncDisposable
{
    private const string OwnImage = "image: tiny, kernelPath: /vmlinuz, initrdPath: /initrd";

    private static readonly TimeSpan Bound = TimeSpan.FromMinutes(2);
    private readonly GodwitLab lab;
    private readonly HttpClient http;

    private TinyGuest(GodwitLab lab, string name, string address)
    {
        this.lab = lab;
        Name = name;
        Address = address;
        http = new HttpClient { BaseAddress = new Uri($"http://{address}/"), Timeout = TimeSpan.FromSeconds(20) };
    }

    public string Name { get; }

    public string Address { get; }

    /// <summary>Makes the guest with kubectl and waits until its own program answers.</summary>
    public static async Task<TinyGuest> StartAsync(GodwitLab lab, string name, string settings = "tiny.rate=20M tiny.set=32M tiny.ballast=32M", string? node = null, int memoryMib = 192, string? volume = null, string boot = OwnImage)
    {
        await lab.MendAsync();
        (await lab.KubectlAsync(Manifest(name, settings, node, memoryMib, volume, boot), "apply", "-f", "-")).MustSucceed();
        var address = await Eventually.GetAsync($"VMI {name} runs and has an address", Bound, async () =>
        {
            var vmi = await lab.FindAsync("vmi", name);
            return vmi?["status"]?["phase"]?.GetValue<string>() == "Running" ? vmi["status"]?["interfaces"]?[0]?["ipAddress"]?.GetValue<string>() : null;
        });
        var guest = new TinyGuest(lab, name, address);
        await Eventually.IsTrueAsync($"the guest {name} answers on {address}", Bound, async () => await guest.CounterAsync() > 0);
        return guest;
    }

    public async Task<long> CounterAsync() => (await ReadAsync("counter"))["counter"]!.GetValue<long>();

    public async Task<bool> MemoryIsIntactAsync() => (await ReadAsync("memory"))["intact"]!.GetValue<bool>();

    /// <summary>Every block of the disk that was ever written holds what was written there last, read past the guest's cache.</summary>
    public async Task MustHaveItsDiskAsync()
    {
        var disk = await ReadAsync("disk");
        Assert.True(disk["intact"]!.GetValue<bool>() && disk["errors"]!.GetValue<long>() == 0 && disk["writes"]!.GetValue<long>() > 0, $"The disk of {Name} is not what was written to it: {disk}.");
    }

    public async Task<long> DiskWritesAsync() => (await ReadAsync("disk"))["writes"]!.GetValue<long>();

    public Task<JsonObject> SetWriterAsync(long rateBytesPerSecond, long workingSetBytes) =>
        ReadAsync(string.Create(CultureInfo.InvariantCulture, $"writer?rateBytesPerSecond={rateBytesPerSecond}&workingSetBytes={workingSetBytes}"));

    public async Task<string> NodeAsync() => (await FindAsync())?.Status.NodeName ?? "";

    /// <summary>The other one of the lab's two nodes.</summary>
    public async Task<string> OtherNodeAsync() => await NodeAsync() == "node-1" ? "node-2" : "node-1";

    /// <summary>The target's agent says where the guest is, and the source's that the move has succeeded: in either order.</summary>
    public Task<VirtualMachineInstance> IsOnAsync(string node) =>
        Eventually.GetAsync($"the API says that {Name} is on {node}", Bound, async () => await FindAsync() is { } found && found.Status.NodeName == node ? found : null);

    /// <summary>The counter went on from where it was, and every page is what it should be.</summary>
    public async Task MustHaveGoneOnAsync(long counterBefore)
    {
        await Eventually.IsTrueAsync($"the counter of {Name} goes on from {counterBefore}", Bound, async () => await CounterAsync() > counterBefore);
        var counter = await CounterAsync();
        await Eventually.IsTrueAsync($"the counter of {Name} rises", Bound, async () => await CounterAsync() > counter);
        Assert.True(await MemoryIsIntactAsync(), $"The memory of {Name} is not what it was.");
    }

    /// <summary>One copy, on the node where it should be; it went on, its memory is what it was; the other node has nothing of it.</summary>
    public async Task MustBeWholeAsync(string node, long counterBefore)
    {
        await MustHaveGoneOnAsync(counterBefore);
        var vmi = await IsOnAsync(node);
        await Eventually.IsTrueAsync($"one QEMU of {Name} is left", Bound, () => Task.FromResult(ProcessIds().Count == 1));
        foreach (var other in GodwitLab.Nodes.Where(other => other != node))
        {
            IReadOnlyList<string> left = [];
            await Eventually.IsTrueAsync(
                $"nothing of {Name} is left on {other}",
                Bound,
                async () => (left = await LeftOvers.OfAsync(lab, other, vmi.Metadata.Uid)).Count == 0 ? true : throw new IOException(string.Join("; ", left)));
        }

        Assert.Empty(LeftOvers.UnderWay(Path.Combine(lab.AgentFolder(node), "journal", "moves"), vmi.Metadata.Uid));
        Assert.Single(ProcessIds());
    }

    /// <summary>The incarnation that is meant was lost: its virtual machine runs another one, once, and nothing of the lost one is left anywhere.</summary>
    public async Task MustBeBootedAnewAsync(string lost)
    {
        await Eventually.GetAsync($"a new incarnation of {Name} runs", Bound, async () =>
            await FindAsync() is { Status.Phase: VirtualMachineInstancePhases.Running } vmi && vmi.Metadata.Uid != lost ? vmi : null);
        await Eventually.IsTrueAsync($"one QEMU of {Name} is left", Bound, () => Task.FromResult(ProcessIds().Count == 1));
        foreach (var node in GodwitLab.Nodes)
        {
            await Eventually.IsTrueAsync(
                $"nothing of the lost {Name} is left on {node}",
                Bound,
                async () => await LeftOvers.OfAsync(lab, node, lost) is { Count: > 0 } left ? throw new IOException(string.Join("; ", left)) : true);
        }
    }

    public async Task<VirtualMachineInstance?> FindAsync() =>
        await lab.Cluster.For<VirtualMachineInstance>().FindAsync(new ResourceKey("default", Name), TestContext.Current.CancellationToken);

    /// <summary>QEMU processes that carry this guest's name, zombies not counted.</summary>
    public IReadOnlyList<int> ProcessIds() => QemuProcesses.Of($"default/{Name}");

    /// <summary>A TCP connection to the guest, for requests before and after a move.</summary>
    public async Task<OpenConnection> ConnectAsync()
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(Address, 80, TestContext.Current.CancellationToken);
        return new OpenConnection(socket);
    }

    public async ValueTask DisposeAsync()
    {
        http.Dispose();
        await lab.KubectlAsync(null, "delete", "vm", Name, "--ignore-not-found", "--wait=true", "--timeout=60s");
    }

    private async Task<JsonObject> ReadAsync(string path) =>
        JsonNode.Parse(await http.GetStringAsync(new Uri(path, UriKind.Relative), TestContext.Current.CancellationToken))!.AsObject();

    private static string Manifest(string name, string settings, string? node, int memoryMib, string? volume, string boot)
    {
        var selector = node is null ? "" : $$"""

                  nodeSelector: { kubernetes.io/hostname: {{node}} }
            """;
        var disks = volume is null ? "" : ", disks: [ { name: data, disk: { bus: virtio } } ]";
        var volumes = volume is null ? "" : $$"""

                  volumes: [ { name: data, {{volume}} } ]
            """;
        return $$"""
            apiVersion: kubevirt.io/v1
            kind: VirtualMachine
            metadata: { name: {{name}} }
            spec:
              runStrategy: Always
              template:
                metadata: { labels: { app: {{name}} } }
                spec:{{selector}}
                  terminationGracePeriodSeconds: 5
                  domain:
                    cpu: { cores: 1 }
                    memory: { guest: {{memoryMib}}Mi }
                    devices: { interfaces: [ { name: default, bridge: {} } ]{{disks}} }
                    firmware:
                      kernelBoot:
                        container: { {{boot}} }
                        kernelArgs: console=ttyS0 quiet {{settings}}
                  networks: [ { name: default, pod: {} } ]{{volumes}}
            """;
    }
}

/// <summary>One TCP connection that is kept open; a request over it fails if it was ever reset.</summary>
internal sealed class OpenConnection(Socket socket) : IDisposable
{
    public async Task<string> RequestAsync()
    {
        using var bound = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        bound.CancelAfter(TimeSpan.FromSeconds(60));
        await socket.SendAsync("GET /counter HTTP/1.1\r\nHost: guest\r\n\r\n"u8.ToArray(), bound.Token);
        var answer = new StringBuilder();
        var buffer = new byte[2048];
        while (!answer.ToString().Contains("}\n", StringComparison.Ordinal))
        {
            var count = await socket.ReceiveAsync(buffer, bound.Token);
            Assert.True(count > 0, "The guest closed the connection.");
            answer.Append(Encoding.UTF8.GetString(buffer, 0, count));
        }

        return answer.ToString();
    }

    public void Dispose() => socket.Dispose();
}
