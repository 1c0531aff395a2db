using CsCheck;
using Godwit.Api.Forecasts.V1Alpha1;
using Godwit.Api.Groups.V1Alpha1;
using Godwit.Controllers.Groups;
using static Godwit.Controllers.Tests.Plans.GroupWorld;

namespace Godwit.Controllers.Tests.Plans;

/// <summary>A group's plan: who, where to, in which order, until when.</summary>
public sealed class GroupPlannerTests
{
    private static readonly GroupMigrationSpec Drain = new() { Selector = new() { NodeName = "n1" }, KeepHome = true };

    [Fact]
    public void A_node_is_emptied_of_what_can_move_and_what_cannot_says_why()
    {
        VirtualMachineInstance[] guests =
        [
            Vmi("web", "n1"), Vmi("there", "n2"), Vmi("stays", "n1", eviction: EvictionStrategies.None), Vmi("huge", "n1", memory: "32Gi"),
            Vmi("starts", "n1", phase: "Scheduled"), Vmi("ended", "n1", phase: "Succeeded"),
        ];

        var status = GroupPlanner.Begin(Drain, Of(guests, ["n1", "n2"]));

        var members = status.Members.ToDictionary(member => member.Name);
        Assert.Equal(["huge", "starts", "stays", "web"], members.Keys.Order());
        Assert.Equal((GroupMemberPhases.Waiting, "n1", "n2"), (members["web"].Phase, members["web"].SourceNode, members["web"].TargetNode));
        Assert.Equal(GroupMemberPhases.Waiting, members["starts"].Phase);
        Assert.Contains("evictionStrategy is None", members["stays"].Reason, StringComparison.Ordinal);
        Assert.Contains("needs", members["huge"].Reason, StringComparison.Ordinal);
        Assert.Equal(GroupMemberPhases.Refused, status.Members[^1].Phase);
    }

    [Fact]
    public void All_that_are_planned_fit_beside_each_other_or_are_refused_by_name()
    {
        var guests = Enumerable.Range(0, 6).Select(i => Vmi($"g{i}", "n1", memory: "1Gi")).ToArray();

        var status = GroupPlanner.Begin(Drain, Of(guests, ["n1", "n2", "n3"], memory: "2500Mi"));

        Assert.Equal(4, status.Members.Count(member => member.Phase == GroupMemberPhases.Waiting));
        Assert.Equal(["n2", "n2", "n3", "n3"], status.Members.Select(member => member.TargetNode).OfType<string>().Order());
        Assert.All(status.Members.Skip(4), member => Assert.Contains("n3: needs", member.Reason, StringComparison.Ordinal));
    }

    [Fact]
    public void The_way_home_leads_those_that_have_one_and_are_not_there()
    {
        VirtualMachineInstance[] guests = [Vmi("driven", "n2", home: "n1"), Vmi("at-home", "n1", home: "n1"), Vmi("of-n3", "n2", home: "n3"), Vmi("native", "n2")];

        var status = GroupPlanner.Begin(new() { Selector = new() { HomeNode = "n1" }, TargetNode = "n1" }, Of(guests, ["n1", "n2", "n3"]));

        Assert.Equal(("driven", "n1"), Assert.Single(status.Members.Select(member => (member.Name, member.TargetNode))));
    }

