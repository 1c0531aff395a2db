using CsCheck;
using Godwit.Migration.Convergence;
using Godwit.Migration.Models;
using Godwit.Migration.Protocol;

namespace Godwit.Migration.Tests.Convergence;

public sealed class ConvergenceControllerTests
{
    private const long MiB = 1 << 20;
    private const double LinkBytesPerSecond = 119.5e6;

    [Fact]
    public void A_guest_that_writes_little_is_stopped_by_the_first_low_limit()
    {
        var end = Play(new() { Action = NonConvergenceAction.Postcopy }, DirtyCurve.Constant(20e6, 64 * MiB), 288e6);

        Assert.Equal(TerminationRule.FitsDowntimeLimit, end.Rule);
        Assert.InRange(end.StopMs, 0, 50);
    }

    [Fact]
    public void Rounds_show_how_much_was_dirtied_in_how_long_without_what_the_pass_had_left()
    {
        var controller = new ConvergenceController(new());
        controller = controller.Observe(new(TimeSpan.Zero, 1, 0, 288_000_000, 512 * MiB)).Next;
        controller = controller.Observe(new(TimeSpan.FromSeconds(1.99), 1, 199_000_000, 1_000_000, 512 * MiB)).Next;
        controller = controller.Observe(new(TimeSpan.FromSeconds(2), 2, 200_000_000, 41_000_000, 512 * MiB)).Next;
        controller = controller.Observe(new(TimeSpan.FromSeconds(2.01), 3, 241_000_000, 5_000_000, 512 * MiB)).Next;

        var round = Assert.Single(controller.RoundsSeen); // The second was too short to tell.
        Assert.Equal(new(2, 40_000_000), round);
    }

    [Theory]
    [InlineData(0, 0)]
    [InlineData(3_000_000, 0)]
    [InlineData(0, 2_000_000)]
    [InlineData(3_000_000, 2_000_000)]
    public void A_reading_that_comes_late_tells_no_less_of_a_round(long sentOfItBytes, long sentOfTheNextBytes)
    {
        // 41 MB to send, of which the pass leaves 1 MB; 8 MB are dirtied meanwhile.
        var controller = new ConvergenceController(new());
        controller = controller.Observe(new(TimeSpan.Zero, 1, 0, 288_000_000, 512 * MiB)).Next;
        controller = controller.Observe(new(TimeSpan.FromSeconds(2), 2, 200_000_000 + sentOfItBytes, 41_000_000 - sentOfItBytes, 512 * MiB)).Next;
        controller = controller.Observe(new(TimeSpan.FromSeconds(2.05), 3, 240_000_000 + sentOfTheNextBytes, 9_000_000 - sentOfTheNextBytes, 512 * MiB)).Next;

        Assert.Equal(8_000_000, controller.RoundsSeen[^1].UniqueBytes);
        Assert.Equal(0.05, controller.RoundsSeen[^1].WindowSeconds, 6);
    }

    [Fact]
    public void Time_is_QEMUs_where_it_tells_and_this_hosts_else()
    {
        var reading = new QemuReading(GuestState.Running, StreamStatus.Active, 0);

        Assert.Equal(TimeSpan.FromMilliseconds(1500), PrecopySample.Of(reading with { StreamMs = 1500 }, TimeSpan.FromSeconds(2)).Elapsed);
        Assert.Equal(TimeSpan.FromSeconds(2), PrecopySample.Of(reading, TimeSpan.FromSeconds(2)).Elapsed);
    }

    [Fact]
    public void The_limit_is_raised_only_as_far_as_a_stalled_round_needs()
    {
        // 12 MiB rewritten all the time: no round gets below it, and it takes 105 ms to send.
        var end = Play(new() { Action = NonConvergenceAction.GiveUp }, DirtyCurve.Constant(5e9, 12 * MiB), 288e6);

        Assert.Equal(TerminationRule.FitsDowntimeLimit, end.Rule);
        Assert.InRange(end.StopMs, 100, 200);
    }

    [Fact]
    public void A_guest_beyond_the_budget_ends_as_not_converging()
    {
        var end = Play(new() { Action = NonConvergenceAction.Postcopy }, DirtyCurve.Constant(5e9, 128 * MiB), 288e6);

        Assert.Equal(TerminationRule.NotConverging, end.Rule);
        Assert.InRange(end.Round, 2, 5);
    }

