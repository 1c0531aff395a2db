using System.Globalization;
using Godwit.BenchLab;

namespace Godwit.DeploymentBench;

/// <summary>From <c>kubectl apply</c> of a deployment until all its pods are ready, on two nodes. The first time is told apart: each node takes the image from its archive then.</summary>
internal static class DeployRun
{
    public static async Task RunAsync(GodwitLab lab, int pods, int runs, CancellationToken stopping)
    {
        var (ready, gone) = (new List<double>(), new List<double>());
        for (var run = 0; run <= runs; run++)
        {
            ready.Add((await Workload.ApplyAsync(lab, pods, stopping)).TotalSeconds);
            var byNode = string.Join(", ", (await Workload.PodsAsync(lab, stopping)).GroupBy(pod => pod.Node).OrderBy(each => each.Key, StringComparer.Ordinal).Select(each => $"{each.Key}: {each.Count(pod => pod.IsReady)}"));
            gone.Add((await Workload.DeleteAsync(lab, stopping)).TotalSeconds);
            Workload.Say($"{pods} pods ready after {ready[^1]:0.00} s ({byNode}), gone after {gone[^1]:0.00} s");
        }

        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| {pods} pods on two nodes | {ready[0]:0.00} s the first time | {Median(ready.Skip(1)):0.00} s then (median of {runs}) | gone in {Median(gone.Skip(1)):0.00} s |"));
    }

    private static double Median(IEnumerable<double> values) => values.Order().ToList() is { Count: > 0 } sorted ? sorted[sorted.Count / 2] : double.NaN;
}
