using Godwit.Api.Apps.V1;
using Godwit.Controllers.Workloads.Deployments;

namespace Godwit.Controllers.Workloads.StatefulSets;

/// <summary>What is to be done for a stateful set now.</summary>
/// <param name="Adopt">Pods with a name of the set that nobody controls.</param>
/// <param name="Release">Pods that it controls and that are not its own any more.</param>
/// <param name="Delete">Pods that are too many, have ended, or are of an old template and next.</param>
/// <param name="Create">Numbers without a pod, each with the name of the revision that its pod is to be of.</param>
/// <param name="Status">What it is.</param>
/// <param name="Next">After this time a pod counts as available by time alone.</param>
internal sealed record StatefulSetPlan(
    IReadOnlyList<Pod> Adopt, IReadOnlyList<Pod> Release, IReadOnlyList<Pod> Delete, IReadOnlyList<(int Ordinal, string Revision)> Create, StatefulSetStatus Status, TimeSpan? Next);

/// <summary>
/// Keeps numbered pods in order. With <c>OrderedReady</c> one look takes one step, and each step waits for all that comes before it:
/// <code>
///   1. numbers from low to high: make what is missing, replace what has ended; go on only past an available pod
///   2. numbers beyond the range from high to low: take one away, go on only when it is gone
///   3. a new template, from high down to the partition: take an old pod away, go on only past an available one
/// </code>
/// With <c>Parallel</c> the first two take all their steps at once; the third is in order always.
/// </summary>
internal static class StatefulSetPlanner
{
    /// <summary>So many pods are made or deleted in one look.</summary>
    public const int StepMax = 500;

    private const string Parallel = "Parallel";
    private const string OnDelete = "OnDelete";

    /// <param name="set">The stateful set.</param>
    /// <param name="updated">The name of the revision of the present template.</param>
    /// <param name="isKnown">Whether there is a revision of that name.</param>
    /// <param name="pods">All pods of its namespace.</param>
    /// <param name="now">For readiness that has to last.</param>
    public static StatefulSetPlan For(StatefulSet set, string updated, Func<string, bool> isKnown, IEnumerable<Pod> pods, DateTimeOffset now)
    {
        var (own, adopt, release) = Ownership.Sort(set, PodTemplates.SelectorOf(set.Spec.Selector), pods);
        release.AddRange(own.Where(pod => StatefulPods.OrdinalOf(set, pod) is null));
        adopt = [.. adopt.Where(pod => StatefulPods.OrdinalOf(set, pod) is not null)];
        var world = new World(set, own.Concat(adopt), updated, isKnown, now);
        var status = world.Status();
        var isEnding = set.Metadata.DeletionTimestamp is not null;
        var (delete, create) = isEnding ? ([], []) : world.Steps();
        return new StatefulSetPlan(isEnding ? [] : adopt, release, [.. delete.Take(StepMax)], [.. create.Take(StepMax)], status, PodFacts.NextAvailable(own.Where(PodFacts.IsActive), set.Spec.MinReadySeconds ?? 0, now));
    }

    private sealed class World
    {
        private readonly StatefulSet set;
        private readonly SortedDictionary<int, Pod> pods;
        private readonly string updated;
        private readonly string current;
        private readonly DateTimeOffset now;
        private readonly int start;
        private readonly int end;

        public World(StatefulSet set, IEnumerable<Pod> own, string updated, Func<string, bool> isKnown, DateTimeOffset now)
        {
            (this.set, this.updated, this.now) = (set, updated, now);
            pods = new(own.Where(pod => StatefulPods.OrdinalOf(set, pod) is not null).ToDictionary(pod => StatefulPods.OrdinalOf(set, pod)!.Value));
            current = set.Status.CurrentRevision is { Length: > 0 } known && isKnown(known) ? known : updated;
            start = set.Spec.Ordinals?.Start ?? 0;
            end = start + (set.Spec.Replicas ?? 1);
        }