    [Fact]
    public void A_guest_that_is_named_and_does_not_run_is_refused()
    {
        var status = GroupPlanner.Begin(new() { Members = [new() { Namespace = "ns", Name = "ghost" }] }, Of([], ["n1", "n2"]));

        Assert.Contains("does not run", Assert.Single(status.Members).Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void Each_strategy_has_its_forecast_by_both_models_and_auto_says_why()
    {
        var planned = Plan(new(), Measured("a"), Measured("b"), Measured("c", residentMiB: 512));

        Assert.Equal([GroupStrategies.Serial, GroupStrategies.Parallel, GroupStrategies.Mixed], planned.Forecasts.Select(each => each.Strategy));
        Assert.All(planned.Forecasts, each =>
        {
            Assert.Null(each.Refusal);
            Assert.True(each.TotalMs!.Low > 0 && each.TotalMs.High >= each.TotalMs.Low);
            Assert.True(each.TextbookTotalMs > 0);
        });
        Assert.Equal("c", planned.Members[0].Name); // The longest first.
        Assert.StartsWith($"{planned.Strategy}: ", planned.Reason, StringComparison.Ordinal);
        Assert.True(Now < planned.EndEarliestTimestamp && planned.EndEarliestTimestamp < planned.EndLatestTimestamp);
    }

    [Fact]
    public void Parallel_is_refused_with_the_numbers_when_together_they_write_more_than_the_link_carries()
    {
        var asked = Plan(new() { Strategy = GroupStrategies.Parallel }, Measured("a", dirtyMiBPerSecond: 60), Measured("b", dirtyMiBPerSecond: 70));
        var auto = Plan(new(), Measured("a", dirtyMiBPerSecond: 60), Measured("b", dirtyMiBPerSecond: 70));
        var apart = Plan(new() { Strategy = GroupStrategies.Parallel }, Measured("a", dirtyMiBPerSecond: 60), Measured("b", dirtyMiBPerSecond: 70, source: "n3", target: "n4"));

        Assert.True(GroupForecasts.IsRefused(asked));
        Assert.Contains("2 that write at once (b, a) fill 1.41 of the link from n1, and it takes less than 1", asked.Reason, StringComparison.Ordinal);
        Assert.Equal(GroupStrategies.Serial, auto.Strategy);
        Assert.Contains("fill 1.41 of the link", auto.Reason, StringComparison.Ordinal);
        Assert.False(GroupForecasts.IsRefused(apart));
    }

    [Fact]
    public void Mixed_sends_those_that_write_least_first_by_precopy_and_the_rest_by_postcopy()
    {
        var planned = Plan(new() { Strategy = GroupStrategies.Mixed, ParallelMax = 2 }, Measured("busy", dirtyMiBPerSecond: 90), Measured("idle", dirtyMiBPerSecond: 1), Measured("quiet", dirtyMiBPerSecond: 2));

        Assert.Equal(
            [("idle", MigrationModes.Precopy), ("quiet", MigrationModes.Precopy), ("busy", MigrationModes.Postcopy)],
            planned.Members.Select(member => (member.Name, member.Mode!)));
    }

    [Fact]
    public void A_guest_that_nobody_measured_is_planned_for_with_a_wide_range_and_says_so()
    {
        var member = Measured("a").Member;
        var planned = Plan(new(), MemberForecast.Of(member, Vmi("a", "n1"), null));

        var forecast = Assert.Single(planned.Members).Forecast!;
        Assert.True(forecast.TotalMs!.High > 5 * forecast.TotalMs.Low);
        Assert.Contains("did not answer in time", forecast.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void Moves_keep_their_limits_and_end_no_earlier_than_the_longest_and_no_later_than_one_after_the_other() =>
        Gen.Select(Gen.Select(Gen.Int[1, 3], Gen.Int[4, 6], Gen.Int[0, 1000]).Array[0, 12], Gen.Int[1, 6], Gen.Int[1, 3], Gen.Int[1, 3]).Sample((raw, parallel, outbound, inbound) =>
        {
            var limits = new MigrationLimits { OutboundForEachNode = outbound, InboundForEachNode = inbound };
            var moves = raw.Select(each => new ScheduledMove($"n{each.Item1}", $"n{each.Item2}", each.Item3)).ToList();

            var total = MoveSchedule.TotalMs(moves, parallel, limits);

            Assert.True(total <= moves.Sum(move => move.Ms) + 0.001);
            Assert.True(total >= moves.Select(move => move.Ms).DefaultIfEmpty(0).Max());
            Assert.All(moves.GroupBy(move => move.Source), link => Assert.True(total * outbound >= link.Sum(move => move.Ms) - 0.001));
            Assert.All(moves.GroupBy(move => move.Target), link => Assert.True(total * inbound >= link.Sum(move => move.Ms) - 0.001));
            Assert.True(total * parallel >= moves.Sum(move => move.Ms) - 0.001);
            Assert.Equal(moves.Sum(move => move.Ms), MoveSchedule.TotalMs(moves, 1, limits), 3);
        });

    private static GroupMigrationStatus Plan(GroupMigrationSpec spec, params MemberForecast[] members) => GroupForecasts.Plan(
        spec, new GroupMigrationStatus { Phase = GroupPhases.Planning, Members = [.. members.Select(each => each.Member)] }, members, new MigrationLimits(), Now);
}
