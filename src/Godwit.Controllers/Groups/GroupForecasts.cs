using System.Globalization;
using Godwit.Api.Forecasts.V1Alpha1;
using Godwit.Api.Groups.V1Alpha1;
using Godwit.Controllers.Migrations;
using Godwit.Migration.Models;

namespace Godwit.Controllers.Groups;

/// <summary>A strategy with what it means for each member.</summary>
internal sealed record StrategyPlan(StrategyForecast Forecast, IReadOnlyList<GroupMember> Members);

/// <summary>
/// The second half of a group's plan: what each strategy would take, by both models, which one it is, and why. Pure.
/// <code>
/// serial    one at a time, the longest first
/// parallel  k at a time, the longest first: each has a share of the link. Refused when what the k write fills their link (kr ≥ 1)
/// mixed     the k that write least at a time by pre-copy, then the others, one at a time, by post-copy
/// </code>
/// A guest's downtime is its own stop. Guests that are one service move in parallel, all of them at a time, and stand still together: there it is
/// the time from the first stop to the last start.
/// </summary>
internal static class GroupForecasts
{
    /// <summary>Moving together has to save this share of the time before it is worth the longer stops.</summary>
    private const double WorthSaving = 0.1;

    private const double DowntimeBudgetMs = 300;

    /// <summary>
    /// What the guests of a service stand still for beside their own stops: the last one's word that it is ready goes to the server, which
    /// writes down that all run and tells it to their hosts.
    /// </summary>
    private static readonly Interval DecisionMs = new(10, 150);

    /// <summary>The status with forecasts, order, strategy and expected end; or Failed, when the wanted strategy is refused.</summary>
    public static GroupMigrationStatus Plan(
        GroupMigrationSpec spec, GroupMigrationStatus begun, IReadOnlyList<MemberForecast> movable, MigrationLimits limits, DateTimeOffset now)
    {
        if (movable.Count == 0)
        {
            return begun with { Reason = begun.Members.Count == 0 ? "there is no guest to move" : "none of the guests can move" };
        }

        if (GroupServices.IsService(spec))
        {
            return Together(begun, movable, limits, now);
        }

        var parallel = Math.Min(movable.Count, spec.ParallelMax ?? Math.Max(limits.OutboundForEachNode, 2));
        var mode = spec.Mode ?? MigrationModes.Auto;
        List<StrategyPlan> plans =
        [
            Wide(GroupStrategies.Serial, movable, mode, 1, limits),
            Wide(GroupStrategies.Parallel, movable, mode, parallel, limits),
            Mixed(movable, Math.Min(parallel, Math.Max(1, movable.Count - 1)), limits),
        ];
        var (chosen, reason) = Choose(spec.Strategy ?? GroupStrategies.Auto, plans);
        return Planned(begun, chosen, reason, [.. plans.Select(plan => plan.Forecast)], now);
    }

    /// <summary>All at once, whatever the limits of independent moves are, and refused if one of them cannot move.</summary>
    private static GroupMigrationStatus Together(GroupMigrationStatus begun, IReadOnlyList<MemberForecast> movable, MigrationLimits limits, DateTimeOffset now)
    {
        var unbounded = limits with { OutboundForEachNode = movable.Count, InboundForEachNode = movable.Count };
        var alone = Wide(GroupStrategies.Parallel, movable, MigrationModes.Precopy, movable.Count, unbounded);
        var book = new GroupModel(Textbook(movable), movable.Count).Parallel() is GroupOutcome.Feasible feasible ? feasible.Result : (GroupResult?)null;
        var refused = begun.Members.Where(member => member.Phase == GroupMemberPhases.Refused).Select(member => $"{member.Name} cannot move ({member.Reason})").ToList();
        var chosen = alone with
        {
            Forecast = alone.Forecast with
            {
                DowntimeMs = new()
                {
                    Low = alone.Forecast.DowntimeMs!.Low + (long)DecisionMs.Low,
                    High = alone.Forecast.DowntimeMs.High + (long)DecisionMs.High,
                },
                TextbookDowntimeMs = book?.GroupDowntimeSeconds * 1000,
                Refusal = refused.Count > 0 ? string.Join("; ", refused) : alone.Forecast.Refusal,
            },
        };
        return Planned(begun, chosen, "its guests are one service: all are stopped together and run at their targets, or all stay; shorter moves begin later, so that all come to their end together", [chosen.Forecast], now);
    }

