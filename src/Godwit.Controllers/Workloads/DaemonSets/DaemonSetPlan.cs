using Godwit.Api.Apps.V1;
using Godwit.Controllers.Workloads.Deployments;
using Godwit.Controllers.Workloads.Revisions;
using Godwit.Scheduling;

namespace Godwit.Controllers.Workloads.DaemonSets;

/// <summary>What is to be done for a daemon set now.</summary>
internal sealed record DaemonSetPlan(IReadOnlyList<Pod> Adopt, IReadOnlyList<Pod> Release, IReadOnlyList<Pod> Delete, IReadOnlyList<string> CreateOn, DaemonSetStatus Status, TimeSpan? Next);

/// <summary>
/// Keeps one pod on each node that fits. A node has another one only where <c>maxSurge</c> allows it; a pod that is ending still holds its node. A rolling update
/// takes old pods that do not serve at once, and of those that serve only as many as may be missing:
/// <code>
///   nodes without an available pod  +  old pods taken now   ≤   maxUnavailable
///   nodes with a new pod beside an old one                  ≤   maxSurge
/// </code>
/// </summary>
internal static class DaemonSetPlanner
{
    /// <summary>So many pods are made in one look.</summary>
    public const int StepMax = 250;

    /// <summary>A pod that has failed is replaced no sooner than so long after it was made: a node that refuses it is not to be flooded.</summary>
    public static readonly TimeSpan FailedFor = TimeSpan.FromSeconds(10);

    private const string OnDelete = "OnDelete";

    /// <param name="set">The daemon set.</param>
    /// <param name="hash">What pods of the present template are marked with.</param>
    /// <param name="nodes">All nodes.</param>
    /// <param name="pods">All pods of its namespace.</param>
    /// <param name="now">For readiness that has to last.</param>
    public static DaemonSetPlan For(DaemonSet set, string hash, IEnumerable<Node> nodes, IEnumerable<Pod> pods, DateTimeOffset now)
    {
        var (own, adopt, release) = Ownership.Sort(set, PodTemplates.SelectorOf(set.Spec.Selector), pods);
        var all = own.Concat(adopt).ToLookup(pod => DaemonPods.NodeOf(pod) ?? "", StringComparer.Ordinal);
        var places = nodes.Select(NodeFacts.Of).OrderBy(node => node.Name, StringComparer.Ordinal)
            .Select(node => new Place(node.Name, DaemonPods.Fits(set, node), [.. all[node.Name].OrderBy(pod => pod.Metadata.CreationTimestamp).ThenBy(ResourceKey.Of)], hash, set.Spec.MinReadySeconds ?? 0, now)).ToList();
        var status = StatusOf(set, places);
        if (set.Metadata.DeletionTimestamp is not null)
        {
            return new DaemonSetPlan([], release, [], [], status, null);
        }

        var rolling = set.Spec.UpdateStrategy?.Type == OnDelete ? null : set.Spec.UpdateStrategy?.RollingUpdate ?? new RollingUpdateDaemonSet();
        var wanted = places.Count(place => place.ShouldRun);
        var surge = rolling?.MaxSurge is { } more ? RolloutBounds.CountOf(more, wanted, roundUp: true) : 0;
        var steps = new Steps([], []);
        var known = places.Select(place => place.Name).ToHashSet(StringComparer.Ordinal);
        steps.Delete.AddRange(own.Where(pod => pod.Metadata.DeletionTimestamp is null && string.IsNullOrEmpty(pod.Spec.NodeName) && !known.Contains(DaemonPods.NodeOf(pod) ?? "")));
        foreach (var place in places)
        {
            Keep(place, surge > 0, steps, now);
        }

        if (rolling is not null)
        {
            var missing = rolling.MaxUnavailable is { } fewer ? RolloutBounds.CountOf(fewer, wanted, roundUp: true) : surge == 0 ? 1 : 0;
            Renew(places, steps, surge, missing);
        }

        var recent = own.Any(pod => pod.Metadata.DeletionTimestamp is null && PodPhases.IsFinal(pod.Status.Phase));
        return new DaemonSetPlan(adopt, release, [.. steps.Delete.Distinct().Take(StepMax)], [.. steps.CreateOn.Take(StepMax)], status,
            recent ? FailedFor : PodFacts.NextAvailable(own.Where(PodFacts.IsActive), set.Spec.MinReadySeconds ?? 0, now));
    }

