using Godwit.Linux;
using Godwit.Linux.Files;
using Microsoft.Extensions.Logging;

namespace Godwit.Containers;

/// <summary>
/// What an engine leaves on the host when it ends. While anything runs, all of it: networks, mounts and cgroups are what running containers live in. When nothing runs,
/// nothing but its folders: the next engine makes the rest again.
/// </summary>
public sealed partial class ContainerEngine
{
    private async Task ClearHostAsync()
    {
        if (containers.Values.Any(container => container.State.IsAlive) || parts.Sandboxes.List().Count > 0)
        {
            return;
        }

        try
        {
            await parts.Networks.RemoveUnusedFromHostAsync(CancellationToken.None);
            Mounts.Unshare(parts.Roots.Folder);
            await parts.ControlGroups.Open(parts.Options.ControlGroup).RemoveAsync(CancellationToken.None);
        }
        catch (Exception refusal) when (refusal is LinuxException or IOException or UnauthorizedAccessException or TimeoutException)
        {
            LeavingLog.Left(parts.Log, parts.Options.DataFolder, refusal);
        }
    }

    private static partial class LeavingLog
    {
        [LoggerMessage(EventId = 4102, Level = LogLevel.Warning, Message = "Something of the engine with its data in {Folder} stays on this host")]
        internal static partial void Left(ILogger log, string folder, Exception refusal);
    }
}
