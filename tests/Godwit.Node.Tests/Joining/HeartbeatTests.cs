using System.Threading.Channels;
using Godwit.Api.Core.V1;
using Godwit.Client;
using Godwit.Node.Registration;
using Godwit.Node.Tests.Clusters;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using KubeNode = Godwit.Api.Core.V1.Node;

namespace Godwit.Node.Tests.Joining;

public sealed class HeartbeatTests
{
    private static readonly ResourceKey Key = new("", "node-1");

    [Fact]
    public async Task A_node_that_stood_still_in_the_middle_of_a_heartbeat_says_that_it_is_ready_when_it_goes_on_and_not_an_interval_later()
    {
        var clock = new CountingTime();
        await using var cluster = await TestCluster.StartAsync();
        var nodes = cluster.Admin.For<KubeNode>();
        var looks = 0;
        await using var agent = await StartAsync(cluster, clock, () =>
        {
            if (++looks == 2)
            {
                StandStill();
            }

            return NodeJoinTests.Describe();
        });
        Assert.Equal(NodeRegistration.HeartbeatInterval, await clock.WaitAsync());

        clock.Advance(NodeRegistration.HeartbeatInterval);
        var wait = await clock.WaitAsync();

        Assert.Equal((3, NodeRegistration.HeartbeatInterval), (looks, wait));
        Assert.Equal("True", await ReadyAsync(nodes));

        // It has looked at its Node, which says that it is ready, and finds nothing to write; meanwhile it is called silent.
        void StandStill()
        {
            clock.Advance(TimeSpan.FromSeconds(46));
            NodeJoinTests.SaySilentAsync(nodes, Key).GetAwaiter().GetResult();
        }
    }

    [Fact]
    public async Task A_heartbeat_that_failed_is_tried_again_soon_and_then_less_and_less_often()
    {
        var clock = new CountingTime();
        await using var cluster = await TestCluster.StartAsync();
        var looks = 0;
        await using var agent = await StartAsync(cluster, clock, () => ++looks < 3 ? throw new IOException("the connection broke") : NodeJoinTests.Describe());

        var first = await clock.WaitAsync();
        clock.Advance(first);
        var second = await clock.WaitAsync();
        clock.Advance(second);
        var third = await clock.WaitAsync();

        Assert.InRange(first, TimeSpan.FromMilliseconds(100), TimeSpan.FromMilliseconds(250));
        Assert.InRange(second, first, TimeSpan.FromMilliseconds(500));
        Assert.Equal(NodeRegistration.HeartbeatInterval, third);
        Assert.Equal("True", await ReadyAsync(cluster.Admin.For<KubeNode>()));
    }

    [Fact]
    public void Heartbeats_begin_an_interval_apart_and_a_server_that_stays_away_is_asked_no_oftener_than_that()
    {
        Assert.Equal(TimeSpan.FromSeconds(7), NodeRegistration.WaitAfter(TimeSpan.FromSeconds(3), failures: 0, chance: 0.5));
        Assert.Equal(TimeSpan.Zero, NodeRegistration.WaitAfter(TimeSpan.FromSeconds(46), failures: 0, chance: 0.5));
        Assert.InRange(NodeRegistration.WaitAfter(TimeSpan.FromSeconds(46), failures: 1_000_000, chance: 0.5), TimeSpan.FromSeconds(8), NodeRegistration.HeartbeatInterval);
    }

    private static async Task<Agent> StartAsync(TestCluster cluster, CountingTime clock, Func<NodeDescription> describe)
    {
        var options = cluster.AgentOptions("node-1");
        var join = NodeJoinTests.Join(options, NodeJoinTests.Open(options));
        await join.EnsureAsync(TestCluster.Stopping);
        return new Agent(options, new ClusterClient(join.Connection, TimeProvider.System, NullLogger<ClusterClient>.Instance), describe, clock);
    }

    private static async Task<string> ReadyAsync(ResourceClient<KubeNode> nodes) =>
        (await nodes.GetAsync(Key, TestCluster.Stopping)).Status.Conditions.Single(condition => condition.Type == NodeConditionTypes.Ready).Status;

    private sealed class Agent : IAsyncDisposable
    {
        private readonly CancellationTokenSource ending = CancellationTokenSource.CreateLinkedTokenSource(TestCluster.Stopping);
        private readonly ClusterClient client;
        private readonly Task running;

        public Agent(AgentOptions options, ClusterClient client, Func<NodeDescription> describe, TimeProvider clock)
        {
            this.client = client;
            running = new NodeRegistration(options, client, describe, clock, NullLogger.Instance).RunAsync(ending.Token);
        }

        public async ValueTask DisposeAsync()
        {
            await ending.CancelAsync();
            await running;
            client.Dispose();
            ending.Dispose();
        }
    }

    /// <summary>Tells which waits were begun, so that a test can go on exactly then.</summary>
    private sealed class CountingTime() : FakeTimeProvider(TimeProvider.System.GetUtcNow())
    {
        private readonly Channel<TimeSpan> waits = Channel.CreateUnbounded<TimeSpan>();

        public ValueTask<TimeSpan> WaitAsync() => waits.Reader.ReadAsync(TestCluster.Stopping);

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            var timer = base.CreateTimer(callback, state, dueTime, period);
            waits.Writer.TryWrite(dueTime);
            return timer;
        }
    }
}
