using System.Globalization;
using Godwit.Migration.Convergence;
using Godwit.Migration.Models;
using Godwit.Migration.Protocol;

namespace Godwit.Migration.Forecasts;

/// <summary>
/// Forecasts a move before it is made. Each mode is run through the working-set model twice, once with the kind end of
/// every range and once with the unkind one; the two runs are the ends of the answer.
/// </summary>
public static class Forecaster
{
    public static Forecast For(ForecastInput input)
    {
        var kind = Case(input, kind: true);
        var unkind = Case(input, kind: false);
        List<ModeForecast> modes = [Cold(input, kind, unkind), Precopy(input, kind, unkind), AutoConverge(input, kind, unkind)];
        if (input.PostcopyPossible)
        {
            modes.Add(Postcopy(input, kind, unkind));
            modes.Add(Hybrid(input, kind, unkind));
        }

        var (recommended, reason) = Recommend(input, modes);
        return new(modes, recommended, reason);
    }

    /// <summary>The model with all its inputs at one end of their ranges.</summary>
    private static WorkingSetModel Case(ForecastInput input, bool kind)
    {
        var sentBytes = input.Learned.FirstPassBytes ?? input.FirstPassBytes;
        var firstPass = Math.Min(input.MemoryBytes, kind ? sentBytes.Low : sentBytes.High);
        var factor = input.Learned.DirtyFactor;
        return new()
        {
            FirstPassBytes = firstPass,
            ZeroBytes = input.MemoryBytes - firstPass,
            Dirty = Curve(input, kind).Faster(kind ? factor.Low : factor.High),
            LinkBytesPerSecond = kind ? input.LinkBytesPerSecond.High : input.LinkBytesPerSecond.Low,
            DowntimeLimitSeconds = Math.Min(input.DowntimeLimitMs, input.DowntimeBudgetMs) / 1000,
            DowntimeBudgetSeconds = input.DowntimeBudgetMs / 1000,
            RestartSeconds = (kind ? input.Costs.RestartMs.Low : input.Costs.RestartMs.High) / 1000,
            Termination = input.Termination,
        };
    }

    /// <summary>The guest's writes as the engine should expect them: from its past moves if there were any, else from samples.</summary>
    public static DirtyCurve Expected(ForecastInput input) => Curve(input, kind: false);

    private static DirtyCurve Curve(ForecastInput input, bool kind)
    {
        double? sampled = input.DirtyReadings is [.., var last] && last.WindowSeconds > 0 ? last.UniqueBytes / last.WindowSeconds : null;

        // Beyond the longest round that was seen the working set may be exhausted, or not.
        var workingSetBytes = kind && input.Learned.Rounds.Count > 0 ? Math.Min(input.MemoryBytes, input.Learned.Rounds.Max(round => round.UniqueBytes)) : input.MemoryBytes;
        return input.Learned.Curve(workingSetBytes, sampled)
            ?? (input.DirtyReadings.Count == 0
                ? DirtyCurve.Constant(0.02 * input.MemoryBytes, input.MemoryBytes) // Unknown: a fiftieth of memory a second, and low confidence.
                : DirtyCurve.FromReadings(input.DirtyReadings, input.MemoryBytes));
    }

    private static ModeForecast Cold(ForecastInput input, WorkingSetModel kind, WorkingSetModel unkind)
    {
        Ends Copy(WorkingSetModel model)
        {
            var whole = (model with { Dirty = DirtyCurve.Idle }).FirstPass();
            return new(whole.TotalSeconds, whole.TotalSeconds, whole.TotalBytes, 0);
        }

        return Build(input, ForecastMode.Cold, Copy(kind), Copy(unkind), "the guest stands still while all of its memory is copied");
    }

    private static ModeForecast Precopy(ForecastInput input, WorkingSetModel kind, WorkingSetModel unkind)
    {
        var (good, bad) = (kind.Precopy(), unkind.Precopy());
        return Build(input, ForecastMode.Precopy, Ends.Of(good), Ends.Of(bad), Converges(input, unkind, good, bad));
    }

    private static ModeForecast AutoConverge(ForecastInput input, WorkingSetModel kind, WorkingSetModel unkind)
    {
        var slowed = ThrottleSettings.AutoConverge;
        var (good, bad) = ((kind with { Throttle = slowed }).Precopy(), (unkind with { Throttle = slowed }).Precopy());
        var slowing = bad.ThrottleShare > 0
            ? string.Create(CultureInfo.InvariantCulture, $"; the guest may lose up to {bad.ThrottleShare:P0} of its CPU time until it has moved")
            : "; it would not have to be slowed down";
        return Build(input, ForecastMode.AutoConverge, Ends.Of(good), Ends.Of(bad), Converges(input, unkind, good, bad) + slowing);
    }

    private static ModeForecast Postcopy(ForecastInput input, WorkingSetModel kind, WorkingSetModel unkind)
    {
        var (good, bad) = (kind.FirstPass(), unkind.FirstPass());
        return Build(
            input, ForecastMode.Postcopy, Pulled(good), Pulled(bad), Pulling(bad) + "; a lost host during the pull loses the guest");
    }

    private static ModeForecast Hybrid(ForecastInput input, WorkingSetModel kind, WorkingSetModel unkind)
    {
        var (good, bad) = ((kind with { EndsWhenHopeless = true }).Precopy(), (unkind with { EndsWhenHopeless = true }).Precopy());
        return Build(
            input,
            ForecastMode.Hybrid,
            good.Converged ? Ends.Of(good) : Pulled(good),
            bad.Converged ? Ends.Of(bad) : Pulled(bad),
            bad.Converged ? "converges by pre-copy, so nothing is left to pull" : "goes on by post-copy when the rounds stop shrinking: " + Pulling(bad));
    }

