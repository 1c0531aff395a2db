using System.Globalization;
using Godwit.Api;
using Godwit.Api.Core.V1;
using Godwit.Api.Meta.V1;
using Godwit.Containers;
using ContainerState = Godwit.Api.Core.V1.ContainerState;

namespace Godwit.Node.Pods;

/// <summary>What the server is told of a pod: a function of what is asked and what is seen. Addresses are the address controller's, and the scheduler's condition is kept.</summary>
internal static class PodStatusPlan
{
    private const string Waiting = "ContainerCreating";
    private const string Initializing = "PodInitializing";
    private const string CrashLoop = "CrashLoopBackOff";

    public static PodStatus For(Pod pod, PodView view)
    {
        if (PodPhases.IsFinal(pod.Status.Phase) && !view.Runs.Any(run => run.IsAlive))
        {
            return pod.Status with { Conditions = Unready(pod, view.Now) }; // An end is the end, whatever became of the runs since.
        }

        var final = FinalPhase(pod, view);
        var initDone = pod.Spec.InitContainers.All(init => IsInitialized(pod, init, view));
        var main = pod.Spec.Containers.Select(container => StatusOf(pod, container, view, initDone ? Waiting : Initializing)).ToList();
        var init = pod.Spec.InitContainers.Select(container => StatusOf(pod, container, view, Initializing)).ToList();
        var ready = final is null && initDone && main.TrueForAll(each => each.Ready)
            && pod.Spec.InitContainers.Zip(init).All(pair => !PodPlan.IsSidecar(pod, pair.First) || pair.Second.Ready);
        var phase = final ?? (initDone && view.Runs.Any(run => pod.Spec.Containers.Any(container => container.Name == run.Name)) ? PodPhases.Running : PodPhases.Pending);
        return pod.Status with
        {
            Phase = phase,
            Reason = view.Verdict?.Reason ?? pod.Status.Reason,
            Message = view.Verdict?.Message ?? pod.Status.Message,
            HostIP = view.HostAddress,
            HostIPs = [new HostIP { Ip = view.HostAddress }],
            PodIP = pod.Spec.HostNetwork == true ? view.HostAddress : pod.Status.PodIP,
            PodIPs = pod.Spec.HostNetwork == true ? [new PodIP { Ip = view.HostAddress }] : pod.Status.PodIPs,
            StartTime = pod.Status.StartTime ?? Seconds(view.Now),
            QosClass = pod.Status.QosClass ?? PodResources.QualityOf(pod),
            ContainerStatuses = main,
            InitContainerStatuses = init,
            EphemeralContainerStatuses = [.. EphemeralContainers.Of(pod).Select(container => StatusOf(pod, container, view, Waiting) with { Ready = false })],
            Conditions = ConditionsOf(pod, view, initDone, ready, final),
        };
    }

    internal static bool SaysTheSame(PodStatus one, PodStatus other) => GodwitJson.Serialize(one) == GodwitJson.Serialize(other);

    private static string? FinalPhase(Pod pod, PodView view) => PodPlan.FinalPhase(pod, view) is { } final
        // What still runs is ended first; only then is it told.
        && !view.Runs.Any(run => run.IsAlive && !IsSidecarRun(pod, run)) ? final : null;

    private static bool IsSidecarRun(Pod pod, PodRun run) => pod.Spec.InitContainers.Any(init => init.Name == run.Name && PodPlan.IsSidecar(pod, init));

    private static bool IsInitialized(Pod pod, Container init, PodView view) => view.LastRun(init.Name) is { } last
        && (PodPlan.IsSidecar(pod, init) ? last.IsAlive && view.HealthOf(last).Started : last.Exit is { Code: 0 });

    private static ContainerStatus StatusOf(Pod pod, Container container, PodView view, string waiting)
    {
        var known = pod.Status.ContainerStatuses.Concat(pod.Status.InitContainerStatuses).Concat(pod.Status.EphemeralContainerStatuses).FirstOrDefault(status => status.Name == container.Name);
        var runs = view.Runs.Where(run => run.Name == container.Name).ToList();
        var status = new ContainerStatus { Name = container.Name, Image = container.Image ?? "", ImageID = known?.ImageID ?? "" };
        if (runs is not [.., var last])
        {
            return status with { State = Wait(view.Troubles.GetValueOrDefault(container.Name), waiting), Started = false };
        }

        status = status with { ImageID = last.ImageId, RestartCount = last.Attempt, ContainerID = "godwit://" + last.Id, LastState = runs.Count > 1 && runs[^2].Exit is { } before ? Ended(runs[^2], before) : new ContainerState() };
        if (last.State is Containers.ContainerState.Alive alive)
        {
            var health = view.HealthOf(last);
            return status with
            {
                State = new ContainerState { Running = new ContainerStateRunning { StartedAt = Seconds(alive.Now.StartedAt) } },
                Started = health.Started,
                Ready = health is { Started: true, Ready: true },
            };
        }

        if (last.Exit is not { } exit)
        {
            return status with { State = Wait(view.Troubles.GetValueOrDefault(container.Name), waiting), Started = false };
        }

        var ended = Ended(last, exit);
        var again = PodPlan.FinalPhase(pod, view) is null && pod.Metadata.DeletionTimestamp is null && PodPlan.Restarts(pod, container, exit);
        return again
            ? status with { State = view.Troubles.TryGetValue(container.Name, out var trouble) ? Wait(trouble, waiting) : BackingOff(pod, container, last, exit), LastState = ended, Started = false }
            : status with { State = ended, Started = false, Ready = PodPlan.IsInit(pod, container) && exit.Code == 0 };
    }

