using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using Godwit.ApiServer.Resources;
using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace Godwit.ApiServer.Requests;

/// <summary>
/// YAML as JSON: one document, the JSON-compatible scalars of YAML 1.2's core schema, and no aliases, because an alias
/// lets a few bytes stand for gigabytes.
/// </summary>
internal static class YamlBody
{
    /// <exception cref="StatusException">Not one YAML mapping within <see cref="JsonLimits"/>: 400.</exception>
    public static JsonBody Parse(ReadOnlySpan<byte> utf8)
    {
        try
        {
            var builder = new Builder(new Parser(new StringReader(Encoding.UTF8.GetString(utf8))));
            return builder.ReadDocument() is JsonObject value
                ? new JsonBody(value, builder.Duplicates)
                : throw StatusException.BadRequest("the body must be a YAML mapping");
        }
        catch (YamlException error)
        {
            throw StatusException.BadRequest($"the body is not YAML that this server takes: line {error.Start.Line}, column {error.Start.Column}: {error.Message}", error);
        }
        catch (InvalidOperationException error)
        {
            // The library's scanner, of a plain scalar within brackets that it cannot place: a fault of the body all the same.
            throw StatusException.BadRequest("the body is not YAML", error);
        }
    }

    private sealed class Builder(Parser parser)
    {
        private int nodes;

        public List<string> Duplicates { get; } = [];

        public JsonNode? ReadDocument()
        {
            parser.Consume<StreamStart>();
            if (parser.Accept<StreamEnd>(out _))
            {
                throw StatusException.BadRequest("the body is empty");
            }

            parser.Consume<DocumentStart>();
            var value = ReadValue("", 0);
            parser.Consume<DocumentEnd>();
            return parser.Accept<StreamEnd>(out _) ? value : throw StatusException.BadRequest("the body must be one YAML document");
        }

        private JsonNode? ReadValue(string path, int depth)
        {
            if (depth > JsonLimits.DepthMax || ++nodes > JsonLimits.NodesMax)
            {
                throw StatusException.BadRequest($"the body nests deeper than {JsonLimits.DepthMax} or holds more than {JsonLimits.NodesMax} values");
            }

            if (parser.TryConsume<Scalar>(out var scalar))
            {
                return ReadScalar(scalar);
            }

            if (parser.TryConsume<SequenceStart>(out _))
            {
                return ReadSequence(path, depth);
            }

            if (parser.TryConsume<MappingStart>(out _))
            {
                return ReadMapping(path, depth);
            }

            throw StatusException.BadRequest("the body uses a YAML alias; write the value out instead");
        }

        private JsonArray ReadSequence(string path, int depth)
        {
            var result = new JsonArray();
            while (!parser.TryConsume<SequenceEnd>(out _))
            {
                result.Add(ReadValue($"{path}[{result.Count}]", depth + 1));
            }

            return result;
        }

        private JsonObject ReadMapping(string path, int depth)
        {
            var result = new JsonObject();
            while (!parser.TryConsume<MappingEnd>(out _))
            {
                var name = parser.TryConsume<Scalar>(out var key) ? key.Value : throw StatusException.BadRequest("a YAML mapping has a key that is not a scalar");
                var inner = path.Length == 0 ? name : $"{path}.{name}";
                var value = ReadValue(inner, depth + 1);
                if (!result.TryAdd(name, value))
                {
                    result[name] = value;
                    Duplicates.Add(inner);
                }
            }

            return result;
        }

        private static JsonValue? ReadScalar(Scalar scalar)
        {
            var text = scalar.Value;
            if (scalar.Style != ScalarStyle.Plain || (!scalar.Tag.IsEmpty && scalar.Tag == "tag:yaml.org,2002:str"))
            {
                return JsonValue.Create(text);
            }

            return text switch
            {
                "" or "~" or "null" or "Null" or "NULL" => null,
                "true" or "True" or "TRUE" => JsonValue.Create(true),
                "false" or "False" or "FALSE" => JsonValue.Create(false),
                _ when long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var whole) => JsonValue.Create(whole),
                _ when LooksNumeric(text) && double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var real) && double.IsFinite(real) => JsonValue.Create(real),
                _ => JsonValue.Create(text),
            };
        }

        private static bool LooksNumeric(string text) => text[0] is '-' or '+' or '.' or (>= '0' and <= '9');
    }
}
