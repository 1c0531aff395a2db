using Godwit.Api.Apps.V1;

namespace Godwit.Controllers.Workloads.Deployments;

/// <summary>One write that a deployment needs.</summary>
internal abstract record DeploymentStep
{
    private DeploymentStep()
    {
    }

    public sealed record Create(ReplicaSet Set) : DeploymentStep;

    /// <summary>Its replicas, annotations or both are to be others.</summary>
    public sealed record Change(ReplicaSet Before, ReplicaSet After) : DeploymentStep;

    public sealed record Delete(ReplicaSet Set) : DeploymentStep;

    /// <summary>The deployment's own annotations.</summary>
    public sealed record Annotate(IReadOnlyDictionary<string, string> Annotations) : DeploymentStep;
}

/// <summary>What is to be done for a deployment now: steps, in order, and then its status.</summary>
internal sealed record DeploymentPlan(IReadOnlyList<DeploymentStep> Steps, DeploymentStatus Status, TimeSpan? NextLook);

/// <summary>A deployment with what there is of it.</summary>
/// <param name="Deployment">What is asked for.</param>
/// <param name="Sets">The replica sets that it controls.</param>
/// <param name="IsNameTaken">Whether a replica set has that name already.</param>
/// <param name="HasOldPods">Whether any pod of that replica set has not ended.</param>
/// <param name="Now">The time.</param>
internal sealed record DeploymentView(
    Deployment Deployment, IReadOnlyList<ReplicaSet> Sets, Func<string, bool> IsNameTaken, Func<ReplicaSet, bool> HasOldPods, DateTimeOffset Now);

/// <summary>
/// Keeps one replica set for each template that a deployment had, and moves pods from the old ones to the new one.
/// <code>
///   total   = pods asked of all sets            never above  replicas + surge
///   available in all sets                       never taken below  replicas - unavailable
///
///   one look:  new set up, as far as total allows  ──▶  else old sets down, first what is not available anyway,
///              then as many available ones as there are above the bound
/// </code>
/// It counts what it asked for (<c>spec.replicas</c>) where it must not ask for too much, and what is there
/// (<c>status.availableReplicas</c>) where it must not take too much; so it may be looked at at any moment, with an old view too.
/// </summary>
internal static class DeploymentPlanner
{
    public const string RevisionAnnotation = "deployment.kubernetes.io/revision";
    public const string DesiredAnnotation = "deployment.kubernetes.io/desired-replicas";
    public const string MaxAnnotation = "deployment.kubernetes.io/max-replicas";

    private const int HistoryDefault = 10;

    public static DeploymentPlan For(DeploymentView view)
    {
        var deployment = view.Deployment;
        var current = Revisions.FindCurrent(deployment, view.Sets);
        var old = view.Sets.Where(set => set != current).OrderBy(set => set.Metadata.CreationTimestamp).ThenBy(ResourceKey.Of).ToList();
        var status = DeploymentStatusPlanner.For(view, current, old);
        if (deployment.Metadata.DeletionTimestamp is not null)
        {
            return new DeploymentPlan([], status.Status, null);
        }

        var steps = new List<DeploymentStep>();
        var isPaused = deployment.Spec.Paused == true;
        if (!isPaused)
        {
            current = Settle(view, current, old, steps, ref status);
        }

        if (IsScaling(deployment, view.Sets))
        {
            steps.AddRange(Scaling.Proportionally(deployment, current, old));
        }
        else if (!isPaused && current is not null && steps.Count == 0)
        {
            steps.AddRange(deployment.Spec.Strategy?.Type == DeploymentStrategies.Recreate
                ? Recreate(view, current, old)
                : Rollout.Next(deployment, current, old));
            if (steps.Count == 0)
            {
                steps.AddRange(Expired(deployment, current, old));
            }
        }

        return new DeploymentPlan(steps, status.Status, status.NextLook);
    }

    /// <summary>The set of the present template: made when there is none, with the newest revision and the deployment's own annotations.</summary>
    private static ReplicaSet? Settle(DeploymentView view, ReplicaSet? current, List<ReplicaSet> old, List<DeploymentStep> steps, ref DeploymentStatusPlan status)
    {
        var deployment = view.Deployment;
        var revision = Math.Max(old.Select(Revisions.NumberOf).DefaultIfEmpty().Max() + 1, current is null ? 1 : Revisions.NumberOf(current));
        if (current is null)
        {
            var collisions = deployment.Status.CollisionCount ?? 0;
            var made = Revisions.NewSet(deployment, collisions, revision);
            if (view.IsNameTaken(made.Metadata.Name))
            {
                // A set of another template, or somebody else's, has the name that ours would have: another name next time.
                status = status with { Status = status.Status with { CollisionCount = collisions + 1 }, NextLook = TimeSpan.Zero };
                return null;
            }

            var replicas = deployment.Spec.Strategy?.Type == DeploymentStrategies.Recreate ? (old.Count == 0 ? deployment.Spec.Replicas ?? 1 : 0) : Rollout.RoomForNew(deployment, 0, old);
            steps.Add(new DeploymentStep.Create(made with { Spec = made.Spec with { Replicas = replicas } }));
        }
        else if (Revisions.Annotated(deployment, current, revision) is { } annotated)
        {
            steps.Add(new DeploymentStep.Change(current, annotated));
        }

        var text = revision.ToString(System.Globalization.CultureInfo.InvariantCulture);
        if (deployment.Metadata.Annotations.GetValueOrDefault(RevisionAnnotation) != text)
        {
            steps.Add(new DeploymentStep.Annotate(PodTemplates.With(deployment.Metadata.Annotations, new Dictionary<string, string> { [RevisionAnnotation] = text })));
        }

        return current;
    }

    /// <summary>The number asked for was changed since the sets were last told.</summary>
    private static bool IsScaling(Deployment deployment, IReadOnlyList<ReplicaSet> sets) => sets.Any(
        set => set.Spec.Replicas > 0 && int.TryParse(set.Metadata.Annotations.GetValueOrDefault(DesiredAnnotation), out var desired) && desired != (deployment.Spec.Replicas ?? 1));

    /// <summary>First nothing of the old, not even ending; then the new.</summary>
    private static List<DeploymentStep> Recreate(DeploymentView view, ReplicaSet current, List<ReplicaSet> old)
    {
        var down = old.Where(set => set.Spec.Replicas > 0).Select(set => Scaling.Step(view.Deployment, set, 0)).ToList();
        return down.Count > 0 ? down
            : old.Any(view.HasOldPods) || current.Spec.Replicas == (view.Deployment.Spec.Replicas ?? 1) ? []
            : [Scaling.Step(view.Deployment, current, view.Deployment.Spec.Replicas ?? 1)];
    }

    /// <summary>Old sets that nobody goes back to any more; only once the rollout is whole.</summary>
    private static IEnumerable<DeploymentStep> Expired(Deployment deployment, ReplicaSet current, List<ReplicaSet> old)
    {
        if (current.Status.AvailableReplicas < (deployment.Spec.Replicas ?? 1))
        {
            return [];
        }

        var empty = old.Where(set => set is { Spec.Replicas: 0, Status.Replicas: 0, Metadata.DeletionTimestamp: null } && set.Status.ObservedGeneration >= (set.Metadata.Generation ?? 0));
        return empty.OrderByDescending(Revisions.NumberOf).Skip(Math.Max(0, deployment.Spec.RevisionHistoryLimit ?? HistoryDefault)).Select(set => new DeploymentStep.Delete(set));
    }
}
