using System.Diagnostics;
using System.Globalization;
using Godwit.BenchLab;

namespace Godwit.DeploymentBench;

/// <summary>
/// Twenty pods on three nodes, of which one dies: its agent is killed and its link cut. How long until the node is seen to be silent, until all twenty are ready on the other two, and what
/// becomes of the old ones when the node is back.
/// </summary>
internal static class LostNodeRun
{
    private const int Pods = 20;
    private const string Lost = "node-2";

    /// <returns>Whether it ended with just these pods, none of them on two nodes or left over.</returns>
    public static async Task<bool> RunAsync(GodwitLab lab, CancellationToken stopping)
    {
        await Workload.ApplyAsync(lab, Pods, stopping);
        var old = (await Workload.PodsAsync(lab, stopping)).Where(pod => pod.Node == Lost).Select(pod => pod.Name).ToHashSet(StringComparer.Ordinal);
        Workload.Say($"{Pods} pods are ready, {old.Count} of them on {Lost}, which dies now");
        using (var agent = Process.GetProcessById(lab.AgentProcessId(Lost)))
        {
            agent.Kill();
            await agent.WaitForExitAsync(stopping);
        }

        var died = Stopwatch.GetTimestamp();
        await lab.SetLinkAsync(Lost, isUp: false, stopping);
        await Workload.UntilAsync("the node is known to be silent", async () =>
            await lab.KubectlAsync(["get", "node", Lost, "-o", """jsonpath={.status.conditions[?(@.type=="Ready")].status}"""], stopping) == "Unknown", stopping);
        var noticed = Stopwatch.GetElapsedTime(died);
        Workload.Say($"the node is known to be silent after {noticed.TotalSeconds:0.0} s");
        await Workload.UntilAsync("all pods are ready elsewhere", async () => (await Workload.PodsAsync(lab, stopping)).Count(pod => pod.IsReady && pod.Node != Lost) == Pods, stopping);
        var replaced = Stopwatch.GetElapsedTime(died);
        Workload.Say($"all {Pods} are ready again after {replaced.TotalSeconds:0.0} s");

        await lab.SetLinkAsync(Lost, isUp: true, stopping);
        await lab.BringUpAsync(stopping);
        var back = Stopwatch.GetTimestamp();
        await Workload.UntilAsync("the returned node has let go of its old pods", async () => !(await Workload.PodsAsync(lab, stopping)).Any(pod => old.Contains(pod.Name)), stopping);
        var released = Stopwatch.GetElapsedTime(back);
        var left = await Workload.PodsAsync(lab, stopping);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"| {Pods} pods on three nodes, one dies with {old.Count} of them | known to be silent after {noticed.TotalSeconds:0.0} s | all ready again after {replaced.TotalSeconds:0.0} s | back, it ended its old ones within {released.TotalSeconds:0.0} s |"));
        return left.Count == Pods && left.All(pod => pod.IsReady);
    }
}
