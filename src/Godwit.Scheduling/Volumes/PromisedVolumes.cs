using System.Collections.Immutable;

namespace Godwit.Scheduling.Volumes;

/// <summary>
/// What pods that were placed on a snapshot count on, though no object says so yet: where their claims' volumes are to be, and which of those that are there they will find. Without it two pods of
/// one round would be sent after the same volume. A value, part of <see cref="ClusterSnapshot"/>.
/// </summary>
public sealed class PromisedVolumes
{
    private readonly ImmutableDictionary<(string Namespace, string Name), string> nodes;
    private readonly ImmutableHashSet<string> volumes;

    private PromisedVolumes(ImmutableDictionary<(string Namespace, string Name), string> nodes, ImmutableHashSet<string> volumes)
    {
        this.nodes = nodes;
        this.volumes = volumes;
    }

    public static PromisedVolumes None { get; } = new(ImmutableDictionary<(string Namespace, string Name), string>.Empty, ImmutableHashSet.Create<string>(StringComparer.Ordinal));

    /// <summary>Whether a claim of a pod that was placed before gets this volume.</summary>
    public bool Includes(string volume) => volumes.Contains(volume);

    /// <summary>The node of the pod that was placed before and uses the claim too; null: there is none.</summary>
    public string? NodeOf(PersistentVolumeClaim claim) => nodes.GetValueOrDefault((claim.Metadata.Namespace, claim.Metadata.Name));

    /// <summary>After one more has its place.</summary>
    /// <param name="needs">What its claims need; null: it has none.</param>
    /// <param name="node">Its node.</param>
    internal PromisedVolumes With(VolumeNeeds? needs, NodeFacts node)
    {
        if (needs is null || needs.Pending.Count == 0)
        {
            return this;
        }

        var found = needs.Choose(node, this) ?? [];
        return new PromisedVolumes(
            needs.Pending.Aggregate(nodes, (all, claim) => all.SetItem((claim.Claim.Metadata.Namespace, claim.Claim.Metadata.Name), node.Name)),
            volumes.Union(found.Select(volume => volume.Name)));
    }
}
