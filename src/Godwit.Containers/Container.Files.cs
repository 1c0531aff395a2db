using System.Globalization;
using Godwit.Containers.Copying;
using Godwit.Linux.Files;

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
            return new ContainerView(HeldFolder.Open(string.Create(CultureInfo.InvariantCulture, $"/proc/{alive.Now.ProcessId}/root/.")), "", () => Task.CompletedTask);
        }

        var full = ContainerPath.Parse(path).Text;
        var mount = record.Mounts
            .Where(point => point.Source.Length > 0 && Directory.Exists(point.Source) && (full == point.Target || full.StartsWith(point.Target.TrimEnd('/') + "/", StringComparison.Ordinal)))
            .MaxBy(point => point.Target.Length);
        return mount is null
            ? await OpenFilesAsync(stopping)
            : new ContainerView(HeldFolder.Open(Path.Combine(mount.Source, ".")), mount.Target.TrimEnd('/'), () => Task.CompletedTask);
    }

    /// <summary>Its own files and its image's, without what is mounted in it.</summary>
    internal async Task<ContainerView> OpenFilesAsync(CancellationToken stopping)
    {
        HeldFolder? root = null;
        await InTurnAsync(async () => root = HeldFolder.Open(await parts.Roots.MountAsync(Id, stopping)), stopping);
        return new ContainerView(root!, "", LetGoAsync);
    }

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