    private static GroupMigrationStatus Planned(
        GroupMigrationStatus begun, StrategyPlan chosen, string reason, IReadOnlyList<StrategyForecast> forecasts, DateTimeOffset now) => begun with
        {
            Strategy = chosen.Forecast.Strategy,
            Reason = chosen.Forecast.Refusal is { } refusal ? $"{chosen.Forecast.Strategy} is refused: {refusal}" : reason,
            Members = [.. chosen.Members, .. begun.Members.Where(member => member.Phase == GroupMemberPhases.Refused)],
            Forecasts = forecasts,
            EndEarliestTimestamp = now + TimeSpan.FromMilliseconds(chosen.Forecast.TotalMs!.Low),
            EndLatestTimestamp = now + TimeSpan.FromMilliseconds(chosen.Forecast.TotalMs.High),
        };

    /// <summary>True when the chosen strategy must not be used.</summary>
    public static bool IsRefused(GroupMigrationStatus planned) =>
        planned.Forecasts.FirstOrDefault(forecast => forecast.Strategy == planned.Strategy)?.Refusal is not null;

    private static StrategyPlan Wide(string strategy, IReadOnlyList<MemberForecast> movable, string mode, int parallel, MigrationLimits limits)
    {
        var ordered = movable
            .OrderByDescending(each => each.Alone(mode).TotalMs?.High ?? 0)
            .ThenBy(each => each.Member.Namespace, StringComparer.Ordinal)
            .ThenBy(each => each.Member.Name, StringComparer.Ordinal)
            .ToList();
        var sharing = MoveSchedule.SharingMax([.. ordered.Select(each => Scheduled(each, 0))], parallel, limits);
        var shares = ordered.Select(each => (each.Member, Times: each.Shared(mode, sharing))).ToList();
        var model = new GroupModel(Textbook(movable), parallel);
        var outcome = strategy == GroupStrategies.Serial ? model.Serial() : model.Parallel();
        var book = outcome is GroupOutcome.Feasible feasible ? feasible.Result : (GroupResult?)null;
        var turns = Math.Ceiling((double)movable.Count / parallel);
        return new StrategyPlan(
            new StrategyForecast
            {
                Strategy = strategy,
                Parallel = parallel,
                TotalMs = Range(end => MoveSchedule.TotalMs(shares.Select(share => new ScheduledMove(share.Member.SourceNode!, share.Member.TargetNode!, end(share.Times.TotalMs))), parallel, limits)),
                DowntimeMs = Range(end => shares.Max(share => end(share.Times.DowntimeMs))),
                TextbookTotalMs = book?.TotalSeconds * turns * 1000,
                TextbookDowntimeMs = book?.MemberDowntimeSeconds * 1000,
                Refusal = parallel > 1 ? Overload(movable, sharing) : null,
            },
            [.. ordered.Select(each => each.Member with { Mode = mode, Forecast = each.Alone(mode) })]);
    }

    private static StrategyPlan Mixed(IReadOnlyList<MemberForecast> movable, int parallel, MigrationLimits limits)
    {
        // Those that write least converge best; the others would hold up what they share the link with.
        var ordered = movable
            .OrderBy(each => each.DirtyBytesPerSecond)
            .ThenBy(each => each.Member.Namespace, StringComparer.Ordinal)
            .ThenBy(each => each.Member.Name, StringComparer.Ordinal)
            .ToList();
        var (together, after) = (ordered.Take(parallel).ToList(), ordered.Skip(parallel).ToList());
        var sharing = MoveSchedule.SharingMax([.. together.Select(each => Scheduled(each, 0))], parallel, limits);
        var first = together.Select(each => (Each: each, Times: each.Shared(MigrationModes.Precopy, sharing))).ToList();
        var rest = after.Select(each => (Each: each, Times: each.Shared(MigrationModes.Postcopy, 1))).ToList();
        double Total(Func<Interval, double> end) =>
            MoveSchedule.TotalMs(first.Select(share => Scheduled(share.Each, end(share.Times.TotalMs))), parallel, limits) + rest.Sum(share => end(share.Times.TotalMs));
        var book = new GroupModel(Textbook(movable), movable.Count).Mixed(parallel) is GroupOutcome.Feasible feasible ? feasible.Result : (GroupResult?)null;
        return new StrategyPlan(
            new StrategyForecast
            {
                Strategy = GroupStrategies.Mixed,
                Parallel = parallel,
                TotalMs = Range(Total),
                DowntimeMs = Range(end => first.Concat(rest).Max(share => end(share.Times.DowntimeMs))),
                TextbookTotalMs = book?.TotalSeconds * 1000,
                TextbookDowntimeMs = book?.MemberDowntimeSeconds * 1000,
                Refusal = after.Find(each => !each.CanPostcopy) is { } without
                    ? $"{without.Member.Name} would have to move by post-copy, and its node does not say that it can"
                    : parallel > 1 ? Overload(together, sharing) : null,
            },
            [
                .. first.Select(share => share.Each.Member with { Mode = MigrationModes.Precopy, Forecast = share.Each.Alone(MigrationModes.Precopy) }),
                .. rest.Select(share => share.Each.Member with { Mode = MigrationModes.Postcopy, Forecast = share.Each.Alone(MigrationModes.Postcopy) }),
            ]);
    }

