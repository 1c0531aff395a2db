using CsCheck;
using Godwit.Api.Core.V1;
using Godwit.Api.Meta.V1;
using Godwit.Base;
using Godwit.Node.Pods;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace Godwit.Node.Tests.Pods;

/// <summary>Which pod goes when a node is short of memory or disk, and when the next one does.</summary>
public sealed class PressureTests
{
    private const long MiB = 1 << 20;
    private static readonly NodeShortage Memory = new("memory", 64 * MiB, NodeShortage.MemoryBytesMin);

    [Fact]
    public void Memory_is_looked_at_before_disk_and_the_word_for_pressure_stays_until_there_is_twice_as_much()
    {
        Assert.Null(NodeShortage.Find(NodeShortage.MemoryBytesMin, NodeShortage.DiskBytesMin));
        Assert.Equal("memory", NodeShortage.Find(NodeShortage.MemoryBytesMin - 1, 0)?.Resource);
        Assert.Equal("ephemeral-storage", NodeShortage.Find(NodeShortage.MemoryBytesMin, NodeShortage.DiskBytesMin - 1)?.Resource);
        Assert.True(NodeShortage.IsPressed(99, 100, wasPressed: false));
        Assert.False(NodeShortage.IsPressed(100, 100, wasPressed: false));
        Assert.True(NodeShortage.IsPressed(199, 100, wasPressed: true));
        Assert.False(NodeShortage.IsPressed(200, 100, wasPressed: true));
    }

    [Fact]
    public void Who_uses_more_than_it_asked_for_goes_first_then_the_less_important_then_who_uses_most_beyond_its_request()
    {
        var within = Standing("within", usedMiB: 900, requestMiB: 1000, priority: 0);
        var beyond = Standing("beyond", usedMiB: 300, requestMiB: 200, priority: 10);
        var more = Standing("more", usedMiB: 500, requestMiB: 0, priority: 10);
        var lesser = Standing("lesser", usedMiB: 20, requestMiB: 0, priority: 5);
        var system = Standing("system", usedMiB: 4000, requestMiB: 0, priority: 2_000_000_000);
        var idle = Standing("idle", usedMiB: 0, requestMiB: 0, priority: 0);
        List<PodStanding> pods = [within, beyond, more, lesser, system, idle];
        var order = new List<string>();
        while (PressurePlan.Choose(Memory, pods) is { } eviction)
        {
            order.Add(eviction.Pod.Metadata.Name);
            pods.RemoveAll(each => each.Pod == eviction.Pod);
        }

        Assert.Equal(["lesser", "more", "beyond", "within"], order);
        Assert.Equal([system, idle], pods);
    }

    [Fact]
    public void Why_is_said_in_Kubernetes_words()
    {
        var (pod, verdict) = PressurePlan.Choose(Memory, [Standing("web", usedMiB: 300, requestMiB: 200, priority: 0)])!.Value;
        Assert.Equal(("web", "Evicted", TimeSpan.Zero), (pod.Metadata.Name, verdict.Reason, verdict.Grace));
        Assert.Equal("The node was low on resource: memory. Threshold quantity: 128Mi, available: 64Mi. Container main was using 300Mi, request is 200Mi, has larger consumption of memory.", verdict.Message);
    }

    [Fact]
    public void Whoever_there_is_nobody_goes_before_one_that_uses_more_than_it_asked_for_and_is_not_more_important() =>
        Gen.Select(Gen.Int[0, 5], Gen.Int[0, 5], Gen.Int[0, 3]).Array[0, 12].Sample(all =>
        {
            var pods = all.Select((each, number) => Standing($"p{number}", each.Item1 * 100, each.Item2 * 100, each.Item3)).ToList();
            if (PressurePlan.Choose(Memory, pods) is not { } chosen)
            {
                Assert.All(pods, pod => Assert.Equal(0, pod.UsedBytes));
                return;
            }

            var victim = pods.Single(each => each.Pod == chosen.Pod);
            Assert.True(victim.UsedBytes > 0);
            Assert.DoesNotContain(pods, other => Exceeds(other) && (!Exceeds(victim) || other.Pod.Spec.Priority < victim.Pod.Spec.Priority));
        });

    [Fact]
    public async Task One_goes_at_a_time_the_next_when_the_last_has_ended_or_has_had_its_time_and_none_when_there_is_enough()
    {
        var (clock, evicted, running) = (new FakeTimeProvider(), new List<string>(), new HashSet<string> { "uid-a", "uid-b", "uid-c" });
        var available = 10 * MiB;
        var watch = new PressureWatch(new PressureParts
        {
            MemoryAvailableBytes = () => available,
            DiskAvailableBytes = () => long.MaxValue,
            Standings = (resource, _) => Task.FromResult<IReadOnlyList<PodStanding>>(
                [.. new[] { Standing("a", 300, 0, 0), Standing("b", 200, 0, 0), Standing("c", 100, 0, 0) }.Where(each => resource == "memory" && running.Contains(each.Pod.Metadata.Uid))]),
            Runs = running.Contains,
            Evict = (pod, _) => evicted.Add(pod.Metadata.Name),
            Time = clock,
            Logger = NullLogger.Instance,
        });
        await LookAsync();
        await LookAsync();
        Assert.Equal(["a"], evicted); // It is on its way out.
        running.Remove("uid-a");
        await LookAsync();
        Assert.Equal(["a", "b"], evicted);
        clock.Advance(PressureWatch.EndBound);
        await LookAsync();
        Assert.Equal(["a", "b", "c"], evicted); // b does not end: that is no reason to let the node go down.

        available = NodeShortage.MemoryBytesMin;
        running.UnionWith(["uid-a"]);
        await LookAsync();
        Assert.Equal(3, evicted.Count);

        Task LookAsync() => watch.LookAsync(TestContext.Current.CancellationToken);
    }

    private static bool Exceeds(PodStanding pod) => pod.UsedBytes > 0 && pod.UsedBytes > pod.Pod.Spec.Containers[0].Resources!.Requests["memory"].ToInt64();

    private static PodStanding Standing(string name, int usedMiB, int requestMiB, int priority) => new(
        new Pod
        {
            Metadata = new ObjectMeta { Namespace = "default", Name = name, Uid = "uid-" + name },
            Spec = new PodSpec
            {
                Priority = priority,
                Containers = [new Container { Name = "main", Resources = new ContainerResources { Requests = new Dictionary<string, Quantity> { ["memory"] = Quantity.FromBytes(requestMiB * MiB) } } }],
            },
        },
        [("main", usedMiB * MiB)]);
}
