using System.Globalization;
using System.Text;

namespace Godwit.MoveBench;

/// <summary>Results as people read them.</summary>
internal static class Table
{
    public static string Line(MoveResult move) => string.Create(
        CultureInfo.InvariantCulture,
        $"{move.Link,-8} {move.Writer,-5} {move.System,-16} {(move.Succeeded ? "" : "FAILED ")}command {move.CommandSeconds:0.00} s, own total {move.OwnTotalSeconds:0.00} s, stream {move.StreamSeconds:0.00} s, own downtime {move.OwnDowntimeMs:0} ms, gap {move.GapKernelMs:0} / {move.GapUserMs:0} ms, {move.WireBytes / 1e6:0} MB, load {move.LoadAverage:0.0}; {move.Remark}");

    /// <summary>Medians as a Markdown table, with the range of the whole command's time.</summary>
    public static string Render(IReadOnlyList<MoveResult> results)
    {
        var text = new StringBuilder("| link | writer | system | runs | command s (range) | own total s | stream s | own downtime ms | gap ICMP ms | gap UDP ms | MB |\n|---|---|---|---|---|---|---|---|---|---|---|\n");
        foreach (var group in results.GroupBy(move => (move.Link, move.Writer, move.System)).OrderBy(group => (group.Key.Link, group.Key.Writer)))
        {
            var done = group.Where(move => move.Succeeded).ToList();
            text.Append(CultureInfo.InvariantCulture, $"| {group.Key.Link} | {group.Key.Writer} | {group.Key.System} | {done.Count} of {group.Count()} ");
            text.Append(done.Count == 0
                ? "| did not end | | | | | | |\n"
                : string.Create(
                    CultureInfo.InvariantCulture,
                    $"| {Median(done, move => move.CommandSeconds):0.00} ({done.Min(move => move.CommandSeconds):0.00}-{done.Max(move => move.CommandSeconds):0.00}) | {Median(done, move => move.OwnTotalSeconds):0.00} | {Median(done, move => move.StreamSeconds):0.00} | {Median(done, move => move.OwnDowntimeMs):0} | {Median(done, move => move.GapKernelMs):0} | {Median(done, move => move.GapUserMs):0} | {Median(done, move => move.WireBytes / 1e6):0} |\n"));
        }

        return text.ToString();
    }

    private static double? Median(IEnumerable<MoveResult> moves, Func<MoveResult, double?> read)
    {
        var values = moves.Select(read).OfType<double>().Order().ToList();
        return values.Count == 0 ? null : (values[(values.Count - 1) / 2] + values[values.Count / 2]) / 2;
    }
}
