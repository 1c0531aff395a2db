using System.Text.Json.Nodes;

namespace Godwit.Api.Documents;

/// <summary>
/// The OpenAPI documents, made from the schemas when first asked for, and kept: version 3, one for each group and version
/// with an index that names each by its hash; version 2, all in one, as JSON and in the protobuf form that
/// <c>kubectl</c> before 1.27 insists on.
/// </summary>
public sealed class OpenApi
{
    private const string Title = "Godwit";

    private readonly ApiSurface surface;
    private readonly string productVersion;
    private readonly Dictionary<string, Lazy<Document>> byPath;
    private readonly Lazy<Document> index;
    private readonly Lazy<JsonObject> second;
    private readonly Lazy<Document> secondJson;
    private readonly Lazy<Document> secondProtobuf;

    /// <param name="surface">What is served.</param>
    /// <param name="productVersion">The server's version, as <c>/version</c> says it.</param>
    public OpenApi(ApiSurface surface, string productVersion)
    {
        this.surface = surface;
        this.productVersion = productVersion;
        byPath = surface.GroupVersions.ToDictionary(version => version.Path, version => new Lazy<Document>(() => MakeV3(version)), StringComparer.Ordinal);
        index = new(MakeIndex);
        second = new(MakeV2);
        secondJson = new(() => Document.Of(second.Value));
        secondProtobuf = new(() => new Document(OpenApiV2Protobuf.Encode(second.Value)));
    }

    /// <summary>The media type of <see cref="V2Protobuf"/> as an answer spells it; requests have an @ before v1.0.</summary>
    public const string V2ProtobufMediaType = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";

    /// <summary>What <c>/openapi/v3</c> answers: the URL of each group and version, with its hash.</summary>
    public Document V3Index => index.Value;

    /// <summary>What <c>/openapi/v2</c> answers as JSON.</summary>
    public Document V2Json => secondJson.Value;

    /// <summary>What <c>/openapi/v2</c> answers as protobuf.</summary>
    public Document V2Protobuf => secondProtobuf.Value;

    /// <summary>The document of a group and version, or null.</summary>
    /// <param name="path">What follows <c>/openapi/v3/</c>: <c>api/v1</c> or <c>apis/kubevirt.io/v1</c>.</param>
    public Document? FindV3(string path) => byPath.TryGetValue(path, out var document) ? document.Value : null;

    private Document MakeIndex() => Document.Of(new JsonObject
    {
        ["paths"] = new JsonObject(byPath.Select(entry => KeyValuePair.Create(
            entry.Key,
            (JsonNode?)new JsonObject { ["serverRelativeURL"] = $"/openapi/v3/{entry.Key}?hash={entry.Value.Value.Hash}" }))),
    });

    private Document MakeV3(GroupVersion version)
    {
        var schemas = new OpenApiSchemas(isV3: true);
        var paths = new OpenApiPaths(schemas, isV3: true).Build(surface, version);
        return Document.Of(new JsonObject
        {
            ["openapi"] = "3.0.0",
            ["info"] = new JsonObject { ["title"] = Title, ["version"] = productVersion },
            ["paths"] = paths,
            ["components"] = new JsonObject { ["schemas"] = schemas.Definitions },
        });
    }

    private JsonObject MakeV2()
    {
        var schemas = new OpenApiSchemas(isV3: false);
        var paths = new JsonObject();
        foreach (var version in surface.GroupVersions)
        {
            foreach (var (path, item) in new OpenApiPaths(schemas, isV3: false).Build(surface, version))
            {
                paths[path] = item!.DeepClone();
            }
        }

        return new JsonObject
        {
            ["swagger"] = "2.0",
            ["info"] = new JsonObject { ["title"] = Title, ["version"] = productVersion },
            ["paths"] = paths,
            ["definitions"] = schemas.Definitions,
        };
    }
}
