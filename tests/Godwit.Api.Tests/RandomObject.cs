using System.Text.Json.Nodes;
using CsCheck;
using Godwit.Api.Machinery;

namespace Godwit.Api.Tests;

/// <summary>Random objects of a kind: each field there or not, of the right type nearly always, with values from the odd end.</summary>
internal static class RandomObject
{
    private const int DepthMax = 12;

    private static readonly Gen<string> Words = RandomJson.Among("", "a", "b", "-1", "0", "1Gi", "10m", "../x", "10.0.0.7", "10.0.0.0/8", "a=b", "n1", "true", "2026-01-31T12:00:00Z", "x/y", "ü\u0000", new string('z', 300));

    private static readonly Gen<string> Keys = RandomJson.Among("a", "b", "cpu", "memory", "kubernetes.io/hostname", "", "/", "ü");

    public static Gen<JsonObject> Of(ObjectSchema schema) => Object(schema, DepthMax);

    private static Gen<JsonObject> Object(ObjectSchema schema, int depth)
    {
        var fields = schema.Fields.Select(field => Gen.Select(Gen.Int[0, field.IsRequired ? 9 : depth > DepthMax - 3 ? 2 : 3], Value(field.Schema, depth - 1), (chance, value) => chance == 0 || (chance > 1 && !field.IsRequired) ? null : (KeyValuePair<string, JsonNode?>?)KeyValuePair.Create(field.Name, value?.DeepClone()))).ToArray();
        return Sequence(fields).Select(all => new JsonObject(all.OfType<KeyValuePair<string, JsonNode?>>()));
    }

    private static Gen<JsonNode?> Value(Schema schema, int depth) => depth <= 0
        ? Gen.Const((JsonNode?)null)
        : schema switch
        {
            ObjectSchema known => Object(known, depth).Select(value => (JsonNode?)value),
            MapSchema map => Gen.Select(Keys, Value(map.Values, depth - 1)).List[0, 2].Select(pairs => (JsonNode?)new JsonObject(pairs.DistinctBy(pair => pair.Item1).Select(pair => KeyValuePair.Create(pair.Item1, pair.Item2?.DeepClone())))),
            ArraySchema list => Value(list.Items, depth - 1).List[0, 2].Select(items => (JsonNode?)new JsonArray([.. items.Where(item => item is not null).Select(item => item!.DeepClone())])),
            TextSchema { Words.Count: > 0 } words => RandomJson.Among([.. words.Words]).Select(word => (JsonNode?)word),
            IntegerSchema integer => RandomJson.Among(0L, 1, -1, 5, integer.Min, integer.Max).Select(number => (JsonNode?)number),
            NumberSchema => RandomJson.Among(0.0, -1, 0.5, 1e300).Select(number => (JsonNode?)number),
            BooleanSchema => Gen.Bool.Select(flag => (JsonNode?)flag),
            BytesSchema => RandomJson.Among("", "QQ==", "LS0tLS1CRUdJTi0tLS0t").Select(text => (JsonNode?)text),
            TimeSchema => RandomJson.Among("2026-01-31T12:00:00Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z").Select(text => (JsonNode?)text),
            QuantitySchema => RandomJson.Among("1Gi", "0", "-1", "1e30", "100m", "9223372036854775807").Select(text => (JsonNode?)text),
            IntOrTextSchema => Gen.OneOf(Gen.Int.Select(number => (JsonNode?)number), Words.Select(text => (JsonNode?)text)),
            FreeFormSchema => RandomJson.Value.Select(value => (JsonNode?)value),
            _ => Words.Select(text => (JsonNode?)text),
        };

    private static Gen<T[]> Sequence<T>(Gen<T>[] parts) => parts.Aggregate(
        Gen.Const(Array.Empty<T>()), (all, part) => Gen.Select(all, part, (before, next) => before.Append(next).ToArray()));
}