    private static (StrategyPlan Plan, string Reason) Choose(string wanted, List<StrategyPlan> plans)
    {
        if (wanted != GroupStrategies.Auto)
        {
            return (plans.First(plan => plan.Forecast.Strategy == wanted), "it was asked for");
        }

        var (serial, parallel) = (plans[0], plans[1]);
        if (serial.Members.Count == 1)
        {
            return (serial, "there is one guest to move");
        }

        if (parallel.Forecast.Refusal is { } refusal)
        {
            return (serial, $"serial: together they would not converge, {refusal}");
        }

        var (alone, together) = (Middle(serial.Forecast.TotalMs!), Middle(parallel.Forecast.TotalMs!));
        var (stop, longerStop) = (serial.Forecast.DowntimeMs!.High, parallel.Forecast.DowntimeMs!.High);
        if (longerStop > Math.Max(stop, DowntimeBudgetMs))
        {
            return (serial, Say($"serial: {parallel.Forecast.Parallel} at a time would stop a guest for up to {longerStop} ms, one at a time for up to {stop} ms"));
        }

        return together < alone * (1 - WorthSaving)
            ? (parallel, Say($"parallel: {parallel.Forecast.Parallel} at a time take about {together / 1000:0.#} s, one at a time {alone / 1000:0.#} s, and no guest stops for more than {longerStop} ms"))
            : (serial, Say($"serial: moving together saves little (about {together / 1000:0.#} s against {alone / 1000:0.#} s), and alone each has the whole link"));
    }

    /// <summary>Why so many must not share a link: those of one node that write most fill it. Null when they do not.</summary>
    private static string? Overload(IReadOnlyList<MemberForecast> movable, int sharing)
    {
        foreach (var node in movable.GroupBy(each => each.Member.SourceNode, StringComparer.Ordinal))
        {
            var worst = node.OrderByDescending(each => each.DirtyBytesPerSecond).Take(sharing).ToList();
            var ratio = worst.Sum(each => each.DirtyBytesPerSecond) / node.Min(each => each.LinkBytesPerSecond);
            if (worst.Count > 1 && ratio >= 1)
            {
                return Say($"{worst.Count} that write at once ({string.Join(", ", worst.Select(each => each.Member.Name))}) fill {ratio:0.##} of the link from {node.Key}, and it takes less than 1");
            }
        }

        return null;
    }

    /// <summary>The textbook knows equal guests only: this is the one in their middle.</summary>
    private static TextbookModel Textbook(IReadOnlyList<MemberForecast> movable)
    {
        var link = Math.Max(1, movable.Average(each => each.LinkBytesPerSecond));
        return new()
        {
            MemoryBytes = Math.Max(1, movable.Average(each => each.Input.FirstPassBytes.High)),
            LinkBytesPerSecond = link,
            DirtyBytesPerSecond = movable.Average(each => each.DirtyBytesPerSecond),
            ThresholdBytes = link * DowntimeBudgetMs / 1000,
            RestartSeconds = movable.Average(each => each.Input.Costs.RestartMs.Middle) / 1000,
        };
    }

    private static ScheduledMove Scheduled(MemberForecast each, double ms) => new(each.Member.SourceNode!, each.Member.TargetNode!, ms);

    private static ForecastRange Range(Func<Func<Interval, double>, double> of)
    {
        var (low, high) = (of(interval => interval.Low), of(interval => interval.High));
        return new ForecastRange { Low = (long)Math.Round(Math.Min(low, high)), High = (long)Math.Round(Math.Max(low, high)) };
    }

    private static double Middle(ForecastRange range) => (range.Low + range.High) / 2.0;

    private static string Say(FormattableString words) => words.ToString(CultureInfo.InvariantCulture);
}
