using System.Globalization;
using Godwit.Containers.Copying;
using Godwit.Linux.Files;
using Godwit.Linux.Processes;

namespace Godwit.Containers;

/// <summary>A container's files, seen from outside.</summary>
internal sealed partial class Container
{
    /// <summary>Its files as it sees them, its mounts included.</summary>
    /// <param name="path">The path that is wanted: at rest it decides which mount's source is opened.</param>
    /// <param name="stopping">Cancels.</param>
    internal async Task<ContainerView> OpenViewAsync(string path, CancellationToken stopping)
    {
        if (record.State is ContainerState.Alive alive)
        {
            return new ContainerView(HeldFolder.Open(string.Create(CultureInfo.InvariantCulture, $"/proc/{alive.Now.ProcessId}/root/.")), "", SeenIds(), () => Task.CompletedTask);
        }

        var full = ContainerPath.Parse(path).Text;
        var mount = record.Mounts
            .Where(point => point.Source.Length > 0 && Directory.Exists(point.Source) && (full == point.Target || full.StartsWith(point.Target.TrimEnd('/') + "/", StringComparison.Ordinal)))
            .MaxBy(point => point.Target.Length);
        return mount is null
            ? await OpenFilesAsync(stopping)
            : new ContainerView(HeldFolder.Open(Path.Combine(mount.Source, ".")), mount.Target.TrimEnd('/'), null, () => Task.CompletedTask);
    }

    /// <summary>Its own files and its image's, without what is mounted in it.</summary>
    internal async Task<ContainerView> OpenFilesAsync(CancellationToken stopping)
    {
        HeldFolder? root = null;
        IdMap? seen = null;
        await InTurnAsync(async () => (root, seen) = (HeldFolder.Open(await parts.Roots.MountAsync(Id, seenBy: null, stopping)), SeenIds()), stopping);
        return new ContainerView(root!, "", seen, LetGoAsync);
    }

    /// <summary>Behind whose ids its files are seen now; null: as they are on the disk.</summary>
    private IdMap? SeenIds() => record.State is ContainerState.Alive alive && record.Spec.Isolation.HasUserNamespace ? IdMap.Read(alive.Now.ProcessId) : null;

    /// <summary>Mounted for a look only, unless it runs by now.</summary>
    private Task LetGoAsync() => InTurnAsync(
        async () =>
        {
            if (!record.State.IsAlive && Directory.Exists(Folder.Data))
            {
                await parts.Roots.UnmountAsync(Id, CancellationToken.None);
            }
        },
        CancellationToken.None);
}
