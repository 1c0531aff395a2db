using Godwit.Images.Layers;
using Godwit.Linux.Processes;

namespace Godwit.Containers;

/// <summary>
/// Where containers' root file systems come from: over image layers in the program, over a plain folder in tests. Each
/// container has one of its own from <see cref="CreateAsync"/> to <see cref="RemoveAsync"/>; all calls may be repeated.
/// </summary>
public interface IRootFileSystems
{
    /// <summary>Every mount is below this folder of the host. What is mounted there is passed on to monitors, which live in a mount namespace of their own.</summary>
    string Folder { get; }

    /// <summary>Holds the image for this container and makes its own empty layer, durably.</summary>
    /// <exception cref="NotThereException">There is no such image.</exception>
    Task CreateAsync(ContainerId id, string imageId, long? sizeBytesMax, CancellationToken stopping);

    /// <summary>Mounts it where it is not, and returns the path of its top.</summary>
    /// <param name="id">The container's.</param>
    /// <param name="seenBy">The user namespace whose ids its files shall have, and whose root shall reach it; null: as they are on the disk.</param>
    /// <param name="stopping">Cancels.</param>
    Task<string> MountAsync(ContainerId id, UserNamespace? seenBy, CancellationToken stopping);

    /// <summary>Takes the mount away; the files stay.</summary>
    Task UnmountAsync(ContainerId id, CancellationToken stopping);

    /// <summary>The container's own layer goes, and its hold on the image.</summary>
    Task RemoveAsync(ContainerId id, CancellationToken stopping);

    /// <summary>What the container has changed.</summary>
    Task<IReadOnlyList<FileChange>> ListChangesAsync(ContainerId id, CancellationToken stopping);

    /// <summary>Bytes of the container's own layer.</summary>
    Task<long> MeasureAsync(ContainerId id, CancellationToken stopping);

    /// <summary>A new image out of the container's files; returns its id.</summary>
    Task<string> CommitAsync(ContainerSnapshot container, CommitRequest request, CancellationToken stopping);
}
