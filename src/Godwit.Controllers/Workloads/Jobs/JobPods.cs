using System.Globalization;
using Godwit.Api.Batch.V1;
using Godwit.Controllers.Workloads.ReplicaSets;

namespace Godwit.Controllers.Workloads.Jobs;

/// <summary>The pods that a job controls: what they are, and which are missing or too many.</summary>
internal sealed class JobPods(Job job, IReadOnlyList<Pod> own)
{
    /// <summary>The wait after the first failure; each in a row doubles it.</summary>
    public static readonly TimeSpan FirstBackoff = TimeSpan.FromSeconds(10);

    public static readonly TimeSpan BackoffMax = TimeSpan.FromMinutes(10);

    /// <summary>Those that neither ended nor are being deleted.</summary>
    public IReadOnlyList<Pod> Active { get; } = [.. own.Where(PodFacts.IsActive).OrderBy(pod => pod.Metadata.CreationTimestamp).ThenBy(ResourceKey.Of)];

    /// <summary>Active ones whose end will be counted.</summary>
    public IReadOnlyList<Pod> Tracked => [.. Active.Where(JobTracking.IsTracked)];

    /// <summary>Active ones that were on their way out when somebody died, or that a stranger changed: nothing they do would count.</summary>
    public IReadOnlyList<Pod> Loose => [.. Active.Where(pod => !JobTracking.IsTracked(pod))];

    /// <summary>Nothing runs, and nothing is left to be counted.</summary>
    public bool IsSettled => !own.Any(pod => JobTracking.IsTracked(pod) || PodFacts.IsActive(pod) || IsTerminating(pod));

    /// <summary>How often containers of pods that are started again in place were started again.</summary>
    public long Restarts => job.Spec.Template.Spec?.RestartPolicy != "OnFailure" ? 0
        : Active.Sum(pod => pod.Status.ContainerStatuses.Concat(pod.Status.InitContainerStatuses).Sum(status => (long)status.RestartCount));

    public static int SucceededOf(JobStatus status) => status.Succeeded + (status.UncountedTerminatedPods?.Succeeded.Count ?? 0);

    public static int FailedOf(JobStatus status) => status.Failed + (status.UncountedTerminatedPods?.Failed.Count ?? 0);

    /// <summary>The status with what the pods are now.</summary>
    public JobStatus Told(JobStatus status) => status with { Active = Active.Count, Ready = Active.Count(PodFacts.IsReady), Terminating = own.Count(IsTerminating) };

    /// <summary>Pods to be made, each with its index or without one, and pods that are too many.</summary>
    public (IReadOnlyList<int?> Create, IReadOnlyList<Pod> Excess) Compare(JobStatus counted) => JobTracking.IsIndexed(job) ? CompareIndexes(counted) : CompareCounts(counted);

    /// <summary>What is left of the wait after the last failures in a row; null when there is none.</summary>
    public TimeSpan? BackoffLeft(DateTimeOffset now)
    {
        var lastSuccess = own.Where(pod => pod.Status.Phase == PodPhases.Succeeded).Select(EndOf).DefaultIfEmpty(DateTimeOffset.MinValue).Max();
        var failures = own.Where(pod => pod.Status.Phase == PodPhases.Failed).Select(EndOf).Where(end => end > lastSuccess).ToList();
        if (failures.Count == 0)
        {
            return null;
        }

        var wait = TimeSpan.FromTicks(Math.Min(BackoffMax.Ticks, FirstBackoff.Ticks << Math.Min(failures.Count - 1, 10)));

        // The end was read off the node's clock: if that is ahead by more than the wait, it says nothing.
        var left = failures.Max() + wait - now;
        return left > TimeSpan.Zero && left <= wait * 2 ? left : null;
    }

