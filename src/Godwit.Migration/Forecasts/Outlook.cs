using Godwit.Migration.Convergence;
using Godwit.Migration.Models;
using Godwit.Migration.Protocol;

namespace Godwit.Migration.Forecasts;

/// <summary>What was known of a guest and a link before its move began: what a move that runs has not shown yet is taken from here.</summary>
/// <param name="LinkBytesPerSecond">What a stream gets of the link, were there no policy.</param>
/// <param name="FirstPassBytes">The part of memory that is not zero.</param>
/// <param name="Dirty">The guest's writes.</param>
/// <param name="DirtyFactor">How much faster or slower than that it may write.</param>
/// <param name="Costs">What does not depend on memory.</param>
public sealed record OutlookBasis(Interval LinkBytesPerSecond, Interval FirstPassBytes, DirtyCurve Dirty, Interval DirtyFactor, FixedCosts Costs)
{
    /// <summary>The disks that go along.</summary>
    public DiskWork Disks { get; init; } = DiskWork.None;

    public static OutlookBasis Of(ForecastInput input, Interval linkBytesPerSecond) => new(
        linkBytesPerSecond, input.Learned.FirstPassBytes ?? input.FirstPassBytes, Forecaster.Expected(input), input.Learned.DirtyFactor, input.Costs) { Disks = input.Disks };
}

