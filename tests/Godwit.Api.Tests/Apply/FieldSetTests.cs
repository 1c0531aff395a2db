using System.Text.Json.Nodes;
using CsCheck;
using Godwit.Api.Machinery;
using Godwit.Api.Machinery.Apply;

namespace Godwit.Api.Tests.Apply;

public sealed class FieldSetTests
{
    private static readonly Schema Items = Schema.ListByKey(
        new ObjectSchema("Item", "", new SchemaField("port", Schema.Integer32, ""), new SchemaField("protocol", Schema.Text, "") { Default = "\"TCP\"" }), "port", "protocol");

    [Theory]
    [InlineData("""{"x:a":{}}""")]
    [InlineData("""{"f:a":7}""")]
    [InlineData("""{"k:{not json":{}}""")]
    [InlineData("""{"k:7":{}}""")]
    [InlineData("""{"k:{\"a\":1,\"a\":2}":{}}""")]
    [InlineData("""{"i:-1":{}}""")]
    [InlineData("""{"i:x":{}}""")]
    [InlineData("""{"f":{}}""")]
    public void A_field_set_that_is_none_is_refused(string json) =>
        Assert.Throws<FormatException>(() => FieldSet.FromJson(JsonNode.Parse(json)!.AsObject()));

    [Fact]
    public void Field_sets_obey_the_laws_of_sets() =>
        Gen.Select(Sets, Sets, Sets).Sample((left, right, third) =>
        {
            Assert.True(left.Except(right).Union(left.Intersect(right)).SameAs(left));
            Assert.True(left.Intersect(right).SameAs(right.Intersect(left)));
            Assert.True(left.Union(right).SameAs(right.Union(left)));
            Assert.True(left.Except(right).Intersect(right).IsEmpty);
            Assert.True(left.Union(right.Union(third)).SameAs(left.Union(right).Union(third)));
            Assert.True(left.ExceptBelow(right).Except(left).IsEmpty);
            Assert.True(FieldSet.FromJson(left.ToJson()).SameAs(left));
        });

    [Fact]
    public void Two_values_differ_in_nothing_only_if_they_are_equal() =>
        Gen.Select(RandomJson.Object, RandomJson.Object).Sample((left, right) =>
        {
            var (changed, removed) = FieldWalk.Compare(left, right, null);
            Assert.Equal(JsonNode.DeepEquals(left, right), changed.Union(removed).IsEmpty);
            Assert.True(FieldWalk.Compare(left, left.DeepClone(), null) is ({ IsEmpty: true }, { IsEmpty: true }));
        });

    [Fact]
    public void What_is_laid_over_a_value_is_in_it() =>
        Gen.Select(RandomJson.Object, RandomJson.Object).Sample((left, right) =>
        {
            var merged = FieldWalk.Merge(left.DeepClone(), right, null);
            var (added, missing) = FieldWalk.Compare(right, merged, null);
            Assert.True(missing.IsEmpty && added.Intersect(FieldWalk.FieldsOf(right, null)).IsEmpty);
            Assert.True(JsonNode.DeepEquals(merged, FieldWalk.Merge(merged!.DeepClone(), right, null)));
        });

    [Fact]
    public void A_key_that_is_left_out_stands_for_its_default()
    {
        var fields = FieldWalk.FieldsOf(JsonNode.Parse("""[{"port":80}]"""), Items);

        Assert.Equal("""{"k:{\"port\":80,\"protocol\":\"TCP\"}":{".":{},"f:port":{}}}""", fields.ToJson().ToJsonString(new() { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping }));
        Assert.True(FieldWalk.Compare(JsonNode.Parse("""[{"port":80}]"""), JsonNode.Parse("""[{"port":80,"protocol":"TCP"}]"""), Items).Removed.IsEmpty);
    }

    [Fact]
    public void Steps_are_told_apart_by_what_they_mean_and_not_by_how_they_are_written()
    {
        var read = FieldSet.FromJson(JsonNode.Parse("""{"k:{ \"protocol\":\"TCP\", \"port\" : 80 }":{},"v:\"\\u0041\"":{}}""")!.AsObject());

        Assert.True(read.At("""k:{"port":80,"protocol":"TCP"}""").IsMember);
        Assert.True(read.At("v:\"A\"").IsMember);
    }

    [Fact]
    public void An_atomic_object_is_one_field()
    {
        var atomic = new ObjectSchema("Selector", "", new SchemaField("a", Schema.Text, "")) { IsAtomic = true };

        Assert.True(FieldWalk.FieldsOf(JsonNode.Parse("""{"a":"1"}"""), atomic).SameAs(FieldSet.Leaf));
        Assert.Equal("""{"b":"2"}""", FieldWalk.Merge(JsonNode.Parse("""{"a":"1"}"""), JsonNode.Parse("""{"b":"2"}"""), atomic)!.ToJsonString());
    }

    private static Gen<FieldSet> Sets { get; } = RandomJson.Object.Select(value => FieldWalk.FieldsOf(new JsonObject { ["root"] = value.DeepClone() }, null));
}
