using Godwit.Api.Forecasts.V1Alpha1;
using Godwit.Base;
using Godwit.Machines;
using Godwit.Migration;
using Godwit.Migration.Forecasts;
using Godwit.Migration.Models;
using Godwit.Migration.Protocol;
using Godwit.Node.Peers;
using Microsoft.Extensions.Logging;
using FixedCosts = Godwit.Migration.Forecasts.FixedCosts;
using ModeForecast = Godwit.Api.Forecasts.V1Alpha1.ModeForecast;
using ScienceForecast = Godwit.Migration.Forecasts.Forecast;

namespace Godwit.Node.Migrations;

/// <summary>What was measured of a guest and a link.</summary>
internal sealed record Observations(
    long MemoryBytes, long ResidentBytes, double? LinkBytesPerSecond, IReadOnlyList<DirtyPoint> Dirty, DateTimeOffset MeasuredAt)
{
    /// <summary>Of the disks that go along, what has to be copied.</summary>
    public long DiskBytes { get; init; }

    /// <summary>Null: not known.</summary>
    public double? DiskWrittenBytesPerSecond { get; init; }
}

/// <summary>A forecast for one move: the guest's writes for the engine, the chosen mode for the object, and both for what is learned from it.</summary>
internal sealed record MoveForecast(DirtyCurve Dirty, ModeForecast Chosen, Observations Observed, OutlookBasis Basis);

/// <summary>Measures a guest and a link, makes forecasts of it, and keeps what past moves teach.</summary>
internal sealed partial class Forecasts(MoveParts parts, MoveHistory history, CostHistory costs)
{
    private static readonly TimeSpan[] QuickWindows = [TimeSpan.FromMilliseconds(200)];
    private static readonly TimeSpan[] ThoroughWindows = [TimeSpan.FromMilliseconds(200), TimeSpan.FromSeconds(1)];

    /// <summary>Returns when the rate of the link is known, or cannot be.</summary>
    public async Task MeasureLinkAsync(PeerEndpoint target, CancellationToken stopping) => await RateAsync(target, stopping);

    /// <summary>About as much of a guest's memory is not zero: as its last moves showed, or else of what its process has.</summary>
    public async Task<double> FirstPassBytesAsync(MachineId guest, CancellationToken stopping)
    {
        var machine = parts.Machines.Find(guest) ?? throw new MachineException($"There is no machine {guest} on this host.");
        return (LearnedCorrection.From(history.Of(guest)).FirstPassBytes ?? Resident(machine.Spec.MemoryBytes, (await machine.GetUsageAsync(stopping)).ResidentBytes)).Middle;
    }

    /// <summary>Quick, for a move that has begun: made while its target prepares.</summary>
    public async Task<MoveForecast> ForMoveAsync(OutgoingRoute route, MoveDesign design, CancellationToken stopping)
    {
        var observed = await ObserveAsync(route.Machine, route.Target, QuickWindows, route.Preparation.Disks, stopping);
        var input = Input(observed, route.Machine, route.Target.Node, design);
        var forecast = Forecaster.For(input);
        var mode = ModeOf(design, forecast);
        return new(
            Forecaster.Expected(input),
            ForecastWords.ToApi(forecast[mode], design.Mode.ToString().ToLowerInvariant()),
            observed,
            OutlookBasis.Of(input, Link(observed, input.Learned, route.Target.Node)));
    }

    /// <summary>Thorough, for a person who asks.</summary>
    public async Task<(ScienceForecast Forecast, ForecastInput Input, Observations Observed)> ForGuestAsync(
        IMachine machine, PeerEndpoint target, IReadOnlyList<MovedDisk> disks, CancellationToken stopping)
    {
        var observed = await ObserveAsync(machine.Spec.Id, target, ThoroughWindows, disks, stopping);
        var facts = await parts.Host.GetFactsAsync(stopping);
        var input = Input(observed, machine.Spec.Id, target.Node, null) with { PostcopyPossible = facts.PostcopyObstacle is null };
        return (Forecaster.For(input), input, observed);
    }

    /// <summary>Keeps what a finished move showed. Answers what is known of the guest's moves now, which its new host should know, too.</summary>
    public MoveLessons? Learn(OutgoingMove move, MoveForecast? forecast)
    {
        var trace = move.Phase.Move.Trace;
        if (move.Phase is not SourcePhase.Completed || trace.CompletedAt is null)
        {
            return null;
        }

        try
        {
            var seen = PastCosts.From(trace, forecast?.Observed.LinkBytesPerSecond);
            if (seen is not null)
            {
                costs.Add(move.Route.Target.Node, seen);
            }

            var guest = move.Route.Machine;
            history.Add(guest, new()
            {
                DirtyBeforeBytesPerSecond = forecast?.Observed.Dirty is [.., var last] ? last.UniqueBytes / last.WindowSeconds : 0,
                DirtyDuringBytesPerSecond = trace.DirtyBytesPerSecond,
                FirstPassBytes = trace.FirstPassBytes,
                Rounds = [.. trace.RoundsSeen.Take(PastMove.RoundsMax)],
                RateShare = seen?.RateShare ?? 0,
            });
            return new(move.Phase.Plan.Id.Value, history.Of(guest));
        }
        catch (Exception error) when (error is IOException or Linux.LinuxException)
        {
            Log.NotKept(parts.Logger, ErrorChain.Describe(error));
            return null;
        }
    }

