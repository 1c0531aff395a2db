using System.Globalization;
using System.Text;

namespace Godwit.ApiBench;

/// <summary>What was measured of one row in one run.</summary>
/// <param name="Value">In the row's unit.</param>
/// <param name="P50Ms">Latency of one request; 0 where there is none.</param>
/// <param name="P99Ms">The same.</param>
/// <param name="CpuMs">Processor time of the server for one operation; 0 where it means nothing.</param>
internal readonly record struct Sample(double Value, double P50Ms = 0, double P99Ms = 0, double CpuMs = 0);

/// <summary>The samples of all runs, as a table beside the reference's numbers.</summary>
internal sealed class Results
{
    private readonly List<(Row Row, List<Sample> Samples)> rows = [];

    public void Add(Row row, Sample sample)
    {
        var known = rows.Find(entry => entry.Row == row);
        if (known.Row is null)
        {
            rows.Add(known = (row, []));
        }

        known.Samples.Add(sample);
        Console.Error.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{row.Name}: {sample.Value:0.#} {row.Unit} (p50 {sample.P50Ms:0.0} ms, p99 {sample.P99Ms:0.0} ms, CPU {sample.CpuMs:0.00} ms)"));
    }

    public string ToMarkdown()
    {
        var load = File.ReadAllText("/proc/loadavg").Split(' ');
        var text = new StringBuilder()
            .Append(CultureInfo.InvariantCulture, $"Medians of {(rows.Count == 0 ? 0 : rows.Max(row => row.Samples.Count))} runs on {Environment.ProcessorCount} processors; load average at the end {load[0]}, {load[1]}, {load[2]}.\n\n")
            .Append("| operation | here | reference | better by | p50 / p99 ms | CPU ms an operation | reference | better by |\n|---|---|---|---|---|---|---|---|\n");
        foreach (var (row, samples) in rows)
        {
            var (value, cpu) = (Median(samples, sample => sample.Value), Median(samples, sample => sample.CpuMs));
            var latency = Median(samples, sample => sample.P50Ms) is > 0 and var middle ? $"{Show(middle)} / {Show(Median(samples, sample => sample.P99Ms))}" : "";
            text.Append(CultureInfo.InvariantCulture, $"| {row.Name} | {Show(value)} {row.Unit} | {(row.Reference > 0 ? Show(row.Reference) : "")} | {(row.Reference > 0 ? Ratio(row.LowerIsBetter ? row.Reference / value : value / row.Reference) : "")} | {latency} ")
                .Append(CultureInfo.InvariantCulture, $"| {(cpu > 0 ? Show(cpu) : "")} | {(row.ReferenceCpuMs > 0 ? Show(row.ReferenceCpuMs) : "")} | {(cpu > 0 && row.ReferenceCpuMs > 0 ? Ratio(row.ReferenceCpuMs / cpu) : "")} |\n");
        }

        return text.ToString();
    }

    private static double Median(List<Sample> samples, Func<Sample, double> of)
    {
        var sorted = samples.Select(of).Order().ToList();
        return sorted[sorted.Count / 2];
    }

    private static string Show(double value) => value.ToString(value >= 100 ? "0" : value >= 1 ? "0.0" : "0.000", CultureInfo.InvariantCulture);

    private static string Ratio(double ratio) => ratio.ToString("0.0", CultureInfo.InvariantCulture) + "x";
}
