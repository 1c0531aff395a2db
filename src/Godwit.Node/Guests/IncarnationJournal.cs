using System.Collections.Concurrent;
using System.Text.Json;
using System.Text.Json.Serialization;
using Godwit.Linux.Files;
using Godwit.Machines;
using Microsoft.Extensions.Logging;

namespace Godwit.Node.Guests;

/// <summary>
/// The records of <see cref="Incarnation"/>, one small file each, durable before a call returns. A file that cannot be
/// read counts as "it ran": the worst that follows is a guest reported as failed, never one that runs twice.
/// </summary>
internal sealed partial class IncarnationJournal
{
    private readonly string folder;
    private readonly ConcurrentDictionary<MachineId, Incarnation> records = new();

    /// <summary>Reads what is there.</summary>
    public IncarnationJournal(string folder, ILogger logger)
    {
        this.folder = folder;
        Directory.CreateDirectory(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        foreach (var path in Directory.EnumerateFiles(folder, "*.json"))
        {
            if (!Guid.TryParseExact(Path.GetFileNameWithoutExtension(path), "D", out var id))
            {
                continue;
            }

            try
            {
                var file = JsonSerializer.Deserialize(File.ReadAllBytes(path), IncarnationJson.Default.IncarnationFile) ?? throw new JsonException("The file is null.");
                records[new MachineId(id)] = file.ToRecord(new MachineId(id));
            }
            catch (Exception error) when (error is JsonException or IOException or UnauthorizedAccessException)
            {
                Log.Unreadable(logger, error, path);
                records[new MachineId(id)] = new Incarnation.Started(new MachineId(id), "", "");
            }
        }
    }

    public IReadOnlyCollection<Incarnation> All => [.. records.Values];

    public Incarnation? Find(MachineId id) => records.GetValueOrDefault(id);

    /// <summary>Durable when it returns. An ended incarnation never becomes a started one.</summary>
    public void Write(Incarnation record)
    {
        if (record is not Incarnation.Ended && Find(record.Id) is Incarnation.Ended)
        {
            throw new InvalidOperationException($"Machine {record.Id} has ended and cannot start again.");
        }

        DurableFile.Write(PathOf(record.Id), JsonSerializer.SerializeToUtf8Bytes(IncarnationFile.From(record), IncarnationJson.Default.IncarnationFile));
        records[record.Id] = record;
    }

    public void Forget(MachineId id)
    {
        if (records.ContainsKey(id))
        {
            DurableFile.Delete(PathOf(id));
            records.TryRemove(id, out _);
        }
    }

    private string PathOf(MachineId id) => Path.Combine(folder, $"{id}.json");

    private static partial class Log
    {
        [LoggerMessage(EventId = 2101, Level = LogLevel.Error, Message = "The record {Path} cannot be read; its guest counts as one that ran here and is not booted again")]
        public static partial void Unreadable(ILogger logger, Exception error, string path);
    }
}

/// <param name="Namespace">The guest's.</param>
/// <param name="Name">The guest's.</param>
/// <param name="Outcome">Of an incarnation that is over.</param>
internal sealed record IncarnationFile(string Namespace, string Name, GuestOutcome? Outcome)
{
    /// <summary>Null: it runs, or is over.</summary>
    public SuspensionStage? Suspension { get; init; }

    /// <summary>Of one that is suspended.</summary>
    public long StateBytes { get; init; }

    public static IncarnationFile From(Incarnation record) =>
        new(record.GuestNamespace, record.GuestName, (record as Incarnation.Ended)?.Outcome)
        {
            Suspension = record switch
            {
                Incarnation.Suspending => SuspensionStage.Suspending,
                Incarnation.Suspended => SuspensionStage.Suspended,
                Incarnation.Resuming => SuspensionStage.Resuming,
                _ => null,
            },
            StateBytes = (record as Incarnation.Suspended)?.StateBytes ?? 0,
        };

    public Incarnation ToRecord(MachineId id) => (Outcome, Suspension) switch
    {
        ({ } outcome, _) => new Incarnation.Ended(id, Namespace, Name, outcome),
        (_, SuspensionStage.Suspending) => new Incarnation.Suspending(id, Namespace, Name),
        (_, SuspensionStage.Suspended) => new Incarnation.Suspended(id, Namespace, Name, StateBytes),
        (_, SuspensionStage.Resuming) => new Incarnation.Resuming(id, Namespace, Name),
        _ => new Incarnation.Started(id, Namespace, Name),
    };
}

internal enum SuspensionStage
{
    Suspending,
    Suspended,
    Resuming,
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, UseStringEnumConverter = true, RespectNullableAnnotations = true, RespectRequiredConstructorParameters = true)]
[JsonSerializable(typeof(IncarnationFile))]
internal sealed partial class IncarnationJson : JsonSerializerContext;
