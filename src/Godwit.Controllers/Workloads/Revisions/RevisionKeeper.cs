using Godwit.Api.Apps.V1;

namespace Godwit.Controllers.Workloads.Revisions;

/// <summary>Carries out what <see cref="RevisionPlanner"/> decides.</summary>
internal sealed class RevisionKeeper(ClusterView cluster)
{
    private readonly ResourceClient<ControllerRevision> revisions = cluster.ClientOf<ControllerRevision>();

    /// <summary>The revisions that a set controls.</summary>
    public IReadOnlyList<ControllerRevision> Of(Resource owner) => [.. cluster.Revisions.Current.ControlledBy(owner.Metadata.Uid)];

    /// <summary>The present revision, written if it was not; null when another one has its name, which is to be made with another hash.</summary>
    public async Task<ControllerRevision?> SettleAsync(Resource owner, RevisionPlan plan, CancellationToken stopping)
    {
        if (plan.Before is { } before)
        {
            return before == plan.Current ? before : cluster.Revisions.Observe(await revisions.ChangeAsync(before, plan.Current, stopping));
        }

        try
        {
            return cluster.Revisions.Observe(await revisions.CreateAsync(plan.Current, stopping));
        }
        catch (ApiException taken) when (taken.IsAlreadyExists)
        {
            var there = await revisions.FindAsync(ResourceKey.Of(plan.Current), stopping);
            return there is not null && PodFacts.ControllerOf(there)?.Uid == owner.Metadata.Uid && JsonNode.DeepEquals(there.Data, plan.Current.Data) ? cluster.Revisions.Observe(there) : null;
        }
    }

    /// <summary>Last of all, when pods have been seen to.</summary>
    public async Task DropAsync(RevisionPlan plan, CancellationToken stopping)
    {
        foreach (var revision in plan.Expired)
        {
            await revisions.TryDeleteAsync(ResourceKey.Of(revision), new DeleteOptions { Preconditions = new Preconditions { Uid = revision.Metadata.Uid } }, stopping);
        }
    }
}
