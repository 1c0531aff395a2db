using Godwit.Api.Autoscaling.V2;
using Godwit.Api.Metrics.V1Beta1;
using Godwit.Base;
using Godwit.Controllers.Workloads.Autoscaling;

namespace Godwit.Controllers.Tests.Plans;

public sealed class HorizontalPlannerTests
{
    private static readonly DateTimeOffset Now = new(2026, 1, 31, 12, 0, 0, TimeSpan.Zero);

    [Theory]
    [InlineData(3, "600 600 600", 2, 10, 4)] // Each requests 1000m: 60 % where 50 % is wanted.
    [InlineData(3, "540 540 540", 2, 10, 3)] // Within a tenth.
    [InlineData(3, "1000 1000 1000", 2, 10, 6)]
    [InlineData(3, "1000 1000 1000", 2, 5, 5)] // Held at the most.
    [InlineData(4, "100 100 100 100", 2, 10, 2)] // One would do: held at the least.
    [InlineData(1, "0", 1, 10, 1)]
    public void The_number_follows_the_ratio_of_what_is_used_to_what_should_be(int current, string millicores, int min, int max, int expected)
    {
        var pods = millicores.Split(' ').Select((text, index) => new Sample($"p{index}", int.Parse(text, null))).ToList();

        Assert.Equal(expected, Plan(Autoscaler(min, max, Cpu(50)), current, pods).Replicas ?? current);
    }

    [Theory]
    [InlineData("900 - 900", 3, 4)] // With a third that uses nothing 60 %: 3 × 1.2 = 3.6.
    [InlineData("200 - 200", 3, 3)] // It would shrink; a third that used all holds it: (200 + 1000 + 200) / 3000 is 46.7 %.
    [InlineData("100 - 100", 3, 3)] // 40 %: 0.8 × 3 = 2.4, so three.
    [InlineData("0 - 0 0", 4, 2)]
    [InlineData("900 unready 900", 3, 4)]
    [InlineData("900 unready unready unready", 4, 4)] // 22 % if they used nothing: that would shrink, so it stays.
    public void Pods_that_are_not_measured_or_not_ready_hold_the_number_where_it_is(string samples, int current, int expected)
    {
        var pods = samples.Split(' ').Select((text, index) => new Sample($"p{index}", text switch { "-" => null, "unready" => 5000, _ => int.Parse(text, null) }, IsReady: text != "unready")).ToList();

        Assert.Equal(expected, Plan(Autoscaler(1, 10, Cpu(50)), current, pods).Replicas ?? current);
    }

    [Fact]
    public void An_average_value_and_a_container_of_each_pod_are_measures_too_and_the_largest_wish_counts()
    {
        var memory = new MetricSpec { Type = MetricTypes.Resource, Resource = new ResourceMetric { Name = "memory", Target = new MetricTarget { Type = TargetTypes.AverageValue, AverageValue = Quantity.Parse("64Mi") } } };
        var main = new MetricSpec { Type = MetricTypes.ContainerResource, ContainerResource = new ContainerResourceMetric { Name = "cpu", Container = "main", Target = new MetricTarget { Type = TargetTypes.Utilization, AverageUtilization = 50 } } };
        List<Sample> pods = [new("a", 500, MemoryMebibytes: 128), new("b", 500, MemoryMebibytes: 128)];

        Assert.Equal(4, Plan(Autoscaler(1, 10, memory), 2, pods).Replicas);
        Assert.Null(Plan(Autoscaler(1, 10, main), 2, pods).Replicas);
        var both = Plan(Autoscaler(1, 10, main, memory), 2, pods);
        Assert.Equal(4, both.Replicas);
        Assert.Equal((50, "128Mi"), (both.Status.CurrentMetrics[0].ContainerResource!.Current.AverageUtilization, both.Status.CurrentMetrics[1].Resource!.Current.AverageValue!.Value.ToString()));
        Assert.Equal("New size: 4; reason: memory resource above target", both.Reason);
    }

