using System.Text.Json.Nodes;
using CsCheck;
using Godwit.Api.Machinery.Patches;

namespace Godwit.Api.Tests.Patches;

public sealed class JsonPatchTests
{
    [Theory]
    [InlineData("""{"foo":"bar"}""", """[{"op":"add","path":"/baz","value":"qux"}]""", """{"foo":"bar","baz":"qux"}""")]
    [InlineData("""{"foo":["bar","baz"]}""", """[{"op":"add","path":"/foo/1","value":"qux"}]""", """{"foo":["bar","qux","baz"]}""")]
    [InlineData("""{"foo":["bar"]}""", """[{"op":"add","path":"/foo/-","value":["abc","def"]}]""", """{"foo":["bar",["abc","def"]]}""")]
    [InlineData("""{"baz":"qux","foo":"bar"}""", """[{"op":"remove","path":"/baz"}]""", """{"foo":"bar"}""")]
    [InlineData("""{"foo":["bar","qux","baz"]}""", """[{"op":"remove","path":"/foo/1"}]""", """{"foo":["bar","baz"]}""")]
    [InlineData("""{"baz":"qux"}""", """[{"op":"replace","path":"/baz","value":null}]""", """{"baz":null}""")]
    [InlineData("""{"foo":{"bar":"baz","waldo":"fred"},"qux":{"corge":"grault"}}""", """[{"op":"move","from":"/foo/waldo","path":"/qux/thud"}]""", """{"foo":{"bar":"baz"},"qux":{"corge":"grault","thud":"fred"}}""")]
    [InlineData("""{"foo":["all","grass","cows","eat"]}""", """[{"op":"move","from":"/foo/1","path":"/foo/3"}]""", """{"foo":["all","cows","eat","grass"]}""")]
    [InlineData("""{"a":{"a":[1,2]}}""", """[{"op":"copy","from":"/a/a/0","path":"/a/a/-"}]""", """{"a":{"a":[1,2,1]}}""")]
    [InlineData("""{"a":{"b":"c"},"n":10}""", """[{"op":"test","path":"/a","value":{"b":"c"}},{"op":"test","path":"/n","value":10}]""", """{"a":{"b":"c"},"n":10}""")]
    [InlineData("""{"a~/b":1,"":2}""", """[{"op":"remove","path":"/a~0~1b"},{"op":"replace","path":"/","value":3}]""", """{"":3}""")]
    [InlineData("""{"a":1}""", """[{"op":"replace","path":"","value":{"b":2}}]""", """{"b":2}""")]
    public void Each_operation_does_what_the_standard_says(string target, string patch, string expected)
    {
        var before = Object(target);

        var after = JsonPatch.Apply(before, Operations(patch));

        Assert.Equal(expected, after.ToJsonString());
        Assert.Equal(target, before.ToJsonString());
    }

    [Theory]
    [InlineData("""[{"op":"test","path":"/a","value":2}]""", false)]
    [InlineData("""[{"op":"remove","path":"/none"}]""", false)]
    [InlineData("""[{"op":"replace","path":"/none","value":1}]""", false)]
    [InlineData("""[{"op":"add","path":"/none/deeper","value":1}]""", false)]
    [InlineData("""[{"op":"add","path":"/list/9","value":1}]""", false)]
    [InlineData("""[{"op":"add","path":"/list/01","value":1}]""", false)]
    [InlineData("""[{"op":"remove","path":"/list/-"}]""", false)]
    [InlineData("""[{"op":"remove","path":"/list/-1"}]""", false)]
    [InlineData("""[{"op":"remove","path":""}]""", false)]
    [InlineData("""[{"op":"replace","path":"","value":[]}]""", false)]
    [InlineData("""[{"op":"move","from":"/a","path":"/a/b"}]""", true)]
    [InlineData("""[{"op":"add","path":"/a"}]""", true)]
    [InlineData("""[{"op":"add","path":"a","value":1}]""", true)]
    [InlineData("""[{"op":"jump","path":"/a"}]""", true)]
    [InlineData("""[{"path":"/a"}]""", true)]
    [InlineData("""[7]""", true)]
    public void A_patch_that_does_not_fit_is_told_from_one_that_is_none(string patch, bool malformed)
    {
        var error = Assert.Throws<PatchException>(() => JsonPatch.Apply(Object("""{"a":1,"list":[1,2]}"""), Operations(patch)));

        Assert.Equal(malformed, error.IsMalformed);
    }

    [Fact]
    public void A_patch_cannot_nest_without_bound()
    {
        var operations = new JsonArray();
        var path = "/a";
        for (var depth = 0; depth < 100; depth++)
        {
            operations.Add(new JsonObject { ["op"] = "add", ["path"] = path, ["value"] = new JsonObject() });
            path += "/a";
        }

        Assert.Contains("deeper", Assert.Throws<PatchException>(() => JsonPatch.Apply([], operations)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_patch_cannot_double_its_target_without_bound()
    {
        var operations = new JsonArray(Enumerable.Range(0, 40).Select(_ => (JsonNode)new JsonObject { ["op"] = "copy", ["from"] = "/list", ["path"] = "/list/-" }).ToArray());

        Assert.Throws<PatchException>(() => JsonPatch.Apply(Object("""{"list":["0123456789"]}"""), operations));
    }

    [Fact]
    public void A_patch_cannot_have_operations_without_bound()
    {
        var operations = new JsonArray(Enumerable.Range(0, PatchLimits.OperationsMax + 1).Select(_ => (JsonNode)new JsonObject()).ToArray());

        Assert.Contains("at most", Assert.Throws<PatchException>(() => JsonPatch.Apply([], operations)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void What_is_added_can_be_tested_and_removed_again() =>
        Gen.Select(RandomJson.Object, RandomJson.Value).Sample((target, value) =>
        {
            var operations = new JsonArray(
                new JsonObject { ["op"] = "add", ["path"] = "/new", ["value"] = value.DeepClone() },
                new JsonObject { ["op"] = "test", ["path"] = "/new", ["value"] = JsonNode.Parse(value.ToJsonString()) },
                new JsonObject { ["op"] = "remove", ["path"] = "/new" });

            Assert.True(JsonNode.DeepEquals(target, JsonPatch.Apply(target, operations)));
        });

    private static JsonObject Object(string json) => JsonNode.Parse(json)!.AsObject();

    private static JsonArray Operations(string json) => JsonNode.Parse(json)!.AsArray();
}
