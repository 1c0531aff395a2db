using Godwit.Api.Core.V1;
using Godwit.Containers;

namespace Godwit.Node.Pods;

/// <summary>
/// What this host has to do for one pod: a function of what is asked and what is seen.
/// <code>
///   bound ─▶ address ─▶ sandbox ─▶ init containers, one after the other ─▶ containers ─▶ … restarted as the policy says …
///                                  (sidecars stay)                                          │ all ended for good, time over, deleted
///                                                                                           ▼
///                                                             ended with grace ─▶ last status ─▶ removed ─▶ object released
/// </code>
/// A run is named by container and attempt, and the engine takes each name once: however often a plan is made or repeated, and whoever dies in
/// between, no attempt runs twice. The attempt and its place in a row of short runs are written into the run, so that nothing has to be remembered.
/// </summary>
internal static class PodPlan
{
    /// <summary>A run longer than this ends a row of short ones.</summary>
    internal static readonly TimeSpan GoodRun = TimeSpan.FromMinutes(10);

    private static readonly TimeSpan BackOffMax = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan BackOffFirst = TimeSpan.FromSeconds(10);
    private const long GraceSecondsDefault = 30;
    private const int DoublingsMax = 5;

    public static PodDecision For(PodView view) => view.Object switch
    {
        PodObject.Present { Pod: var pod } => For(pod, view),
        PodObject.Absent => new PodDecision(EndAll(view, TimeSpan.Zero, "its object is gone") is { Count: > 0 } ends ? ends : view.HasSandbox || view.Runs.Count > 0 ? [new PodStep.Remove()] : [], null),
        _ => new PodDecision([], null),
    };

    /// <summary>How long to wait between the end of a run and the next: 0, 10 s, 20 s, … 5 min.</summary>
    internal static TimeSpan BackOff(int streak) =>
        streak <= 1 ? TimeSpan.Zero : streak - 2 >= DoublingsMax ? BackOffMax : BackOffFirst * (1 << (streak - 2));

    /// <summary>Whether a container that ended so is started anew.</summary>
    internal static bool Restarts(Pod pod, Container container, ContainerExit exit) =>
        !EphemeralContainers.Has(pod, container.Name) && (IsSidecar(pod, container) || pod.Spec.RestartPolicy switch
        {
            "Never" => false,
            "OnFailure" => exit.Code != 0,
            _ => !IsInit(pod, container) || exit.Code != 0,
        });

    internal static bool IsInit(Pod pod, Container container) => pod.Spec.InitContainers.Any(each => each.Name == container.Name);

    internal static bool IsSidecar(Pod pod, Container container) => container.RestartPolicy == "Always" && IsInit(pod, container);

    /// <summary>Whether the pod has come to its end: null while it has not.</summary>
    internal static string? FinalPhase(Pod pod, PodView view)
    {
        if (view.Verdict is not null)
        {
            return PodPhases.Failed;
        }

        foreach (var init in pod.Spec.InitContainers.Where(each => !IsSidecar(pod, each)))
        {
            if (view.LastRun(init.Name)?.Exit is { Code: not 0 } failed && !Restarts(pod, init, failed))
            {
                return PodPhases.Failed;
            }
        }

        var exits = pod.Spec.Containers.Select(container => (Container: container, view.LastRun(container.Name)?.Exit)).ToList();
        return exits.Count == 0 || exits.Exists(each => each.Exit is null || Restarts(pod, each.Container, each.Exit)) ? null
            : exits.TrueForAll(each => each.Exit!.Code == 0) ? PodPhases.Succeeded
            : PodPhases.Failed;
    }

    private static PodDecision For(Pod pod, PodView view)
    {
        var isDeleted = pod.Metadata.DeletionTimestamp is not null;
        var status = PodStatusPlan.For(pod, view);
        var publish = PodStatusPlan.SaysTheSame(pod.Status, status) ? [] : new List<PodStep> { new PodStep.Publish(status) };
        if (isDeleted || PodPhases.IsFinal(pod.Status.Phase) || FinalPhase(pod, view) is not null)
        {
            return new PodDecision([.. publish, .. WindUp(pod, view, isDeleted)], null);
        }

        if (pod.Spec.HostNetwork != true && string.IsNullOrEmpty(pod.Status.PodIP))
        {
            return new PodDecision([], null); // The address controller has its turn.
        }

        if (!view.HasSandbox)
        {
            // What ran in a sandbox that is gone ran before the host's restart.
            return new PodDecision([.. publish, new PodStep.MakeSandbox()], null);
        }

        var run = new List<PodStep>();
        DateTimeOffset? again = null;
        foreach (var container in Due(pod, view))
        {
            Keep(pod, container, view, run, ref again);
        }

        run.AddRange(Outdated(view));
        return new PodDecision([.. publish, .. run], again);
    }