    [Fact]
    public void With_a_forecast_that_says_so_it_ends_after_the_first_pass()
    {
        var curve = DirtyCurve.Constant(5e9, 128 * MiB);

        var end = Play(new() { Action = NonConvergenceAction.Postcopy, ExpectedDirty = curve }, curve, 288e6);

        Assert.Equal(TerminationRule.NotConverging, end.Rule);
        Assert.Equal(2, end.Round);
    }

    [Fact]
    public void A_wrong_forecast_does_not_end_rounds_that_would_fit_the_budget()
    {
        var end = Play(
            new() { Action = NonConvergenceAction.Postcopy, ExpectedDirty = DirtyCurve.Constant(5e9, 512 * MiB) },
            DirtyCurve.Constant(1e6, 4 * MiB),
            288e6);

        Assert.Equal(TerminationRule.FitsDowntimeLimit, end.Rule);
    }

    [Fact]
    public void A_first_pass_that_refutes_the_forecast_is_believed()
    {
        var end = Play(
            new() { Action = NonConvergenceAction.Postcopy, ExpectedDirty = DirtyCurve.Constant(5e9, 256 * MiB), DowntimeBudgetMs = 100 },
            DirtyCurve.Constant(20e6, 64 * MiB),
            288e6);

        Assert.Equal(TerminationRule.FitsDowntimeLimit, end.Rule);
    }

    [Fact]
    public void Post_copy_ends_after_one_pass_whatever_is_left()
    {
        var end = Play(new() { Action = NonConvergenceAction.Postcopy, OnePassOnly = true }, DirtyCurve.Constant(20e6, 64 * MiB), 288e6);

        Assert.Equal(TerminationRule.Rounds, end.Rule);
        Assert.Equal(2, end.Round);
    }

    [Fact]
    public void Each_termination_rule_is_reported_by_its_name()
    {
        var fast = DirtyCurve.Constant(5e9, 256 * MiB);
        TerminationRule With(TerminationSettings termination) =>
            Play(new() { Action = NonConvergenceAction.SwitchOver, DowntimeBudgetMs = 30, Termination = termination }, fast, 288e6).Rule;

        Assert.Equal(TerminationRule.Rounds, With(new() { RoundsMax = 1 }));
        Assert.Equal(TerminationRule.CopiedMemory, With(new() { CopiedFactorMax = 0.8 }));
        Assert.Equal(TerminationRule.Deadline, With(new() { Deadline = TimeSpan.FromSeconds(1) }));
        Assert.Equal(TerminationRule.Threshold, With(new() { ThresholdBytes = 300 * MiB }));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(4 * MiB)]
    public void A_pass_that_is_all_sent_is_not_at_the_threshold_before_what_was_written_meanwhile_is_counted(long thresholdBytes)
    {
        var controller = new ConvergenceController(new() { Termination = new() { ThresholdBytes = thresholdBytes } });
        controller = controller.Observe(new(TimeSpan.Zero, 1, 0, 64 * MiB, 64 * MiB)).Next;
        controller = controller.Observe(new(TimeSpan.FromSeconds(8), 2, 64 * MiB, 16 * MiB, 64 * MiB)).Next;

        // A link that is bounded to 8 MiB/s sends in bursts: QEMU sleeps with nothing left, and looks at what was dirtied when it wakes.
        var (after, advice) = controller.Observe(new(TimeSpan.FromSeconds(10), 2, 80 * MiB, 0, 64 * MiB));
        Assert.IsType<ConvergenceAdvice.CarryOn>(advice);
        Assert.IsNotType<ConvergenceAdvice.EndRounds>(after.Observe(new(TimeSpan.FromSeconds(10.1), 3, 80 * MiB, 12 * MiB, 64 * MiB)).Advice);
    }

    [Fact]
    public void The_limit_never_passes_the_budget_and_the_rounds_always_end() =>
        Gen.Select(Gen.Double[0, 3000], Gen.Double[0, 600], Gen.Double[5, 2000], Gen.Enum<NonConvergenceAction>())
            .Sample((dirtyMb, setMiB, budgetMs, action) =>
            {
                var end = Play(new() { DowntimeBudgetMs = budgetMs, Action = action }, DirtyCurve.Constant(dirtyMb * 1e6, setMiB * MiB), 288e6);
                return end.LimitMs <= budgetMs && (end.Rule != TerminationRule.FitsDowntimeLimit || end.StopMs <= (budgetMs * 1.1) + 1);
            });

