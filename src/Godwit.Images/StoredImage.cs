using Godwit.Oci;

namespace Godwit.Images;

/// <summary>An image of this host, as it was when it was looked up: a value, which later changes leave alone.</summary>
public sealed record StoredImage
{
    /// <summary>The digest of the configuration's bytes.</summary>
    public required Digest Id { get; init; }

    public required ImageConfig Config { get; init; }

    /// <summary>The names with a tag that lead here. Empty for an image that was untagged.</summary>
    public required IReadOnlyList<ImageReference> Tags { get; init; }

    /// <summary>The names with a digest under which a registry has given or taken it.</summary>
    public required IReadOnlyList<ImageReference> RepositoryDigests { get; init; }

    /// <summary>The layers from the bottom up.</summary>
    public required IReadOnlyList<ImageLayer> Layers { get; init; }

    /// <summary>The image that this one was made from by one more step on this host; null for others.</summary>
    public Digest? Parent { get; init; }

    /// <summary>When it last got a name.</summary>
    public DateTimeOffset? TaggedAt { get; init; }

    /// <summary>The layers' files together.</summary>
    public long SizeBytes => Layers.Sum(layer => layer.SizeBytes);

    /// <summary>What a person reads it as: its first name, or its id.</summary>
    public string DisplayName => Tags.Count > 0 ? Tags[0].ToString() : Id.Short;
}

/// <summary>One layer of an image on this host.</summary>
/// <param name="DiffId">The digest of its uncompressed tar: its identity here.</param>
/// <param name="SizeBytes">Length of the files in it.</param>
/// <param name="Blob">Its compressed form as it came from a registry or archive; null for a layer made here and never sent.</param>
public sealed record ImageLayer(Digest DiffId, long SizeBytes, Descriptor? Blob);

/// <summary>What a removal or a prune did, in the order in which it did it.</summary>
public abstract record ImageRemoval
{
    private ImageRemoval()
    {
    }

    /// <summary>A name was taken away.</summary>
    public sealed record Untagged(ImageReference Name) : ImageRemoval;

    /// <summary>An image was forgotten.</summary>
    public sealed record Deleted(Digest Id) : ImageRemoval;
}

/// <summary>Which images a prune takes.</summary>
public sealed record PruneFilter
{
    /// <summary>Only images without a name; else all that no container uses.</summary>
    public bool DanglingOnly { get; init; } = true;

    public DateTimeOffset? CreatedBefore { get; init; }

    /// <summary>Labels that it must have (<c>name</c> or <c>name=value</c>).</summary>
    public IReadOnlyList<string> Labels { get; init; } = [];

    /// <summary>Labels that it must not have.</summary>
    public IReadOnlyList<string> WithoutLabels { get; init; } = [];
}

/// <summary>What removals and prunes did.</summary>
/// <param name="Steps">In order.</param>
/// <param name="ReclaimedBytes">Disk space that came free.</param>
public sealed record RemovalReport(IReadOnlyList<ImageRemoval> Steps, long ReclaimedBytes);
