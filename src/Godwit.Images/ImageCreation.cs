using Godwit.Oci;

namespace Godwit.Images;

/// <summary>An image that is one step further than its parent: of a build, a commit or an import.</summary>
public sealed record ImageStep
{
    /// <summary>What it stands on; null starts from nothing.</summary>
    public StoredImage? Parent { get; init; }

    /// <summary>The layer that the step made (<see cref="Layers.LayerStore"/> has it); null when it changed the configuration only.</summary>
    public Digest? Layer { get; init; }

    /// <summary>The whole configuration after the step, not the change.</summary>
    public required ImageDefaults Config { get; init; }

    /// <summary>The step itself. Its <see cref="HistoryEntry.EmptyLayer"/> is set from <see cref="Layer"/>; its time is the image's.</summary>
    public required HistoryEntry History { get; init; }

    public string? Author { get; init; }

    /// <summary>Null is the parent's, or this host's.</summary>
    public Platform? Platform { get; init; }

    /// <summary>Its name, if it gets one.</summary>
    public ImageReference? Name { get; init; }
}

/// <summary>How to pull.</summary>
public sealed record PullOptions
{
    /// <summary>Null is the store's own.</summary>
    public Platform? Platform { get; init; }

    public Oci.Distribution.RegistryCredentials Credentials { get; init; } = new();
}

/// <summary>What a push left at the registry.</summary>
/// <param name="Manifest">The manifest's digest and size there.</param>
/// <param name="Name">Name and tag that lead to it now.</param>
public sealed record PushResult(Descriptor Manifest, ImageReference Name);
