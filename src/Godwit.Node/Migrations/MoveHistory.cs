using System.Collections.Concurrent;
using System.Text.Json;
using Godwit.Linux.Files;
using Godwit.Machines;
using Godwit.Migration.Forecasts;
using Godwit.Migration.Protocol;
using Godwit.Node.Peers;

namespace Godwit.Node.Migrations;

/// <summary>One guest's past moves, newest last: from whichever host, for each source tells the next host what it knows.</summary>
internal sealed record MoveHistoryFile(IReadOnlyList<PastMove> Moves);

/// <summary>
/// What past moves of each guest showed: a small file each, bounded, and of no importance if it is lost. By the guest's identity: one that
/// later bears its name is another, and writes in its own way.
/// </summary>
internal sealed class MoveHistory
{
    /// <summary>More guests than move through one host in its time; the longest unmoved are forgotten first.</summary>
    private const int GuestsMax = 1024;

    private readonly string folder;
    private readonly ConcurrentDictionary<MachineId, IReadOnlyList<PastMove>> known = new();

    public MoveHistory(string folder)
    {
        this.folder = folder;
        Directory.CreateDirectory(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
    }

    public IReadOnlyList<PastMove> Of(MachineId guest) => known.GetOrAdd(guest, Read);

    public void Add(MachineId guest, PastMove move) => Replace(guest, [.. Of(guest), move]);

    /// <summary>Keeps the newest of these in place of what was known.</summary>
    public void Replace(MachineId guest, IReadOnlyList<PastMove> newestLast)
    {
        IReadOnlyList<PastMove> moves = [.. newestLast.TakeLast(LearnedCorrection.MovesMax)];
        known[guest] = moves;
        DurableFile.Write(PathOf(guest), JsonSerializer.SerializeToUtf8Bytes(new MoveHistoryFile(moves), MoveJson.Default.MoveHistoryFile));
        ForgetOldest();
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

        Replace(record.MachineId, lessons.Moves);
        return new();
    }

    private IReadOnlyList<PastMove> Read(MachineId guest)
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

    private void ForgetOldest()
    {
        var files = new DirectoryInfo(folder).GetFiles("*.json");
        foreach (var file in files.OrderByDescending(file => file.LastWriteTimeUtc).Skip(GuestsMax))
        {
            file.Delete();
            if (Guid.TryParseExact(Path.GetFileNameWithoutExtension(file.Name), "D", out var id))
            {
                known.TryRemove(new(id), out _);
            }
        }
    }

    private string PathOf(MachineId guest) => Path.Combine(folder, $"{guest}.json");
}
