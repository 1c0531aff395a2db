using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using Godwit.Base;
using Godwit.Linux.Files;
using Godwit.Networks.Containers;

namespace Godwit.Containers;

/// <summary>All that the engine has to remember of a container, as it lies on disk. A change is a new record, written before it is believed.</summary>
internal sealed record ContainerRecord
{
    private static readonly Lazy<JsonObject> Standard = new(MakeStandard);

    public required ContainerId Id { get; init; }

    public required string Name { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }

    public required ContainerSpec Spec { get; init; }

    public ContainerState State { get; init; } = new ContainerState.Created();

    public int RestartCount { get; init; }

    /// <summary>Somebody asked for its end, so the restart policy keeps still.</summary>
    public bool StoppedByHand { get; init; }

    /// <summary>By the network's name.</summary>
    public IReadOnlyDictionary<string, NetworkEndpoint> Endpoints { get; init; } = new Dictionary<string, NetworkEndpoint>(StringComparer.Ordinal);

    public IReadOnlyList<PortBinding> Ports { get; init; } = [];

    public IReadOnlyList<MountPoint> Mounts { get; init; } = [];

    /// <summary>A container that is removed at its end needs to survive the engine, not the host: no time is spent on syncing.</summary>
    internal void Write(string path)
    {
        var json = ToJson();
        if (Spec.AutoRemove)
        {
            DurableFile.Replace(path, json);
        }
        else
        {
            DurableFile.Write(path, json);
        }
    }

    internal byte[] ToJson() => JsonSerializer.SerializeToUtf8Bytes(this, RecordJson.Default.ContainerRecord);

    /// <summary>Null when there is none that can be read.</summary>
    internal static ContainerRecord? Read(string path)
    {
        try
        {
            if (JsonNode.Parse(File.ReadAllBytes(path)) is not JsonObject read)
            {
                return null;
            }

            JsonDefaults.Complete(read, Standard.Value, "state", "kind");
            return read.Deserialize(RecordJson.Default.ContainerRecord);
        }
        catch (Exception unreadable) when (unreadable is JsonException or IOException or ArgumentException)
        {
            return null;
        }
    }

    /// <summary>Everything that a record has by itself, and nothing that it must be given.</summary>
    private static JsonObject MakeStandard()
    {
        var empty = new ContainerRecord { Id = ContainerId.Generate(), Name = "", CreatedAt = default, Spec = new ContainerSpec { Image = "", ImageId = "", Process = new ProcessSpec() } };
        var standard = JsonSerializer.SerializeToNode(empty, RecordJson.Default.ContainerRecord)!.AsObject();
        foreach (var given in (string[])[nameof(Id), nameof(Name), nameof(CreatedAt)])
        {
            standard.Remove(given);
        }

        standard[nameof(Spec)]!.AsObject().Remove(nameof(ContainerSpec.Image));
        standard[nameof(Spec)]!.AsObject().Remove(nameof(ContainerSpec.ImageId));
        return standard;
    }
}

[JsonSourceGenerationOptions(UseStringEnumConverter = true, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull, WriteIndented = true)]
[JsonSerializable(typeof(ContainerRecord))]
internal sealed partial class RecordJson : JsonSerializerContext;
