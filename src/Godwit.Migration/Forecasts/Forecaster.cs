using System.Globalization;
using Godwit.Migration.Convergence;
using Godwit.Migration.Models;
using Godwit.Migration.Protocol;

namespace Godwit.Migration.Forecasts;

/// <summary>
/// Forecasts a move before it is made. Each mode is run through the working-set model three times: once with the kind end of
/// every range and once with the unkind one, which are the ends of the answer, and once with the middle of each. That is the
/// likely one. It is not the middle of the answer: where the unkind guest does not converge, that lies far from where any guest ends.
/// </summary>
public static class Forecaster
{
    /// <summary>QEMU's migration thread looks at what it was told once in so long at the latest, and the guest was stopped before it was told.</summary>
    private const double SwitchLookSeconds = 0.1;

    public static Forecast For(ForecastInput input)
    {
        var cases = new Cases<WorkingSetModel>(Case(input, 0), Case(input, 0.5), Case(input, 1));
        List<ModeForecast> modes = [Cold(input, cases), Precopy(input, cases), AutoConverge(input, cases)];
        if (input.PostcopyPossible)
        {
            modes.Add(Postcopy(input, cases));
            modes.Add(Hybrid(input, cases));
        }

        var (recommended, reason) = Recommend(input, modes);
        return new(modes, recommended, reason);
    }

