using System.Text.Json.Nodes;

namespace Godwit.Api.Machinery;

/// <summary>
/// Everything the generic API server must know of one kind. A kind is data: registering a definition in
/// <see cref="ResourceRegistry"/> is all that it takes to serve it.
/// </summary>
public sealed record ResourceDefinition
{
    /// <summary>The API group; empty for core.</summary>
    public required string Group { get; init; }

    public required string Version { get; init; }

    public required string Kind { get; init; }

    /// <summary>The lower-case plural in the URL.</summary>
    public required string Plural { get; init; }

    public required string Singular { get; init; }

    public IReadOnlyList<string> ShortNames { get; init; } = [];

    public IReadOnlyList<string> Categories { get; init; } = [];

    public required bool Namespaced { get; init; }

    /// <summary>The shape of the whole object: known fields, types, list and merge keys, protobuf numbers, descriptions.</summary>
    public required ObjectSchema Schema { get; init; }

    /// <summary>Defaulting, validation and the rules of create, update and status.</summary>
    public required ResourceStrategy Strategy { get; init; }

    /// <summary>Columns of <c>kubectl get</c>, after NAME (and before AGE, which the strategy's columns include themselves).</summary>
    public required IReadOnlyList<TableColumn> Columns { get; init; }

    /// <summary>False when the columns are all there are: the object's name does not come first.</summary>
    public bool NameColumnFirst { get; init; } = true;

    /// <summary>
    /// True when a field that the schema does not know is refused whatever the client asked for, because dropping it
    /// would give a guest that is not what its user described.
    /// </summary>
    public bool RefusesUnknownFields { get; init; }

    /// <summary>True when <c>/status</c> is a subresource: then writes to the main resource leave status alone, and the other way round.</summary>
    public bool HasStatus { get; init; }

    /// <summary>True when its objects are made when they are asked for and stored nowhere: they can be got and listed, and nothing else.</summary>
    public bool IsMeasured { get; init; }

    /// <summary>Where the scale subresource finds its numbers, or null.</summary>
    public ScalePaths? Scale { get; init; }

    /// <summary>Field selectors beyond metadata.name and metadata.namespace: label of the field to its value in an object.</summary>
    public IReadOnlyDictionary<string, Func<JsonObject, string>> SelectableFields { get; init; } =
        new Dictionary<string, Func<JsonObject, string>>(StringComparer.Ordinal);

    /// <summary>For a version of a kind that is stored in another one: how it is made of that and that of it; null for the version that is stored.</summary>
    public VersionConversion? Conversion { get; init; }

    public string ApiVersion => Group.Length == 0 ? Version : $"{Group}/{Version}";
}

/// <summary>
/// One kind in two versions. An object that goes to the stored version and back is as it was, and the other way round: what one version has no field for lies in annotations.
/// </summary>
/// <param name="Stored">The definition of the version that is stored.</param>
/// <param name="ToStored">Changes an object of this version, whose metadata it may change too, into one of that; apiVersion is set by the caller.</param>
/// <param name="FromStored">The other way.</param>
public sealed record VersionConversion(ResourceDefinition Stored, Action<JsonObject> ToStored, Action<JsonObject> FromStored);

/// <summary>JSON paths (dotted, from the root) of the scale subresource.</summary>
public sealed record ScalePaths(string SpecReplicas, string StatusReplicas, string? StatusSelector);

/// <summary>One printed column. <see cref="Priority"/> 0 is always shown, 1 only with <c>-o wide</c>.</summary>
public sealed record TableColumn(string Name, string Type, string Description, Func<JsonObject, DateTimeOffset, JsonNode?> Cell, int Priority = 0, string Format = "");
