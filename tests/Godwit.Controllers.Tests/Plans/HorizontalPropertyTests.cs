using CsCheck;
using Godwit.Api.Autoscaling.V2;
using Godwit.Controllers.Workloads.Autoscaling;

namespace Godwit.Controllers.Tests.Plans;

public sealed class HorizontalPropertyTests
{
    private static readonly Gen<HorizontalPlannerTests.Sample> Samples = Gen.Select(Gen.Int[0, 4000], Gen.Bool, Gen.Int[0, 9]).Select((use, isReady, missing) => new HorizontalPlannerTests.Sample("", missing == 0 ? null : use, isReady));

    private static readonly Gen<ScalingRules> Rules = Gen.Select(
        Gen.Int[0, 600],
        Gen.OneOf("Max", "Min", "Disabled"),
        Gen.Select(Gen.OneOf("Pods", "Percent"), Gen.Int[1, 200], Gen.Int[1, 120]).Select((type, value, period) => new ScalingPolicy { Type = type, Value = value, PeriodSeconds = period }).List[1, 3])
        .Select((window, select, policies) => new ScalingRules { StabilizationWindowSeconds = window, SelectPolicy = select, Policies = policies });

    private static readonly Gen<(int Current, int Min, int Max, List<HorizontalPlannerTests.Sample> Pods)> Worlds =
        Gen.Select(Gen.Int[1, 12], Gen.Int[0, 5], Gen.Int[0, 20]).SelectMany((min, more, room) => Samples.List[0, 20].Select(pods => (min + Math.Min(more, room), min, min + room, pods.Select((pod, index) => pod with { Name = $"p{index}" }).ToList())));

    [Fact]
    public void Whatever_is_measured_the_number_stays_within_its_bounds_and_what_it_says_is_what_it_does() => Gen.Select(Worlds, Gen.Int[1, 300], Rules, Rules).Sample((world, percent, up, down) =>
    {
        var autoscaler = HorizontalPlannerTests.Autoscaler(world.Min, world.Max, HorizontalPlannerTests.Cpu(percent));
        autoscaler = autoscaler with { Spec = autoscaler.Spec with { Behavior = new AutoscalerBehavior { ScaleUp = up, ScaleDown = down } } };
        var plan = HorizontalPlannerTests.Plan(autoscaler, world.Current, world.Pods);
        var replicas = plan.Replicas ?? world.Current;
        Assert.InRange(replicas, world.Min, world.Max);
        Assert.Equal(replicas, plan.Status.DesiredReplicas);
        Assert.NotEqual(world.Current, plan.Replicas);
        Assert.False(up.SelectPolicy == "Disabled" && replicas > world.Current);
        Assert.False(down.SelectPolicy == "Disabled" && replicas < world.Current);
    });

    [Fact]
    public void More_use_never_asks_for_fewer_pods() => Gen.Select(Worlds, Gen.Int[1, 200], Gen.Int[0, 1000]).Sample((world, percent, more) =>
    {
        var autoscaler = HorizontalPlannerTests.Autoscaler(1, 1000, HorizontalPlannerTests.Cpu(percent));
        var pods = world.Pods.Select(pod => pod with { IsReady = true, Millicores = pod.Millicores ?? 0 }).ToList();
        int ReplicasOf(int extra) => HorizontalPlannerTests.Plan(autoscaler, world.Current, [.. pods.Select(pod => pod with { Millicores = pod.Millicores + extra })], ScalingHistory.Empty.Recommending(1, DateTimeOffset.MinValue)).Replicas ?? world.Current;

        Assert.True(pods.Count != world.Current || ReplicasOf(more) >= ReplicasOf(0));
    });

    [Fact]
    public void Pods_that_are_not_measured_never_turn_the_direction_of_those_that_are() => Gen.Select(Worlds, Gen.Int[1, 200]).Sample((world, percent) =>
    {
        var autoscaler = HorizontalPlannerTests.Autoscaler(1, 1000, HorizontalPlannerTests.Cpu(percent));
        var measured = world.Pods.Where(pod => pod is { Millicores: not null, IsReady: true }).ToList();
        if (measured.Count == 0)
        {
            Assert.Null(HorizontalPlannerTests.Plan(autoscaler, world.Current, world.Pods).Replicas);
            return;
        }

        var uses = measured.Sum(pod => (decimal)pod.Millicores!.Value) / (measured.Count * 10m);
        var replicas = HorizontalPlannerTests.Plan(autoscaler, world.Current, world.Pods).Replicas ?? world.Current;
        var unknown = world.Pods.Count > measured.Count;
        Assert.False(unknown && world.Pods.Count == world.Current && uses < percent && replicas > world.Current);
        Assert.False(unknown && world.Pods.Count == world.Current && uses > percent && replicas < world.Current);
    });
}
