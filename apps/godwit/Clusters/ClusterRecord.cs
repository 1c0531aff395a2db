using System.Text.Json;
using System.Text.Json.Serialization;
using Godwit.Linux.Files;
using Godwit.Linux.Processes;

namespace Godwit.App.Clusters;

/// <summary>
/// What <c>up</c> started on this host, so that <c>down</c>, run by whoever and whenever, can find all of it. Written before
/// each thing is made (so that a start that died half way can be taken down) and durable before it is relied upon.
/// </summary>
internal sealed record ClusterRecord
{
    public required string Instance { get; init; }

    public required string DataFolder { get; init; }

    public required string ImagesFolder { get; init; }

    /// <summary>Nodes in namespaces of their own; 0: one process is control plane and agent on this host.</summary>
    public int LabNodes { get; init; }

    public string LinkRate { get; init; } = "none";

    /// <summary>Where the API is served.</summary>
    public required int Port { get; init; }

    public IReadOnlyList<ProcessRecord> Processes { get; init; } = [];

    /// <summary>The same, with a record that cannot be read taken for none.</summary>
    public static ClusterRecord? TryLoad(Places places)
    {
        try
        {
            return Load(places);
        }
        catch (ClusterException)
        {
            return null;
        }
    }

    /// <summary>The record, or null when nothing is up.</summary>
    /// <exception cref="ClusterException">There is one that cannot be read.</exception>
    public static ClusterRecord? Load(Places places)
    {
        try
        {
            return JsonSerializer.Deserialize(File.ReadAllBytes(places.RecordPath), AppJson.Default.ClusterRecord);
        }
        catch (Exception error) when (error is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
        catch (Exception error) when (error is JsonException or IOException or UnauthorizedAccessException)
        {
            throw new ClusterException($"The record of what is up, {places.RecordPath}, cannot be read, so what is up is not known. End the godwit processes (pgrep -a godwit), delete that file, then run 'godwit up' and 'godwit down': they find guests, networks and cgroups by their names", error);
        }
    }

    /// <summary>Where the instance's things are: what is up keeps its own places, whatever a later command line takes as default.</summary>
    /// <exception cref="ClusterException">There is a record that cannot be read.</exception>
    public static Places PlacesInUse(Places asked) => Load(asked) is { } record ? Places.For(asked.Instance, record.DataFolder, record.ImagesFolder) : asked;

    public void Save(Places places)
    {
        Directory.CreateDirectory(places.RunFolder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        DurableFile.Write(places.RecordPath, JsonSerializer.SerializeToUtf8Bytes(this, AppJson.Default.ClusterRecord));
    }

    /// <summary>The record with a process added, in the place of an earlier one of its name.</summary>
    public ClusterRecord With(ProcessRecord process) => this with { Processes = [.. Processes.Where(other => other.Name != process.Name), process] };

    /// <summary>A hold on a process, or null when it is not running. The caller disposes it.</summary>
    public LinuxProcess? FindLiving(string name) => Processes.FirstOrDefault(process => process.Name == name)?.Open();

    /// <summary>One of the processes that has ended, or null when all live.</summary>
    public ProcessRecord? FindDead()
    {
        foreach (var record in Processes)
        {
            using var process = record.Open();
            if (process is null)
            {
                return record;
            }
        }

        return null;
    }
}

/// <summary>One process of ours. <see cref="Identity"/> cannot be another's: PID, start time and boot.</summary>
internal sealed record ProcessRecord(string Name, string Identity, string LogPath)
{
    public LinuxProcess? Open() => ProcessIdentity.TryParse(Identity, out var identity) ? LinuxProcess.TryOpen(identity) : null;
}

/// <summary>Starting or ending a cluster failed: what was tried, on what, why, what to do. Exit code 1.</summary>
internal sealed class ClusterException : Exception
{
    public ClusterException(string message)
        : base(message)
    {
    }

    public ClusterException(string message, Exception cause)
        : base(message, cause)
    {
    }
}

[JsonSerializable(typeof(ClusterRecord))]
[JsonSerializable(typeof(Commands.UpResult))]
[JsonSerializable(typeof(Commands.DownResult))]
[JsonSerializable(typeof(Commands.StoreCopyResult))]
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, WriteIndented = true, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
internal sealed partial class AppJson : JsonSerializerContext;
