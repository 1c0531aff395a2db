using Godwit.Api.Apps.V1;

namespace Godwit.Controllers.Workloads.Deployments;

/// <summary>What a deployment says of itself, and when time alone may change it.</summary>
internal sealed record DeploymentStatusPlan(DeploymentStatus Status, TimeSpan? NextLook);

/// <summary>Counts, and two conditions: <c>Available</c>, whether enough serve; <c>Progressing</c>, whether a rollout goes on, is done, or has made no progress for too long.</summary>
internal static class DeploymentStatusPlanner
{
    private const string Available = "Available";
    private const string Progressing = "Progressing";
    private const string DeadlineExceeded = "ProgressDeadlineExceeded";
    private const string NewSetAvailable = "NewReplicaSetAvailable";
    private const int NoDeadline = int.MaxValue;
    private const int DeadlineSecondsDefault = 600;

    public static DeploymentStatusPlan For(DeploymentView view, ReplicaSet? current, IReadOnlyList<ReplicaSet> old)
    {
        var (deployment, now) = (view.Deployment, view.Now);
        var all = old.Append(current).OfType<ReplicaSet>().ToList();
        var wanted = deployment.Spec.Replicas ?? 1;
        var available = all.Sum(set => set.Status.AvailableReplicas);
        var status = deployment.Status with
        {
            ObservedGeneration = deployment.Metadata.Generation ?? 0,
            Replicas = all.Sum(set => set.Status.Replicas),
            UpdatedReplicas = current?.Status.Replicas ?? 0,
            ReadyReplicas = all.Sum(set => set.Status.ReadyReplicas),
            AvailableReplicas = available,
            UnavailableReplicas = Math.Max(0, all.Sum(set => set.Spec.Replicas ?? 0) - available),
            TerminatingReplicas = all.Sum(set => set.Status.TerminatingReplicas ?? 0),
        };
        var isEnough = available >= wanted - RolloutBounds.Of(deployment).Unavailable;
        status = With(status, now, new DeploymentCondition
        {
            Type = Available,
            Status = isEnough ? ConditionStatuses.True : ConditionStatuses.False,
            Reason = isEnough ? "MinimumReplicasAvailable" : "MinimumReplicasUnavailable",
            Message = isEnough ? "Deployment has minimum availability." : "Deployment does not have minimum availability.",
        });
        return WithProgress(view, current, status);
    }

    private static DeploymentStatusPlan WithProgress(DeploymentView view, ReplicaSet? current, DeploymentStatus status)
    {
        var (deployment, now) = (view.Deployment, view.Now);
        var known = deployment.Status.Conditions.FirstOrDefault(condition => condition.Type == Progressing);
        if (deployment.Spec.Paused == true)
        {
            return new DeploymentStatusPlan(With(status, now, Progress(ConditionStatuses.Unknown, "DeploymentPaused", "Deployment is paused")), null);
        }

        var subject = current is null ? $"Deployment \"{deployment.Metadata.Name}\"" : $"ReplicaSet \"{current.Metadata.Name}\"";
        if (IsComplete(deployment, status))
        {
            return new DeploymentStatusPlan(With(status, now, Progress(ConditionStatuses.True, NewSetAvailable, $"{subject} has successfully progressed.")), null);
        }

        var deadline = deployment.Spec.ProgressDeadlineSeconds ?? DeadlineSecondsDefault;
        var wasDone = known is null or { Reason: NewSetAvailable or "DeploymentPaused" };
        if (wasDone || HasProgressed(deployment.Status, status))
        {
            var next = With(status, now, Progress(ConditionStatuses.True, current is null ? "NewReplicaSetCreated" : "ReplicaSetUpdated", $"{subject} is progressing."), isProgress: true);
            return new DeploymentStatusPlan(next, deadline == NoDeadline ? null : TimeSpan.FromSeconds(deadline));
        }

        if (deadline == NoDeadline || known!.Reason == DeadlineExceeded)
        {
            return new DeploymentStatusPlan(status, null);
        }

        var left = TimeSpan.FromSeconds(deadline) - (now - (known.LastUpdateTime ?? now));
        return left > TimeSpan.Zero
            ? new DeploymentStatusPlan(status, left)
            : new DeploymentStatusPlan(With(status, now, Progress(ConditionStatuses.False, DeadlineExceeded, $"{subject} has timed out progressing.")), null);
    }

    private static bool IsComplete(Deployment deployment, DeploymentStatus status)
    {
        var wanted = deployment.Spec.Replicas ?? 1;
        return status.UpdatedReplicas == wanted && status.Replicas == wanted && status.AvailableReplicas == wanted;
    }

    private static bool HasProgressed(DeploymentStatus before, DeploymentStatus after) =>
        after.UpdatedReplicas > before.UpdatedReplicas
        || after.Replicas - after.UpdatedReplicas < before.Replicas - before.UpdatedReplicas
        || after.ReadyReplicas > before.ReadyReplicas
        || after.AvailableReplicas > before.AvailableReplicas;

    private static DeploymentCondition Progress(string status, string reason, string message) => new() { Type = Progressing, Status = status, Reason = reason, Message = message };

    /// <summary>Setting the same again changes nothing, unless it tells of new progress: then its time is renewed.</summary>
    private static DeploymentStatus With(DeploymentStatus status, DateTimeOffset now, DeploymentCondition wanted, bool isProgress = false)
    {
        var known = status.Conditions.FirstOrDefault(condition => condition.Type == wanted.Type);
        if (known is not null && !isProgress && known.Status == wanted.Status && known.Reason == wanted.Reason && known.Message == wanted.Message)
        {
            return status;
        }

        var made = wanted with { LastUpdateTime = now, LastTransitionTime = known?.Status == wanted.Status ? known.LastTransitionTime : now };
        return status with { Conditions = [.. status.Conditions.Where(condition => condition.Type != wanted.Type), made] };
    }
}
