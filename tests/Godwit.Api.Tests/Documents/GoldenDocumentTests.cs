using System.Text.Json.Nodes;
using Godwit.Api.Documents;
using Godwit.Api.Machinery;

namespace Godwit.Api.Tests.Documents;

/// <summary>What clients learn of the server, word for word: a change of it is to be seen in review.</summary>
public sealed class GoldenDocumentTests
{
    private static readonly Api.Documents.Discovery Discovery = new(ApiSurface.Godwit);
    private static readonly OpenApi OpenApi = new(ApiSurface.Godwit, "v0.0.0");

    public static TheoryData<string> Versions { get; } = [.. ApiSurface.Godwit.GroupVersions.Select(version => version.Path)];

    [Fact]
    public void Groups_are_discovered_as_kept()
    {
        Golden.Check("discovery/api", Discovery.Find("/api")!.Bytes.Span);
        Golden.Check("discovery/apis", Discovery.Find("/apis")!.Bytes.Span);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void All_kinds_are_discovered_at_once_as_kept(bool core) =>
        Golden.Check($"discovery/aggregated-{(core ? "api" : "apis")}", Discovery.FindAggregated(core, "v2")!.Bytes.Span);

    [Theory]
    [MemberData(nameof(Versions))]
    public void The_kinds_of_a_version_are_discovered_as_kept(string path) =>
        Golden.Check("discovery/" + FileOf(path), Discovery.Find("/" + path)!.Bytes.Span);

    [Theory]
    [MemberData(nameof(Versions))]
    public void The_schemas_of_a_version_are_as_kept(string path) =>
        Golden.CheckText($"openapi/{FileOf(path)}.txt", Outline.Of(JsonNode.Parse(OpenApi.FindV3(path)!.Bytes.Span)!.AsObject(), "components", "schemas"));

    [Fact]
    public void The_schemas_in_the_older_form_are_as_kept() =>
        Golden.CheckText("openapi/v2.txt", Outline.Of(JsonNode.Parse(OpenApi.V2Json.Bytes.Span)!.AsObject(), "definitions"));

    private static string FileOf(string path) => path.Replace('/', '-');

    /// <summary>An OpenAPI document with one line for each operation and each field: all that clients act on, without the descriptions.</summary>
    private static class Outline
    {
        public static string Of(JsonObject document, params string[] schemas)
        {
            var lines = new List<string>();
            foreach (var (path, item) in document["paths"]!.AsObject())
            {
                foreach (var (method, operation) in item!.AsObject().Where(entry => entry.Key != "parameters"))
                {
                    var kind = operation!["x-kubernetes-group-version-kind"];
                    lines.Add($"{method.ToUpperInvariant()} {path} {operation.TextAt("x-kubernetes-action")} {kind.TextAt("group")}/{kind.TextAt("version")} {kind.TextAt("kind")}({string.Join(", ", Names(operation))})");
                }
            }

            foreach (var (name, schema) in document.ObjectAt(schemas)!)
            {
                lines.Add("");
                lines.Add($"{name} {Rest(schema!, "properties", "description", "type", "required")}".TrimEnd());
                var required = (schema.ArrayAt("required") ?? []).Select(JsonAccess.AsText).ToHashSet(StringComparer.Ordinal);
                foreach (var (field, shape) in schema.ObjectAt("properties") ?? [])
                {
                    lines.Add($"  {field}{(required.Contains(field) ? "!" : "")} {Rest(shape!, "description")}");
                }
            }

            return string.Join('\n', lines) + "\n";
        }

        private static IEnumerable<string?> Names(JsonNode operation) =>
            (operation.ArrayAt("parameters") ?? []).Where(parameter => parameter.TextAt("in") == "query").Select(parameter => parameter.TextAt("name"));

        private static string Rest(JsonNode shape, params string[] without)
        {
            var rest = new JsonObject(shape.AsObject().Where(entry => !without.Contains(entry.Key)).Select(entry => KeyValuePair.Create(entry.Key, entry.Value?.DeepClone())));
            return rest.Count == 0 ? "" : rest.ToJsonString(new() { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
        }
    }
}
