using CsCheck;
using Godwit.Migration.Convergence;
using Godwit.Migration.Forecasts;
using Godwit.Migration.Models;

namespace Godwit.Migration.Tests.Forecasts;

/// <summary>What a guest's moves teach, judged on moves that were not learned from.</summary>
public sealed class LearnedCorrectionTests
{
    private const long MiB = 1 << 20;
    private const double LinkBytesPerSecond = 117e6;

    [Fact]
    public void Moves_without_numbers_teach_nothing() => Assert.Same(LearnedCorrection.None, LearnedCorrection.From([new(), new()]));

    [Fact]
    public void Without_rounds_the_rate_during_a_move_corrects_the_sample_before_it()
    {
        var learned = LearnedCorrection.From([new() { FirstPassBytes = 288e6, DirtyBeforeBytesPerSecond = 10e6, DirtyDuringBytesPerSecond = 20e6 }]);

        Assert.True(learned.DirtyFactor.Contains(2));
        Assert.True(learned.FirstPassBytes!.Value.Contains(288e6));
    }

    /// <summary>A guest writes by some curve at some rate; one move over the link teaches; the next one's time and bytes are forecast within a tenth, and lie within the range.</summary>
    [Fact]
    public void One_move_teaches_the_next() =>
        Gen.Select(Gen.Double[0, 60], Gen.Double[1, 256], Gen.Double[100, 450]).Sample(
            (rateMb, workingSetMiB, firstPassMb) =>
            {
                var truth = Truth(rateMb, workingSetMiB, firstPassMb);
                var input = Input(LearnedCorrection.From([Moved(truth)]));
                var run = truth.Precopy();

                var forecast = Forecaster.For(input)[ForecastMode.Precopy];

                var seconds = (forecast.TotalMs.Middle - input.Costs.SetupMs.Middle - input.Costs.EndMs.Middle) / 1000;
                return !run.Converged
                    || (Math.Abs(seconds - run.TotalSeconds) <= run.TotalSeconds * 0.1
                        && Math.Abs(forecast.Bytes.Middle - run.TotalBytes) <= run.TotalBytes * 0.1
                        && forecast.Bytes.Low <= run.TotalBytes * 1.02
                        && forecast.Bytes.High >= run.TotalBytes * 0.98);
            },
            print: sample => sample.ToString());

    [Fact]
    public void A_guest_that_does_something_else_now_is_scaled_to_what_is_sampled()
    {
        var learned = LearnedCorrection.From([Moved(Truth(10, 256, 288)) with { DirtyBeforeBytesPerSecond = 8e6 }]);

        var asBefore = learned.Curve(512 * MiB, sampledBytesPerSecond: 9e6)!;
        var busier = learned.Curve(512 * MiB, sampledBytesPerSecond: 80e6)!;

        Assert.Equal(learned.Curve(512 * MiB, null)!.UniqueBytes(1), asBefore.UniqueBytes(1));
        Assert.Equal(asBefore.UniqueBytes(1), busier.UniqueBytes(0.1), 0.01 * MiB);
    }

    [Fact]
    public void Only_the_newest_moves_shape_the_curve()
    {
        var before = Moved(Truth(60, 256, 288));
        var now = Moved(Truth(5, 256, 288));

        var curve = LearnedCorrection.From([before, before, before, now, now, now]).Curve(512 * MiB, null)!;

        Assert.InRange(curve.UniqueBytes(1), 4.5e6, 5.5e6);
    }

    [Fact]
    public void Numbers_that_no_move_has_are_not_sound()
    {
        Assert.True(new PastMove { FirstPassBytes = 1, Rounds = [new(1, 0)] }.IsSound);
        Assert.False(new PastMove { FirstPassBytes = double.NaN }.IsSound);
        Assert.False(new PastMove { DirtyBeforeBytesPerSecond = -1 }.IsSound);
        Assert.False(new PastMove { Rounds = [new(0, 5)] }.IsSound);
        Assert.False(new PastMove { Rounds = [new(1, double.PositiveInfinity)] }.IsSound);
        Assert.False(new PastMove { Rounds = [.. Enumerable.Repeat(new DirtyPoint(1, 1), PastMove.RoundsMax + 1)] }.IsSound);
    }

