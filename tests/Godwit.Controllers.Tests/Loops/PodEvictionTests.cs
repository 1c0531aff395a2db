using Godwit.Controllers.Garbage;
using Godwit.Controllers.Nodes;
using Microsoft.Extensions.Time.Testing;

namespace Godwit.Controllers.Tests.Loops;

public sealed class PodEvictionTests
{
    private static CancellationToken Stopping => TestCluster.Stopping;

    private static readonly DateTimeOffset Now = DateTimeOffset.UnixEpoch;

    [Fact]
    public async Task Pods_of_a_silent_node_are_evicted_after_five_minutes_and_let_go_when_it_comes_back()
    {
        var clock = new FakeTimeProvider(TimeProvider.System.GetUtcNow());
        await using var cluster = await TestCluster.StartAsync(clock);
        var lost = await cluster.AddNodeAsync("node-1");
        var pod = await cluster.CreatePodAsync("web");
        await cluster.UntilAsync<Pod>("web", seen => seen.Status.Phase == PodPhases.Running);
        cluster.Pods.Silent = new HashSet<string> { "node-1" };
        var other = await cluster.AddNodeAsync("node-2");

        var silent = await cluster.UntilAsync<Node>("node-1", node => node.Spec.Taints.Count(taint => taint.Key == TaintKeys.Unreachable) == 2, meanwhile: () => Pass(cluster, clock, other));
        var since = silent.Spec.Taints.Single(taint => taint is { Key: TaintKeys.Unreachable, Effect: TaintEffects.NoExecute }).TimeAdded!.Value;
        var evicted = await cluster.UntilAsync<Pod>("web", seen => seen.Metadata.DeletionTimestamp is not null, meanwhile: () => Pass(cluster, clock, other));
        Assert.True(clock.GetUtcNow() - since >= PodEvictionPlanner.DefaultToleration);
        Assert.Equal((pod.Metadata.Uid, true), (evicted.Metadata.Uid, evicted.Metadata.Finalizers.Contains(FinalizerNames.Agent))); // It may run on there: nobody says that it has gone.

        await lost.BeatAsync(clock.GetUtcNow());
        cluster.Pods.Silent = new HashSet<string>();
        cluster.Pods.LookAgain();
        await cluster.UntilGoneAsync<Pod>("web");
    }

    [Fact]
    public async Task While_every_node_is_silent_nothing_is_evicted()
    {
        var clock = new FakeTimeProvider(TimeProvider.System.GetUtcNow());
        await using var cluster = await TestCluster.StartAsync(clock);
        await cluster.AddNodeAsync("node-1");
        await cluster.CreatePodAsync("web");
        await cluster.UntilAsync<Pod>("web", seen => seen.Status.Phase == PodPhases.Running);
        await cluster.UntilAsync<Node>("node-1", node => node.Spec.Taints.Any(taint => taint.Key == TaintKeys.Unreachable), meanwhile: () => clock.Advance(TimeSpan.FromSeconds(1)));
        var end = clock.GetUtcNow() + (PodEvictionPlanner.DefaultToleration * 2);
        var pod = await cluster.UntilAsync<Pod>("web", _ => clock.GetUtcNow() > end, meanwhile: () => clock.Advance(TimeSpan.FromSeconds(2)));
        Assert.Null(pod.Metadata.DeletionTimestamp);
    }

    [Fact]
    public async Task Pods_of_a_silent_node_that_an_operator_removed_are_taken_away_for_good()
    {
        var clock = new FakeTimeProvider(TimeProvider.System.GetUtcNow());
        await using var cluster = await TestCluster.StartAsync(clock);
        await cluster.AddNodeAsync("node-1");
        await cluster.CreatePodAsync("web");
        await cluster.UntilAsync<Pod>("web", seen => seen.Status.Phase == PodPhases.Running);
        cluster.Pods.Silent = new HashSet<string> { "node-1" };
        await cluster.Client.For<Node>().DeleteAsync(new ResourceKey("", "node-1"), new DeleteOptions(), Stopping);
        await Eventually.HoldsAsync(
            async () =>
            {
                clock.Advance(TimeSpan.FromSeconds(1));
                return await cluster.Client.For<Pod>().FindAsync(new ResourceKey("default", "web"), Stopping) is null;
            },
            () => "the pod is still there");
    }

    private static void Pass(TestCluster cluster, FakeTimeProvider clock, FakeAgent living) => cluster.PassAsync(clock, living).Wait(Stopping);

    [Theory]
    [InlineData(TaintKeys.Unreachable, null, null, 300L)]
    [InlineData(TaintKeys.NotReady, null, null, 300L)]
    [InlineData("spot", null, null, 0L)]
    [InlineData("spot", "spot", 20L, 20L)]
    [InlineData(TaintKeys.Unreachable, TaintKeys.Unreachable, 7L, 7L)]
    [InlineData(TaintKeys.Unreachable, TaintKeys.Unreachable, null, null)]
    public void A_pod_stays_on_a_tainted_node_as_long_as_it_says(string taint, string? tolerated, long? seconds, long? stays)
    {
        var pod = new Pod { Spec = new PodSpec { Tolerations = tolerated is null ? [] : [new Toleration { Key = tolerated, Operator = "Exists", TolerationSeconds = seconds }] } };
        Taint[] taints = [new Taint { Key = taint, Effect = TaintEffects.NoExecute, TimeAdded = Now }, new Taint { Key = taint, Effect = TaintEffects.NoSchedule, TimeAdded = Now }];
        Assert.Equal(stays is { } number ? Now + TimeSpan.FromSeconds(number) : null, PodEvictionPlanner.Deadline(pod, taints, Now));
        Assert.Null(PodEvictionPlanner.Deadline(pod with { Status = new PodStatus { Phase = PodPhases.Succeeded } }, taints, Now));
    }

    [Fact]
    public void Of_pods_that_have_ended_the_oldest_go_beyond_a_bound()
    {
        var pods = Enumerable.Range(0, 10).Select(number => new Pod
        {
            Metadata = new ObjectMeta { Namespace = "ns", Name = $"p{number}", CreationTimestamp = Now.AddMinutes(-number) },
            Status = new PodStatus { Phase = number % 2 == 0 ? PodPhases.Succeeded : PodPhases.Running },
        });
        Assert.Equal(["p8", "p6"], EndedPods.Beyond(pods, 3).Select(pod => pod.Metadata.Name));
    }
}
