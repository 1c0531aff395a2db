using Godwit.Controllers.Migrations;

namespace Godwit.Controllers.Groups;

/// <summary>One move as far as the time of a group is concerned.</summary>
internal readonly record struct ScheduledMove(string Source, string Target, double Ms);

/// <summary>
/// When moves that share links end: each begins as soon as fewer than <c>parallel</c> run, and its source and its target have
/// a place free. The order is kept where it can be: one whose place is taken lets the next pass, as the queue of the
/// migration controller does. Pure.
/// </summary>
internal static class MoveSchedule
{
    /// <summary>From the first start to the last end, in milliseconds.</summary>
    public static double TotalMs(IEnumerable<ScheduledMove> moves, int parallel, MigrationLimits limits)
    {
        var waiting = moves.ToList();
        var running = new List<(ScheduledMove Move, double EndMs)>();
        var nowMs = 0.0;
        while (waiting.Count > 0)
        {
            var next = waiting.FindIndex(move => HasPlace(move, running, parallel, limits));
            if (next >= 0)
            {
                running.Add((waiting[next], nowMs + waiting[next].Ms));
                waiting.RemoveAt(next);
                continue;
            }

            nowMs = running.Min(each => each.EndMs);
            running.RemoveAll(each => each.EndMs <= nowMs);
        }

        return running.Select(each => each.EndMs).DefaultIfEmpty(nowMs).Max();
    }

    /// <summary>How many of these moves can share one link at a time.</summary>
    public static int SharingMax(IReadOnlyCollection<ScheduledMove> moves, int parallel, MigrationLimits limits)
    {
        static int Most(IEnumerable<string> nodes) => nodes.CountBy(node => node).Select(pair => pair.Value).DefaultIfEmpty(1).Max();
        var bySource = Math.Min(Most(moves.Select(move => move.Source)), limits.OutboundForEachNode);
        var byTarget = Math.Min(Most(moves.Select(move => move.Target)), limits.InboundForEachNode);
        return Math.Max(1, Math.Min(parallel, Math.Max(bySource, byTarget)));
    }

    private static bool HasPlace(ScheduledMove move, List<(ScheduledMove Move, double EndMs)> running, int parallel, MigrationLimits limits) =>
        running.Count < Math.Max(1, parallel)
        && running.Count(each => each.Move.Source == move.Source) < Math.Max(1, limits.OutboundForEachNode)
        && running.Count(each => each.Move.Target == move.Target) < Math.Max(1, limits.InboundForEachNode);
}