    [Fact]
    public void A_metric_that_needs_an_adapter_or_requests_that_are_missing_are_told_and_nothing_shrinks_for_them()
    {
        var external = new MetricSpec { Type = MetricTypes.External, External = new NamedMetric { Metric = new MetricIdentifier { Name = "queue" }, Target = new MetricTarget { Type = TargetTypes.Value, Value = Quantity.Parse("1") } } };
        var alone = Plan(Autoscaler(1, 10, external), 3, [new Sample("a", 0)]);
        Assert.Null(alone.Replicas);
        Assert.Equal(("False", "FailedGetExternalMetric"), ConditionOf(alone, HorizontalPlanner.ScalingActive));
        Assert.Null(Plan(Autoscaler(1, 10, Cpu(50), external), 3, [new Sample("a", 0), new Sample("b", 0), new Sample("c", 0)]).Replicas);
        Assert.Equal(4, Plan(Autoscaler(1, 10, Cpu(50), external), 2, [new Sample("a", 1000), new Sample("b", 1000)]).Replicas);

        var unrequested = Plan(Autoscaler(1, 10, Cpu(50)), 1, [new Sample("a", 100, RequestMillicores: null)]);
        Assert.Contains("missing request for cpu in container main of Pod a", unrequested.Troubles.Single().Message, StringComparison.Ordinal);
        Assert.Equal(("False", "FailedGetResourceMetric"), ConditionOf(unrequested, HorizontalPlanner.ScalingActive));
    }

