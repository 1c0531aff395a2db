using System.Net;
using Godwit.Api.Coordination.V1;
using Godwit.Api.Core.V1;
using Godwit.Api.Meta.V1;
using Godwit.Client;
using Godwit.Node;
using Godwit.Real.Tests.Hosts;
using Godwit.Real.Tests.Labs;
using Godwit.Real.Tests.Nodes;
using Godwit.Store.Tests.Etcd;
using Microsoft.Extensions.Logging.Abstractions;

namespace Godwit.Real.Tests.Servers;

/// <summary>An agent that knows two servers over one etcd, of which one dies.</summary>
[Trait("Needs", "etcd")]
[Trait("Needs", "root")]
[Trait("Needs", "qemu")]
public sealed class AgentOfTwoServersTests : IAsyncLifetime
{
    private const string Name = "node-1";
    private static readonly TimeSpan Bound = TimeSpan.FromMinutes(4);

    private readonly string folder = Path.Combine("/var/tmp", $"gwd-as-{Environment.ProcessId}");
    private readonly string prefix = $"a{Apart.Process}";
    private readonly CancellationTokenSource bound = new(Bound);
    private IReadOnlyList<EtcdMemberProcess> members = [];

    public ValueTask InitializeAsync()
    {
        Directory.CreateDirectory(folder, (UnixFileMode)0b111_001_001);
        members = EtcdMemberProcess.Cluster(folder, 1);
        members[0].Start();
        return ValueTask.CompletedTask;
    }

    [Fact]
    public async Task It_starts_a_pod_that_the_other_server_is_told_of_when_its_own_dies_and_starts_itself_while_the_first_is_away()
    {
        Needs.Root();
        BoxImage.WriteTo(Path.Combine(folder, "images"));
        string[] network = ["--guest-network", $"10.232.{Environment.ProcessId % 250}.0/24", "--guest-network-id", $"{200_000 + (Environment.ProcessId % 100_000)}"];
        await using var one = await ServerProcess.StartAsync(Path.Combine(folder, "one"), $"etcd://{members[0]}", bound.Token, network);
        ServerProcess.CopyPki(one, Path.Combine(folder, "two"));
        await using var two = await ServerProcess.StartAsync(Path.Combine(folder, "two"), $"etcd://{members[0]}", bound.Token, network);

        await using (var agent = RunningAgent.Start(OptionsOf(one, two)))
        {
            await agent.UntilAsync("the node is ready", () => IsReadyAsync(two));
            await one.KillAsync();
            var last = await BeatAsync(two);
            await agent.UntilAsync("the node's heart beats at the other server", async () => await BeatAsync(two) > last);
            await two.Client.For<Pod>().CreateAsync(Box, bound.Token);
            await agent.UntilAsync("the pod runs", () => IsRunningAsync(two));
        }

        // A start, too: the first address of the list does not answer.
        var stopped = await BeatAsync(two);
        await using (var agent = RunningAgent.Start(OptionsOf(one, two)))
        {
            await agent.UntilAsync("the node's heart beats again", async () => await BeatAsync(two) > stopped);
            Assert.True(await IsReadyAsync(two));
            await two.Client.For<Pod>().DeleteAsync(ResourceKey.Of(Box), new DeleteOptions(), bound.Token);
            await agent.UntilAsync("the pod has ended", async () => await two.Client.For<Pod>().FindAsync(ResourceKey.Of(Box), bound.Token) is null);
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var member in members)
        {
            await member.DisposeAsync();
        }

        await AgentRemains.RemoveAsync(Path.Combine(folder, "agent"), prefix);
        bound.Dispose();
        Directory.Delete(folder, recursive: true);
    }

    private AgentOptions OptionsOf(ServerProcess one, ServerProcess two) => new()
    {
        Node = NodeName.Parse(Name),
        Servers = [one.Url, two.Url],
        AuthorityPath = Path.Combine(two.PkiFolder, "ca.crt"),
        BootstrapTokenPath = Path.Combine(two.PkiFolder, "bootstrap-token"),
        DataFolder = Path.Combine(folder, "agent"),
        ImagesFolder = Path.Combine(folder, "images"),
        UnderlayAddress = IPAddress.Loopback,
        AgentListen = new IPEndPoint(IPAddress.Loopback, 0),
        PeerListen = new IPEndPoint(IPAddress.Loopback, 0),
        ReservedMemoryBytes = 0,
        ControlGroupParent = $"godwit-{Environment.ProcessId}",
        LinkPrefix = prefix,
        Accelerator = Godwit.Machines.Accelerator.Tcg,
    };

    private static Pod Box => new()
    {
        Metadata = new ObjectMeta { Namespace = "default", Name = "box" },
        Spec = new PodSpec { TerminationGracePeriodSeconds = 1, Containers = [new Container { Name = "box", Image = BoxImage.Name, Command = ["sleep", "100000"] }] },
    };

    private async Task<bool> IsRunningAsync(ServerProcess server) =>
        (await server.Client.For<Pod>().FindAsync(ResourceKey.Of(Box), bound.Token))?.Status.Phase == "Running";

    private async Task<bool> IsReadyAsync(ServerProcess server) =>
        (await server.Client.For<Api.Core.V1.Node>().FindAsync(new ResourceKey("", Name), bound.Token))?.Status.Conditions.Any(condition => condition is { Type: "Ready", Status: ConditionStatuses.True }) == true;

    private async Task<DateTimeOffset> BeatAsync(ServerProcess server) =>
        (await server.Client.For<Lease>().FindAsync(new ResourceKey("kube-node-lease", Name), bound.Token))?.Spec.RenewTime ?? default;

    private sealed class RunningAgent(CancellationTokenSource ending, Task running) : IAsyncDisposable
    {
        public static RunningAgent Start(AgentOptions options)
        {
            var ending = new CancellationTokenSource();
            return new RunningAgent(ending, AgentHost.RunAsync(options, TimeProvider.System, NullLoggerFactory.Instance, ending.Token));
        }

        /// <summary>Waits for a condition, and fails at once when the agent ends instead.</summary>
        public async Task UntilAsync(string what, Func<Task<bool>> look)
        {
            var met = Eventually.IsTrueAsync(what, Bound, look);
            if (await Task.WhenAny(met, running) == running)
            {
                await running;
                Assert.Fail($"the agent ended before this: {what}");
            }

            await met;
        }

        public async ValueTask DisposeAsync()
        {
            await ending.CancelAsync();
            await running;
            ending.Dispose();
        }
    }
}
