using System.Diagnostics;
using System.Globalization;

namespace Godwit.ApiBench;

/// <summary>A part of the benchmark that can be run by itself.</summary>
/// <param name="Name">What it is chosen by.</param>
/// <param name="IsOfPods">Whether it is about pods, rather than about the server's requests.</param>
/// <param name="RunAsync">Measures once.</param>
internal sealed record Step(string Name, bool IsOfPods, Func<CancellationToken, Task> RunAsync);

/// <summary>What can be measured, and the measuring of it within a time.</summary>
internal static class Steps
{
    /// <summary>A step that takes longer is given up, and said to be.</summary>
    private static readonly TimeSpan StepBound = TimeSpan.FromMinutes(6);

    private static readonly long Began = Stopwatch.GetTimestamp();

    public static List<Step> Of(string program, int divisor, Results results)
    {
        var pods = new PodSequence(program, divisor, results);
        return
        [
            new("requests", IsOfPods: false, stopping => Sequence.RunAsync(program, divisor, results, stopping)), // One step: what is read was made by what comes before.
            .. PodSequence.Clusters.Select(each => new Step(Named($"decide {each.Nodes} nodes"), IsOfPods: true, _ => pods.Decide(each.Nodes, each.Pods))),
            .. PodSequence.Clusters.Select(each => new Step(Named($"bind {each.Nodes} nodes"), IsOfPods: true, stopping => pods.ScheduleAsync(each.Nodes, each.Pods, stopping))),
            .. PodSequence.Clusters.Select(each => new Step(Named($"backlog {each.Nodes} nodes"), IsOfPods: true, stopping => pods.BindBacklogAsync(each.Nodes, each.Pods, stopping))),
            .. PodSequence.Stored.Select(count => new Step(Named($"stored {count} pods"), IsOfPods: true, stopping => pods.StoreAsync(count, stopping))),
        ];
    }

    /// <summary>Each step so often, one run of all after the other, so that a machine that changes meanwhile changes for all.</summary>
    /// <param name="steps">What to measure.</param>
    /// <param name="runs">How often.</param>
    /// <param name="bound">No step begins after that.</param>
    /// <param name="stopping">Ends it.</param>
    /// <returns>What was left out.</returns>
    public static async Task<IReadOnlyList<string>> RunAsync(IReadOnlyList<Step> steps, int runs, TimeSpan bound, CancellationToken stopping)
    {
        var leftOut = new List<string>();
        for (var run = 1; run <= runs; run++)
        {
            foreach (var step in steps)
            {
                if (Stopwatch.GetElapsedTime(Began) > bound)
                {
                    leftOut.Add(Named($"{step.Name} (run {run})"));
                    continue;
                }

                Say($"run {run} of {runs}: {step.Name}");
                using var bounded = CancellationTokenSource.CreateLinkedTokenSource(stopping);
                bounded.CancelAfter(StepBound);
                try
                {
                    await step.RunAsync(bounded.Token);
                }
                catch (OperationCanceledException) when (!stopping.IsCancellationRequested)
                {
                    leftOut.Add(Named($"{step.Name} (run {run}, not done in {StepBound.TotalMinutes} minutes)"));
                }
            }
        }

        return leftOut;
    }

    /// <summary>Where it stands, for who waits.</summary>
    public static void Say(FormattableString words) =>
        Console.Error.WriteLine(string.Create(CultureInfo.InvariantCulture, $"[{Stopwatch.GetElapsedTime(Began):mm\\:ss}] {words.ToString(CultureInfo.InvariantCulture)}"));

    private static string Named(FormattableString name) => name.ToString(CultureInfo.InvariantCulture);
}
