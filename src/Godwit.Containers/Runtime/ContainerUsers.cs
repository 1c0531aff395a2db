using System.Globalization;
using System.Text;
using Godwit.Linux.Files;

namespace Godwit.Containers.Runtime;

/// <summary>
/// Who a container's user is, by the files in the container (passwd(5), group(5)). They are its owner's, so they are read bounded, from within its root, and a
/// line that makes no sense is no line.
/// </summary>
internal static class ContainerUsers
{
    private const int FileBytesMax = 1 << 20;

    /// <exception cref="InvalidRequestException">The container knows no such user or group.</exception>
    internal static ContainerUser Find(string rootPath, ProcessSpec process)
    {
        using var root = HeldFolder.Open(rootPath);
        using var etc = root.OpenBeneath("etc"u8);
        return Find(ReadText(etc, "passwd"u8), ReadText(etc, "group"u8), process);
    }

    internal static ContainerUser Find(string users, string groups, ProcessSpec process)
    {
        var parts = process.User.Split(':', 2);
        var (wantedUser, wantedGroup) = (parts[0].Length == 0 ? "0" : parts[0], parts.Length > 1 ? parts[1] : "");
        var entry = Lines(users, 6).FirstOrDefault(fields => fields[0] == wantedUser) ?? Lines(users, 6).FirstOrDefault(fields => fields[2] == wantedUser);
        var userId = Number(entry?[2]) ?? Number(wantedUser) ?? throw new InvalidRequestException($"the container knows no user '{wantedUser}': give a number, or a name of its /etc/passwd");
        var groupId = wantedGroup.Length > 0 ? FindGroup(groups, wantedGroup) : Number(entry?[3]) ?? 0;
        var more = process.SupplementaryGroups.Select(name => FindGroup(groups, name));
        if (wantedGroup.Length == 0 && entry is not null)
        {
            more = more.Concat(Lines(groups, 4).Where(fields => fields[3].Split(',').Contains(entry[0])).Select(fields => Number(fields[2])).OfType<uint>());
        }

        // Its own group among them: a program that drops a group by setgroups(2) must not gain by it what that group is denied.
        return new ContainerUser(userId, groupId, [.. more.Prepend(groupId).Distinct()], entry?[5] is { Length: > 0 } home ? home : "/");
    }


    private static uint FindGroup(string groups, string wanted) =>
        Number(Lines(groups, 3).FirstOrDefault(fields => fields[0] == wanted)?[2]) ?? Number(wanted)
        ?? throw new InvalidRequestException($"the container knows no group '{wanted}': give a number, or a name of its /etc/group");

    private static IEnumerable<string[]> Lines(string text, int fieldsMin) => text.Split('\n').Select(line => line.Split(':')).Where(fields => fields.Length >= fieldsMin);

    private static uint? Number(string? text) => uint.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number < int.MaxValue ? number : null;

    private static string ReadText(HeldFolder? folder, ReadOnlySpan<byte> name)
    {
        using var handle = folder?.OpenFile(name);
        if (handle is null)
        {
            return "";
        }

        var buffer = new byte[(int)Math.Min(FileBytesMax, RandomAccess.GetLength(handle))];
        return Encoding.UTF8.GetString(buffer, 0, RandomAccess.Read(handle, buffer, 0));
    }
}