/// <summary>
/// How a move that runs is going to end, as far as can be told from where it is now. The working-set model is run again, 21 times: from what is left
/// of the pass under way, with what is left of the policy's rounds, bytes and time. In the first run every unknown is at the kind end of its range,
/// in the last at the unkind one, between them all go together in equal steps.
/// <code>
///   unknown            until the move has shown it          from then on
///   rate               what was forecast                    the last round's, 0.92 to 1.05 times (the first pass: its mean so far, 0.85 to
///                                                           1.15; before a second is over 0.6 to 2.5, and within what was forecast)
///   the guest's writes what was forecast                    the rounds that were seen, 0.8 to 1.25 times
///   not zero           what was forecast of the first pass  exact
///   disks              what was forecast of them            what is left of them, at their mean rate so far
/// </code>
/// The ends of the range are the shortest and the longest run. The chance is the share of runs that end within the policy's bounds: the
/// guest arrives, and stands still no longer than the downtime budget, or goes by post-copy where the policy says so. So it is a statement
/// about what is known, not a frequency, and it never says that it is sure: from 1 to 99. Faults are not in it. No run is longer than the move's own rules let
/// it be: they end its rounds as they end the move's, also in the middle of a pass. It may go either way as the move shows more.
/// </summary>
/// <param name="EndsInSeconds">From now to the source cleaned up, or to the guest left where it is.</param>
/// <param name="SuccessChancePercent">From 1 to 99.</param>
public readonly record struct Outlook(Interval EndsInSeconds, int SuccessChancePercent)
{
    private const int RunCount = 21;
    private const double BudgetSlack = 1.05;
    private static readonly Interval LastRoundRate = new(0.92, 1.05);
    private static readonly Interval MeanRate = new(0.85, 1.15);
    private static readonly Interval SeenDirty = new(0.8, 1.25);
    private static readonly Interval EarlyRate = new(0.6, 2.5);
    private static readonly TimeSpan EarlyMin = TimeSpan.FromSeconds(0.25);
    private static readonly TimeSpan MeanMin = TimeSpan.FromSeconds(1);

    /// <summary>Null when nothing can be told: nothing is sent yet, ended, or neither forecast nor measured.</summary>
    public static Outlook? Of(SourcePhase phase, OutlookBasis? basis, DateTimeOffset now)
    {
        var costs = basis?.Costs ?? FixedCosts.Unmeasured;
        return phase switch
        {
            SourcePhase.Mirroring => OfDisks(phase, basis, now),
            SourcePhase.Opening opening => OfRounds(phase, opening.Controller, basis, now),
            SourcePhase.Precopying precopying => OfRounds(phase, precopying.Controller, basis, now),
            SourcePhase.EndingRounds or SourcePhase.SwitchingOver => Rate(phase.Plan, phase.Move.Trace, true, basis, now) is { } rate ? OfRest(phase, rate, costs) : null,
            SourcePhase.Activating => new(InSeconds(new Interval(0, costs.RestartMs.High) + costs.EndMs), 99),
            SourcePhase.Postcopying => Rate(phase.Plan, phase.Move.Trace, true, basis, now) is { } rate
                ? new(Seconds(phase.Move.Trace.RemainingBytes, rate) + InSeconds(costs.EndMs), 99)
                : null,
            SourcePhase.Completing => new(InSeconds(new(0, costs.EndMs.High)), 99),
            _ => null,
        };
    }

    /// <summary>What is left of the disks, and then all of memory.</summary>
    private static Outlook? OfDisks(SourcePhase phase, OutlookBasis? basis, DateTimeOffset now)
    {
        var trace = phase.Move.Trace;
        var elapsed = now - (trace.DisksStartedAt ?? now);
        if (basis is null || OfRounds(phase, new ConvergenceController(phase.Plan.Convergence), basis, now) is not { } memory)
        {
            return null;
        }

        var rate = elapsed >= MeanMin && trace.DiskCopiedBytes > 0 ? MeanRate * (trace.DiskCopiedBytes / elapsed.TotalSeconds) : basis.Disks.BytesPerSecond;
        var left = trace.DiskTotalBytes > 0 ? Interval.Exactly(Math.Max(0, trace.DiskTotalBytes - trace.DiskCopiedBytes)) : basis.Disks.Bytes;
        var disks = basis.Disks with { Bytes = left, BytesPerSecond = Bounded(rate, phase.Plan) };
        return memory with { EndsInSeconds = memory.EndsInSeconds + InSeconds(disks.TotalMs) };
    }

    private static Outlook? OfRounds(SourcePhase phase, ConvergenceController controller, OutlookBasis? basis, DateTimeOffset now)
    {
        var trace = phase.Move.Trace;
        var curve = Dirty(phase.Plan, controller, basis);
        if (curve is not { } dirty || Left(trace, basis) is not { } left || Rate(phase.Plan, trace, controller.IsRateSettled, basis, now) is not { } rate)
        {
            return null;
        }

        var elapsed = now - (trace.StreamStartedAt ?? now);
        var costs = basis?.Costs ?? FixedCosts.Unmeasured;
        var (shortest, longest, within) = (double.MaxValue, 0.0, 0);
        for (var run = 0; run < RunCount; run++)
        {
            var unkindness = (double)run / (RunCount - 1);
            var leftBytes = Math.Max(1, left.At(unkindness));
            var model = new WorkingSetModel
            {
                FirstPassBytes = leftBytes,
                Dirty = dirty(unkindness),
                SpentSeconds = Math.Max(0, (elapsed - controller.Current.StartedAt).TotalSeconds),
                LinkBytesPerSecond = rate.At(1 - unkindness),
                DowntimeLimitSeconds = controller.DowntimeLimitMs / 1000,
                DowntimeBudgetSeconds = controller.Settings.DowntimeBudgetMs / 1000,
                EndsWhenHopeless = controller.Settings is { ExpectedDirty: not null, Action: not NonConvergenceAction.SwitchOver },
                Throttle = controller.Settings.SlowsGuest ? ThrottleSettings.AutoConverge : default,
                RestartSeconds = costs.RestartMs.At(unkindness) / 1000,
                Termination = Remaining(controller.Settings.Termination, trace, leftBytes, controller.Current.Round, elapsed),
            };
            var (seconds, isWithin) = End(model, phase.Plan);
            var total = seconds + (costs.EndMs.At(unkindness) / 1000);
            (shortest, longest, within) = (Math.Min(shortest, total), Math.Max(longest, total), within + (isWithin ? 1 : 0));
        }

        return new(new(shortest, longest), Math.Clamp(within * 100 / RunCount, 1, 99));
    }

    /// <summary>As the convergence controller does: the limit in force if it can be met; raised to what is left, if the budget holds that; else what the policy says.</summary>
    private static (double Seconds, bool IsWithin) End(WorkingSetModel model, MigrationPlan plan)
    {
        var settings = plan.Convergence;
        if (settings.OnePassOnly)
        {
            var pass = model.FirstPass();
            return (pass.TotalSeconds + (pass.Converged ? 0 : Forecaster.HushSeconds(pass)), true);
        }

        var run = model.Precopy();
        var isWithin = run.Converged || plan.Mode == MigrationMode.Cold || run.RestSeconds * 1000 <= settings.DowntimeBudgetMs * BudgetSlack;
        return settings.Action switch
        {
            _ when isWithin => (run.TotalSeconds, true),
            NonConvergenceAction.GiveUp => (run.RoundsSeconds, false),
            NonConvergenceAction.Postcopy when plan.PostcopyOpen => (run.TotalSeconds + Forecaster.HushSeconds(run), true),
            _ => (run.TotalSeconds, false),
        };
    }

    /// <summary>The rounds are over: only the rest, and what is fixed.</summary>
    private static Outlook OfRest(SourcePhase phase, Interval rate, FixedCosts costs)
    {
        var rest = Seconds(phase.Move.Trace.RemainingBytes, rate);
        var isWithin = phase.Plan.Mode == MigrationMode.Cold || (phase.Plan is { PostcopyOpen: true, Convergence.Action: NonConvergenceAction.Postcopy });
        var share = isWithin ? 1 : Enumerable.Range(0, RunCount).Count(run => rest.At((double)run / (RunCount - 1)) * 1000 <= phase.Plan.Convergence.DowntimeBudgetMs * BudgetSlack) / (double)RunCount;
        return new(rest + InSeconds(costs.RestartMs + costs.EndMs), Math.Clamp((int)(share * 100), 1, 99));
    }

    /// <summary>What the policy still allows, counted from the pass under way.</summary>
    private static TerminationSettings Remaining(TerminationSettings rules, MoveTrace trace, double leftBytes, long round, TimeSpan elapsed)
    {
        var memoryBytes = trace.MemoryBytes > 0 ? trace.MemoryBytes : trace.TransferredBytes + trace.RemainingBytes;
        return rules with
        {
            RoundsMax = (int)Math.Max(0, rules.RoundsMax - Math.Max(1, round) + 1),
            CopiedFactorMax = memoryBytes == 0 ? rules.CopiedFactorMax : Math.Max(0, (rules.CopiedFactorMax * memoryBytes) - trace.TransferredBytes) / leftBytes,
            Deadline = rules.Deadline > elapsed ? rules.Deadline - elapsed : TimeSpan.Zero,
        };
    }

    private static Func<double, DirtyCurve>? Dirty(MigrationPlan plan, ConvergenceController controller, OutlookBasis? basis)
    {
        if (plan.Mode == MigrationMode.Cold)
        {
            return _ => DirtyCurve.Idle;
        }

        if (controller.RoundsSeen is { Count: > 0 } seen)
        {
            // Beyond the longest round that was seen the working set may be exhausted, or not.
            var most = seen.Max(round => round.UniqueBytes);
            var memoryBytes = Math.Max(most, basis?.Dirty.WorkingSetBytes ?? 0);
            return unkindness => DirtyCurve.Fitted(seen, most + ((memoryBytes - most) * unkindness)).Faster(SeenDirty.At(unkindness));
        }

        return basis is { } known ? unkindness => known.Dirty.Faster(known.DirtyFactor.At(unkindness)) : null;
    }

    /// <summary>In bytes per second; null: not known. A rate of before a change of the bandwidth tells nothing.</summary>
    private static Interval? Rate(MigrationPlan plan, MoveTrace trace, bool isSettled, OutlookBasis? basis, DateTimeOffset now)
    {
        var elapsed = now - (trace.StreamStartedAt ?? now);
        var known = isSettled && trace.BytesPerSecond > 0 ? LastRoundRate * trace.BytesPerSecond
            : isSettled && elapsed >= MeanMin && trace.TransferredBytes > 0 ? MeanRate * (trace.TransferredBytes / elapsed.TotalSeconds)
            : isSettled && elapsed >= EarlyMin && trace.TransferredBytes > 0 ? Early(trace.TransferredBytes / elapsed.TotalSeconds, basis?.LinkBytesPerSecond)
            : basis?.LinkBytesPerSecond;
        return known is { Low: > 0 } rate ? Bounded(rate, plan) : null;
    }

    /// <summary>A stream that has just begun is not at its rate yet, but shows its order: a link that was not measured is no more doubtful than that.</summary>
    private static Interval Early(double bytesPerSecond, Interval? forecast)
    {
        var seen = EarlyRate * bytesPerSecond;
        var (low, high) = (Math.Max(seen.Low, forecast?.Low ?? 0), Math.Min(seen.High, forecast?.High ?? double.MaxValue));
        return low <= high ? new(low, high) : seen;
    }

    private static Interval Bounded(Interval rate, MigrationPlan plan)
    {
        var bound = plan.BandwidthBytesPerSecond > 0 ? plan.BandwidthBytesPerSecond : double.MaxValue;
        return new(Math.Min(rate.Low, bound), Math.Min(rate.High, bound));
    }

    /// <summary>Of the pass under way: QEMU counts zero pages in the first, which are next to nothing on the wire. Null: not known.</summary>
    private static Interval? Left(MoveTrace trace, OutlookBasis? basis)
    {
        if (trace is { TransferredBytes: 0, RemainingBytes: 0 })
        {
            return basis?.FirstPassBytes; // QEMU sets the stream up, or has not been looked at since: all is left, not nothing.
        }

        double left = trace.RemainingBytes;
        if (trace.Rounds > 1)
        {
            return Interval.Exactly(left);
        }

        return basis is { FirstPassBytes: var first }
            ? new(Math.Clamp(first.Low - trace.TransferredBytes, 0, left), Math.Clamp(first.High - trace.TransferredBytes, 0, left))
            : new(0, left);
    }

    private static Interval Seconds(double bytes, Interval rate) => new(bytes / rate.High, bytes / rate.Low);

    private static Interval InSeconds(Interval milliseconds) => milliseconds * 0.001;
}
