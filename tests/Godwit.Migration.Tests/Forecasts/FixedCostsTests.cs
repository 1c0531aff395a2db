using Godwit.Migration.Convergence;
using Godwit.Migration.Forecasts;
using Godwit.Migration.Protocol;

namespace Godwit.Migration.Tests.Forecasts;

public sealed class FixedCostsTests
{
    private static readonly DateTimeOffset Began = new(2026, 1, 2, 3, 4, 5, TimeSpan.Zero);

    [Fact]
    public void Without_moves_the_costs_are_those_of_unknown_hosts() => Assert.Equal(FixedCosts.Unmeasured, FixedCosts.From([]));

    [Fact]
    public void More_moves_of_one_kind_narrow_the_range_around_them()
    {
        var one = FixedCosts.From([new(400, 30)]);
        var many = FixedCosts.From([.. Enumerable.Repeat(new PastCosts(400, 30), 8)]);

        Assert.True(one.SetupMs.Contains(400) && many.SetupMs.Contains(400));
        Assert.True(many.SetupMs.High - many.SetupMs.Low < one.SetupMs.High - one.SetupMs.Low);
        Assert.True(one.SetupMs.High < FixedCosts.Unmeasured.SetupMs.High);
    }

    [Fact]
    public void Only_the_newest_moves_count()
    {
        var costs = FixedCosts.From([new(60_000, 9000), .. Enumerable.Repeat(new PastCosts(400, 30), PastCosts.MovesMax)]);

        Assert.True(costs.SetupMs.High < 1000 && costs.RestartMs.High < 100);
    }

    [Fact]
    public void The_stop_is_counted_without_the_time_in_which_the_rest_was_sent()
    {
        var costs = PastCosts.From(Trace() with { RestBytes = 5_000_000, BytesPerSecond = 100e6 });

        Assert.Equal(new PastCosts(300, 20), costs);
    }

    [Fact]
    public void The_end_and_the_share_of_the_link_are_learned_from_moves_by_pre_copy()
    {
        var trace = Trace() with { TransferredBytes = 170_000_000, CompletedAt = Began.AddMilliseconds(2150) };

        var costs = PastCosts.From(trace, linkBytesPerSecond: 125e6)!;

        Assert.Equal(80, costs.EndMs);
        Assert.Equal(0.8, costs.RateShare, 0.001);
        Assert.True(PastCosts.LinkShare([costs]).Contains(0.8));
        Assert.Equal(0, PastCosts.From(trace with { Postcopy = true }, 125e6)!.RateShare);
        Assert.Equal(PastCosts.LinkShare([]), PastCosts.LinkShare([costs with { RateShare = 0 }]));
    }

    [Fact]
    public void In_post_copy_what_is_fixed_begins_when_QEMU_has_come_to_the_barrier_and_not_when_the_guest_was_stopped()
    {
        var trace = Trace() with { Postcopy = true };
        var later = trace.PausedAt!.Value.AddMilliseconds(7);

        Assert.Equal(PastCosts.From(trace)!.RestartMs - 7, PastCosts.From(trace with { BarrierAt = later })!.RestartMs, 0.001);
        Assert.Equal(PastCosts.From(Trace()), PastCosts.From(Trace() with { BarrierAt = later }));
    }

    [Fact]
    public void A_cold_move_and_one_that_was_not_seen_whole_teach_nothing()
    {
        Assert.Null(PastCosts.From(Trace() with { EndedBy = TerminationRule.StoppedFirst }));
        Assert.Null(PastCosts.From(Trace() with { PausedAt = null }));
        Assert.Null(PastCosts.From(Trace() with { StreamStartedAt = null }));
    }

    /// <summary>300 ms until the stream began, and a stop of 70 ms.</summary>
    private static MoveTrace Trace() => new(Began)
    {
        StreamStartedAt = Began.AddMilliseconds(300),
        PausedAt = Began.AddMilliseconds(2000),
        RunningAt = Began.AddMilliseconds(2070),
        EndedBy = TerminationRule.FitsDowntimeLimit,
    };
}