        public (List<Pod> Delete, List<(int Ordinal, string Revision)> Create) Steps()
        {
            var (delete, create) = (new List<Pod>(), new List<(int, string)>());
            var isParallel = set.Spec.PodManagementPolicy == Parallel;
            for (var ordinal = start; ordinal < end; ordinal++)
            {
                if (!pods.TryGetValue(ordinal, out var pod))
                {
                    create.Add((ordinal, RevisionFor(ordinal)));
                }
                else if (pod.Metadata.DeletionTimestamp is null && PodPhases.IsFinal(pod.Status.Phase))
                {
                    delete.Add(pod);
                }
                else if (IsServing(pod))
                {
                    continue;
                }

                if (!isParallel)
                {
                    return (delete, create);
                }
            }

            foreach (var (_, pod) in pods.Where(each => each.Key < start || each.Key >= end).OrderByDescending(each => each.Key))
            {
                if (pod.Metadata.DeletionTimestamp is null)
                {
                    delete.Add(pod);
                }

                if (!isParallel)
                {
                    return (delete, create);
                }
            }

            Renew(delete, create.Count);
            return (delete, create);
        }

        public StatefulSetStatus Status()
        {
            var kept = pods.Values.Where(pod => pod.Metadata.DeletionTimestamp is null).ToList();
            var status = set.Status with
            {
                ObservedGeneration = set.Metadata.Generation ?? 0,
                Replicas = pods.Count,
                ReadyReplicas = kept.Count(pod => PodFacts.IsActive(pod) && PodFacts.IsReady(pod)),
                AvailableReplicas = kept.Count(IsServing),
                CurrentReplicas = kept.Count(pod => StatefulPods.RevisionOf(pod) == current),
                UpdatedReplicas = kept.Count(pod => StatefulPods.RevisionOf(pod) == updated),
                CurrentRevision = current,
                UpdateRevision = updated,
            };
            var isRenewed = current != updated && set.Spec.UpdateStrategy?.Type != OnDelete && status.UpdatedReplicas == status.Replicas && status.ReadyReplicas == status.Replicas && status.Replicas == end - start;
            return isRenewed ? status with { CurrentRevision = updated, CurrentReplicas = status.UpdatedReplicas } : status;
        }

        /// <summary>
        /// Old pods give way from the highest number down, as far as the partition: one at a time, each waiting for those above it; or, where <c>maxUnavailable</c> says so, as many as that leaves
        /// when all that do not serve are counted, wherever they stand. An old one that does not serve is missed by nobody then, so it costs nothing.
        /// </summary>
        private void Renew(List<Pod> delete, int creating)
        {
            if (set.Spec.UpdateStrategy?.Type == OnDelete)
            {
                return;
            }

            var rolling = set.Spec.UpdateStrategy?.RollingUpdate;
            var (bound, missing) = rolling?.MaxUnavailable is { } share
                ? (Math.Max(1, RolloutBounds.CountOf(share, end - start, roundUp: false)), Enumerable.Range(start, end - start).Count(each => !Serves(each)))
                : (1, creating);
            var countsAll = rolling?.MaxUnavailable is not null;
            for (var ordinal = end - 1; ordinal >= start + (rolling?.Partition ?? 0) && (countsAll || missing < bound); ordinal--)
            {
                if (!pods.TryGetValue(ordinal, out var pod))
                {
                    continue; // Counted: it is being made.
                }

                var (serves, isOld) = (Serves(ordinal), pod.Metadata.DeletionTimestamp is null && !delete.Contains(pod) && StatefulPods.RevisionOf(pod) != updated);
                if (isOld && (missing < bound || !serves))
                {
                    delete.Add(pod);
                    missing += serves || !countsAll ? 1 : 0;
                }
                else if (!countsAll && !serves)
                {
                    missing++;
                }
            }

            bool Serves(int ordinal) => pods.TryGetValue(ordinal, out var pod) && !delete.Contains(pod) && IsServing(pod);
        }

        /// <summary>Below the partition a pod is made anew as it was.</summary>
        private string RevisionFor(int ordinal) =>
            set.Spec.UpdateStrategy?.Type != OnDelete && ordinal < start + (set.Spec.UpdateStrategy?.RollingUpdate?.Partition ?? 0) ? current : updated;

        private bool IsServing(Pod pod) => PodFacts.IsActive(pod) && PodFacts.IsAvailable(pod, set.Spec.MinReadySeconds ?? 0, now);
    }
}