    [Fact]
    public void Every_kind_of_metric_that_needs_an_adapter_says_so_by_its_name_in_a_condition()
    {
        var target = new MetricTarget { Type = TargetTypes.AverageValue, AverageValue = Quantity.Parse("1") };
        var named = new NamedMetric { Metric = new MetricIdentifier { Name = "queue" }, Target = target };
        var cases = new (MetricSpec Metric, string Reason, string Group)[]
        {
            (new MetricSpec { Type = MetricTypes.Pods, Pods = named }, "FailedGetPodsMetric", "custom.metrics.k8s.io"),
            (new MetricSpec { Type = MetricTypes.Object, Object = new ObjectMetric { Metric = named.Metric, Target = target, DescribedObject = new CrossVersionReference { Kind = "Service", Name = "web" } } }, "FailedGetObjectMetric", "custom.metrics.k8s.io"),
            (new MetricSpec { Type = MetricTypes.External, External = named }, "FailedGetExternalMetric", "external.metrics.k8s.io"),
        };
        foreach (var (metric, reason, group) in cases)
        {
            var plan = Plan(Autoscaler(1, 10, metric), 3, [new Sample("a", 1000)]);
            Assert.Null(plan.Replicas);
            var condition = plan.Status.Conditions.Single(each => each.Type == HorizontalPlanner.ScalingActive);
            Assert.Equal(("False", reason), (condition.Status, condition.Reason));
            Assert.Contains("queue", condition.Message, StringComparison.Ordinal);
            Assert.Contains(group, condition.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void It_shrinks_only_when_the_highest_recommendation_of_the_window_does_and_says_so_meanwhile()
    {
        List<Sample> idle = [new("a", 0), new("b", 0), new("c", 0), new("d", 0)];
        var autoscaler = Autoscaler(1, 10, Cpu(50));
        var history = ScalingHistory.Empty.Recommending(4, Now - TimeSpan.FromSeconds(299));
        var held = Plan(autoscaler, 4, idle, history);
        Assert.Null(held.Replicas);
        Assert.Equal(("True", "ScaleDownStabilized"), ConditionOf(held, HorizontalPlanner.AbleToScale));
        Assert.Equal(1, Plan(autoscaler, 4, idle, ScalingHistory.Empty.Recommending(4, Now - TimeSpan.FromSeconds(301))).Replicas);

        var quick = autoscaler with { Spec = autoscaler.Spec with { Behavior = new AutoscalerBehavior { ScaleDown = new ScalingRules { StabilizationWindowSeconds = 0 } } } };
        Assert.Equal(1, Plan(quick, 4, idle, history).Replicas);
        var never = autoscaler with { Spec = autoscaler.Spec with { Behavior = new AutoscalerBehavior { ScaleDown = new ScalingRules { StabilizationWindowSeconds = 0, SelectPolicy = "Disabled" } } } };
        Assert.Null(Plan(never, 4, idle, history).Replicas);
    }

    [Fact]
    public void What_was_recommended_by_a_clock_that_has_gone_back_since_holds_nothing()
    {
        List<Sample> idle = [new("a", 0), new("b", 0)];

        var plan = Plan(Autoscaler(1, 10, Cpu(50)), 2, idle, ScalingHistory.Empty.Recommending(2, Now.AddHours(1)));

        Assert.Equal(1, plan.Replicas);
    }

    [Theory]
    [InlineData("Max", 8)] // Four pods, or as many again.
    [InlineData("Min", 6)]
    public void It_grows_by_no_more_than_the_policies_allow_in_their_periods(string select, int expected)
    {
        var busy = Enumerable.Range(0, 4).Select(index => new Sample($"p{index}", 20_000)).ToList();
        var autoscaler = Autoscaler(1, 100, Cpu(50));
        autoscaler = autoscaler with
        {
            Spec = autoscaler.Spec with
            {
                Behavior = new AutoscalerBehavior
                {
                    ScaleUp = new ScalingRules
                    {
                        SelectPolicy = select,
                        StabilizationWindowSeconds = 0,
                        Policies = [new ScalingPolicy { Type = "Pods", Value = 4, PeriodSeconds = 60 }, new ScalingPolicy { Type = "Percent", Value = 50, PeriodSeconds = 60 }],
                    },
                },
            },
        };
        Assert.Equal(expected, Plan(autoscaler, 4, busy).Replicas);
        // What it has grown by in this period counts.
        var grown = Plan(autoscaler, 4, busy, ScalingHistory.Empty.Changing(2, Now - TimeSpan.FromSeconds(30)));
        Assert.Equal(select == "Max" ? 6 : null, grown.Replicas);
        Assert.Equal(("True", "ScaleUpLimit"), ConditionOf(grown, HorizontalPlanner.ScalingLimited));
    }

    [Fact]
    public void A_target_of_none_is_left_alone_and_one_outside_its_bounds_is_brought_in()
    {
        Assert.Equal(("False", "ScalingDisabled"), ConditionOf(Plan(Autoscaler(1, 10, Cpu(50)), 0, []), HorizontalPlanner.ScalingActive));
        Assert.Equal(2, Plan(Autoscaler(2, 10, Cpu(50)), 1, []).Replicas);
        Assert.Equal(10, Plan(Autoscaler(2, 10, Cpu(50)), 12, []).Replicas);
    }

    internal sealed record Sample(string Name, int? Millicores, bool IsReady = true, int MemoryMebibytes = 0, int? RequestMillicores = 1000);

    internal static MetricSpec Cpu(int percent) =>
        new() { Type = MetricTypes.Resource, Resource = new ResourceMetric { Name = "cpu", Target = new MetricTarget { Type = TargetTypes.Utilization, AverageUtilization = percent } } };

    internal static HorizontalPodAutoscaler Autoscaler(int min, int max, params IReadOnlyList<MetricSpec> metrics) => new()
    {
        Metadata = new ObjectMeta { Namespace = "default", Name = "web", Generation = 1 },
        Spec = new AutoscalerSpec { ScaleTargetRef = new CrossVersionReference { Kind = "Deployment", Name = "web" }, MinReplicas = min, MaxReplicas = max, Metrics = metrics },
    };

    internal static HorizontalPlan Plan(HorizontalPodAutoscaler autoscaler, int current, IReadOnlyList<Sample> samples, ScalingHistory? history = null)
    {
        var pods = samples.Select(sample => new Pod
        {
            Metadata = new ObjectMeta { Namespace = "default", Name = sample.Name },
            Spec = new PodSpec
            {
                Containers =
                [
                    new Container
                    {
                        Name = "main",
                        Resources = new ContainerResources { Requests = sample.RequestMillicores is { } request ? new Dictionary<string, Quantity> { ["cpu"] = Quantity.FromMilli(request) } : [] },
                    },
                ],
            },
            Status = new PodStatus
            {
                Phase = PodPhases.Running,
                StartTime = Now - TimeSpan.FromMinutes(2),
                Conditions = [new PodCondition { Type = PodConditionTypes.Ready, Status = sample.IsReady ? ConditionStatuses.True : ConditionStatuses.False, LastTransitionTime = Now - TimeSpan.FromMinutes(2) }],
            },
        }).ToList();
        var metrics = samples.Where(sample => sample.Millicores is not null).ToDictionary(
            sample => sample.Name,
            sample => new PodMetrics
            {
                Timestamp = Now - TimeSpan.FromSeconds(5),
                Window = "10s",
                Containers = [new ContainerMetrics { Name = "main", Usage = new Dictionary<string, Quantity> { ["cpu"] = Quantity.FromMilli(sample.Millicores!.Value), ["memory"] = Quantity.FromBytes((long)sample.MemoryMebibytes << 20) } }],
            },
            StringComparer.Ordinal);
        return HorizontalPlanner.For(autoscaler, new ScaleTarget(current, current), pods, metrics, history ?? ScalingHistory.Empty.Recommending(1, Now - TimeSpan.FromHours(1)), Now);
    }

    private static (string Status, string? Reason) ConditionOf(HorizontalPlan plan, string type) => plan.Status.Conditions.Where(condition => condition.Type == type).Select(condition => (condition.Status, condition.Reason)).Single();
}
