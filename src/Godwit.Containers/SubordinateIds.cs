using System.Globalization;
using Godwit.Linux.Processes;

namespace Godwit.Containers;

/// <summary>
/// The ids of the host that are set aside for users' namespaces (subuid(5), subgid(5)): lines <c>user:first id:count</c>. Nobody else on the host has them, as long as
/// all who give out ids keep to these files.
/// </summary>
public static class SubordinateIds
{
    /// <summary>Who has the ids of an engine that is not told whose to take; it needs no entry in passwd(5).</summary>
    public const string DefaultUser = "godwit-remap";

    /// <summary>As many as there are ids of 16 bits: images use those up to 65534 (nobody).</summary>
    public const uint Count = 65536;

    private const uint LowestFree = 100_000;

    /// <summary>The ids of the one named.</summary>
    /// <param name="who">A user, by name or number, or <c>user:group</c>; <c>default</c> is <see cref="DefaultUser"/>, who is given ids when there are none yet.</param>
    /// <param name="userFile">The place of subuid(5).</param>
    /// <param name="groupFile">That of subgid(5).</param>
    /// <exception cref="InvalidRequestException">It has none, or too few.</exception>
    public static IdMap Take(string who, string userFile, string groupFile)
    {
        var (user, group) = who.Split(':', 2) is [var first, var second] ? (first, second) : (who, who);
        if (user == "default")
        {
            (user, group) = (DefaultUser, DefaultUser);
            GiveWhereNone(userFile, user);
            GiveWhereNone(groupFile, group);
        }

        return new IdMap(Require(user, userFile), Require(group, groupFile), Count);
    }

    /// <summary>The first range of this name that is long enough.</summary>
    internal static uint? Find(string text, string name) =>
        Ranges(text).Where(range => range.Name == name && range.Count >= Count).Select(range => (uint?)range.First).FirstOrDefault();

    /// <summary>The beginning of a range that meets no other of the file.</summary>
    internal static uint FindFree(string text) =>
        Math.Max(LowestFree, Ranges(text).Select(range => range.First + range.Count).DefaultIfEmpty(LowestFree).Max()) is var free and <= int.MaxValue - (long)Count
            ? (uint)free
            : throw new InvalidRequestException("there is no room for a range of subordinate ids any more");

    private static uint Require(string name, string file) => Find(Read(file), name) ?? throw new InvalidRequestException(
        $"{name} has no {Count} subordinate ids in {file}: add the line '{name}:{FindFree(Read(file))}:{Count}' to it, or name somebody else with --userns-remap");

    private static void GiveWhereNone(string file, string name)
    {
        var text = Read(file);
        if (Find(text, name) is null)
        {
            var separator = text.Length == 0 || text.EndsWith('\n') ? "" : "\n";
            File.AppendAllText(file, string.Create(CultureInfo.InvariantCulture, $"{separator}{name}:{FindFree(text)}:{Count}\n"));
        }
    }

    private static string Read(string file) => File.Exists(file) ? File.ReadAllText(file) : "";

    private static IEnumerable<(string Name, long First, long Count)> Ranges(string text) =>
        from line in text.Split('\n')
        let fields = line.Trim().Split(':')
        where fields.Length == 3
        let first = Number(fields[1])
        let count = Number(fields[2])
        where first > 0 && count > 0
        select (fields[0], first, count);

    private static long Number(string text) => uint.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : 0;
}
