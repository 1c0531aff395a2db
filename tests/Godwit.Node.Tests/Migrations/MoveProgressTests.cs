using Godwit.Api.KubeVirt.V1;
using Godwit.Migration;
using Godwit.Migration.Forecasts;
using Godwit.Migration.Models;
using Godwit.Migration.Protocol;
using Godwit.Node.Migrations;
using Godwit.Node.Serving;

namespace Godwit.Node.Tests.Migrations;

/// <summary>What is told of a move that runs, in its status and in metrics.</summary>
public sealed class MoveProgressTests
{
    private static readonly DateTimeOffset Now = DateTimeOffset.UnixEpoch.AddDays(1);

    private static readonly SourcePhase Phase = SourceEngine.Begin(
        new() { Id = new(Guid.NewGuid()), Source = new("a"), Target = new("b"), Mode = MigrationMode.Precopy }, Now).Engine.Phase;

    [Fact]
    public void The_end_is_told_as_a_range_of_times_with_its_chance_and_not_when_it_cannot_be_told()
    {
        var view = new MoveView(Phase, 0, 1 << 30, null, Now) { Outlook = new(new Interval(2, 5.5), 76) };

        var told = MoveStatus.For(view, new()).Progress!;
        Assert.Equal((Now.AddSeconds(2), Now.AddSeconds(5.5), 76), (told.EndEarliestTimestamp, told.EndLatestTimestamp, told.SuccessChancePercent));

        var untold = MoveStatus.For(view with { Outlook = null }, new() { Progress = told }).Progress!;
        Assert.Equal((null, null, null), (untold.EndEarliestTimestamp, untold.EndLatestTimestamp, untold.SuccessChancePercent));
    }

    [Fact]
    public void An_end_that_is_never_is_still_a_time()
    {
        var view = new MoveView(Phase, 0, 1 << 30, null, Now) { Outlook = new(new Interval(1e300, double.MaxValue), 1) };
        Assert.Equal(Now.AddDays(365), MoveStatus.For(view, new()).Progress!.EndLatestTimestamp);
    }

    [Fact]
    public void A_changed_budget_is_a_condition_that_stays()
    {
        var view = new MoveView(Phase, 0, 1 << 30, null, Now) { Terms = new(TermsNote.Kept, "downtime budget stays 300 ms: it is too late for that") };

        var status = MoveStatus.For(view, new());
        status = MoveStatus.For(view with { Now = Now.AddSeconds(1) }, status);

        var condition = Assert.Single(status.Conditions, condition => condition.Type == MoveStatus.BudgetConditionType);
        Assert.Equal(("False", TermsNote.Kept, Now), (condition.Status, condition.Reason, condition.LastTransitionTime));
    }

    [Fact]
    public void Metrics_name_the_guest_and_the_move_and_leave_out_what_is_not_known()
    {
        var preparation = new MovePreparation("default", "front", "move-1", new());
        var progress = new MigrationProgress { Percent = 40, Round = 2, EndLatestTimestamp = Now, SuccessChancePercent = 76 };

        var text = MetricText.Write(MoveMetrics.Of(preparation, progress));

        const string Labels = """{namespace="default",name="front",migration="move-1"}""";
        Assert.Contains($"godwit_move_success_chance_percent{Labels} 76\n", text, StringComparison.Ordinal);
        Assert.Contains($"godwit_move_end_latest_timestamp_seconds{Labels} 86400\n", text, StringComparison.Ordinal);
        Assert.Contains($"godwit_move_percent{Labels} 40\n", text, StringComparison.Ordinal);
        Assert.DoesNotContain("godwit_move_end_earliest", text, StringComparison.Ordinal);
    }
}
