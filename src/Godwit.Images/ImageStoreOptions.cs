using Godwit.Images.Tar;
using Godwit.Oci;
using Godwit.Oci.Distribution;

namespace Godwit.Images;

/// <summary>Where images are kept and where they come from.</summary>
public sealed record ImageStoreOptions
{
    /// <summary>The store's own folder, for its owner alone; made if missing. One process at a time uses it.</summary>
    public required string Folder { get; init; }

    public RegistryOptions Registries { get; init; } = new();

    /// <summary>What is pulled and run unless the user names another platform.</summary>
    public Platform Platform { get; init; } = Platform.Host;

    public UnpackLimits Limits { get; init; } = new();

    /// <summary>Layers of one pull or push that are under way at once.</summary>
    public int ParallelTransfers { get; init; } = 3;

    /// <summary>How long the rest of a download that was cut off is kept for its next attempt.</summary>
    public TimeSpan PartialDownloadAge { get; init; } = TimeSpan.FromHours(24);
}