    [Fact]
    public void A_guest_that_is_being_slowed_is_given_the_rounds_that_this_takes()
    {
        var curve = DirtyCurve.Constant(5e9, 128 * MiB);

        var end = Play(new() { Action = NonConvergenceAction.GiveUp, ExpectedDirty = curve, SlowsGuest = true }, curve, 288e6);

        Assert.Equal(TerminationRule.CopiedMemory, end.Rule);
        Assert.InRange(end.Round, 8, 12);
    }

    [Fact]
    public void The_model_that_forecasts_ends_as_the_controller_does() =>
        Gen.Select(Gen.Double[0, 3000], Gen.Double[1, 400], Gen.Double[30, 600], Gen.Enum<NonConvergenceAction>())
            .Sample((dirtyMb, setMiB, budgetMs, action) =>
            {
                var curve = DirtyCurve.Constant(dirtyMb * 1e6, setMiB * MiB);
                var settings = new ConvergenceSettings { DowntimeBudgetMs = budgetMs, Action = action, ExpectedDirty = curve };
                var end = Play(settings, curve, 288e6);
                var run = new WorkingSetModel
                {
                    FirstPassBytes = 288e6,
                    ZeroBytes = (512 * MiB) - 288e6,
                    Dirty = curve,
                    LinkBytesPerSecond = LinkBytesPerSecond,
                    DowntimeLimitSeconds = settings.DowntimeLimitFirstMs / 1000,
                    DowntimeBudgetSeconds = budgetMs / 1000,
                    EndsWhenHopeless = action != NonConvergenceAction.SwitchOver,
                }.Precopy();

                // The controller sees 20 readings of a pass, the model its end: they may differ by a round where a number lies just at a bound.
                return run.EndedBy == end.Rule && Math.Abs(run.Rounds + 1 - end.Round) <= 1 || IsAtABound(curve, budgetMs);
            });

    /// <summary>A working set, or a round's remainder, within a tenth of what the budget or a rule compares it with.</summary>
    private static bool IsAtABound(DirtyCurve curve, double budgetMs)
    {
        var budgetBytes = LinkBytesPerSecond * budgetMs / 1000;
        var setBytes = curve.UniqueBytes(1e6);
        return new[] { budgetBytes, budgetBytes * 2 }.Any(bound => Math.Abs(setBytes / bound - 1) < 0.1);
    }

    /// <summary>Plays a QEMU whose passes follow the working-set model against the controller, 20 readings a pass.</summary>
    private static (TerminationRule Rule, double StopMs, long Round, double LimitMs) Play(ConvergenceSettings settings, DirtyCurve dirty, double firstBytes)
    {
        var controller = new ConvergenceController(settings);
        double elapsed = 0, sent = 0, left = firstBytes;
        for (var round = 1; round < 200; round++)
        {
            var passBytes = Math.Max(0, left - (LinkBytesPerSecond * controller.DowntimeLimitMs / 1000));
            for (var part = 0; part < 20; part++)
            {
                var done = passBytes * part / 20;
                var sample = new PrecopySample(
                    TimeSpan.FromSeconds(elapsed + (done / LinkBytesPerSecond)), round, (long)(sent + done), (long)(left - done), 512 * MiB);
                (controller, var advice) = controller.Observe(sample);
                if (advice is ConvergenceAdvice.EndRounds ended)
                {
                    return (ended.Rule, (left - done) / LinkBytesPerSecond * 1000, round, controller.DowntimeLimitMs);
                }
            }

            elapsed += Math.Max(passBytes / LinkBytesPerSecond, 0.001);
            sent += passBytes;
            left = left - passBytes + dirty.UniqueBytes(Math.Max(passBytes / LinkBytesPerSecond, 0.001));
            if (left <= LinkBytesPerSecond * controller.DowntimeLimitMs / 1000 * 1.05)
            {
                return (TerminationRule.FitsDowntimeLimit, left / LinkBytesPerSecond * 1000, round, controller.DowntimeLimitMs);
            }
        }

        Assert.Fail("the rounds did not end");
        return default;
    }
}
