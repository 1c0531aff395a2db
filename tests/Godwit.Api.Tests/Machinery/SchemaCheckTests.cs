using System.Text.Json.Nodes;
using CsCheck;
using Godwit.Api.Kinds;
using Godwit.Api.Machinery;

namespace Godwit.Api.Tests.Machinery;

public sealed class SchemaCheckTests
{
    private static readonly ObjectSchema Machine = BuiltInKinds.All.Single(kind => kind.Kind == "VirtualMachineInstance").Schema;

    [Fact]
    public void Unknown_fields_are_named_by_path_and_dropped()
    {
        var resource = Parse(
            """{"spec":{"domain":{"devices":{"gpus":[{"name":"g"}],"disks":[{"name":"a","lun":{}}]}},"dnsPolicy":"None"},"colour":"red"}""");

        var findings = SchemaCheck.Run(Machine, resource);

        Assert.Equal(
            ["colour", "spec.dnsPolicy", "spec.domain.devices.disks[0].lun", "spec.domain.devices.gpus"],
            findings.UnknownFields.Order(StringComparer.Ordinal));
        Assert.Empty(findings.Errors);
        Assert.Equal("""{"spec":{"domain":{"devices":{"disks":[{"name":"a"}]}}}}""", resource.ToJsonString());
    }

    [Fact]
    public void A_count_that_is_required_and_missing_is_zero()
    {
        var schema = BuiltInKinds.All.Single(kind => kind.Kind == "ReplicaSet").Schema;
        var resource = Parse("""{"status":{"observedGeneration":1}}""");

        Assert.DoesNotContain(SchemaCheck.Run(schema, resource).Errors, error => error.Path.StartsWith("status", StringComparison.Ordinal));
        Assert.Equal("0", resource["status"]!["replicas"]!.ToJsonString());

        var part = Parse("""{"status":{"observedGeneration":1}}""");
        Assert.True(SchemaCheck.Run(schema, part, isPartial: true).AreNone);
        Assert.Null(part["status"]!["replicas"]); // What is laid over a number that is there must not say zero.
    }

    [Fact]
    public void A_null_is_an_absent_field()
    {
        var resource = Parse("""{"metadata":{"creationTimestamp":null,"labels":{"a":null,"b":"c"}},"spec":{"domain":{"devices":{}}},"status":null}""");

        Assert.True(SchemaCheck.Run(Machine, resource).AreNone);
        Assert.Equal("""{"metadata":{"labels":{"b":"c"}},"spec":{"domain":{"devices":{}}}}""", resource.ToJsonString());
    }

    [Theory]
    [InlineData("""{"spec":7}""", "spec", FieldErrorKind.TypeInvalid)]
    [InlineData("""{"metadata":{"labels":[]}}""", "metadata.labels", FieldErrorKind.TypeInvalid)]
    [InlineData("""{"metadata":{"labels":{"a":7}}}""", "metadata.labels.a", FieldErrorKind.TypeInvalid)]
    [InlineData("""{"metadata":{"creationTimestamp":"today"}}""", "metadata.creationTimestamp", FieldErrorKind.TypeInvalid)]
    [InlineData("""{"spec":{"domain":{"cpu":{"cores":"2"}}}}""", "spec.domain.cpu.cores", FieldErrorKind.TypeInvalid)]
    [InlineData("""{"spec":{"domain":{"cpu":{"cores":2.5}}}}""", "spec.domain.cpu.cores", FieldErrorKind.TypeInvalid)]
    [InlineData("""{"spec":{"domain":{"cpu":{"cores":3000000000}}}}""", "spec.domain.cpu.cores", FieldErrorKind.TypeInvalid)]
    [InlineData("""{"spec":{"domain":{"memory":{"guest":"1 GB"}}}}""", "spec.domain.memory.guest", FieldErrorKind.TypeInvalid)]
    [InlineData("""{"spec":{"evictionStrategy":"Run"}}""", "spec.evictionStrategy", FieldErrorKind.NotSupported)]
    [InlineData("""{"spec":{"volumes":[null]}}""", "spec.volumes[0]", FieldErrorKind.TypeInvalid)]
    [InlineData("""{"spec":{"volumes":[{"name":"a"},{"name":"a"}]}}""", "spec.volumes[1]", FieldErrorKind.Duplicate)]
    [InlineData("""{"spec":{"volumes":[{}]}}""", "spec.volumes[0].name", FieldErrorKind.Required)]
    [InlineData("""{}""", "spec", FieldErrorKind.Required)]
    [InlineData("""{"metadata":{"finalizers":["a/b","a/b"]}}""", "metadata.finalizers[1]", FieldErrorKind.Duplicate)]
    public void What_does_not_fit_is_an_error_at_its_path(string json, string path, FieldErrorKind kind)
    {
        var findings = SchemaCheck.Run(Machine, Parse(json));

        Assert.Contains(findings.Errors, error => error.Path == path && error.Kind == kind);
    }

