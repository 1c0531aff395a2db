using System.Text.Json.Nodes;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace Godwit.Cli.Output;

/// <summary>JSON written as block YAML.</summary>
internal static class YamlText
{
    public static string Of(JsonNode json)
    {
        var text = new StringWriter { NewLine = "\n" };
        new YamlStream(new YamlDocument(NodeOf(json))).Save(text, assignAnchors: false);
        return text.ToString().TrimEnd('\n', '.') + "\n"; // The library ends a document with "...", which only a stream of several needs.
    }

    private static YamlNode NodeOf(JsonNode? json)
    {
        switch (json)
        {
            case JsonObject map:
                var mapping = new YamlMappingNode();
                foreach (var (name, value) in map)
                {
                    mapping.Add(Text(name), NodeOf(value));
                }

                return mapping;
            case JsonArray list:
                return new YamlSequenceNode(list.Select(NodeOf));
            case JsonValue value when value.TryGetValue<string>(out var text):
                return Text(text);
            default:
                return new YamlScalarNode(json?.ToJsonString() ?? "null");
        }
    }

    /// <summary>Text is quoted unless it is plainly a word, so that no reader takes it for a number, a boolean or a null.</summary>
    private static YamlScalarNode Text(string text) => new(text)
    {
        Style = IsPlainWord(text) ? ScalarStyle.Plain : text.Contains('\n', StringComparison.Ordinal) ? ScalarStyle.Literal : ScalarStyle.DoubleQuoted,
    };

    private static bool IsPlainWord(string text) =>
        text.Length > 0 && char.IsAsciiLetter(text[0]) && text.All(letter => char.IsAsciiLetterOrDigit(letter) || letter is '-' or '_' or '/' or '.')
        && text.ToLowerInvariant() is not ("true" or "false" or "null" or "yes" or "no" or "on" or "off" or "y" or "n");
}
