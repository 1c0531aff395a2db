using System.Text.Json.Nodes;
using CsCheck;
using Godwit.Api.Machinery.Patches;

namespace Godwit.Api.Tests.Patches;

public sealed class MergePatchTests
{
    // The table of RFC 7386, appendix A.
    [Theory]
    [InlineData("""{"a":"b"}""", """{"a":"c"}""", """{"a":"c"}""")]
    [InlineData("""{"a":"b"}""", """{"b":"c"}""", """{"a":"b","b":"c"}""")]
    [InlineData("""{"a":"b"}""", """{"a":null}""", """{}""")]
    [InlineData("""{"a":"b","b":"c"}""", """{"a":null}""", """{"b":"c"}""")]
    [InlineData("""{"a":["b"]}""", """{"a":"c"}""", """{"a":"c"}""")]
    [InlineData("""{"a":"c"}""", """{"a":["b"]}""", """{"a":["b"]}""")]
    [InlineData("""{"a":{"b":"c"}}""", """{"a":{"b":"d","c":null}}""", """{"a":{"b":"d"}}""")]
    [InlineData("""{"a":[{"b":"c"}]}""", """{"a":[1]}""", """{"a":[1]}""")]
    [InlineData("""["a","b"]""", """["c","d"]""", """["c","d"]""")]
    [InlineData("""{"a":"b"}""", """["c"]""", """["c"]""")]
    [InlineData("""{"e":null}""", """{"a":1}""", """{"e":null,"a":1}""")]
    [InlineData("""[1,2]""", """{"a":"b","c":null}""", """{"a":"b"}""")]
    [InlineData("""{}""", """{"a":{"bb":{"ccc":null}}}""", """{"a":{"bb":{}}}""")]
    public void Each_case_of_the_standard_holds(string target, string patch, string expected) =>
        Assert.Equal(expected, MergePatch.Apply(JsonNode.Parse(target), JsonNode.Parse(patch))!.ToJsonString());

    [Fact]
    public void A_null_patch_is_null() => Assert.Null(MergePatch.Apply(JsonNode.Parse("""{"a":1}"""), null));

    [Fact]
    public void A_patch_made_from_two_objects_leads_from_one_to_the_other() =>
        Gen.Select(RandomJson.Object, RandomJson.Object).Sample((before, after) =>
        {
            var reached = MergePatch.Apply(before, MergePatch.Create(before, after));
            Assert.True(JsonNode.DeepEquals(after, reached), $"{before.ToJsonString()} to {after.ToJsonString()} gave {reached?.ToJsonString()}");
        });

    [Fact]
    public void Applying_a_patch_again_changes_nothing() =>
        Gen.Select(RandomJson.Object, RandomJson.Object).Sample((target, patch) =>
        {
            var once = MergePatch.Apply(target, patch);
            Assert.True(JsonNode.DeepEquals(once, MergePatch.Apply(once, patch)));
        });

    [Fact]
    public void The_patch_from_an_object_to_itself_is_empty() =>
        RandomJson.Object.Sample(value => Assert.Empty(MergePatch.Create(value, JsonNode.Parse(value.ToJsonString())!.AsObject())));
}
