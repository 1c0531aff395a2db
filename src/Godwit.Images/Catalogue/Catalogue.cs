using System.Collections.Immutable;
using System.Text.Json.Serialization;
using Godwit.Oci;

namespace Godwit.Images.Catalogue;

/// <summary>All images and names of this host at one moment: a value. A change is a new catalogue, written to the disk before anyone sees it.</summary>
internal sealed record ImageCatalogue
{
    public static ImageCatalogue Empty { get; } = new();

    public ImmutableDictionary<Digest, ImageRecord> Images { get; init; } = ImmutableDictionary<Digest, ImageRecord>.Empty;

    /// <summary>Tagged names and names with a digest; a name's tag and digest are never both set here.</summary>
    public ImmutableDictionary<ImageReference, Digest> Names { get; init; } = ImmutableDictionary<ImageReference, Digest>.Empty;

    public IEnumerable<ImageReference> NamesOf(Digest image) => Names.Where(entry => entry.Value == image).Select(entry => entry.Key).OrderBy(name => name.ToString(), StringComparer.Ordinal);

    public bool HasChildren(Digest image) => Images.Values.Any(each => each.Parent == image);

    /// <summary>By name, id, or the start of an id; null when there is none.</summary>
    /// <exception cref="ImageException">Several ids start so.</exception>
    public Digest? Find(string nameOrId, ReferenceRules rules)
    {
        if (Digest.TryParse(nameOrId, out var id) && Images.ContainsKey(id))
        {
            return id;
        }

        if (rules.TryParse(nameOrId, out var name) && FindName(name!) is { } named)
        {
            return named;
        }

        const int shortest = 1;
        var start = nameOrId.StartsWith("sha256:", StringComparison.Ordinal) ? nameOrId["sha256:".Length..] : nameOrId;
        if (start.Length < shortest || !start.All(char.IsAsciiHexDigitLower))
        {
            return null;
        }

        var found = Images.Keys.Where(each => each.Hex.StartsWith(start, StringComparison.Ordinal)).Take(2).ToList();
        return found.Count switch
        {
            0 => null,
            1 => found[0],
            _ => throw new ImageException(ImageErrorKind.Invalid, $"Several images have ids that start with {start}: give more digits."),
        };
    }

    /// <summary>With a digest the tag says nothing more.</summary>
    public static ImageReference Plain(ImageReference name) => name.Digest is null ? name.WithDefaultTag() : name with { Tag = null };

    private Digest? FindName(ImageReference name) => Names.TryGetValue(Plain(name), out var found) ? found : null;
}

/// <summary>What is kept of an image beside its configuration, which is content.</summary>
internal sealed record ImageRecord
{
    public required IReadOnlyList<LayerRecord> Layers { get; init; }

    /// <summary>The manifest as it came; null for an image that was made here.</summary>
    public Descriptor? Manifest { get; init; }

    public Digest? Parent { get; init; }

    public DateTimeOffset? TaggedAt { get; init; }

    /// <summary>The repositories whose registries are known to have its layers: for mounting them instead of sending them.</summary>
    public IReadOnlyList<string> Sources { get; init; } = [];
}

internal sealed record LayerRecord(Digest DiffId, long SizeBytes, Descriptor? Blob);

/// <summary>The catalogue as it stands in its file.</summary>
internal sealed record CatalogueFile
{
    public int Version { get; init; } = 1;

    public IReadOnlyDictionary<Digest, ImageRecord> Images { get; init; } = new Dictionary<Digest, ImageRecord>();

    public IReadOnlyList<NameRecord> Names { get; init; } = [];
}

internal sealed record NameRecord(string? Registry, string Repository, string? Tag, Digest? Digest, Digest Image);

[JsonSourceGenerationOptions(DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull, PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, WriteIndented = true)]
[JsonSerializable(typeof(CatalogueFile))]
internal sealed partial class CatalogueJson : JsonSerializerContext;