    private static ContainerState BackingOff(Pod pod, Container container, PodRun last, ContainerExit exit)
    {
        var streak = exit.FinishedAt - exit.StartedAt >= PodPlan.GoodRun ? 1 : last.Streak + 1;
        var wait = PodPlan.BackOff(streak);
        return wait == TimeSpan.Zero
            ? Ended(last, exit)
            : new ContainerState
            {
                Waiting = new ContainerStateWaiting
                {
                    Reason = CrashLoop,
                    Message = string.Create(CultureInfo.InvariantCulture, $"back-off {wait.TotalSeconds}s restarting failed container={container.Name} pod={pod.Metadata.Name}_{pod.Metadata.Namespace}({pod.Metadata.Uid})"),
                },
            };
    }

    private static ContainerState Wait(StartTrouble? trouble, string otherwise) => new()
    {
        Waiting = trouble is null ? new ContainerStateWaiting { Reason = otherwise } : new ContainerStateWaiting { Reason = trouble.Reason, Message = trouble.Message },
    };

    private static ContainerState Ended(PodRun run, ContainerExit exit) => new()
    {
        Terminated = new ContainerStateTerminated
        {
            ExitCode = exit.Code,
            Reason = exit.OutOfMemory ? "OOMKilled" : run.State is Containers.ContainerState.Created ? "StartError" : exit.Code == 0 ? "Completed" : "Error",
            Message = exit.Error.Length > 0 ? exit.Error : null,
            StartedAt = Seconds(exit.StartedAt),
            FinishedAt = Seconds(exit.FinishedAt),
            ContainerID = "godwit://" + run.Id,
        },
    };

    private static IReadOnlyList<PodCondition> ConditionsOf(Pod pod, PodView view, bool initDone, bool ready, string? final)
    {
        var unready = final == PodPhases.Succeeded ? "PodCompleted" : final == PodPhases.Failed ? "PodFailed" : "ContainersNotReady";
        var conditions = With(pod.Status.Conditions, PodConditionTypes.Initialized, initDone, initDone ? final == PodPhases.Succeeded ? "PodCompleted" : null : "ContainersNotInitialized", view.Now);
        conditions = With(conditions, PodConditionTypes.ContainersReady, ready, ready ? null : unready, view.Now);
        return With(conditions, PodConditionTypes.Ready, ready, ready ? null : unready, view.Now);
    }

    private static IReadOnlyList<PodCondition> Unready(Pod pod, DateTimeOffset now)
    {
        var reason = pod.Status.Phase == PodPhases.Succeeded ? "PodCompleted" : "PodFailed";
        return With(With(pod.Status.Conditions, PodConditionTypes.ContainersReady, false, reason, now), PodConditionTypes.Ready, false, reason, now);
    }

    private static IReadOnlyList<PodCondition> With(IReadOnlyList<PodCondition> conditions, string type, bool value, string? reason, DateTimeOffset now)
    {
        var word = value ? ConditionStatuses.True : ConditionStatuses.False;
        var known = conditions.FirstOrDefault(condition => condition.Type == type);
        if (known is not null && known.Status == word && known.Reason == reason)
        {
            return conditions;
        }

        var next = new PodCondition { Type = type, Status = word, Reason = reason, LastTransitionTime = known?.Status == word ? known.LastTransitionTime : Seconds(now) };
        return known is null ? [.. conditions, next] : [.. conditions.Select(condition => condition.Type == type ? next : condition)];
    }

    /// <summary>Kubernetes' times have whole seconds; anything finer would differ from what is read back.</summary>
    private static DateTimeOffset Seconds(DateTimeOffset time) => DateTimeOffset.FromUnixTimeSeconds(time.ToUnixTimeSeconds());
}
