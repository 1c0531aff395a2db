using Godwit.Api.Forecasts.V1Alpha1;
using Godwit.Api.Groups.V1Alpha1;
using Godwit.Migration.Forecasts;
using Godwit.Migration.Models;
using FixedCosts = Godwit.Migration.Forecasts.FixedCosts;
using ModeForecast = Godwit.Api.Forecasts.V1Alpha1.ModeForecast;

namespace Godwit.Controllers.Groups;

/// <summary>
/// What is known of one member's move. Its node has measured it alone, with the whole link; what it would take with a share
/// of the link is that forecast, scaled by what the working-set model says of the share. A guest that could not be measured
/// counts with the widest range there is, and its reason says so.
/// </summary>
internal sealed record MemberForecast
{
    /// <summary>The downtime that moves aim at when no policy says otherwise.</summary>
    private const double DowntimeBudgetMs = 300;

    /// <summary>A link of 1 Gbit/s, when none was measured.</summary>
    private const double LinkBytesPerSecondUnmeasured = 1.25e8;

    public required GroupMember Member { get; init; }

    public required ForecastInput Input { get; init; }

    /// <summary>The forecasts of its node, by mode; empty when it did not answer.</summary>
    public required IReadOnlyList<ModeForecast> Measured { get; init; }

    public bool CanPostcopy => Measured.Any(forecast => forecast.Mode == MigrationModes.Postcopy);

    public double LinkBytesPerSecond => Input.LinkBytesPerSecond.Middle;

    /// <summary>Before the move; a fiftieth of memory a second when it is not known, as the forecaster has it.</summary>
    public double DirtyBytesPerSecond => Input.DirtyReadings is [.., var last] ? last.UniqueBytes / last.WindowSeconds : 0.02 * Input.MemoryBytes;

    public static MemberForecast Of(GroupMember member, VirtualMachineInstance? vmi, Api.Forecasts.V1Alpha1.Forecast? answer)
    {
        var observed = answer?.Status is { Phase: ForecastPhases.Completed, Observed: { } seen } ? seen : null;
        var memoryBytes = Math.Max(1, observed?.MemoryBytes ?? (vmi is null ? 0 : Scheduling.GuestNeeds.MemoryBytes(vmi.Spec.Domain)));
        var residentBytes = Math.Clamp(observed?.NonZeroBytes ?? memoryBytes, 1, memoryBytes);
        var link = observed?.LinkBytesPerSecond is > 0 and var measured ? measured : LinkBytesPerSecondUnmeasured;
        var input = new ForecastInput
        {
            MemoryBytes = memoryBytes,
            FirstPassBytes = new(residentBytes * (observed is null ? 0.1 : 0.5), residentBytes),
            DirtyReadings = [.. (observed?.DirtyCurve ?? []).Where(point => point.WindowMs > 0).Select(point => new DirtyPoint(point.WindowMs / 1000.0, point.UniqueBytes))],
            LinkBytesPerSecond = observed?.LinkBytesPerSecond is > 0 ? new(link * 0.75, link * 1.1) : new(link * 0.08, link * 8),
            Disks = observed?.DiskBytes is > 0 and var disks
                ? new(new Interval(0.9, 1.02) * disks, new Interval(0.3, 1.05) * link, observed.DiskWrittenBytesPerSecond)
                : DiskWork.None,
            LinkMeasured = observed?.LinkBytesPerSecond is > 0,
            DowntimeBudgetMs = DowntimeBudgetMs,
            Costs = FixedCosts.Unmeasured,
        };
        var modes = answer?.Status.Phase == ForecastPhases.Completed ? answer.Status.Modes : [];
        return new() { Member = member, Input = input, Measured = [.. modes.Select(mode => mode.Forecast is { } forecast ? forecast with { Mode = mode.Mode } : null).OfType<ModeForecast>()] };
    }

    /// <summary>Of the move in this mode, alone on its link.</summary>
    public ModeForecast Alone(string mode)
    {
        var wanted = mode == MigrationModes.Auto ? MigrationModes.Hybrid : mode;
        var known = Measured.FirstOrDefault(forecast => forecast.Mode == wanted)
            ?? Measured.FirstOrDefault(forecast => mode == MigrationModes.Auto && forecast.Mode == MigrationModes.Precopy);
        if (known is not null)
        {
            return known;
        }

        var model = Model(mode, 1);
        return new ModeForecast
        {
            Mode = mode,
            TotalMs = Range(model.TotalMs),
            DowntimeMs = Range(model.DowntimeMs),
            Bytes = Range(model.Bytes),
            Confidence = 0.3,
            Reason = "its node did not answer in time, so this is from the guest's size alone",
        };
    }

    /// <summary>Total and downtime in milliseconds when so many moves share the link.</summary>
    public (Interval TotalMs, Interval DowntimeMs) Shared(string mode, int sharing)
    {
        var alone = Alone(mode);
        var (whole, part) = (Model(mode, 1), Model(mode, sharing));
        return (Scale(alone.TotalMs, whole.TotalMs, part.TotalMs), Scale(alone.DowntimeMs, whole.DowntimeMs, part.DowntimeMs));
    }

    private static Interval Scale(ForecastRange? alone, Interval whole, Interval part)
    {
        static double Factor(double part, double whole) => whole > 0 ? Math.Max(1, part / whole) : 1;
        var (low, high) = ((alone?.Low ?? 0) * Factor(part.Low, whole.Low), (alone?.High ?? 0) * Factor(part.High, whole.High));
        return new(Math.Min(low, high), Math.Max(low, high));
    }

    private Godwit.Migration.Forecasts.ModeForecast Model(string mode, int sharing) => Forecaster.For(Input with
    {
        LinkBytesPerSecond = Input.LinkBytesPerSecond * (1.0 / sharing),
        Disks = Input.Disks.WithShare(1.0 / sharing),
    })[mode switch
    {
        MigrationModes.Cold => ForecastMode.Cold,
        MigrationModes.Precopy => ForecastMode.Precopy,
        MigrationModes.Postcopy => ForecastMode.Postcopy,
        _ => ForecastMode.Hybrid,
    }];

    private static ForecastRange Range(Interval interval) => new() { Low = (long)Math.Round(interval.Low), High = (long)Math.Round(interval.High) };
}
