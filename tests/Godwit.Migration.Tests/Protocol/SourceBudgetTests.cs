using CsCheck;
using Godwit.Migration.Convergence;
using Godwit.Migration.Models;
using Godwit.Migration.Protocol;

namespace Godwit.Migration.Tests.Protocol;

/// <summary>What a move may cost changes while it runs.</summary>
public sealed class SourceBudgetTests
{
    private const long MiB = 1 << 20;

    private static readonly MigrationPlan Plan = new()
    {
        Id = new(Guid.NewGuid()),
        Source = new("a"),
        Target = new("b"),
        Mode = MigrationMode.Precopy,
        BandwidthBytesPerSecond = MiB,
    };

    private static readonly MoveBudget Budget = MoveBudget.Of(Plan);

    [Fact]
    public void A_bandwidth_that_changes_while_memory_is_copied_is_QEMUs_at_once_and_a_second_time_nothing_happens()
    {
        var move = Streaming(Plan);
        move.Give(Bandwidth(50 * MiB)).Expect<SourcePhase.Precopying>(new SourceEffect.SetBandwidth(null));
        Assert.Equal(50 * MiB, move.Engine.Phase.Plan.BandwidthBytesPerSecond);
        move.Give(Bandwidth(50 * MiB)).Expect<SourcePhase.Precopying>();
        move.Give(Bandwidth(0)).Expect<SourcePhase.Precopying>(new SourceEffect.SetBandwidth(null));
    }

    [Fact]
    public void A_downtime_budget_that_is_lowered_lowers_QEMUs_limit_at_once_and_one_that_is_raised_waits_for_a_round_that_needs_it()
    {
        var move = Streaming(Plan);
        move.Give(Downtime(5)).Expect<SourcePhase.Precopying>(new SourceEffect.SetDowntimeLimit(5));
        move.Give(Downtime(500)).Expect<SourcePhase.Precopying>(new SourceEffect.SetDowntimeLimit(ConvergenceSettings.DowntimeLimitFirstMsDefault));
        move.Give(Downtime(2000)).Expect<SourcePhase.Precopying>();
    }

    [Fact]
    public void Rounds_that_waited_for_a_larger_downtime_budget_get_it_without_another_round()
    {
        var move = Streaming(Plan with { Convergence = new() { DowntimeBudgetMs = 30 } });
        move.Later(TimeSpan.FromSeconds(10)).Give(Round(move, 2, 10 * MiB, 10 * MiB)).Expect<SourcePhase.Precopying>(); // Does not shrink, and needs 10 s.
        move.Give(Downtime(20_000));

        var limit = Assert.IsType<SourceEffect.SetDowntimeLimit>(Assert.Single(move.Effects)).LimitMs;
        Assert.InRange(limit, 10_000, 20_000);
    }

    [Fact]
    public void Limits_on_rounds_that_are_lowered_end_them_and_what_follows_then_is_the_new_action()
    {
        var move = Streaming(Plan);
        move.Give(Round(move, 2, 10 * MiB, 10 * MiB)).ExpectPhase<SourcePhase.Precopying>();
        move.Give(new SourceInput.BudgetChanged(Budget with { Action = NonConvergenceAction.GiveUp, Termination = new() { Deadline = TimeSpan.FromSeconds(3) } }));
        move.Later(TimeSpan.FromSeconds(4)).Give(Round(move, 2, 11 * MiB, 9 * MiB));

        Assert.Equal(TurnBackKind.NotConverging, Assert.IsType<SourcePhase.TurningBack>(move.Engine.Phase).Reason.Kind);
    }

    [Fact]
    public void Before_the_stream_a_change_is_what_it_begins_with()
    {
        var move = new SourceScript(SourceEngine.Begin(Plan, DateTimeOffset.UnixEpoch)).Give(new SourceInput.Persisted(SourceRecord.Outgoing));
        move.Give(new SourceInput.BudgetChanged(Budget with { DowntimeBudgetMs = 7, BandwidthBytesPerSecond = 3 * MiB })).Expect<SourcePhase.Preparing>();

        Assert.Equal((7, 3 * MiB), (move.Engine.Phase.Plan.DowntimeLimitFirstMs, move.Engine.Phase.Plan.BandwidthBytesPerSecond));
        move.Hear(TargetStanding.Ready).Give(new SourceInput.Persisted(SourceRecord.HandingOver));
        Assert.Equal(7, Assert.IsType<SourcePhase.Precopying>(move.Engine.Phase).Controller.DowntimeLimitMs);
    }

    [Fact]
    public void While_disks_are_copied_a_bandwidth_is_the_mirrors()
    {
        var move = new SourceScript(SourceEngine.Begin(Plan with { MovesDisks = true }, DateTimeOffset.UnixEpoch)).Give(new SourceInput.Persisted(SourceRecord.Outgoing));
        move.Hear(TargetStanding.Ready).Give(new SourceInput.Persisted(SourceRecord.HandingOver)).ExpectPhase<SourcePhase.Mirroring>();
        move.Give(Bandwidth(9 * MiB)).Expect<SourcePhase.Mirroring>(new SourceEffect.SetDiskBandwidth());
    }