    [Theory]
    [InlineData("\"512Mi\"")]
    [InlineData("536870912")]
    [InlineData("0.5")]
    public void A_quantity_is_a_text_or_a_number(string quantity)
    {
        var resource = Parse("""{"spec":{"domain":{"devices":{},"memory":{"guest":QUANTITY}}}}""".Replace("QUANTITY", quantity, StringComparison.Ordinal));

        Assert.True(SchemaCheck.Run(Machine, resource).AreNone);
    }

    [Fact]
    public void Values_set_by_code_are_checked_like_parsed_ones()
    {
        var resource = new JsonObject
        {
            ["spec"] = new JsonObject
            {
                ["domain"] = new JsonObject { ["cpu"] = new JsonObject { ["cores"] = 2, ["sockets"] = 1L }, ["devices"] = new JsonObject() },
                ["terminationGracePeriodSeconds"] = 30,
            },
        };

        Assert.True(SchemaCheck.Run(Machine, resource).AreNone);
    }

    [Fact]
    public void A_checked_object_has_no_findings_when_checked_again() =>
        AnyJson.Sample(json =>
        {
            var resource = new JsonObject { ["spec"] = json.DeepClone(), ["metadata"] = json.DeepClone(), ["status"] = json.DeepClone() };
            SchemaCheck.Run(Machine, resource);
            var before = resource.ToJsonString();

            Assert.Empty(SchemaCheck.Run(Machine, resource).UnknownFields);
            Assert.Equal(before, resource.ToJsonString());
        });

    private static Gen<JsonNode> AnyJson { get; } = Gen.Recursive<JsonNode>((depth, inner) =>
    {
        var name = Gen.OneOf(Gen.Const("name"), Gen.Const("domain"), Gen.Const("devices"), Gen.Const("disks"), Gen.Const("labels"), Gen.Const("volumes"), Gen.Const("other"));
        var leaf = Gen.OneOf(
            Gen.Int.Select(number => (JsonNode)JsonValue.Create(number)),
            Gen.String.AlphaNumeric.Select(text => (JsonNode)JsonValue.Create(text)!),
            Gen.Bool.Select(flag => (JsonNode)JsonValue.Create(flag)));
        return depth >= 4
            ? leaf
            : Gen.OneOf(
                leaf,
                Gen.Select(name, inner).List[0, 4].Select(pairs => (JsonNode)new JsonObject(
                    pairs.DistinctBy(pair => pair.Item1).Select(pair => KeyValuePair.Create(pair.Item1, (JsonNode?)pair.Item2.DeepClone())))),
                inner.List[0, 3].Select(items => (JsonNode)new JsonArray([.. items.Select(item => item.DeepClone())])));
    });

    private static JsonObject Parse(string json) => JsonNode.Parse(json)!.AsObject();
}
