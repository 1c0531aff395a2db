using System.Text.Json.Nodes;
using Godwit.Api.Documents;
using Godwit.Api.Kinds;
using Godwit.Api.Machinery;
using Google.Protobuf;

namespace Godwit.Api.Tests.Documents;

public sealed class OpenApiTests
{
    private static readonly OpenApi OpenApi = new(ApiSurface.Godwit, "v0.1.0");

    [Fact]
    public void The_index_names_each_document_by_its_hash()
    {
        var paths = Read(OpenApi.V3Index)["paths"]!.AsObject();

        Assert.Contains("api/v1", paths.Select(path => path.Key));
        Assert.All(paths, path =>
        {
            var document = OpenApi.FindV3(path.Key)!;
            Assert.Equal($"/openapi/v3/{path.Key}?hash={document.Hash}", path.Value.TextAt("serverRelativeURL"));
        });
        Assert.Null(OpenApi.FindV3("apis/none/v1"));
    }

    [Fact]
    public void Each_reference_leads_to_a_definition()
    {
        foreach (var document in All())
        {
            var definitions = document.ObjectAt("components", "schemas") ?? document.ObjectAt("definitions")!;
            Assert.All(References(document), reference => Assert.True(definitions.ContainsKey(reference[(reference.LastIndexOf('/') + 1)..]), reference));
        }
    }

    [Fact]
    public void In_version_3_nothing_stands_beside_a_reference()
    {
        foreach (var document in All().Where(document => document.ContainsKey("openapi")))
        {
            Assert.All(Objects(document).Where(node => node.ContainsKey("$ref")), node => Assert.Single(node));
        }
    }

    [Fact]
    public void Each_kind_can_be_explained_and_patched_with_the_server_checking()
    {
        foreach (var kind in BuiltInKinds.All)
        {
            var document = Read(OpenApi.FindV3(kind.Group.Length == 0 ? $"api/{kind.Version}" : $"apis/{kind.Group}/{kind.Version}"));
            var type = new JsonObject { ["group"] = kind.Group, ["kind"] = kind.Kind, ["version"] = kind.Version };
            Assert.Contains(document.ObjectAt("components", "schemas")!, entry => entry.Value.ArrayAt("x-kubernetes-group-version-kind")?.Any(marked => JsonNode.DeepEquals(marked, type)) == true);
            var patches = document.ObjectAt("paths")!.Select(path => path.Value.ObjectAt("patch")).Where(patch => patch is not null && JsonNode.DeepEquals(patch["x-kubernetes-group-version-kind"], type));
            Assert.Contains(patches, patch => patch.ArrayAt("parameters")!.Select(parameter => parameter.TextAt("name")).ToHashSet().IsSupersetOf(["dryRun", "fieldValidation"]));
        }
    }

    [Fact]
    public void Lists_say_how_they_merge()
    {
        var spec = Read(OpenApi.FindV3("api/v1")).ObjectAt("components", "schemas", "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta", "properties")!;

        Assert.Equal("merge", spec.TextAt("ownerReferences", "x-kubernetes-patch-strategy"));
        Assert.Equal("uid", spec.TextAt("ownerReferences", "x-kubernetes-patch-merge-key"));
        Assert.Equal("map", spec.TextAt("ownerReferences", "x-kubernetes-list-type"));
        Assert.Equal("set", spec.TextAt("finalizers", "x-kubernetes-list-type"));
        Assert.Null(spec.TextAt("finalizers", "x-kubernetes-patch-merge-key"));
    }

    [Fact]
    public void The_protobuf_form_holds_every_definition_and_path_of_the_json_form()
    {
        var json = Read(OpenApi.V2Json);

        var (definitions, paths) = (new List<string>(), new List<string>());
        foreach (var (number, content) in Fields(OpenApi.V2Protobuf.Bytes.ToArray()))
        {
            if (number == 9)
            {
                definitions.AddRange(Fields(content).Select(definition => Name(definition.Content)));
            }
            else if (number == 8)
            {
                paths.AddRange(Fields(content).Where(field => field.Number == 2).Select(path => Name(path.Content)));
            }
        }

        Assert.Equal(json.ObjectAt("definitions")!.Select(entry => entry.Key), definitions);
        Assert.Equal(json.ObjectAt("paths")!.Select(entry => entry.Key), paths);
    }

    [Fact]
    public void The_protobuf_form_marks_kinds_with_their_types()
    {
        var definitions = Fields(OpenApi.V2Protobuf.Bytes.ToArray()).Single(field => field.Number == 9).Content;
        var node = Fields(definitions).Single(definition => Name(definition.Content) == "io.k8s.api.core.v1.Node").Content;
        var schema = Fields(node).Single(field => field.Number == 2).Content;

        var extension = Fields(schema).Single(field => field.Number == 31).Content;
        Assert.Equal("x-kubernetes-group-version-kind", Name(extension));
        var yaml = Fields(Fields(extension).Single(field => field.Number == 2).Content).Single(field => field.Number == 2).Content;
        Assert.Equal("""[{"group":"","kind":"Node","version":"v1"}]""", System.Text.Encoding.UTF8.GetString(yaml));
        Assert.Equal("object", Name(Fields(schema).Single(field => field.Number == 22).Content));
    }

    private static IEnumerable<JsonObject> All() =>
        ApiSurfacePaths().Select(path => Read(OpenApi.FindV3(path))).Append(Read(OpenApi.V2Json));

    private static IEnumerable<string> ApiSurfacePaths() => Read(OpenApi.V3Index)["paths"]!.AsObject().Select(path => path.Key);

    private static IEnumerable<string> References(JsonNode node) =>
        Objects(node).Select(value => value.TextAt("$ref")).Where(reference => reference is not null).Select(reference => reference!);

    private static IEnumerable<JsonObject> Objects(JsonNode? node) => node switch
    {
        JsonObject inner => inner.SelectMany(field => Objects(field.Value)).Prepend(inner),
        JsonArray list => list.SelectMany(Objects),
        _ => [],
    };

    private static List<(int Number, byte[] Content)> Fields(byte[] message)
    {
        var (input, fields) = (new CodedInputStream(message), new List<(int, byte[])>());
        while (input.ReadTag() is var tag && tag != 0)
        {
            if (WireFormat.GetTagWireType(tag) == WireFormat.WireType.LengthDelimited)
            {
                fields.Add((WireFormat.GetTagFieldNumber(tag), input.ReadBytes().ToByteArray()));
            }
            else
            {
                input.SkipLastField();
            }
        }

        return fields;
    }

    private static string Name(byte[] named) => System.Text.Encoding.UTF8.GetString(Fields(named).First(field => field.Number == 1).Content);

    private static JsonObject Read(Document? document) => JsonNode.Parse(document!.Bytes.Span)!.AsObject();
}
