namespace Godwit.Scheduling.Volumes;

/// <summary>Who makes a volume for a claim that finds none.</summary>
public enum Provisioning
{
    /// <summary>Nobody.</summary>
    None,

    /// <summary>Godwit, on any node whose agent has a folder for volumes.</summary>
    Local,

    /// <summary>Somebody outside, of whom nothing is known.</summary>
    Outside,
}

/// <summary>A claim that gets its volume when the node of its pod is chosen.</summary>
/// <param name="Claim">The claim.</param>
/// <param name="Candidates">Volumes that it may have, best first, wherever they are.</param>
/// <param name="Provisioning">Who makes one where there is none.</param>
public sealed record PendingClaim(PersistentVolumeClaim Claim, IReadOnlyList<VolumeFacts> Candidates, Provisioning Provisioning)
{
    /// <summary>The node that was chosen before; null: none was.</summary>
    public string? SelectedNode => Claim.Metadata.Annotations.GetValueOrDefault(AnnotationNames.SelectedNode) is { Length: > 0 } node ? node : null;
}

/// <summary>
/// What a pod's claims mean for where it can run:
/// <code>
///   claim                                      node
///   has a volume                               one that reaches it
///   waits for the pod's node (pending)         the one chosen before; else one with a volume for each such claim, or where one can be made
///   missing, lost, going, waits for a volume   none: the pod waits
/// </code>
/// The words are Kubernetes'.
/// </summary>
public sealed record VolumeNeeds
{
    public const string UnboundImmediate = "pod has unbound immediate PersistentVolumeClaims";
    public const string AffinityConflict = "node(s) had volume node affinity conflict";
    public const string NothingToBind = "node(s) didn't find available persistent volumes to bind";
    public const string ExclusiveConflict = "node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode";

    /// <summary>Why the pod runs nowhere now; null when nodes decide.</summary>
    public string? Obstacle { get; init; }

    /// <summary>Volumes that it has.</summary>
    public IReadOnlyList<VolumeFacts> Bound { get; init; } = [];

    /// <summary>Claims that wait for its node, the smallest first.</summary>
    public IReadOnlyList<PendingClaim> Pending { get; init; } = [];

    /// <summary>Names of claims that one pod at a time may use.</summary>
    public IReadOnlyList<string> Exclusive { get; init; } = [];

    /// <summary>What stands against the node; null when nothing does.</summary>
    /// <param name="node">The node.</param>
    /// <param name="promised">What pods that were placed before count on.</param>
    public string? FindObstacle(NodeFacts node, PromisedVolumes promised)
    {
        for (var i = 0; i < Bound.Count; i++)
        {
            if (!Bound[i].IsReachableFrom(node))
            {
                return AffinityConflict;
            }
        }

        return Pending.Count == 0 || Choose(node, promised) is not null ? null : NothingToBind;
    }

    /// <summary>The volumes that are there and that claims get on the node; claims beside them get one that is made. Null when one of them gets none there.</summary>
    internal IReadOnlyList<VolumeFacts>? Choose(NodeFacts node, PromisedVolumes promised)
    {
        var chosen = new List<VolumeFacts>(Pending.Count);
        foreach (var claim in Pending)
        {
            var shared = promised.NodeOf(claim.Claim);
            if ((shared ?? claim.SelectedNode) is { } selected && selected != node.Name)
            {
                return null;
            }

            if (shared is not null)
            {
                continue; // A pod that was placed before uses it too: what it gets is promised already.
            }

            var found = claim.Candidates.FirstOrDefault(volume => !promised.Includes(volume.Name) && !chosen.Contains(volume) && volume.IsReachableFrom(node));
            if (found is not null)
            {
                chosen.Add(found);
            }
            else if (claim.Provisioning == Provisioning.None || (claim.Provisioning == Provisioning.Local && node.VolumesFolder is null))
            {
                return null;
            }
        }

        return chosen;
    }
}