    [Fact]
    public void The_fitted_curve_rises_whatever_its_readings_do() =>
        Gen.Select(Gen.Double[0.01, 10], Gen.Double[0, 1e9], (seconds, bytes) => new DirtyPoint(seconds, bytes)).Array[1, 40].Sample(readings =>
        {
            var curve = DirtyCurve.Fitted(readings, double.MaxValue);
            var fitted = readings.Select(reading => reading.WindowSeconds).Order().Select(curve.UniqueBytes).ToArray();
            return fitted.Zip(fitted.Skip(1)).All(pair => pair.First <= pair.Second * (1 + 1e-9));
        });

    [Fact]
    public void The_fitted_curve_goes_through_readings_that_rise() =>
        Gen.Select(Gen.Double[0.01, 3], Gen.Double[1, 1e8]).Array[1, 20].Sample(steps =>
        {
            var last = default(DirtyPoint);
            var readings = steps.Select(step => last = new(last.WindowSeconds + step.Item1, last.UniqueBytes + step.Item2)).ToArray();
            var curve = DirtyCurve.Fitted(readings, double.MaxValue);
            return readings.All(reading => Math.Abs(curve.UniqueBytes(reading.WindowSeconds) - reading.UniqueBytes) <= reading.UniqueBytes * 1e-6);
        });

    [Fact]
    public void Readings_of_the_same_length_are_averaged() =>
        Assert.Equal(15e6, DirtyCurve.Fitted([new(1, 10e6), new(1, 20e6)], 512 * MiB).UniqueBytes(1), 1.0);

    private static WorkingSetModel Truth(double rateMb, double workingSetMiB, double firstPassMb) => new()
    {
        FirstPassBytes = firstPassMb * 1e6,
        ZeroBytes = (512 * MiB) - (firstPassMb * 1e6),
        Dirty = DirtyCurve.Constant(rateMb * 1e6, workingSetMiB * MiB),
        LinkBytesPerSecond = LinkBytesPerSecond,
        DowntimeLimitSeconds = ConvergenceSettings.DowntimeLimitFirstMsDefault / 1000,
        RestartSeconds = 0.03,
    };

    /// <summary>What such a move shows: the rounds of the model, played out.</summary>
    private static PastMove Moved(WorkingSetModel truth)
    {
        var rounds = new List<DirtyPoint>();
        var leftBytes = truth.FirstPassBytes;
        var fitsBytes = truth.LinkBytesPerSecond * truth.DowntimeLimitSeconds;
        for (var round = 0; round < 12 && leftBytes > fitsBytes; round++)
        {
            var seconds = (leftBytes - fitsBytes) / truth.LinkBytesPerSecond;
            var dirtiedBytes = truth.Dirty.UniqueBytes(seconds);
            if (seconds >= 0.1)
            {
                rounds.Add(new(seconds, dirtiedBytes));
            }

            leftBytes = fitsBytes + dirtiedBytes;
        }

        return new() { FirstPassBytes = truth.FirstPassBytes, Rounds = rounds };
    }

    private static ForecastInput Input(LearnedCorrection learned) => new()
    {
        MemoryBytes = 512 * MiB,
        FirstPassBytes = new(200e6, 500e6),
        DirtyReadings = [],
        LinkBytesPerSecond = new(LinkBytesPerSecond * 0.98, LinkBytesPerSecond * 1.02),
        LinkMeasured = true,
        Costs = FixedCosts.From([.. Enumerable.Repeat(new PastCosts(300, 30) { EndMs = 70 }, 8)]),
        Learned = learned,
    };
}
