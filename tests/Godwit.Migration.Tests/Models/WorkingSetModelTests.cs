using CsCheck;
using Godwit.Migration.Convergence;
using Godwit.Migration.Models;

namespace Godwit.Migration.Tests.Models;

public sealed class WorkingSetModelTests
{
    private const double MB = 1e6;
    private const double MiB = 1 << 20;

    [Fact]
    public void The_curve_never_falls_and_saturates_at_the_working_set() =>
        Gen.Select(Gen.Select(Gen.Double[0.01, 10], Gen.Double[0, 500]).Array[0, 6], Gen.Double[0, 20], Gen.Double[0, 5])
            .Sample((readings, seconds, more) =>
            {
                var curve = DirtyCurve.FromReadings(readings.Select(r => new DirtyPoint(r.Item1, r.Item2)), 300);
                return curve.UniqueBytes(seconds) <= curve.UniqueBytes(seconds + more) + 1e-6 && curve.UniqueBytes(seconds) is >= 0 and <= 300 + 1e-6;
            });

    [Fact]
    public void Readings_of_two_windows_show_the_saturation()
    {
        // 64 MiB written round-robin at full speed: the same 64 MiB within 0.2 s and within 1 s.
        var curve = DirtyCurve.FromReadings([new(0.2, 64 * MiB), new(1, 64 * MiB)], 512 * MiB);

        Assert.Equal(64 * MiB, curve.UniqueBytes(0.2), 1);
        Assert.Equal(64 * MiB, curve.UniqueBytes(30), 1);
        Assert.Equal(32 * MiB, curve.UniqueBytes(0.1), 1);
    }

    [Fact]
    public void A_faster_guest_dirties_in_half_the_time_what_it_did_in_the_whole()
    {
        var curve = DirtyCurve.Constant(20 * MB, 64 * MiB);

        Assert.Equal(curve.UniqueBytes(1), curve.Faster(2).UniqueBytes(0.5), 1);
        Assert.Equal(0, curve.Faster(0).UniqueBytes(100), 1);
    }

    /// <summary>Measured runs of QEMU 10.0 at 119.5 MB/s and its default limit of 300 ms; total in seconds, downtime in ms.</summary>
    [Theory]
    [InlineData(10, 256, 404, 4.07, 0.20)]
    [InlineData(25, 256, 411, 4.70, 0.20)]
    [InlineData(50, 256, 412, 6.50, 0.20)]
    [InlineData(50, 64, 203, 2.55, 0.20)]
    public void Totals_are_within_a_fifth_of_measured_runs(double dirtyMb, double setMiB, double firstMb, double measuredSeconds, double error)
    {
        var run = Model(dirtyMb * MB, setMiB * MiB, firstMb * MB, limitMs: 300).Precopy();

        Assert.True(run.Converged);
        Assert.InRange(run.TotalSeconds, measuredSeconds * (1 - error), measuredSeconds * (1 + error));
        Assert.InRange(run.DowntimeSeconds, 0.2, 0.42);
    }

    [Fact]
    public void A_limit_of_30_ms_makes_the_downtime_small_for_little_more_time()
    {
        var usual = Model(20 * MB, 64 * MiB, 261 * MB, limitMs: 300).Precopy();
        var low = Model(20 * MB, 64 * MiB, 261 * MB, limitMs: 30).Precopy();

        Assert.True(low.Converged);
        Assert.True(low.DowntimeSeconds < usual.DowntimeSeconds / 2.5, $"{low.DowntimeSeconds} against {usual.DowntimeSeconds}");
        Assert.True(low.TotalSeconds < usual.TotalSeconds * 1.06, $"{low.TotalSeconds} against {usual.TotalSeconds}");
    }

    [Fact]
    public void A_writer_faster_than_the_link_never_converges_and_a_forced_stop_sends_its_working_set()
    {
        var run = Model(1000 * MB, 128 * MiB, 288 * MB, limitMs: 300).Precopy();

        Assert.False(run.Converged);
        Assert.Equal(TerminationRule.NotConverging, run.EndedBy);
        Assert.Equal(2, run.Rounds);
        Assert.Equal(128 * MiB / 119.5e6, run.RestSeconds, 0.35);
    }

