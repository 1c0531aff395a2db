using System.Collections.Concurrent;
using System.Text.Json;
using Godwit.Linux.Files;
using Godwit.Migration.Forecasts;
using Godwit.Migration.Protocol;
using Godwit.Node.Peers;

namespace Godwit.Node.Migrations;

/// <summary>One guest's past moves, newest last: from whichever host, for each source tells the next host what it knows.</summary>
internal sealed record MoveHistoryFile(IReadOnlyList<PastMove> Moves);

/// <summary>What past moves of each guest showed: a small file each, bounded, and of no importance if it is lost.</summary>
internal sealed class MoveHistory
{
    private readonly string folder;
    private readonly ConcurrentDictionary<string, IReadOnlyList<PastMove>> known = new(StringComparer.Ordinal);

    public MoveHistory(string folder)
    {
        this.folder = folder;
        Directory.CreateDirectory(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
    }

    /// <summary>A guest's namespace and name, joined by a dot: neither has a slash.</summary>
    public static string KeyOf(string guestNamespace, string guestName) => $"{guestNamespace}.{guestName}";

    /// <param name="guest">See <see cref="KeyOf"/>.</param>
    public IReadOnlyList<PastMove> Of(string guest) => known.GetOrAdd(guest, Read);

    public void Add(string guest, PastMove move) => Replace(guest, [.. Of(guest), move]);

    /// <summary>Keeps the newest of these in place of what was known.</summary>
    public void Replace(string guest, IReadOnlyList<PastMove> newestLast)
    {
        IReadOnlyList<PastMove> moves = [.. newestLast.TakeLast(LearnedCorrection.MovesMax)];
        known[guest] = moves;
        DurableFile.Write(PathOf(guest), JsonSerializer.SerializeToUtf8Bytes(new MoveHistoryFile(moves), MoveJson.Default.MoveHistoryFile));
    }

    /// <summary>The source of a move to this node tells what it knows of the guest that came.</summary>
    /// <exception cref="PeerRefusedException">It did not come from there, or the numbers cannot be those of moves.</exception>
    public MoveLessonsHeard Hear(MoveJournal journal, NodeName source, MoveLessons lessons)
    {
        if (journal.Find(new MoveId(lessons.Move)) is not { Incoming: not null } record || record.Source != source.Value)
        {
            throw new PeerRefusedException(PeerRefusal.NotAllowed, "That move did not come here from this node.");
        }

        if (lessons.Moves.Count > LearnedCorrection.MovesMax || !lessons.Moves.All(move => move.IsSound))
        {
            throw new PeerRefusedException(PeerRefusal.BadRequest, "These cannot be the numbers of a guest's moves.");
        }

        Replace(KeyOf(record.Preparation.GuestNamespace, record.Preparation.GuestName), lessons.Moves);
        return new();
    }

    private IReadOnlyList<PastMove> Read(string guest)
    {
        try
        {
            return JsonSerializer.Deserialize(File.ReadAllBytes(PathOf(guest)), MoveJson.Default.MoveHistoryFile)?.Moves ?? [];
        }
        catch (Exception error) when (error is IOException or JsonException or UnauthorizedAccessException)
        {
            return []; // Not moved yet, or unreadable: the forecast is wider, nothing else.
        }
    }

    private string PathOf(string guest) => Path.Combine(folder, $"{guest}.json");
}