    [Fact]
    public void When_the_guest_stands_still_a_change_comes_too_late_and_says_so()
    {
        var move = Streaming(Plan).See(GuestState.Paused, StreamStatus.PreSwitchover);
        Assert.Equal(BudgetParts.None, move.Engine.Phase.Obeys);
        move.Give(new SourceInput.BudgetChanged(Budget with { DowntimeBudgetMs = 1, BandwidthBytesPerSecond = 0 })).Expect<SourcePhase.SwitchingOver>();
        Assert.Equal(Budget, MoveBudget.Of(move.Engine.Phase.Plan));
    }

    [Fact]
    public void In_post_copy_the_push_obeys_a_new_bandwidth_when_it_is_not_held_down()
    {
        var move = Streaming(Plan with { Mode = MigrationMode.Hybrid, PostcopyOpen = true }).See(GuestState.Paused, StreamStatus.PostcopyActive).Hear(TargetStanding.Running);
        Assert.Equal(BudgetParts.Bandwidth, move.Engine.Phase.Obeys);
        move.Give(Bandwidth(8 * MiB)).Expect<SourcePhase.Postcopying>();
        move.Wait(TimeSpan.FromSeconds(1));
        Assert.Contains(move.Effects, effect => effect is SourceEffect.LiftPostcopyBandwidth);
        move.Give(Bandwidth(80 * MiB)).Expect<SourcePhase.Postcopying>(new SourceEffect.LiftPostcopyBandwidth());
    }

    [Fact]
    public void A_rate_that_was_measured_before_the_bandwidth_changed_does_not_end_the_rounds()
    {
        // 1 MiB/s, and a forecast by which nothing converges at that rate; then the link is freed in the middle of a round.
        var settings = new ConvergenceSettings { Action = NonConvergenceAction.GiveUp, ExpectedDirty = DirtyCurve.Constant(2 * MiB, 64 * MiB) };
        var controller = new ConvergenceController(settings).Observe(new(TimeSpan.Zero, 1, 0, 64 * MiB, 64 * MiB)).Next;
        controller = controller.Under(settings, isRateChanged: true);
        controller = controller.Observe(new(TimeSpan.FromSeconds(10), 1, 10 * MiB, 54 * MiB, 64 * MiB)).Next;
        var (next, advice) = controller.Observe(new(TimeSpan.FromSeconds(11), 2, 64 * MiB, 3 * MiB, 64 * MiB));

        Assert.IsType<ConvergenceAdvice.CarryOn>(advice);
        Assert.Equal(54 * MiB, next.BytesPerSecond, 1d);
        Assert.Equal(11, Assert.Single(next.RoundsSeen).WindowSeconds); // The guest wrote for all of the round.
    }

    [Fact]
    public void However_budgets_change_the_limit_is_within_the_newest()
    {
        Gen.Select(Gen.Double[1, 3000], Gen.Bool, Gen.Long[0, 500 * MiB], Gen.Double[0.05, 5]).List[1, 20].Sample(changes =>
        {
            var controller = new ConvergenceController(new());
            var (elapsed, sent, round) = (0.0, 0L, 1L);
            foreach (var (budgetMs, isRateChanged, leftBytes, seconds) in changes)
            {
                controller = controller.Under(new() { DowntimeBudgetMs = budgetMs, DowntimeLimitFirstMs = Math.Min(budgetMs, 30) }, isRateChanged);
                Assert.InRange(controller.DowntimeLimitMs, 0, budgetMs);
                elapsed += seconds;
                sent += leftBytes;
                controller = controller.Observe(new(TimeSpan.FromSeconds(elapsed), round++, sent, leftBytes, 512 * MiB)).Next;
                Assert.InRange(controller.DowntimeLimitMs, 0, budgetMs);
            }
        });
    }

    private static SourceInput.BudgetChanged Bandwidth(long bytesPerSecond) => new(Budget with { BandwidthBytesPerSecond = bytesPerSecond });

    private static SourceInput.BudgetChanged Downtime(double budgetMs) => new(Budget with { DowntimeBudgetMs = budgetMs });

    private static SourceInput.Observed Round(SourceScript move, long round, long sentBytes, long leftBytes) => new SourceInput.Observed(
        new(GuestState.Running, StreamStatus.Active, move.Engine.EffectCount) { Round = round, TransferredBytes = sentBytes, RemainingBytes = leftBytes, MemoryBytes = 512 * MiB });

    private static SourceScript Streaming(MigrationPlan plan)
    {
        var move = new SourceScript(SourceEngine.Begin(plan, DateTimeOffset.UnixEpoch));
        move.Give(new SourceInput.Persisted(SourceRecord.Outgoing)).Hear(TargetStanding.Ready).Give(new SourceInput.Persisted(SourceRecord.HandingOver));
        return move.Give(Round(move, 1, 0, 10 * MiB));
    }
}