    /// <summary>One pod where one is to be, none where none may be.</summary>
    private static void Keep(Place place, bool isSurging, Steps steps, DateTimeOffset now)
    {
        if (!place.MayStay)
        {
            steps.Delete.AddRange(place.Pods.Where(pod => pod.Metadata.DeletionTimestamp is null));
            return;
        }

        steps.Delete.AddRange(place.Pods.Where(pod => pod.Metadata.DeletionTimestamp is null && PodPhases.IsFinal(pod.Status.Phase) && now - (pod.Metadata.CreationTimestamp ?? now) >= FailedFor));
        var kept = isSurging ? [place.Active.FirstOrDefault(pod => !place.IsNew(pod)), place.Active.FirstOrDefault(place.IsNew)] : place.Active.Take(1).ToArray<Pod?>();
        steps.Delete.AddRange(place.Active.Where(pod => !kept.Contains(pod)));
        if (place.ShouldRun && place.Pods.Count == 0)
        {
            steps.CreateOn.Add(place.Name);
        }
    }

    private static void Renew(List<Place> places, Steps steps, int surge, int missing)
    {
        var taken = places.Count(place => place.ShouldRun && !place.HasAvailable);
        var beside = places.Count(place => place.Active.Count > 1 || (place.Active.Count == 1 && place.Pods.Count > 1 && surge > 0));
        foreach (var place in places)
        {
            var (old, fresh) = (place.Active.FirstOrDefault(pod => !place.IsNew(pod)), place.Active.FirstOrDefault(place.IsNew));
            if (old is null || steps.Delete.Contains(old))
            {
                continue;
            }

            if (!place.IsAvailable(old) || (fresh is not null && place.IsAvailable(fresh)))
            {
                steps.Delete.Add(old); // Nobody misses it.
            }
            else if (surge > 0)
            {
                // One that has just failed there, or is ending, is waited for: a node that refuses it is not to be flooded.
                if (fresh is null && place.ShouldRun && place.Pods.Count == place.Active.Count && beside < surge)
                {
                    beside++;
                    steps.CreateOn.Add(place.Name);
                }
            }
            else if (taken < missing)
            {
                taken++;
                steps.Delete.Add(old);
            }
        }
    }

    private static DaemonSetStatus StatusOf(DaemonSet set, List<Place> places)
    {
        var wanted = places.Where(place => place.ShouldRun).ToList();
        var available = wanted.Count(place => place.HasAvailable);
        return set.Status with
        {
            DesiredNumberScheduled = wanted.Count,
            CurrentNumberScheduled = wanted.Count(place => place.Active.Count > 0),
            NumberMisscheduled = places.Count(place => !place.ShouldRun && place.Active.Count > 0),
            NumberReady = wanted.Count(place => place.Active.Any(PodFacts.IsReady)),
            UpdatedNumberScheduled = wanted.Count(place => place.Active.Any(place.IsNew)),
            NumberAvailable = available,
            NumberUnavailable = wanted.Count - available,
            ObservedGeneration = set.Metadata.Generation ?? 0,
        };
    }

    private sealed record Steps(List<Pod> Delete, List<string> CreateOn);

    /// <summary>A node, and what of the set is on it.</summary>
    private sealed class Place(string name, (bool ShouldRun, bool MayStay) fits, IReadOnlyList<Pod> pods, string hash, int minReadySeconds, DateTimeOffset now)
    {
        public string Name => name;

        public bool ShouldRun => fits.ShouldRun;

        public bool MayStay => fits.MayStay;

        /// <summary>Those that are ending or have ended too, the oldest first.</summary>
        public IReadOnlyList<Pod> Pods => pods;

        public IReadOnlyList<Pod> Active { get; } = [.. pods.Where(PodFacts.IsActive)];

        public bool HasAvailable => Active.Any(IsAvailable);

        public bool IsNew(Pod pod) => pod.Metadata.Labels.GetValueOrDefault(RevisionPlanner.HashLabel) == hash;

        public bool IsAvailable(Pod pod) => PodFacts.IsAvailable(pod, minReadySeconds, now);
    }
}
