using CsCheck;
using Godwit.Migration.Forecasts;
using Godwit.Migration.Models;

namespace Godwit.Migration.Tests.Forecasts;

public sealed class ForecasterTests
{
    private const long MiB = 1 << 20;

    [Fact]
    public void An_idle_guest_is_recommended_pre_copy_and_the_measured_run_lies_in_the_range()
    {
        var forecast = Forecaster.For(Guest(new(0.2, 0.2 * MiB), new(1, MiB)));

        Assert.Equal(ForecastMode.Precopy, forecast.Recommended);
        var precopy = forecast[ForecastMode.Precopy];
        Assert.True(precopy.TotalMs.Contains(2780), precopy.TotalMs.ToString());
        Assert.True(precopy.DowntimeMs.Contains(60), precopy.DowntimeMs.ToString());
        Assert.Contains("converges", precopy.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void A_writer_that_outruns_the_link_is_recommended_hybrid_and_the_reason_has_the_numbers()
    {
        var forecast = Forecaster.For(Guest(new(0.2, 128 * MiB), new(1, 128 * MiB)));

        Assert.Equal(ForecastMode.Hybrid, forecast.Recommended);
        Assert.Contains("will not converge", forecast[ForecastMode.Precopy].Reason, StringComparison.Ordinal);
        Assert.Contains("128 MiB", forecast[ForecastMode.Precopy].Reason, StringComparison.Ordinal);
        Assert.False(forecast[ForecastMode.Precopy].KeepsBudget);
        Assert.True(forecast[ForecastMode.Hybrid].DowntimeMs.High < 300);
        Assert.True(forecast[ForecastMode.Hybrid].Bytes.High < 300e6 + (3 * 128 * MiB), "its rounds end when they stop shrinking, not when all is copied thrice");
    }

    [Fact]
    public void A_switch_to_post_copy_stops_the_guest_for_up_to_a_tenth_of_a_second_before_QEMU_looks()
    {
        var forecast = Forecaster.For(Guest(new(0.2, 128 * MiB), new(1, 128 * MiB)))[ForecastMode.Postcopy];
        var costs = Guest().Costs.RestartMs;

        Assert.Equal(costs.Low, forecast.DowntimeMs.Low, 0.001);
        Assert.Equal(costs.High + 100, forecast.DowntimeMs.High, 0.001);
        Assert.Equal(costs.Middle + 50, forecast.Likely.DowntimeMs, 0.001);
    }

    [Fact]
    public void Without_post_copy_only_the_other_modes_are_offered()
    {
        var forecast = Forecaster.For(Guest(new(0.2, 128 * MiB), new(1, 128 * MiB)) with { PostcopyPossible = false });

        Assert.DoesNotContain(forecast.Modes, mode => mode.Mode is ForecastMode.Postcopy or ForecastMode.Hybrid);
        Assert.True(forecast.Recommended is ForecastMode.Precopy or ForecastMode.AutoConverge);
    }

    [Fact]
    public void Cold_stops_the_guest_for_the_whole_copy()
    {
        var cold = Forecaster.For(Guest(new DirtyPoint(1, 0)))[ForecastMode.Cold];

        Assert.InRange(cold.DowntimeMs.Low, 2000, 3000);
        Assert.False(cold.KeepsBudget);
    }

    [Fact]
    public void What_is_unknown_is_named_and_lowers_the_confidence()
    {
        var blind = Forecaster.For(Guest() with { LinkMeasured = false })[ForecastMode.Precopy];
        var known = Forecaster.For(Guest(new DirtyPoint(1, MiB)) with { LinkMeasured = true, Learned = LearnedCorrection.From([new() { FirstPassBytes = 288e6 }, new() { FirstPassBytes = 290e6 }]) })[ForecastMode.Precopy];

        Assert.Equal(Confidence.Low, blind.Confidence);
        Assert.Contains("dirty rate is unknown", blind.Reason, StringComparison.Ordinal);
        Assert.Contains("link has not been measured", blind.Reason, StringComparison.Ordinal);
        Assert.Equal(Confidence.High, known.Confidence);
        Assert.True(known.TotalMs.High - known.TotalMs.Low < blind.TotalMs.High - blind.TotalMs.Low);
    }

    [Fact]
    public void What_is_likely_is_no_middle_where_only_the_unkind_guest_does_not_converge()
    {
        // What a round dirties is at the edge of the budget: at one end of the ranges it fits, at the other it never will.
        var hybrid = Forecaster.For(Guest(new(0.1, 20 * MiB), new(1, 24 * MiB)))[ForecastMode.Hybrid];

        Assert.True(hybrid.Rounds.Low < hybrid.Rounds.High, hybrid.Rounds.ToString());
        Assert.True(hybrid.Likely.Bytes < hybrid.Bytes.Middle, $"{hybrid.Likely.Bytes} in {hybrid.Bytes}");
    }

    [Fact]
    public void Every_range_is_ordered_finite_and_not_negative() =>
        Gen.Select(Gen.Int[1, 4096], Gen.Double[0, 4000], Gen.Double[1, 5000], Gen.Double[0.1, 1], Gen.Bool).Sample((memoryMiB, dirtyMb, linkMb, share, postcopy) =>
        {
            var input = Guest(new DirtyPoint(1, dirtyMb * 1e6)) with
            {
                MemoryBytes = memoryMiB * MiB,
                FirstPassBytes = new(memoryMiB * MiB * share * 0.5, memoryMiB * MiB * share),
                LinkBytesPerSecond = new(linkMb * 0.9e6, linkMb * 1e6),
                PostcopyPossible = postcopy,
            };
            return Forecaster.For(input).Modes.All(mode =>
                new[] { mode.TotalMs, mode.DowntimeMs, mode.NetworkDowntimeMs, mode.Bytes, mode.Rounds }
                    .All(range => range.Low >= 0 && range.Low <= range.High && double.IsFinite(range.High))
                && mode.TotalMs.Contains(mode.Likely.TotalMs) && mode.DowntimeMs.Contains(mode.Likely.DowntimeMs) && mode.Bytes.Contains(mode.Likely.Bytes)
                && mode.DowntimeMs.Low <= mode.TotalMs.High && mode.Reason.Length > 0);
        });

    /// <summary>512 MiB, 260 to 300 MB of it in use, over a link of 1 Gbit/s.</summary>
    private static ForecastInput Guest(params DirtyPoint[] readings) => new()
    {
        MemoryBytes = 512 * MiB,
        FirstPassBytes = new(260e6, 300e6),
        DirtyReadings = readings,
        LinkBytesPerSecond = new(112e6, 119.5e6),
        LinkMeasured = true,
    };
}