    private async Task<Observations> ObserveAsync(
        MachineId id, PeerEndpoint target, IReadOnlyList<TimeSpan> windows, IReadOnlyList<MovedDisk> disks, CancellationToken stopping)
    {
        var machine = parts.Machines.Find(id) ?? throw new MachineException($"There is no machine {id} on this host.");
        var link = RateAsync(target, stopping);
        var usage = await machine.GetUsageAsync(stopping);
        var usageAt = parts.Time.GetTimestamp();
        var readings = new List<DirtyPoint>();
        foreach (var window in windows)
        {
            try
            {
                var sample = await machine.Migration.SampleDirtyRateAsync(window, stopping);
                readings.Add(new(sample.Window.TotalSeconds, sample.DirtyBytesPerSecond * sample.Window.TotalSeconds));
            }
            catch (MachineException error)
            {
                Log.NotSampled(parts.Logger, machine.Spec.DisplayName, ErrorChain.Describe(error));
                break; // The stream has begun meanwhile; the forecast does without, and says so.
            }
        }

        double? written = null;
        if (disks.Count > 0 && readings.Count > 0)
        {
            var later = await machine.GetUsageAsync(stopping);
            written = Math.Max(0, later.DiskWrittenBytes - usage.DiskWrittenBytes) / parts.Time.GetElapsedTime(usageAt).TotalSeconds;
        }

        return new(machine.Spec.MemoryBytes, usage.ResidentBytes, await link, readings, parts.Time.GetUtcNow())
        {
            DiskBytes = MovingDisks.BytesOf(machine.Spec.Disks, disks),
            DiskWrittenBytesPerSecond = written,
        };
    }

    private async Task<double?> RateAsync(PeerEndpoint target, CancellationToken stopping)
    {
        try
        {
            return (await parts.Rates.GetAsync(target, stopping)).BytesPerSecond;
        }
        catch (Exception error) when (error is PeerException or PeerRefusedException)
        {
            Log.NotMeasured(parts.Logger, target.Node, ErrorChain.Describe(error));
            return null;
        }
    }

    private ForecastInput Input(Observations observed, MachineId guest, NodeName target, MoveDesign? design)
    {
        var bandwidth = design?.Stream.BandwidthBytesPerSecond is > 0 and var bound ? bound : double.MaxValue;
        var learned = LearnedCorrection.From(history.Of(guest));
        var link = Link(observed, learned, target);
        var disks = observed.LinkBytesPerSecond is { } measured ? PastCosts.DiskShare(costs.Of(target)) * measured : link;
        return new()
        {
            MemoryBytes = observed.MemoryBytes,
            FirstPassBytes = Resident(observed.MemoryBytes, observed.ResidentBytes),
            DirtyReadings = observed.Dirty,
            LinkBytesPerSecond = new(Math.Min(bandwidth, link.Low), Math.Min(bandwidth, link.High)),
            LinkMeasured = observed.LinkBytesPerSecond is not null,
            Disks = observed.DiskBytes == 0 ? DiskWork.None : Disks(observed, disks, bandwidth),
            DowntimeBudgetMs = design?.Convergence.DowntimeBudgetMs ?? MovePlanner.DowntimeBudgetMsDefault,
            Termination = design?.Convergence.Termination ?? new(),
            Costs = FixedCosts.From(costs.Of(target)),
            Learned = learned,
            PostcopyPossible = design?.Stream.Postcopy ?? true,
        };
    }

    /// <summary>Zeroes that are stored are not sent, and the layer's own tables are not copied: so what is stored is nearly the most.</summary>
    private static DiskWork Disks(Observations observed, Interval rate, double bandwidth) => new(
        new Interval(0.9, 1.02) * observed.DiskBytes,
        new(Math.Min(bandwidth, rate.Low), Math.Min(bandwidth, rate.High)),
        observed.DiskWrittenBytesPerSecond);

    /// <summary>What was touched once need not hold anything any more.</summary>
    private static Interval Resident(long memoryBytes, long residentBytes)
    {
        var resident = Math.Clamp(residentBytes, 1, memoryBytes);
        return new(resident * 0.5, resident);
    }

    /// <summary>What a stream gets of the link, whatever the policy.</summary>
    private Interval Link(Observations observed, LearnedCorrection learned, NodeName target) =>
        observed.LinkBytesPerSecond is { } measured ? learned.LinkShare(PastCosts.LinkShare(costs.Of(target))) * measured : new Interval(0.08, 8) * 1.25e8;

    private static ForecastMode ModeOf(MoveDesign design, ScienceForecast forecast) => design.Mode switch
    {
        MigrationMode.Cold => ForecastMode.Cold,
        MigrationMode.Postcopy => ForecastMode.Postcopy,
        MigrationMode.Hybrid => ForecastMode.Hybrid,
        MigrationMode.Auto when design.Stream.Postcopy => ForecastMode.Hybrid,
        _ when design.Stream.AutoConverge => ForecastMode.AutoConverge,
        _ => ForecastMode.Precopy,
    };

    private static partial class Log
    {
        [LoggerMessage(EventId = 2361, Level = LogLevel.Information, Message = "The dirty rate of {Machine} was not sampled: {Reason}")]
        public static partial void NotSampled(ILogger logger, string machine, string reason);

        [LoggerMessage(EventId = 2362, Level = LogLevel.Information, Message = "The link to {Node} was not measured: {Reason}")]
        public static partial void NotMeasured(ILogger logger, NodeName node, string reason);

        [LoggerMessage(EventId = 2363, Level = LogLevel.Warning, Message = "What a move has shown could not be kept: {Reason}")]
        public static partial void NotKept(ILogger logger, string reason);
    }
}
