using System.Text;
using System.Text.Json.Nodes;
using CsCheck;
using Godwit.ApiServer.Access;

namespace Godwit.ApiServer.Tests.Access;

public sealed class TopLevelTests
{
    private static readonly string[] Names = ["a", "b", "nodeName", "containers"];

    private static readonly string[] Values = ["1", "\"n1\"", "\"a \\\"quoted\\\" one\"", "null", "[{\"nodeName\":\"inner\"}]", "{\"nodeName\":\"inner\",\"x\":[1,2]}"];

    private static readonly Gen<(string Name, string Value)[]> Properties = Gen.Select(Gen.Int[0, Names.Length - 1], Gen.Int[0, Values.Length - 1]).Array[0, 4]
        .Select(all => all.Select(chosen => (Names[chosen.Item1], Values[chosen.Item2])).DistinctBy(property => property.Item1).ToArray());

    [Fact]
    public void Two_objects_are_the_same_but_for_a_property_exactly_if_what_is_left_without_it_is() =>
        Gen.Select(Properties, Properties, Gen.Bool).Sample((one, other, isDerived) =>
        {
            // Half of the cases differ in nothing but that property, which two made at random seldom do.
            var second = isDerived ? [.. one.Where(property => property.Name != "nodeName"), .. other.Where(property => property.Name == "nodeName")] : other;
            var same = TopLevel.AreSameBut(Write(one), Write(second), "nodeName"u8, out var node);

            Assert.Equal(Left(one).SequenceEqual(Left(second)), same);
            if (same)
            {
                var there = JsonNode.Parse(Write(second))!["nodeName"];
                Assert.Equal(there is JsonValue value && value.TryGetValue<string>(out var text) ? text : null, node);
            }
        });

    private static IEnumerable<(string, string)> Left((string Name, string Value)[] properties) => properties.Where(property => property.Name != "nodeName");

    private static byte[] Write((string Name, string Value)[] properties) =>
        Encoding.UTF8.GetBytes("{" + string.Join(",", properties.Select(property => $"\"{property.Name}\":{property.Value}")) + "}");
}
