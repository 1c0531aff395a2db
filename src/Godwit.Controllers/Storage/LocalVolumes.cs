using Godwit.Api.Storage.V1;
using Godwit.Scheduling;

namespace Godwit.Controllers.Storage;

/// <summary>
/// Volumes that Godwit makes: a folder on one node, below the one that its agent names. Here they are objects only; the agent makes the folder before the first pod that uses it starts,
/// and removes it when the volume is deleted, which a finalizer holds up until then.
/// </summary>
internal static class LocalVolumes
{
    private const string NamePrefix = "pvc-";

    public static bool IsOurs(PersistentVolume volume) => volume.Metadata.Annotations.GetValueOrDefault(AnnotationNames.ProvisionedBy) == StorageClassNames.LocalProvisioner;

    /// <summary>The node that one of ours lies on.</summary>
    public static string? NodeOf(PersistentVolume volume) => volume.Metadata.Annotations.GetValueOrDefault(AnnotationNames.VolumeNode);

    /// <summary>Named by the claim's uid, so that none is made twice; and given to the claim from the start.</summary>
    public static PersistentVolume Make(PersistentVolumeClaim claim, StorageClass kind, NodeFacts node)
    {
        var name = NamePrefix + claim.Metadata.Uid;
        return new PersistentVolume
        {
            Metadata = new ObjectMeta
            {
                Name = name,
                Finalizers = [FinalizerNames.VolumeProtection, FinalizerNames.LocalVolume],
                Annotations = new Dictionary<string, string>(StringComparer.Ordinal)
                {
                    [AnnotationNames.ProvisionedBy] = StorageClassNames.LocalProvisioner,
                    [AnnotationNames.VolumeNode] = node.Name,
                    [AnnotationNames.BoundByController] = "yes",
                },
            },
            Spec = new PersistentVolumeSpec
            {
                Capacity = claim.Spec.Resources?.Requests ?? Quantities.None,
                AccessModes = claim.Spec.AccessModes,
                ClaimRef = ReferenceTo(claim),
                PersistentVolumeReclaimPolicy = kind.ReclaimPolicy ?? ReclaimPolicies.Delete,
                StorageClassName = kind.Metadata.Name,
                VolumeMode = claim.Spec.VolumeMode,
                Local = new LocalVolumeSource { Path = $"{node.VolumesFolder}/{name}" },
                NodeAffinity = new VolumeNodeAffinity
                {
                    Required = new NodeSelector
                    {
                        NodeSelectorTerms =
                        [
                            new NodeSelectorTerm
                            {
                                MatchExpressions = [new NodeSelectorRequirement { Key = LabelNames.Hostname, Operator = "In", Values = [node.Labels.GetValueOrDefault(LabelNames.Hostname) ?? node.Name] }],
                            },
                        ],
                    },
                },
            },
        };
    }

    /// <summary>For a claim that does not wait for its pod: the node that takes guests and has the fewest such volumes; equals by name. Null: there is none.</summary>
    public static NodeFacts? ChooseNode(IEnumerable<NodeFacts> nodes, IReadOnlyCollection<PersistentVolume> volumes) => nodes
        .Where(node => node is { IsReady: true, IsCordoned: false, VolumesFolder: not null } && node.Taints.All(taint => taint.Effect == TaintEffects.PreferNoSchedule))
        .OrderBy(node => volumes.Count(volume => NodeOf(volume) == node.Name))
        .ThenBy(node => node.Name, StringComparer.Ordinal)
        .FirstOrDefault();

    public static ObjectReference ReferenceTo(PersistentVolumeClaim claim) => new()
    {
        ApiVersion = PersistentVolumeClaim.Type.ApiVersion,
        Kind = PersistentVolumeClaim.Type.Kind,
        Namespace = claim.Metadata.Namespace,
        Name = claim.Metadata.Name,
        Uid = claim.Metadata.Uid,
    };
}
