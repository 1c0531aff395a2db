using Godwit.Api.Apps.V1;

namespace Godwit.Controllers.Workloads.ReplicaSets;

/// <summary>Carries out what <see cref="ReplicaSetPlanner"/> decides. Status last: it tells what the writes before it left to do.</summary>
internal sealed class ReplicaSetController(ClusterView cluster, PodKeeper keeper, TimeProvider clock, ILogger logger) : Controller("replicaset", clock, logger)
{
    private readonly ResourceClient<ReplicaSet> sets = cluster.ClientOf<ReplicaSet>();

    protected override int Workers => 4;

    protected override void Subscribe()
    {
        cluster.ReplicaSets.Subscribe(change => Enqueue(change.Key));
        cluster.Pods.Subscribe(change => PodSignals.Tell(change, cluster.ReplicaSets, set => set.Spec.Selector, Enqueue));
    }

    protected override IEnumerable<ResourceKey> AllKeys() => cluster.ReplicaSets.Current.Keys;

    protected override async Task<NextLook> ReconcileAsync(ResourceKey key, CancellationToken stopping)
    {
        if (cluster.ReplicaSets.Current.Find(key) is not { } set)
        {
            return NextLook.OnChange;
        }

        var plan = ReplicaSetPlanner.For(set, keeper.PodsIn(key.Namespace), Clock.GetUtcNow());
        foreach (var pod in plan.Release)
        {
            await keeper.ReleaseAsync(pod, set, stopping);
        }

        foreach (var pod in plan.Adopt)
        {
            await keeper.AdoptAsync(pod, set, stopping);
        }

        var failure = await TryScaleAsync(set, plan, stopping);
        var status = plan.Status with { Conditions = WithFailure(set.Status.Conditions, failure) };
        cluster.ReplicaSets.Observe(await sets.ChangeStatusAsync(set, set with { Status = status }, stopping));
        return failure is not null ? throw failure : plan.NextAvailable is { } rest ? NextLook.After(rest) : NextLook.OnChange;
    }

    private async Task<ApiException?> TryScaleAsync(ReplicaSet set, ReplicaSetPlan plan, CancellationToken stopping)
    {
        try
        {
            await keeper.CreateManyAsync(plan.CreateCount, () => PodTemplates.PodOf(set.Spec.Template, set), set, stopping);
            await Parallel.ForEachAsync(plan.Delete, new ParallelOptions { MaxDegreeOfParallelism = 16, CancellationToken = stopping }, async (pod, cancelled) => await keeper.DeleteAsync(pod, set, cancelled));
            return null;
        }
        catch (ApiException error)
        {
            return error;
        }
    }

    /// <summary>Why pods are missing, where those look who ask for them.</summary>
    private IReadOnlyList<WorkloadCondition> WithFailure(IReadOnlyList<WorkloadCondition> conditions, ApiException? failure)
    {
        const string Kind = "ReplicaFailure";
        var known = conditions.FirstOrDefault(condition => condition.Type == Kind);
        if (failure is null)
        {
            return known is null ? conditions : [.. conditions.Where(condition => condition.Type != Kind)];
        }

        return known is not null && known.Message == failure.Message
            ? conditions
            : [
                .. conditions.Where(condition => condition.Type != Kind),
                new WorkloadCondition { Type = Kind, Status = ConditionStatuses.True, Reason = "FailedCreate", Message = failure.Message, LastTransitionTime = Clock.GetUtcNow() },
            ];
    }
}