    [Fact]
    public void Throttling_brings_a_fast_writer_down()
    {
        var model = Model(200 * MB, 128 * MiB, 288 * MB, limitMs: 300) with
        {
            Throttle = ThrottleSettings.AutoConverge,
            Termination = new() { RoundsMax = 60, CopiedFactorMax = 100 },
        };

        var run = model.Precopy();

        Assert.True(run.Converged);
        Assert.InRange(run.ThrottleShare, 0.3, 0.99);
    }

    [Fact]
    public void Rounds_always_end_whatever_the_guest_does() =>
        Gen.Select(Gen.Double[0, 5000], Gen.Double[0, 2000], Gen.Double[1, 4000], Gen.Double[0, 1000], Gen.Int[0, 50])
            .Sample((dirty, set, first, limit, rounds) =>
            {
                var model = Model(dirty * MB, set * MiB, first * MB, limit) with { Termination = new() { RoundsMax = rounds } };
                var run = model.Precopy();
                return run.Rounds <= rounds && double.IsFinite(run.TotalSeconds) && run.TotalBytes >= Math.Min(first * MB, 1);
            });

    [Fact]
    public void Each_named_rule_can_end_the_rounds()
    {
        var fast = Model(1000 * MB, 128 * MiB, 288 * MB, limitMs: 30);

        Assert.Equal(TerminationRule.Rounds, (fast with { Termination = new() { RoundsMax = 1, CopiedFactorMax = 99 } }).Precopy().EndedBy);
        Assert.Equal(TerminationRule.CopiedMemory, (fast with { Termination = new() { RoundsMax = 99, CopiedFactorMax = 1.3 } }).Precopy().EndedBy);
        Assert.Equal(TerminationRule.Threshold, (fast with { Termination = new() { ThresholdBytes = (long)(200 * MB) } }).Precopy().EndedBy);
        Assert.Equal(TerminationRule.Deadline, (fast with { Termination = new() { Deadline = TimeSpan.FromSeconds(3), CopiedFactorMax = 99 } }).Precopy().EndedBy);
        Assert.Equal(TerminationRule.NotConverging, fast.Precopy().EndedBy);
        Assert.Equal(TerminationRule.FitsDowntimeLimit, Model(0, 0, 288 * MB, 30).Precopy().EndedBy);
    }

    [Fact]
    public void A_stalled_round_raises_the_limit_to_what_it_left_when_the_budget_holds_that()
    {
        // 12 MiB rewritten all the time take 105 ms.
        var run = (Model(5000 * MB, 12 * MiB, 288 * MB, limitMs: 30) with { DowntimeBudgetSeconds = 0.3 }).Precopy();

        Assert.True(run.Converged);
        Assert.InRange(run.RestSeconds, 0.1, 0.14); // And what the pass before had left, which is counted again.
    }

    [Fact]
    public void Who_has_something_better_to_do_ends_after_the_pass_that_proves_the_rest_hopeless()
    {
        var model = Model(1000 * MB, 128 * MiB, 288 * MB, limitMs: 30) with { DowntimeBudgetSeconds = 0.3, EndsWhenHopeless = true };

        Assert.Equal((TerminationRule.NotConverging, 0), (model.Precopy().EndedBy, model.Precopy().Rounds));
        Assert.True((model with { Dirty = DirtyCurve.Constant(20 * MB, 64 * MiB) }).Precopy().Converged);
    }

    private static WorkingSetModel Model(double dirtyBytesPerSecond, double workingSetBytes, double firstPassBytes, double limitMs) => new()
    {
        FirstPassBytes = firstPassBytes,
        ZeroBytes = 0,
        Dirty = DirtyCurve.Constant(dirtyBytesPerSecond, workingSetBytes),
        LinkBytesPerSecond = 119.5e6,
        DowntimeLimitSeconds = limitMs / 1000,
        RestartSeconds = 0.03,
    };
}