    /// <summary>The containers that shall run or have run by now: those that look into the pod, at any time; init containers up to the first that is not done, and behind them the others.</summary>
    private static IEnumerable<Container> Due(Pod pod, PodView view)
    {
        foreach (var looking in EphemeralContainers.Of(pod))
        {
            yield return looking;
        }

        foreach (var init in pod.Spec.InitContainers)
        {
            yield return init;
            var last = view.LastRun(init.Name);
            var isDone = IsSidecar(pod, init) ? last is { IsAlive: true } && view.HealthOf(last).Started : last?.Exit is { Code: 0 };
            if (!isDone)
            {
                yield break;
            }
        }

        foreach (var container in pod.Spec.Containers)
        {
            yield return container;
        }
    }

    private static void Keep(Pod pod, Container container, PodView view, List<PodStep> steps, ref DateTimeOffset? again)
    {
        var last = view.LastRun(container.Name);
        if (last is { IsAlive: true })
        {
            if (view.HealthOf(last).Failure is { } why && !view.Ending.Contains(last.Id))
            {
                steps.Add(new PodStep.End(last, Grace(pod), why));
            }

            return;
        }

        var notBefore = view.Troubles.TryGetValue(container.Name, out var trouble) ? trouble.NotBefore : DateTimeOffset.MinValue;
        var (attempt, streak) = (0, 0);
        if (last is not null)
        {
            if (last.Exit is { } exit)
            {
                if (!Restarts(pod, container, exit))
                {
                    return;
                }

                streak = exit.FinishedAt - exit.StartedAt >= GoodRun ? 1 : last.Streak + 1;
                notBefore = Later(notBefore, exit.FinishedAt + BackOff(streak));
            }

            // One that was made and never started is started; one that has run never runs again.
            (attempt, streak) = last.Exit is null ? (last.Attempt, last.Streak) : (last.Attempt + 1, streak);
        }

        if (notBefore > view.Now)
        {
            again = again is null || notBefore < again ? notBefore : again;
            return;
        }

        steps.Add(new PodStep.Start(container, attempt, streak));
    }

    private static List<PodStep> WindUp(Pod pod, PodView view, bool isDeleted)
    {
        var ends = EndAll(view, isDeleted ? Grace(pod) : view.Verdict?.Grace ?? Grace(pod), isDeleted ? "the pod is deleted" : view.Verdict?.Message ?? "the pod has ended");
        if (ends.Count > 0 || view.Runs.Any(run => run.IsAlive))
        {
            return ends;
        }

        // Logs of a pod that has ended can be read until it is deleted; but one that was evicted gives its room back.
        var isEvicted = pod.Status is { Reason: PressurePlan.Evicted } && PodPhases.IsFinal(pod.Status.Phase);
        return !isDeleted ? isEvicted && (view.HasSandbox || view.Runs.Count > 0) ? [new PodStep.Remove()] : [] : view.HasSandbox || view.Runs.Count > 0 ? [new PodStep.Remove(), new PodStep.Release()] : [new PodStep.Release()];
    }

    private static List<PodStep> EndAll(PodView view, TimeSpan grace, string why) =>
        [.. view.Runs.Where(run => run.IsAlive && !view.Ending.Contains(run.Id)).Select(run => new PodStep.End(run, grace, why))];

    /// <summary>Of each container the last run and the one before it are kept, whose log people ask for.</summary>
    private static IEnumerable<PodStep> Outdated(PodView view) =>
        view.Runs.GroupBy(run => run.Name, StringComparer.Ordinal).SelectMany(runs => runs.OrderByDescending(run => run.Attempt).Skip(2)).Where(run => !run.IsAlive).Select(run => new PodStep.Discard(run));

    private static TimeSpan Grace(Pod pod) =>
        TimeSpan.FromSeconds(Math.Max(0, pod.Metadata.DeletionGracePeriodSeconds ?? pod.Spec.TerminationGracePeriodSeconds ?? GraceSecondsDefault));

    private static DateTimeOffset Later(DateTimeOffset one, DateTimeOffset other) => one > other ? one : other;
}
