using System.Text.Json.Nodes;
using CsCheck;
using Godwit.Api.Kinds;
using Godwit.Api.Machinery.Patches;

namespace Godwit.Api.Tests.Patches;

/// <summary>Whatever a patch holds, it is applied or refused in words, and what it was applied to stays as it was.</summary>
public sealed class HostilePatchTests
{
    private static readonly Gen<string> Pointers = RandomJson.Among("", "/", "/a", "/a/b", "/a/0", "/a/-", "/a/-1", "/a/01", "/a/99999999999999999999", "/~0", "/~1", "/~2", "/d~1e", "a", "//", "/a/b/c/d");

    private static readonly Gen<JsonNode> Operations = Gen.Select(
        RandomJson.Among("add", "remove", "replace", "move", "copy", "test", "explode", ""), Pointers, Pointers, RandomJson.Value, Gen.Int[0, 15],
        (op, path, from, value, parts) =>
        {
            var operation = new JsonObject();
            operation["op"] = (parts & 1) == 0 || parts > 2 ? op : (JsonNode)7;
            if (parts != 2)
            {
                operation["path"] = path;
            }

            if (parts != 4)
            {
                operation["from"] = from;
            }

            if (parts != 8)
            {
                operation["value"] = value.DeepClone();
            }

            return (JsonNode)operation;
        });

    private static readonly Gen<string> Directives = RandomJson.Among(
        "$patch", "$retainKeys", "$setElementOrder/finalizers", "$deleteFromPrimitiveList/finalizers", "$setElementOrder/ownerReferences", "$patchy", "finalizers", "ownerReferences", "labels", "name");

    private static readonly Gen<JsonNode> Values = Gen.OneOf(
        RandomJson.Among("replace", "delete", "merge", "explode", "a").Select(text => (JsonNode)text),
        RandomJson.Among("""["a","b"]""", """[{"uid":"u"}]""", """[{"$patch":"replace"}]""", """[{"$patch":"delete","uid":"u"}]""", """[{"$patch":"x","uid":"u"}]""", "[null]", "[[]]", "[7]", "{}", """{"$patch":"delete"}""").Select(text => JsonNode.Parse(text)!),
        RandomJson.Value);

    [Fact]
    public void Any_JSON_patch_is_applied_or_refused() =>
        Gen.Select(RandomJson.Object, Operations.List[0, 6]).Sample((target, operations) =>
        {
            var before = target.ToJsonString();
            _ = OrRefused(() => JsonPatch.Apply(target, new JsonArray([.. operations.Select(operation => operation.DeepClone())])));
            Assert.Equal(before, target.ToJsonString());
        });

    [Fact]
    public void Any_strategic_merge_patch_is_applied_or_refused()
    {
        var schema = BuiltInKinds.All[0].Schema;
        Gen.Select(Directives, Values).List[0, 5].Sample(fields =>
        {
            var meta = new JsonObject(fields.DistinctBy(field => field.Item1).Select(field => KeyValuePair.Create(field.Item1, (JsonNode?)field.Item2.DeepClone())));
            var target = JsonNode.Parse("""{"metadata":{"name":"x","finalizers":["a","c"],"ownerReferences":[{"uid":"u"},{"uid":"v"}]}}""")!.AsObject();
            var before = target.ToJsonString();
            _ = OrRefused(() => StrategicMergePatch.Apply(target, new JsonObject { ["metadata"] = meta }, schema));
            Assert.Equal(before, target.ToJsonString());
        });
    }

    private static JsonObject? OrRefused(Func<JsonObject> apply)
    {
        try
        {
            return apply();
        }
        catch (PatchException)
        {
            return null;
        }
    }
}
