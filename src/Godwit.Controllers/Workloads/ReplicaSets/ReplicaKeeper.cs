using Godwit.Api.Apps.V1;

namespace Godwit.Controllers.Workloads.ReplicaSets;

/// <summary>Carries out what <see cref="ReplicaSetPlanner"/> decides, for replica sets and for their forerunner.</summary>
internal sealed class ReplicaKeeper(PodKeeper keeper, TimeProvider clock)
{
    private const string ReplicaFailure = "ReplicaFailure";

    /// <summary>Takes, lets go, makes and deletes pods. Returns why pods could not be made or deleted, or null.</summary>
    public async Task<ApiException?> ActAsync(Resource owner, PodTemplate? template, ReplicaSetPlan plan, CancellationToken stopping)
    {
        foreach (var pod in plan.Release)
        {
            await keeper.ReleaseAsync(pod, owner, stopping);
        }

        foreach (var pod in plan.Adopt)
        {
            await keeper.AdoptAsync(pod, owner, stopping);
        }

        try
        {
            await keeper.CreateManyAsync(plan.CreateCount, () => PodTemplates.PodOf(template, owner), owner, stopping);
            var writes = new ParallelOptions { MaxDegreeOfParallelism = 16, TaskScheduler = TaskScheduler.Current, CancellationToken = stopping };
            await Parallel.ForEachAsync(plan.Delete, writes, async (pod, cancelled) => await keeper.DeleteAsync(pod, owner, cancelled));
            return null;
        }
        catch (ApiException error)
        {
            return error;
        }
    }

    /// <summary>Why pods are missing, where those look who ask for them.</summary>
    public IReadOnlyList<WorkloadCondition> WithFailure(IReadOnlyList<WorkloadCondition> conditions, ApiException? failure)
    {
        var known = conditions.FirstOrDefault(condition => condition.Type == ReplicaFailure);
        if (failure is null)
        {
            return known is null ? conditions : [.. conditions.Where(condition => condition.Type != ReplicaFailure)];
        }

        return known is not null && known.Message == failure.Message
            ? conditions
            : [
                .. conditions.Where(condition => condition.Type != ReplicaFailure),
                new WorkloadCondition { Type = ReplicaFailure, Status = ConditionStatuses.True, Reason = "FailedCreate", Message = failure.Message, LastTransitionTime = clock.GetUtcNow() },
            ];
    }
}
