using System.Text.Json.Nodes;
using CsCheck;
using Godwit.Api.Machinery;
using Godwit.Api.Machinery.Patches;

namespace Godwit.Api.Tests.Patches;

public sealed class StrategicMergePatchTests
{
    private static readonly ObjectSchema Item = new(
        "test.Item", "", new SchemaField("name", Schema.Text, ""), new SchemaField("value", Schema.Text, ""), new SchemaField("tags", Schema.ListOf(Schema.Text), "").Merged());

    private static readonly ObjectSchema Whole = new(
        "test.Whole",
        "",
        new SchemaField("items", Schema.ListByKey(Item, "name"), "").Merged("name"),
        new SchemaField("plain", Schema.ListOf(Item), ""),
        new SchemaField("finalizers", Schema.SetOf(Schema.Text), "").Merged(),
        new SchemaField("labels", Schema.TextMap, ""),
        new SchemaField("inner", Item, ""));

    [Theory]
    [InlineData("""{"items":[{"name":"a","value":"1"},{"name":"b"}]}""", """{"items":[{"name":"b","value":"2"},{"name":"c"}]}""", """{"items":[{"name":"a","value":"1"},{"name":"b","value":"2"},{"name":"c"}]}""")]
    [InlineData("""{"items":[{"name":"a"},{"name":"b"}]}""", """{"items":[{"$patch":"delete","name":"a"}]}""", """{"items":[{"name":"b"}]}""")]
    [InlineData("""{"items":[{"name":"a"},{"name":"b"}]}""", """{"items":[{"$patch":"replace"},{"name":"c"}]}""", """{"items":[{"name":"c"}]}""")]
    [InlineData("""{"items":[{"name":"a"}]}""", """{"items":null}""", """{}""")]
    [InlineData("""{"items":[{"name":"a","value":"1"}]}""", """{"items":[{"name":"a","value":null}]}""", """{"items":[{"name":"a"}]}""")]
    [InlineData("""{}""", """{"items":[{"name":"a","value":null},{"$patch":"delete","name":"b"}]}""", """{"items":[{"name":"a"}]}""")]
    [InlineData("""{"plain":[{"name":"a"},{"name":"b"}]}""", """{"plain":[{"name":"c"}]}""", """{"plain":[{"name":"c"}]}""")]
    [InlineData("""{"finalizers":["a","b"]}""", """{"finalizers":["b","c"]}""", """{"finalizers":["a","b","c"]}""")]
    [InlineData("""{"finalizers":["a","b"]}""", """{"$deleteFromPrimitiveList/finalizers":["a"]}""", """{"finalizers":["b"]}""")]
    [InlineData("""{"finalizers":["a","b"]}""", """{"$deleteFromPrimitiveList/finalizers":["a"],"$setElementOrder/finalizers":["c","b"],"finalizers":["c"]}""", """{"finalizers":["c","b"]}""")]
    [InlineData("""{"labels":{"a":"1","b":"2"}}""", """{"labels":{"a":null,"c":"3"}}""", """{"labels":{"b":"2","c":"3"}}""")]
    [InlineData("""{"labels":{"a":"1"}}""", """{"labels":{"$patch":"replace","b":"2"}}""", """{"labels":{"b":"2"}}""")]
    [InlineData("""{"inner":{"name":"a","value":"1"}}""", """{"inner":{"$retainKeys":["value"],"value":"2"}}""", """{"inner":{"value":"2"}}""")]
    [InlineData("""{"inner":{"name":"a"}}""", """{"inner":{"$patch":"delete"}}""", """{"inner":{}}""")]
    [InlineData("""{"items":[{"name":"a","tags":["x"]}]}""", """{"items":[{"name":"a","tags":["y"]}]}""", """{"items":[{"name":"a","tags":["x","y"]}]}""")]
    [InlineData("""{}""", """{"inner":{"name":"a","$retainKeys":["name"]},"labels":{"a":null}}""", """{"inner":{"name":"a"},"labels":{}}""")]
    public void Each_directive_does_what_kubernetes_says(string target, string patch, string expected)
    {
        var before = Object(target);

        Assert.Equal(expected, StrategicMergePatch.Apply(before, Object(patch), Whole).ToJsonString());
        Assert.Equal(target, before.ToJsonString());
    }

