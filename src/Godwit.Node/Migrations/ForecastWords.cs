using Godwit.Api.Forecasts.V1Alpha1;
using Godwit.Migration.Forecasts;
using Godwit.Migration.Models;
using ModeForecast = Godwit.Api.Forecasts.V1Alpha1.ModeForecast;
using ScienceMode = Godwit.Migration.Forecasts.ModeForecast;

namespace Godwit.Node.Migrations;

/// <summary>The science's forecasts in the words of the API; pure.</summary>
internal static class ForecastWords
{
    public static ModeForecast ToApi(ScienceMode forecast, string mode) => new()
    {
        Mode = mode,
        TotalMs = Range(forecast.TotalMs, forecast.Likely.TotalMs),
        DowntimeMs = Range(forecast.DowntimeMs, forecast.Likely.DowntimeMs),
        Bytes = Range(forecast.Bytes, forecast.Likely.Bytes),
        Confidence = forecast.Confidence switch { Confidence.High => 0.9, Confidence.Medium => 0.7, _ => 0.5 },
        Converges = forecast.KeepsBudget,
        Reason = forecast.Reason,
    };

    public static string ModeName(ForecastMode mode) => mode switch
    {
        ForecastMode.Cold => MigrationModes.Cold,
        ForecastMode.Postcopy => MigrationModes.Postcopy,
        ForecastMode.Hybrid => MigrationModes.Hybrid,
        ForecastMode.AutoConverge => "auto-converge",
        _ => MigrationModes.Precopy,
    };

    /// <summary>Both models side by side. The textbook knows two modes; the others have none.</summary>
    public static ModeComparison Compare(ScienceMode forecast, ForecastInput input) => new()
    {
        Mode = ModeName(forecast.Mode),
        Textbook = Textbook(forecast.Mode, input),
        Forecast = ToApi(forecast, ModeName(forecast.Mode)),
        Reason = forecast.Reason,
    };

    public static ForecastInputs Observed(Observations observed) => new()
    {
        MeasuredTimestamp = observed.MeasuredAt,
        MemoryBytes = observed.MemoryBytes,
        NonZeroBytes = Math.Min(observed.ResidentBytes, observed.MemoryBytes),
        DiskBytes = observed.DiskBytes > 0 ? observed.DiskBytes : null,
        DiskWrittenBytesPerSecond = observed.DiskBytes > 0 ? (long?)observed.DiskWrittenBytesPerSecond : null,
        LinkBytesPerSecond = (long?)observed.LinkBytesPerSecond,
        DirtyBytesPerSecond = observed.Dirty is [.., var last] ? (long)(last.UniqueBytes / last.WindowSeconds) : null,
        DirtyCurve = [.. observed.Dirty.Select(point => new DirtyCurvePoint { WindowMs = (long)(point.WindowSeconds * 1000), UniqueBytes = (long)point.UniqueBytes })],
    };

    private static TextbookForecast? Textbook(ForecastMode mode, ForecastInput input)
    {
        if (mode is not (ForecastMode.Cold or ForecastMode.Precopy))
        {
            return null;
        }

        var model = new TextbookModel
        {
            MemoryBytes = Math.Max(1, input.FirstPassBytes.High),
            LinkBytesPerSecond = Math.Max(1, input.LinkBytesPerSecond.Middle),
            DirtyBytesPerSecond = input.DirtyReadings is [.., var last] ? last.UniqueBytes / last.WindowSeconds : 0,
            ThresholdBytes = input.LinkBytesPerSecond.Middle * input.DowntimeBudgetMs / 1000,
            RestartSeconds = input.Costs.RestartMs.Middle / 1000,
            RoundsMax = input.Termination.RoundsMax,
        };
        var result = mode == ForecastMode.Cold ? model.NonLive() : model.Precopy();
        return new()
        {
            TotalMs = result.Diverges ? null : result.TotalSeconds * 1000,
            DowntimeMs = result.Diverges ? null : result.DowntimeSeconds * 1000,
            Rounds = result.Rounds,
            Converges = !result.Diverges,
        };
    }

    private static ForecastRange Range(Interval interval, double likely) => new()
    {
        Low = Whole(interval.Low),
        Likely = Whole(Math.Clamp(likely, interval.Low, interval.High)),
        High = Whole(interval.High),
    };

    private static long Whole(double value) => (long)Math.Clamp(Math.Round(value), 0, long.MaxValue / 2);
}
