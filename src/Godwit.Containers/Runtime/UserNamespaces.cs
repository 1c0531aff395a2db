using System.Globalization;
using Godwit.Linux.Files;
using Godwit.Linux.Processes;

namespace Godwit.Containers.Runtime;

/// <summary>
/// Whose users a container's are. Its files lie on the disk under the ids that it knows itself (0 is its root), as images have them; while it runs, the kernel shows its
/// layers and volumes with the host's ids that stand behind them. So the same layer serves containers with and without users of their own, and what is read at rest
/// (<c>cp</c>, <c>commit</c>, <c>diff</c>) needs no translation. The user namespace belongs to the container's network and lives as long, across its restarts of
/// programs and the engine's.
/// </summary>
internal static class UserNamespaces
{
    /// <summary>The user namespace of a container that has joined its network; null when it has the host's users.</summary>
    /// <exception cref="InvalidRequestException">Whose network it shares has other users.</exception>
    internal static UserNamespace? Open(ContainerSpec spec, JoinedNetwork joined, EngineParts parts)
    {
        if (!spec.Isolation.HasUserNamespace)
        {
            return null;
        }

        SpecCheck.CheckUserNamespace(spec, parts.Options);
        if (spec.Network.Mode is not NetworkMode.Container)
        {
            return UserNamespace.OpenOwner(joined.NamespacePath!, parts.Options.UserIds!);
        }

        var process = parts.Find(spec.Network.Container).RequireAlive("share its network").ProcessId;
        var ids = IdMap.Read(process) ?? throw Different(spec.Network.Container);
        return UserNamespace.OpenOf(process, ids);
    }

    /// <summary>Lets containers' roots reach their files, which lie below a folder that is otherwise root's alone.</summary>
    /// <exception cref="InvalidOperationException">A folder above stops them.</exception>
    internal static void OpenWay(string dataFolder, IdMap ids)
    {
        Ownership.LetPass(dataFolder, ids);
        for (var above = Path.GetDirectoryName(Path.GetFullPath(dataFolder)); above is not null; above = Path.GetDirectoryName(above))
        {
            if ((File.GetUnixFileMode(above) & UnixFileMode.OtherExecute) == UnixFileMode.None)
            {
                throw new InvalidOperationException($"containers with users of their own cannot reach their files below {dataFolder}: {above} lets only its owner pass; run 'chmod o+x {above}', or choose another place with --data");
            }
        }
    }

    /// <summary>Who shares a namespace of another's shares its users, or its root would have no right to it.</summary>
    internal static void RequireSame(UserNamespace? owner, int process, string container)
    {
        static string? Find(string path) => new FileInfo(path).LinkTarget;
        var theirs = Find(string.Create(CultureInfo.InvariantCulture, $"/proc/{process}/ns/user"));
        if (owner is null ? theirs != Find("/proc/self/ns/user") : theirs != Find(owner.PathForOthers))
        {
            throw Different(container);
        }
    }

    private static InvalidRequestException Different(string container) => new(
        $"cannot share namespaces with container {container}, whose users are others: share its network too (--network container:{container}), and give both the host's users (--userns=host) or neither");
}