    [Fact]
    public void Order_follows_the_client_and_the_servers_own_items_keep_their_places()
    {
        var target = Object("""{"items":[{"name":"server"},{"name":"a"},{"name":"b"},{"name":"late"}]}""");
        var patch = Object("""{"$setElementOrder/items":[{"name":"b"},{"name":"new"},{"name":"a"}],"items":[{"name":"new"}]}""");

        var names = StrategicMergePatch.Apply(target, patch, Whole)["items"]!.AsArray().Select(item => item.TextAt("name"));

        Assert.Equal(["server", "b", "new", "a", "late"], names);
    }

    [Fact]
    public void Order_alone_reorders()
    {
        var patched = StrategicMergePatch.Apply(Object("""{"finalizers":["a","b","c"]}"""), Object("""{"$setElementOrder/finalizers":["c","b","a"]}"""), Whole);

        Assert.Equal("""{"finalizers":["c","b","a"]}""", patched.ToJsonString());
    }

    [Theory]
    [InlineData("""{"$patch":"burn"}""")]
    [InlineData("""{"$patch":7}""")]
    [InlineData("""{"items":[{"value":"1"}]}""")]
    [InlineData("""{"items":["a"]}""")]
    [InlineData("""{"items":[null]}""")]
    [InlineData("""{"items":[{"name":"a","$patch":"burn"}]}""")]
    [InlineData("""{"$setElementOrder/items":"a","items":[]}""")]
    [InlineData("""{"$retainKeys":7}""")]
    [InlineData("""{"$retainKeys":[7]}""")]
    [InlineData("""{"$unknown":1}""")]
    public void A_patch_that_is_none_is_refused(string patch) =>
        Assert.Throws<PatchException>(() => StrategicMergePatch.Apply(Object("""{"items":[{"name":"a"}]}"""), Object(patch), Whole));

    [Fact]
    public void Applying_a_patch_again_changes_nothing() =>
        Gen.Select(Objects, Objects).Sample((target, patch) =>
        {
            var once = StrategicMergePatch.Apply(target, patch, Whole);
            Assert.True(JsonNode.DeepEquals(once, StrategicMergePatch.Apply(once, patch, Whole)), once.ToJsonString());
        });

    [Fact]
    public void A_merged_list_has_each_key_once_and_loses_none() =>
        Gen.Select(Objects, Objects).Sample((target, patch) =>
        {
            var merged = Names(StrategicMergePatch.Apply(target, patch, Whole));

            Assert.Equal(merged.Distinct(), merged);
            Assert.Equal(Names(target).Union(Names(patch)).Order(StringComparer.Ordinal), merged.Order(StringComparer.Ordinal));
        });

    private static string?[] Names(JsonObject whole) => [.. (whole.ArrayAt("items") ?? []).Select(item => item.TextAt("name"))];

    private static Gen<JsonObject> Objects { get; } = Gen.Select(Gen.Int[0, 7].HashSet[0, 5], Gen.Int[0, 9].HashSet[0, 4], Gen.String.AlphaNumeric).Select((names, finalizers, value) => new JsonObject
    {
        ["items"] = new JsonArray([.. names.Select(name => (JsonNode)new JsonObject { ["name"] = $"n{name}", ["value"] = value })]),
        ["finalizers"] = new JsonArray([.. finalizers.Select(name => (JsonNode)JsonValue.Create($"f{name}")!)]),
    });

    private static JsonObject Object(string json) => JsonNode.Parse(json)!.AsObject();
}
