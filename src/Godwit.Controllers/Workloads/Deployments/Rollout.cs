using System.Globalization;
using Godwit.Api.Apps.V1;

namespace Godwit.Controllers.Workloads.Deployments;

/// <summary>The next steps of a rolling update; none when there is nothing to do, or something to wait for.</summary>
internal static class Rollout
{
    public static IReadOnlyList<DeploymentStep> Next(Deployment deployment, ReplicaSet current, IReadOnlyList<ReplicaSet> old)
    {
        var (wanted, now) = (deployment.Spec.Replicas ?? 1, current.Spec.Replicas ?? 0);
        var next = now > wanted ? wanted : now + RoomForNew(deployment, now, old);
        return next != now ? [Scaling.Step(deployment, current, next)] : OldDown(deployment, current, old);
    }

    /// <summary>How many more pods of the new set there may be. An old set that was told to have fewer counts with what it still has.</summary>
    public static int RoomForNew(Deployment deployment, int now, IReadOnlyList<ReplicaSet> old)
    {
        var wanted = deployment.Spec.Replicas ?? 1;
        var total = now + old.Sum(set => Math.Max(set.Spec.Replicas ?? 0, set.Status.Replicas));
        return Math.Clamp(wanted + RolloutBounds.Of(deployment).Surge - total, 0, Math.Max(0, wanted - now));
    }

    private static List<DeploymentStep> OldDown(Deployment deployment, ReplicaSet current, IReadOnlyList<ReplicaSet> old)
    {
        var least = (deployment.Spec.Replicas ?? 1) - RolloutBounds.Of(deployment).Unavailable;
        var newUnavailable = Math.Max(0, (current.Spec.Replicas ?? 0) - current.Status.AvailableReplicas);
        var total = (current.Spec.Replicas ?? 0) + old.Sum(set => set.Spec.Replicas ?? 0);
        var most = total - least - newUnavailable;
        var wanted = old.ToDictionary(set => set.Metadata.Name, set => set.Spec.Replicas ?? 0, StringComparer.Ordinal);

        // Pods that serve nobody are not missed.
        foreach (var set in old)
        {
            var unavailable = Math.Max(0, wanted[set.Metadata.Name] - set.Status.AvailableReplicas);
            var taken = Math.Clamp(most, 0, unavailable);
            wanted[set.Metadata.Name] -= taken;
            most -= taken;
        }

        var available = AvailableOf(current) + old.Sum(set => Math.Min(AvailableOf(set), wanted[set.Metadata.Name]));
        var spare = Math.Min(most, available - least);
        foreach (var set in old)
        {
            var taken = Math.Clamp(spare, 0, wanted[set.Metadata.Name]);
            wanted[set.Metadata.Name] -= taken;
            spare -= taken;
        }

        return [.. old.Where(set => wanted[set.Metadata.Name] != (set.Spec.Replicas ?? 0)).Select(set => Scaling.Step(deployment, set, wanted[set.Metadata.Name]))];
    }

    /// <summary>Never more than were asked for: a status may be older than the wish.</summary>
    private static int AvailableOf(ReplicaSet set) => Math.Min(set.Status.AvailableReplicas, set.Spec.Replicas ?? 0);
}

/// <summary>Changes of the number of pods.</summary>
internal static class Scaling
{
    public static DeploymentStep Step(Deployment deployment, ReplicaSet set, int replicas)
    {
        var desired = deployment.Spec.Replicas ?? 1;
        var annotations = PodTemplates.With(set.Metadata.Annotations, new Dictionary<string, string>
        {
            [DeploymentPlanner.DesiredAnnotation] = desired.ToString(CultureInfo.InvariantCulture),
            [DeploymentPlanner.MaxAnnotation] = (desired + RolloutBounds.Of(deployment).Surge).ToString(CultureInfo.InvariantCulture),
        });
        return new DeploymentStep.Change(set, set with { Metadata = set.Metadata with { Annotations = annotations }, Spec = set.Spec with { Replicas = replicas } });
    }

    /// <summary>
    /// Shares a change of the number among the sets that have pods, by their size, so that a rollout in the middle keeps its
    /// proportions; what rounding leaves goes to the largest.
    /// </summary>
    public static IReadOnlyList<DeploymentStep> Proportionally(Deployment deployment, ReplicaSet? current, IReadOnlyList<ReplicaSet> old)
    {
        var wanted = deployment.Spec.Replicas ?? 1;
        var active = old.Append(current).OfType<ReplicaSet>().Where(set => set.Spec.Replicas > 0).OrderByDescending(set => set.Spec.Replicas).ThenBy(ResourceKey.Of).ToList();
        if (active.Count <= 1)
        {
            return [.. active.Select(set => Step(deployment, set, wanted))];
        }

        var total = active.Sum(set => set.Spec.Replicas ?? 0);
        var allowed = wanted > 0 ? wanted + RolloutBounds.Of(deployment).Surge : 0;
        var before = int.TryParse(active[0].Metadata.Annotations.GetValueOrDefault(DeploymentPlanner.MaxAnnotation), out var known) && known > 0 ? known : total;
        var rest = allowed - Math.Min(total, before);
        var shares = active.ToDictionary(
            set => set.Metadata.Name, set => (set.Spec.Replicas ?? 0) + (int)((long)(set.Spec.Replicas ?? 0) * rest / Math.Max(1, Math.Min(total, before))), StringComparer.Ordinal);
        shares[active[0].Metadata.Name] += allowed - shares.Values.Sum();
        return [.. active.Select(set => Step(deployment, set, Math.Max(0, shares[set.Metadata.Name])))];
    }
}
