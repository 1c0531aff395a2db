using System.Globalization;
using System.Text;

namespace Godwit.ContainerBench;

/// <summary>What was measured, as people read it: medians, ranges, and ratios to dockerd in the same minutes.</summary>
internal sealed class Table
{
    private const string Reference = "dockerd";
    private readonly Dictionary<(string Row, string Engine), List<double>> values = [];
    private readonly List<(Row Row, string Load)> rows = [];

    public void Add(Row row, string engine, double value)
    {
        if (!rows.Exists(entry => entry.Row == row))
        {
            rows.Add((row, File.ReadAllText("/proc/loadavg").Split(' ')[0]));
        }

        if (!values.TryGetValue((row.Name, engine), out var list))
        {
            values[(row.Name, engine)] = list = [];
        }

        list.Add(value);
    }

    public string Line(Row row) => $"{row.Name}: {string.Join(", ", values.Where(entry => entry.Key.Row == row.Name).Select(entry => $"{entry.Key.Engine} {Show(entry.Value)} {row.Unit}"))}; godwit to {Reference} {Ratio(row.Name)}";

    public string Render(IReadOnlyList<string> engines)
    {
        var text = new StringBuilder().Append(CultureInfo.InvariantCulture, $"| what | unit | {string.Join(" | ", engines)} | godwit to {Reference} | expected | load |\n|---|---|{string.Concat(engines.Select(_ => "---|"))}---|---|---|\n");
        foreach (var (row, load) in rows)
        {
            var expected = row.Expected == 0 ? "1" : row.Expected.ToString(CultureInfo.InvariantCulture);
            text.Append(CultureInfo.InvariantCulture, $"| {row.Name} | {row.Unit} | {string.Join(" | ", engines.Select(engine => values.TryGetValue((row.Name, engine), out var list) ? Show(list) : ""))} | {Ratio(row.Name)} | {(row.HigherIsBetter ? "at least" : "at most")} {expected} | {load} |\n");
        }

        return text.ToString();
    }

    private string Ratio(string row) => values.TryGetValue((row, "godwit"), out var own) && values.TryGetValue((row, Reference), out var reference)
        ? (Median(own) / Median(reference)).ToString("0.00", CultureInfo.InvariantCulture)
        : "";

    private static string Show(List<double> list) => list.Count == 1
        ? list[0].ToString("0", CultureInfo.InvariantCulture)
        : string.Create(CultureInfo.InvariantCulture, $"{Median(list):0} ({list.Min():0}-{list.Max():0})");

    private static double Median(List<double> list)
    {
        var sorted = list.Order().ToList();
        return (sorted[(sorted.Count - 1) / 2] + sorted[sorted.Count / 2]) / 2;
    }
}
