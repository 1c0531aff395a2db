using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using Godwit.Linux.Files;
using Godwit.Linux.Processes;

namespace Godwit.Machines;

/// <summary>How a machine ended, kept for an agent that was not there to see it.</summary>
internal sealed record MachineEnd(MachineRunState State, string Reason);

internal sealed record MachineStarted(MachineSpec Spec, MachineStart Start);

internal sealed record MachineReservation(uint UserId);

/// <summary>
/// What the agent must know of a machine after it was killed at any instant. Each file is written durably before what it
/// speaks of is done: place before folder, spec before process, process identity before QEMU's first instruction.
/// </summary>
internal sealed class MachineRecords(MachineFiles files)
{
    private const int FileBytesMax = 1 << 20;

    public uint? ReadUserId() => Read(files.PlaceFile, MachineJson.Default.MachineReservation)?.UserId;

    public MachineStarted? ReadStarted() => Read(files.SpecFile, MachineJson.Default.MachineStarted);

    public MachineEnd? ReadEnd() => Read(files.EndFile, MachineJson.Default.MachineEnd);

    public ProcessIdentity? ReadProcess() =>
        File.Exists(files.ProcessFile) && ProcessIdentity.TryParse(File.ReadAllText(files.ProcessFile), out var identity) ? identity : null;

    public void Write(MachineReservation reservation)
    {
        Directory.CreateDirectory(files.RecordFolder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        DurableFile.SyncFolder(Path.GetDirectoryName(files.RecordFolder)!);
        DurableFile.Write(files.PlaceFile, JsonSerializer.SerializeToUtf8Bytes(reservation, MachineJson.Default.MachineReservation));
    }

    public void Write(MachineStarted started) =>
        DurableFile.Write(files.SpecFile, JsonSerializer.SerializeToUtf8Bytes(started, MachineJson.Default.MachineStarted));

    public void Write(MachineEnd end) =>
        DurableFile.Write(files.EndFile, JsonSerializer.SerializeToUtf8Bytes(end, MachineJson.Default.MachineEnd));

    public void Write(ProcessIdentity process) =>
        DurableFile.Write(files.ProcessFile, System.Text.Encoding.ASCII.GetBytes(process.ToString()));

    /// <summary>The machine may be started (again): a start that failed is as if it had never been.</summary>
    public void ForgetStart()
    {
        ForgetProcess();
        DurableFile.Delete(files.SpecFile);
    }

    /// <summary>No QEMU of the machine is there, though what it is stays known.</summary>
    public void ForgetProcess()
    {
        DurableFile.Delete(files.ProcessFile);
        DurableFile.Delete(files.EndFile);
    }

    private static T? Read<T>(string path, JsonTypeInfo<T> type)
        where T : class
    {
        if (!File.Exists(path))
        {
            return null;
        }

        try
        {
            return new FileInfo(path).Length <= FileBytesMax
                ? JsonSerializer.Deserialize(File.ReadAllBytes(path), type)
                : throw new JsonException("it is larger than any that is written");
        }
        catch (Exception error) when (error is JsonException or IOException or NotSupportedException)
        {
            throw new MachineException($"cannot read {path}, which this program wrote itself; restore it, or remove the machine", error);
        }
    }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, UseStringEnumConverter = true, MaxDepth = 16)]
[JsonSerializable(typeof(MachineStarted))]
[JsonSerializable(typeof(MachineEnd))]
[JsonSerializable(typeof(MachineReservation))]
[JsonSerializable(typeof(KnownAccelerator))]
internal sealed partial class MachineJson : JsonSerializerContext;
