using System.Globalization;
using Godwit.Api.Apps.V1;

namespace Godwit.Controllers.Workloads.Deployments;

/// <summary>The history of a deployment: its replica sets, numbered. Going back is asking for an old template again: its set becomes the newest.</summary>
internal static class Revisions
{
    private const string LastApplied = AnnotationNames.LastApplied;

    /// <summary>The set with the present template; the oldest, should there be two.</summary>
    public static ReplicaSet? FindCurrent(Deployment deployment, IReadOnlyList<ReplicaSet> sets) => sets
        .Where(set => set.Metadata.DeletionTimestamp is null && PodTemplates.AreSame(set.Spec.Template, deployment.Spec.Template))
        .OrderBy(set => set.Metadata.CreationTimestamp)
        .ThenBy(ResourceKey.Of)
        .FirstOrDefault();

    public static long NumberOf(ReplicaSet set) =>
        long.TryParse(set.Metadata.Annotations.GetValueOrDefault(DeploymentPlanner.RevisionAnnotation), NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : 0;

    public static ReplicaSet NewSet(Deployment deployment, int collisions, long revision)
    {
        var hash = PodTemplates.HashOf(deployment.Spec.Template, collisions);
        var template = PodTemplates.WithLabel(deployment.Spec.Template, PodTemplates.HashLabel, hash);
        var set = new ReplicaSet
        {
            Metadata = new ObjectMeta
            {
                Namespace = deployment.Metadata.Namespace,
                Name = $"{deployment.Metadata.Name}-{hash}",
                Labels = template.Metadata!.Labels,
                OwnerReferences = [PodTemplates.ReferenceTo(deployment)],
            },
            Spec = new ReplicaSetSpec
            {
                MinReadySeconds = deployment.Spec.MinReadySeconds,
                Selector = deployment.Spec.Selector with
                {
                    MatchLabels = PodTemplates.With(deployment.Spec.Selector.MatchLabels, new Dictionary<string, string> { [PodTemplates.HashLabel] = hash }),
                },
                Template = template,
            },
        };
        return Annotated(deployment, set, revision) ?? set;
    }

    /// <summary>The set with what it must say of the deployment, or null when it says it all already.</summary>
    public static ReplicaSet? Annotated(Deployment deployment, ReplicaSet set, long revision)
    {
        var wanted = PodTemplates.With(set.Metadata.Annotations, deployment.Metadata.Annotations
            .Where(each => each.Key is not (LastApplied or DeploymentPlanner.RevisionAnnotation or DeploymentPlanner.DesiredAnnotation or DeploymentPlanner.MaxAnnotation))
            .ToDictionary(each => each.Key, each => each.Value, StringComparer.Ordinal));
        wanted[DeploymentPlanner.RevisionAnnotation] = revision.ToString(CultureInfo.InvariantCulture);
        var desired = deployment.Spec.Replicas ?? 1;
        wanted.TryAdd(DeploymentPlanner.DesiredAnnotation, desired.ToString(CultureInfo.InvariantCulture));
        wanted.TryAdd(DeploymentPlanner.MaxAnnotation, (desired + RolloutBounds.Of(deployment).Surge).ToString(CultureInfo.InvariantCulture));
        var isSame = wanted.Count == set.Metadata.Annotations.Count && wanted.All(each => set.Metadata.Annotations.TryGetValue(each.Key, out var has) && has == each.Value);
        return isSame && set.Spec.MinReadySeconds == deployment.Spec.MinReadySeconds
            ? null
            : set with { Metadata = set.Metadata with { Annotations = wanted }, Spec = set.Spec with { MinReadySeconds = deployment.Spec.MinReadySeconds } };
    }
}
