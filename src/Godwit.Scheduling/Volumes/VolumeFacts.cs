using Godwit.Scheduling.Pods;

namespace Godwit.Scheduling.Volumes;

/// <summary>One volume, as far as it matters whose it may be and where it can be reached. Taken from its object once: its terms are compiled here.</summary>
public sealed record VolumeFacts
{
    public required PersistentVolume Volume { get; init; }

    /// <summary>Terms of which a node must meet one; null: it can be reached from everywhere.</summary>
    public required IReadOnlyList<NodeTerm>? Terms { get; init; }

    public string Name => Volume.Metadata.Name;

    /// <summary>In bytes.</summary>
    public decimal Size => Volume.Spec.Capacity.GetValueOrDefault(Quantities.Storage).Value;

    public static VolumeFacts Of(PersistentVolume volume) => new()
    {
        Volume = volume,
        Terms = volume.Spec.NodeAffinity?.Required is { } required ? [.. required.NodeSelectorTerms.Select(NodeTerm.Of)] : null,
    };

    public bool IsReachableFrom(NodeFacts node)
    {
        if (Terms is null)
        {
            return true;
        }

        for (var i = 0; i < Terms.Count; i++)
        {
            if (Terms[i].Matches(node))
            {
                return true;
            }
        }

        return false;
    }
}
