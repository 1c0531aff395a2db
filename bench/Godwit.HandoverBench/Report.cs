using System.Globalization;

namespace Godwit.HandoverBench;

/// <summary>For each place, how long the guest was silent beyond its own stop.</summary>
internal static class Report
{
    /// <summary>What a handover may cost beyond the guest's own stop.</summary>
    private const double AllowedMs = 50;

    public static string Render(IReadOnlyList<Handover> seen)
    {
        var lines = new List<string>
        {
            "| from | moves | paused ms, median / p90 / max | ICMP beyond it | UDP beyond it | TCP beyond it | moves beyond 50 ms | connection |",
            "|---|---|---|---|---|---|---|---|",
        };
        foreach (var place in seen.GroupBy(each => each.Place))
        {
            var moves = place.ToList();
            var beyond = moves.Count(move => move.KernelMs - move.PausedMs > AllowedMs || move.UserMs - move.PausedMs > AllowedMs || move.ConnectionMs - move.PausedMs > AllowedMs);
            lines.Add(string.Create(
                CultureInfo.InvariantCulture,
                $"| {place.Key} | {moves.Count} | {Spread(moves.Select(move => move.PausedMs))} | {Spread(moves.Select(move => move.KernelMs - move.PausedMs))} | {Spread(moves.Select(move => move.UserMs - move.PausedMs))} | {Spread(moves.Select(move => move.ConnectionMs - move.PausedMs))} | {beyond} | {(moves.TrueForAll(move => move.ConnectionLives) ? "lives" : "broke")} |"));
        }

        return string.Join('\n', lines);
    }

    private static string Spread(IEnumerable<double> values)
    {
        var sorted = values.Order().ToList();
        double At(double share) => sorted[(int)Math.Round((sorted.Count - 1) * share)];
        return string.Create(CultureInfo.InvariantCulture, $"{At(0.5):0} / {At(0.9):0} / {At(1):0}");
    }
}