    private (IReadOnlyList<int?> Create, IReadOnlyList<Pod> Excess) CompareCounts(JobStatus counted)
    {
        var (active, succeeded, parallelism) = (Tracked, SucceededOf(counted), job.Spec.Parallelism ?? 1);
        var wanted = job.Spec.Completions is { } completions ? Math.Min(parallelism, Math.Max(0, completions - succeeded))
            : succeeded > 0 ? Math.Min(parallelism, active.Count)
            : parallelism;
        var missing = Math.Clamp(wanted - active.Count - Blocking.Count(), 0, ReplicaSetPlanner.StepMax);
        return ([.. Enumerable.Repeat<int?>(null, missing)], active.Count > wanted ? [.. VictimOrder.Of([.. active]).Take(active.Count - wanted)] : []);
    }

    private (IReadOnlyList<int?> Create, IReadOnlyList<Pod> Excess) CompareIndexes(JobStatus counted)
    {
        var completions = job.Spec.Completions ?? 0;
        var taken = JobIndexes.Parse(counted.CompletedIndexes, completions);
        var wanted = Math.Min(job.Spec.Parallelism ?? 1, completions - taken.Count);
        var (active, excess) = (0, new List<Pod>());
        foreach (var pod in Tracked.OrderBy(pod => JobIndexes.Of(pod) ?? int.MaxValue))
        {
            // Two of one index, one that is done, or one beyond what is wanted now.
            if (active < wanted && JobIndexes.Of(pod) is { } index && index < completions && taken.Add(index))
            {
                active++;
            }
            else
            {
                excess.Add(pod);
            }
        }

        var blocking = Blocking.ToList();
        taken.UnionWith(blocking.Select(pod => JobIndexes.Of(pod) ?? -1));
        var missing = Math.Clamp(wanted - active - blocking.Count, 0, ReplicaSetPlanner.StepMax);
        return ([.. Enumerable.Range(0, completions).Where(index => !taken.Contains(index)).Take(missing).Select(index => (int?)index)], excess);
    }

    /// <summary>What is being deleted and has to be gone before it is replaced.</summary>
    private IEnumerable<Pod> Blocking => job.Spec.PodReplacementPolicy == JobNames.ReplaceFailed ? own.Where(IsTerminating) : [];

    private static bool IsTerminating(Pod pod) => pod.Metadata.DeletionTimestamp is not null && !PodPhases.IsFinal(pod.Status.Phase);

    private static DateTimeOffset EndOf(Pod pod) =>
        pod.Status.ContainerStatuses.Select(status => status.State?.Terminated?.FinishedAt).Max()
        ?? PodFacts.ReadyCondition(pod)?.LastTransitionTime ?? pod.Metadata.CreationTimestamp ?? DateTimeOffset.MinValue;

    /// <summary>A pod of the job, with its tracking finalizer, and knowing its index if it has one.</summary>
    public static Pod Make(Job job, int? index)
    {
        var pod = PodTemplates.PodOf(job.Spec.Template, job);
        pod = pod with { Metadata = pod.Metadata with { Finalizers = [.. pod.Metadata.Finalizers.Where(each => each != JobNames.TrackingFinalizer), JobNames.TrackingFinalizer] } };
        if (index is not { } number)
        {
            return pod;
        }

        var text = number.ToString(CultureInfo.InvariantCulture);
        var labels = new Dictionary<string, string> { [JobNames.Index] = text };
        return pod with
        {
            Metadata = pod.Metadata with
            {
                GenerateName = $"{job.Metadata.Name}-{text}-",
                Labels = PodTemplates.With(pod.Metadata.Labels, labels),
                Annotations = PodTemplates.With(pod.Metadata.Annotations, labels),
            },
            Spec = pod.Spec with
            {
                Hostname = $"{job.Metadata.Name}-{text}",
                Containers = [.. pod.Spec.Containers.Select(container => WithIndex(container, text))],
                InitContainers = [.. pod.Spec.InitContainers.Select(container => WithIndex(container, text))],
            },
        };
    }

    private static Container WithIndex(Container container, string index) => container.Env.Any(variable => variable.Name == JobNames.IndexVariable)
        ? container
        : container with { Env = [.. container.Env, new EnvVar { Name = JobNames.IndexVariable, Value = index }] };
}
