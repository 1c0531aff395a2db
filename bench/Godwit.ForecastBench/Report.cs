using System.Globalization;
using System.Text;

namespace Godwit.ForecastBench;

/// <summary>
/// Errors as people read them. Kept apart: a guest's first move, forecast from samples; the second, which only teaches; and those after, forecast from
/// moves that are not judged by what they taught.
/// </summary>
internal static class Report
{
    public static string Render(IReadOnlyList<JudgedMove> moves)
    {
        var text = new StringBuilder("| moves | count | total: median, 90th, held | bytes: median, 90th, held | downtime: within 50 ms or 20 %, held | textbook total: median, 90th (diverges) |\n|---|---|---|---|---|---|\n");
        Row(text, "first of a guest", [.. moves.Where(move => move.Turn == 0)]);
        Row(text, "after two moves", [.. moves.Where(move => move.Turn >= 2)]);
        foreach (var link in moves.Select(move => move.Link).Distinct())
        {
            Row(text, $"after two moves, {link}", [.. moves.Where(move => move.Turn >= 2 && move.Link == link)]);
        }

        foreach (var guest in moves.Select(move => move.Guest).Distinct())
        {
            Row(text, $"after two moves, {guest}", [.. moves.Where(move => move.Turn >= 2 && move.Guest == guest)]);
        }

        return text.ToString();
    }

    private static void Row(StringBuilder text, string name, IReadOnlyList<JudgedMove> moves)
    {
        if (moves.Count == 0)
        {
            return;
        }

        var textbook = moves.Where(move => move.TextbookTotalMs is not null).Select(move => Math.Abs(move.TextbookTotalMs!.Value - move.TotalMs.Measured) / move.TotalMs.Measured).ToList();
        var near = moves.Count(move => Math.Abs(move.DowntimeMs.Likely - move.DowntimeMs.Measured) <= Math.Max(50, 0.2 * move.DowntimeMs.Measured));
        text.Append(CultureInfo.InvariantCulture, $"| {name} | {moves.Count} | {Errors(moves, move => move.TotalMs)} | {Errors(moves, move => move.Bytes)} ");
        text.Append(CultureInfo.InvariantCulture, $"| {near} of {moves.Count}, {moves.Count(move => move.DowntimeMs.Held)} ");
        text.Append(textbook.Count == 0 ? "| " : string.Create(CultureInfo.InvariantCulture, $"| {Share(textbook, 0.5):P0}, {Share(textbook, 0.9):P0} "));
        text.Append(CultureInfo.InvariantCulture, $"({moves.Count - textbook.Count}) |\n");
    }

    private static string Errors(IReadOnlyList<JudgedMove> moves, Func<JudgedMove, Judgement> read)
    {
        var errors = moves.Select(move => read(move).Error).ToList();
        return string.Create(CultureInfo.InvariantCulture, $"{Share(errors, 0.5):P0}, {Share(errors, 0.9):P0}, {moves.Count(move => read(move).Held)}");
    }

    /// <summary>The value that this share of all does not exceed.</summary>
    private static double Share(List<double> values, double share)
    {
        values.Sort();
        return values[Math.Clamp((int)Math.Ceiling(share * values.Count) - 1, 0, values.Count - 1)];
    }
}
