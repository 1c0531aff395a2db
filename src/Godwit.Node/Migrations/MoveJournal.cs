using System.Collections.Concurrent;
using System.Text.Json;
using Godwit.Linux.Files;
using Godwit.Machines;
using Godwit.Migration.Protocol;
using Godwit.Node.Guests;
using Microsoft.Extensions.Logging;

namespace Godwit.Node.Migrations;

/// <summary>What this host knows durably of one move: its side, its record, and whom to speak to about it.</summary>
internal sealed record MoveRecord
{
    public required Guid Move { get; init; }

    public required Guid Machine { get; init; }

    public required string Source { get; init; }

    public required string Target { get; init; }

    /// <summary>Where the target's agent listens: it must be found after a restart without the server too.</summary>
    public string TargetAddress { get; init; } = "";

    public required MovePreparation Preparation { get; init; }

    /// <summary>Set on the source's side of a move that is under way.</summary>
    public SourceRecord? Outgoing { get; init; }

    /// <summary>Set on the target's side.</summary>
    public TargetRecord? Incoming { get; init; }

    /// <summary>The source's side is over and the guest is the target's: kept until the API says so too.</summary>
    public bool HandedOver { get; init; }

    public string Reason { get; init; } = "";

    public DateTimeOffset WrittenAt { get; init; }

    /// <summary>Higher than that of every record written before on this host: the order of what happened, whatever the clock did.</summary>
    public long Sequence { get; init; }

    public MoveId MoveId => new(Move);

    public MachineId MachineId => new(Machine);
}

/// <summary>
/// The records of moves, one small file each, durable before <see cref="Write"/> returns; and what they say about each
/// machine. A file that cannot be read stops the agent: it may be the one that says that a guest is not ours to run.
/// </summary>
internal sealed class MoveJournal
{
    /// <summary>How long the end of a move is remembered, so that late messages about it get the same answer.</summary>
    public static readonly TimeSpan EndKept = TimeSpan.FromHours(24);

    private readonly string folder;
    private readonly TimeProvider time;
    private readonly ConcurrentDictionary<MoveId, MoveRecord> records = new();
    private readonly List<Action<MachineId>> listeners = [];
    private long lastSequence;

    /// <exception cref="InvalidDataException">A record cannot be read.</exception>
    public MoveJournal(string folder, TimeProvider time)
    {
        this.folder = folder;
        this.time = time;
        Directory.CreateDirectory(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        foreach (var path in Directory.EnumerateFiles(folder, "*.json"))
        {
            var record = Read(path);
            records[record.MoveId] = record;
            lastSequence = Math.Max(lastSequence, record.Sequence);
        }
    }

    public IReadOnlyCollection<MoveRecord> All => [.. records.Values];

    public MoveRecord? Find(MoveId move) => records.GetValueOrDefault(move);

    /// <summary>Durable when it returns.</summary>
    /// <exception cref="Linux.LinuxException">It could not be written; what was there stands.</exception>
    public void Write(MoveRecord record)
    {
        var stamped = record with { WrittenAt = time.GetUtcNow(), Sequence = Interlocked.Increment(ref lastSequence) };
        DurableFile.Write(PathOf(record.MoveId), JsonSerializer.SerializeToUtf8Bytes(stamped, MoveJson.Default.MoveRecord));
        records[record.MoveId] = stamped;
        Tell(record.MachineId);
    }

    public void Delete(MoveId move)
    {
        DurableFile.Delete(PathOf(move));
        if (records.TryRemove(move, out var record))
        {
            Tell(record.MachineId);
        }
    }

    /// <summary>Forgets ends that are old enough, but never that a guest was handed over while the API still places it here, nor that one came here while the API still waits for our word of that.</summary>
    /// <param name="isPlacedHere">Whether the API places the guest here.</param>
    /// <param name="isUnsaid">Whether the API names that very move as the guest's last and another node as the one that has it.</param>
    public void Prune(Func<MachineId, bool> isPlacedHere, Func<MoveRecord, bool> isUnsaid)
    {
        foreach (var record in records.Values.Where(IsOver))
        {
            var needed = (record.HandedOver && isPlacedHere(record.MachineId)) || (record.Incoming is TargetRecord.Finished && isUnsaid(record));
            if (!needed && time.GetUtcNow() - record.WrittenAt > EndKept)
            {
                Delete(record.MoveId);
            }
        }
    }

    /// <summary>Whether no later move of the same guest is known here: then a machine of that guest can only be what this move left.</summary>
    public bool IsNewest(MoveRecord record) => !records.Values.Any(other => other.MachineId == record.MachineId && other.Sequence > record.Sequence);

    /// <summary>A move under way decides; else the newest end does.</summary>
    public HandoverClaim ClaimOn(MachineId id)
    {
        var own = records.Values.Where(record => record.MachineId == id).ToArray();
        if (Array.Exists(own, record => record.Outgoing is not null))
        {
            return HandoverClaim.Moving;
        }

        if (Array.Exists(own, record => record.Incoming is TargetRecord.Arriving or TargetRecord.RunGranted))
        {
            return HandoverClaim.Arriving;
        }

        var last = own.Where(record => record.HandedOver || record.Incoming is TargetRecord.Finished).MaxBy(record => record.Sequence);
        return last is null ? HandoverClaim.None : last.HandedOver ? HandoverClaim.HandedOver : HandoverClaim.Owner;
    }

    public bool IsRefused(MachineId id) =>
        records.Values.Where(record => record.MachineId == id).MaxBy(record => record.Sequence) is { Outgoing: null, HandedOver: false, Incoming: TargetRecord.Refused };

    public void Subscribe(Action<MachineId> claimChanged) => listeners.Add(claimChanged);

    private static bool IsOver(MoveRecord record) =>
        record.HandedOver || record.Incoming is TargetRecord.Finished or TargetRecord.Refused or TargetRecord.Lost;

    private static MoveRecord Read(string path)
    {
        try
        {
            return JsonSerializer.Deserialize(File.ReadAllBytes(path), MoveJson.Default.MoveRecord) ?? throw new JsonException("the file is null");
        }
        catch (JsonException error)
        {
            throw new InvalidDataException(
                $"The record {path} of a move cannot be read. It says who may run a guest: find out where the guest runs, then remove the file", error);
        }
    }

    private void Tell(MachineId machine)
    {
        foreach (var listener in listeners)
        {
            listener(machine);
        }
    }

    private string PathOf(MoveId move) => Path.Combine(folder, $"{move}.json");
}
