using System.Text.Json.Nodes;
using CsCheck;

namespace Godwit.Api.Tests;

/// <summary>Random JSON from a small alphabet of names, so that two of them have something in common.</summary>
internal static class RandomJson
{
    private static readonly Gen<string> Name = Gen.OneOf(Gen.Const("a"), Gen.Const("b"), Gen.Const("c"), Gen.Const("d/e"), Gen.Const("~"), Gen.Const(""));

    private static readonly Gen<JsonNode> Leaf = Gen.OneOf(
        Gen.Int[0, 5].Select(number => (JsonNode)JsonValue.Create((long)number)),
        Gen.Double[-10, 10].Select(number => (JsonNode)JsonValue.Create(number)),
        Gen.String.AlphaNumeric.Select(text => (JsonNode)JsonValue.Create(text)!),
        Gen.Bool.Select(flag => (JsonNode)JsonValue.Create(flag)));

    public static Gen<JsonNode> Value { get; } = Gen.Recursive<JsonNode>((depth, inner) =>
        depth >= 4 ? Leaf : Gen.OneOf(Leaf, ObjectOf(inner).Select(value => (JsonNode)value), inner.List[0, 3].Select(items => (JsonNode)new JsonArray([.. items.Select(item => item.DeepClone())]))));

    /// <summary>One of a few values.</summary>
    public static Gen<T> Among<T>(params T[] values) => Gen.Int[0, values.Length - 1].Select(index => values[index]);

    public static Gen<JsonObject> Object { get; } = ObjectOf(Value);

    private static Gen<JsonObject> ObjectOf(Gen<JsonNode> inner) =>
        Gen.Select(Name, inner).List[0, 4].Select(pairs => new JsonObject(
            pairs.DistinctBy(pair => pair.Item1).Select(pair => KeyValuePair.Create(pair.Item1, (JsonNode?)pair.Item2.DeepClone()))));
}
