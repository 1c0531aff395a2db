using System.Globalization;

namespace Godwit.Linux.Processes;

/// <summary>Which ids of the host stand behind the ids 0 to <paramref name="Count"/>-1 of a user namespace (user_namespaces(7)).</summary>
/// <param name="FirstUserId">The host's, behind user 0.</param>
/// <param name="FirstGroupId">The host's, behind group 0.</param>
public sealed record IdMap(uint FirstUserId, uint FirstGroupId, uint Count)
{
    /// <summary>What the kernel shows for an id that a namespace does not have.</summary>
    public const uint Nobody = 65534;

    /// <summary>Reads the map of a process's user namespace; null when its ids are the host's own, or mapped in more than one piece.</summary>
    public static IdMap? Read(int processId)
    {
        var folder = string.Create(CultureInfo.InvariantCulture, $"/proc/{processId}");
        return Parse(File.ReadAllText(Path.Combine(folder, "uid_map")), File.ReadAllText(Path.Combine(folder, "gid_map")));
    }

    public uint UserOnHost(uint id) => id < Count ? FirstUserId + id : throw new ArgumentOutOfRangeException(nameof(id), id, $"the user namespace has only {Count} users");

    public uint GroupOnHost(uint id) => id < Count ? FirstGroupId + id : throw new ArgumentOutOfRangeException(nameof(id), id, $"the user namespace has only {Count} groups");

    public uint UserInside(uint id) => id >= FirstUserId && id - FirstUserId < Count ? id - FirstUserId : Nobody;

    public uint GroupInside(uint id) => id >= FirstGroupId && id - FirstGroupId < Count ? id - FirstGroupId : Nobody;

    /// <summary>The kernel's form: inside, outside, how many.</summary>
    internal static IdMap? Parse(string users, string groups) => ReadLine(users) is { } user && ReadLine(groups) is { } group && user.Count == group.Count && user != (0, uint.MaxValue)
        ? new IdMap(user.First, group.First, user.Count)
        : null;

    internal string WriteUsers() => string.Create(CultureInfo.InvariantCulture, $"0 {FirstUserId} {Count}\n");

    internal string WriteGroups() => string.Create(CultureInfo.InvariantCulture, $"0 {FirstGroupId} {Count}\n");

    private static (uint First, uint Count)? ReadLine(string text) =>
        text.Split((char[])[' ', '\n'], StringSplitOptions.RemoveEmptyEntries) is ["0", var first, var count]
        && uint.TryParse(first, NumberStyles.None, CultureInfo.InvariantCulture, out var firstId) && uint.TryParse(count, NumberStyles.None, CultureInfo.InvariantCulture, out var number)
            ? (firstId, number)
            : null;
}
