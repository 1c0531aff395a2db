using System.Text.Json.Serialization;
using Godwit.Oci;

namespace Godwit.DockerApi.Wire;

internal sealed record ImageListEntry
{
    public required string Id { get; init; }

    public required string ParentId { get; init; }

    public required IReadOnlyList<string> RepoTags { get; init; }

    public required IReadOnlyList<string> RepoDigests { get; init; }

    public required long Created { get; init; }

    public required long Size { get; init; }

    public required long VirtualSize { get; init; }

    public long SharedSize { get; init; } = -1;

    public required IReadOnlyDictionary<string, string>? Labels { get; init; }

    public required int Containers { get; init; }
}

internal sealed record ImageInspection
{
    public required string Id { get; init; }

    public required IReadOnlyList<string> RepoTags { get; init; }

    public required IReadOnlyList<string> RepoDigests { get; init; }

    public required string Parent { get; init; }

    public required string Comment { get; init; }

    public required string? Created { get; init; }

    public string DockerVersion { get; init; } = "";

    public required string Author { get; init; }

    public required ImageDefaults Config { get; init; }

    public required string Architecture { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Variant { get; init; }

    public required string Os { get; init; }

    public required long Size { get; init; }

    public required long VirtualSize { get; init; }

    public GraphDriver GraphDriver { get; init; } = GraphDriver.Overlay;

    public required RootFsBody RootFS { get; init; }

    public required ImageMetadata Metadata { get; init; }
}

internal sealed record RootFsBody(string Type, IReadOnlyList<string> Layers);

internal sealed record ImageMetadata(string LastTagTime);

internal sealed record HistoryAnswer(string Id, long Created, string CreatedBy, IReadOnlyList<string>? Tags, long Size, string Comment);

internal sealed record ImageRemovalEntry
{
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Untagged { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Deleted { get; init; }
}

internal sealed record PruneImagesAnswer(IReadOnlyList<ImageRemovalEntry> ImagesDeleted, long SpaceReclaimed);

internal sealed record PruneBuildAnswer(IReadOnlyList<string> CachesDeleted, long SpaceReclaimed);