    /// <summary>The model with all its inputs at one place in their ranges.</summary>
    /// <param name="input">What is known.</param>
    /// <param name="unkindness">0 is the kind end of each, 1 the unkind one.</param>
    private static WorkingSetModel Case(ForecastInput input, double unkindness)
    {
        var firstPass = Math.Min(input.MemoryBytes, (input.Learned.FirstPassBytes ?? input.FirstPassBytes).At(unkindness));
        var factor = input.Learned.DirtyFactor;
        return new()
        {
            FirstPassBytes = firstPass,
            ZeroBytes = input.MemoryBytes - firstPass,
            Dirty = Curve(input, kind: unkindness == 0).Faster(factor.Low > 0 ? factor.Low * Math.Pow(factor.High / factor.Low, unkindness) : factor.At(unkindness)),
            LinkBytesPerSecond = input.LinkBytesPerSecond.At(1 - unkindness),
            DowntimeLimitSeconds = Math.Min(input.DowntimeLimitMs, input.DowntimeBudgetMs) / 1000,
            DowntimeBudgetSeconds = input.DowntimeBudgetMs / 1000,
            RestartSeconds = input.Costs.RestartMs.At(unkindness) / 1000,
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

    private static ModeForecast Cold(ForecastInput input, Cases<WorkingSetModel> cases)
    {
        Ends Copy(WorkingSetModel model)
        {
            var whole = (model with { Dirty = DirtyCurve.Idle }).FirstPass();
            return new(whole.TotalSeconds, whole.TotalSeconds, whole.TotalBytes, 0);
        }

        return Build(input, ForecastMode.Cold, cases.Select(Copy), "the guest stands still while all of its memory is copied");
    }

    private static ModeForecast Precopy(ForecastInput input, Cases<WorkingSetModel> cases)
    {
        var runs = cases.Select(model => model.Precopy());
        return Build(input, ForecastMode.Precopy, runs.Select(Ends.Of), Converges(input, cases.Unkind, runs));
    }

    private static ModeForecast AutoConverge(ForecastInput input, Cases<WorkingSetModel> cases)
    {
        var runs = cases.Select(model => (model with { Throttle = ThrottleSettings.AutoConverge }).Precopy());
        var slowing = runs.Unkind.ThrottleShare > 0
            ? string.Create(CultureInfo.InvariantCulture, $"; the guest may lose up to {runs.Unkind.ThrottleShare:P0} of its CPU time until it has moved")
            : "; it would not have to be slowed down";
        return Build(input, ForecastMode.AutoConverge, runs.Select(Ends.Of), Converges(input, cases.Unkind, runs) + slowing);
    }

    private static ModeForecast Postcopy(ForecastInput input, Cases<WorkingSetModel> cases)
    {
        var runs = cases.Select(model => model.FirstPass());
        return Build(input, ForecastMode.Postcopy, Pulled(runs), Pulling(runs.Unkind) + "; a lost host during the pull loses the guest");
    }

    private static ModeForecast Hybrid(ForecastInput input, Cases<WorkingSetModel> cases)
    {
        var runs = cases.Select(model => (model with { EndsWhenHopeless = true }).Precopy());
        return Build(
            input,
            ForecastMode.Hybrid,
            Pulled(runs),
            runs.Unkind.Converged ? "converges by pre-copy, so nothing is left to pull" : "goes on by post-copy when the rounds stop shrinking: " + Pulling(runs.Unkind));
    }

    /// <summary>From here on the guest runs on the target: it stops for its device state, until QEMU has looked at what it was told, and then waits for hot pages.</summary>
    private static Cases<Ends> Pulled(Cases<PrecopyRun> runs)
    {
        static Ends Pull(PrecopyRun run, double unkindness) => run.Converged
            ? Ends.Of(run)
            : new(
                run.TotalSeconds + HushSeconds(run),
                run.RestartSeconds + (unkindness * SwitchLookSeconds),
                run.TotalBytes,
                run.Rounds,
                HotSeconds: Math.Min(0.7, run.RestSeconds * 0.6));

        return new(Pull(runs.Kind, 0), Pull(runs.Likely, 0.5), Pull(runs.Unkind, 1));
    }

    /// <summary>The pull gets little of the link at first, while the guest fetches its hot pages.</summary>
    internal static double HushSeconds(PrecopyRun run) => Math.Min(run.RestSeconds, SourcePhase.Postcopying.BackgroundHush.TotalSeconds);

    private static string Pulling(PrecopyRun bad) => bad.Converged
        ? "nothing would be left to pull"
        : string.Create(CultureInfo.InvariantCulture, $"up to {bad.RestBytes / (1 << 20):0} MiB would be pulled after the guest has moved");

    private static string Converges(ForecastInput input, WorkingSetModel unkind, Cases<PrecopyRun> runs)
    {
        var bad = runs.Unkind;
        var dirtied = unkind.Dirty.UniqueBytes(1) / (1 << 20);
        var link = unkind.LinkBytesPerSecond / (1 << 20);
        var numbers = string.Create(CultureInfo.InvariantCulture, $"the guest dirties up to {dirtied:0} MiB in a second, the link carries {link:0} MiB/s");
        return (runs.Kind.Converged, bad.Converged) switch
        {
            (true, true) => $"converges: {numbers}",
            (true, false) => $"may not converge: {numbers}; then the guest would be stopped for {bad.DowntimeSeconds:0.0} s",
            _ => string.Create(
                CultureInfo.InvariantCulture,
                $"will not converge within {input.DowntimeBudgetMs:0} ms: {numbers}; a forced stop takes {bad.DowntimeSeconds:0.0} s"),
        };
    }

    private static ModeForecast Build(ForecastInput input, ForecastMode mode, Cases<Ends> ends, string reason)
    {
        var total = ends.Range(each => each.TotalSeconds) * 1000;
        var downtime = ends.Range(each => each.DowntimeSeconds) * 1000;
        var hot = ends.Range(each => each.HotSeconds) * 1000;
        var beside = input.Costs.SetupMs + input.Costs.EndMs + input.Disks.TotalMs;
        var (confidence, doubt) = Judge(input);
        return new()
        {
            Mode = mode,
            TotalMs = total.Scale(input.Learned.TotalFactor) + beside,
            DowntimeMs = downtime,
            NetworkDowntimeMs = downtime + hot + input.Costs.ReachMs,
            Bytes = ends.Range(each => each.Bytes) + input.Disks.WireBytes,
            Likely = new(
                (ends.Likely.TotalSeconds * 1000 * input.Learned.TotalFactor.Middle) + beside.Middle,
                ends.Likely.DowntimeSeconds * 1000,
                ends.Likely.Bytes + input.Disks.WireBytes.Middle),
            Rounds = ends.Range(each => each.Rounds),
            Confidence = confidence,
            KeepsBudget = (downtime + hot).High <= input.DowntimeBudgetMs * 1.05,
            Reason = reason + input.Disks.Words + (doubt.Length == 0 ? "" : $" ({doubt})"),
        };
    }

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

    /// <summary>The same for a guest and a link that are kind, as is likely, and unkind.</summary>
    private readonly record struct Cases<TValue>(TValue Kind, TValue Likely, TValue Unkind)
    {
        public Cases<TResult> Select<TResult>(Func<TValue, TResult> map) => new(map(Kind), map(Likely), map(Unkind));

        /// <summary>A guest that writes more can end sooner (a rule gives up earlier), so the runs are ordered per quantity.</summary>
        public Interval Range(Func<TValue, double> read)
        {
            var (kind, likely, unkind) = (read(Kind), read(Likely), read(Unkind));
            return new(Math.Min(likely, Math.Min(kind, unkind)), Math.Max(likely, Math.Max(kind, unkind)));
        }
    }

    private readonly record struct Ends(double TotalSeconds, double DowntimeSeconds, double Bytes, int Rounds, double HotSeconds = 0)
    {
        public static Ends Of(PrecopyRun run) => new(run.TotalSeconds, run.DowntimeSeconds, run.TotalBytes, run.Rounds);
    }
}