    /// <summary>From here on the guest runs on the target: it stops only for its device state, then waits for hot pages.</summary>
    private static Ends Pulled(PrecopyRun run) => run.Converged
        ? Ends.Of(run)
        : new(run.TotalSeconds + HushSeconds(run), run.RestartSeconds, run.TotalBytes, run.Rounds, HotSeconds: Math.Min(0.7, run.RestSeconds * 0.6));

    /// <summary>The pull gets little of the link at first, while the guest fetches its hot pages.</summary>
    internal static double HushSeconds(PrecopyRun run) => Math.Min(run.RestSeconds, SourcePhase.Postcopying.BackgroundHush.TotalSeconds);

    private static string Pulling(PrecopyRun bad) => bad.Converged
        ? "nothing would be left to pull"
        : string.Create(CultureInfo.InvariantCulture, $"up to {bad.RestBytes / (1 << 20):0} MiB would be pulled after the guest has moved");

    private static string Converges(ForecastInput input, WorkingSetModel unkind, PrecopyRun good, PrecopyRun bad)
    {
        var dirtied = unkind.Dirty.UniqueBytes(1) / (1 << 20);
        var link = unkind.LinkBytesPerSecond / (1 << 20);
        var numbers = string.Create(CultureInfo.InvariantCulture, $"the guest dirties up to {dirtied:0} MiB in a second, the link carries {link:0} MiB/s");
        return (good.Converged, bad.Converged) switch
        {
            (true, true) => $"converges: {numbers}",
            (true, false) => $"may not converge: {numbers}; then the guest would be stopped for {bad.DowntimeSeconds:0.0} s",
            _ => string.Create(
                CultureInfo.InvariantCulture,
                $"will not converge within {input.DowntimeBudgetMs:0} ms: {numbers}; a forced stop takes {bad.DowntimeSeconds:0.0} s"),
        };
    }

    private static ModeForecast Build(ForecastInput input, ForecastMode mode, Ends good, Ends bad, string reason)
    {
        // A guest that writes more can end sooner (a rule gives up earlier), so the two runs are ordered per quantity.
        var total = Order(good.TotalSeconds, bad.TotalSeconds) * 1000;
        var downtime = Order(good.DowntimeSeconds, bad.DowntimeSeconds) * 1000;
        var hot = Order(good.HotSeconds, bad.HotSeconds) * 1000;
        var (confidence, doubt) = Judge(input);
        return new()
        {
            Mode = mode,
            TotalMs = total.Scale(input.Learned.TotalFactor) + input.Costs.SetupMs + input.Costs.EndMs + input.Disks.TotalMs,
            DowntimeMs = downtime,
            NetworkDowntimeMs = downtime + hot + input.Costs.ReachMs,
            Bytes = Order(good.Bytes, bad.Bytes) + input.Disks.WireBytes,
            Rounds = Order(good.Rounds, bad.Rounds),
            Confidence = confidence,
            KeepsBudget = (downtime + hot).High <= input.DowntimeBudgetMs * 1.05,
            Reason = reason + input.Disks.Words + (doubt.Length == 0 ? "" : $" ({doubt})"),
        };
    }

    private static Interval Order(double a, double b) => new(Math.Min(a, b), Math.Max(a, b));

    private static (Confidence Confidence, string Doubt) Judge(ForecastInput input)
    {
        List<string> doubts = [];
        if (input.DirtyReadings.Count == 0 && input.Learned.Rounds.Count == 0)
        {
            doubts.Add("its dirty rate is unknown");
        }

        if (!input.LinkMeasured)
        {
            doubts.Add("the link has not been measured");
        }

        if (input.Learned.MoveCount == 0)
        {
            doubts.Add("it has not been moved before");
        }

        if (input.Disks.Doubt is { } disks)
        {
            doubts.Add(disks);
        }

        var confidence = doubts.Count switch { 0 => Confidence.High, 1 => Confidence.Medium, _ => Confidence.Low };
        return (confidence, string.Join(", ", doubts));
    }

    /// <summary>Pre-copy while it keeps the promise (it never splits the guest over two hosts), else what gives way to it.</summary>
    private static (ForecastMode Mode, string Reason) Recommend(ForecastInput input, List<ModeForecast> modes)
    {
        var budget = input.DowntimeBudgetMs.ToString("0", CultureInfo.InvariantCulture);
        ModeForecast Of(ForecastMode mode) => modes.First(forecast => forecast.Mode == mode);
        if (Of(ForecastMode.Precopy).KeepsBudget)
        {
            return (ForecastMode.Precopy, $"pre-copy keeps the downtime within {budget} ms and can be taken back until the last moment");
        }

        if (input.PostcopyPossible)
        {
            return (ForecastMode.Hybrid, $"pre-copy alone may need more than {budget} ms: rounds first, post-copy if they do not converge");
        }

        return Of(ForecastMode.AutoConverge).KeepsBudget
            ? (ForecastMode.AutoConverge, $"only a slowed guest converges within {budget} ms, and post-copy is not possible between these hosts")
            : (ForecastMode.Precopy, $"no way keeps {budget} ms between these hosts; pre-copy stops the guest for the shortest time");
    }

    private readonly record struct Ends(double TotalSeconds, double DowntimeSeconds, double Bytes, int Rounds, double HotSeconds = 0)
    {
        public static Ends Of(PrecopyRun run) => new(run.TotalSeconds, run.DowntimeSeconds, run.TotalBytes, run.Rounds);
    }
}
