using System.Text.Json.Nodes;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace Godwit.Cli.Tests;

/// <summary>Reads YAML by the rules of its core schema, to check what we write and what the examples say.</summary>
internal static class Yaml
{
    public static JsonNode ToJson(string text)
    {
        var stream = new YamlStream();
        stream.Load(new StringReader(text));
        return ToJson(Assert.Single(stream.Documents).RootNode)!;
    }

    private static JsonNode? ToJson(YamlNode node) => node switch
    {
        YamlMappingNode map => new JsonObject(map.Children.Select(pair => KeyValuePair.Create(((YamlScalarNode)pair.Key).Value!, ToJson(pair.Value)))),
        YamlSequenceNode list => new JsonArray(list.Children.Select(ToJson).ToArray()),
        YamlScalarNode { Style: not ScalarStyle.Plain } text => JsonValue.Create(text.Value),
        YamlScalarNode { Value: null or "" or "null" or "~" } => null,
        YamlScalarNode { Value: "true" or "false" } boolean => JsonValue.Create(boolean.Value == "true"),
        YamlScalarNode { Value: { } word } when double.TryParse(word, System.Globalization.CultureInfo.InvariantCulture, out _) => JsonNode.Parse(word),
        YamlScalarNode word => JsonValue.Create(word.Value),
        _ => throw new NotSupportedException(node.GetType().Name),
    };
}
