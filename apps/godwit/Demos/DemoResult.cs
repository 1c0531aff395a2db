using System.Text.Json.Serialization;
using Godwit.Api.Forecasts.V1Alpha1;
using Godwit.Api.KubeVirt.V1;

namespace Godwit.App.Demos;

/// <summary>What the demonstration showed, as a program reads it: one JSON object on one line.</summary>
/// <param name="Mode">As it was forecast; this and what follows are null when no move was made.</param>
internal sealed record DemoResult(string Vm, string? Mode, string? From, string? To, DemoForecast? Forecast, DemoMeasurement? Measured, DemoGuest Guest)
{
    public static DemoResult Of(string vm, VirtualMachineInstanceMigration? move, DemoGuest guest) => new(
        vm,
        move?.Status.Forecast?.Mode,
        move?.Status.MigrationState?.SourceNode,
        move?.Status.MigrationState?.TargetNode,
        move?.Status.Forecast is { } forecast ? new DemoForecast(Pair(forecast.TotalMs), Pair(forecast.DowntimeMs)) : null,
        move?.Status.Measurement is { } measured
            ? new DemoMeasurement(measured.TotalMs, measured.DowntimeMs, measured.PausedMs, measured.NetworkDowntimeMs, measured.Bytes, measured.Rounds)
            : null,
        guest);

    private static double?[]? Pair(ForecastRange? range) => range is null ? null : [range.Low, range.High];
}

/// <summary>Each a range: low, high.</summary>
internal sealed record DemoForecast(double?[]? TotalMs, double?[]? DowntimeMs);

internal sealed record DemoMeasurement(long? TotalMs, long? DowntimeMs, long? PausedMs, long? NetworkDowntimeMs, long? Bytes, int? Rounds);

/// <summary>What the guest itself says: its counter rose over the move, and every page of its memory is what it should be.</summary>
internal sealed record DemoGuest(bool CounterWentOn, bool MemoryIntact);

[JsonSerializable(typeof(DemoResult))]
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
internal sealed partial class DemoJson : JsonSerializerContext;
