using System.Text.Json;
using System.Text.Json.Nodes;
using Godwit.ApiServer.Resources;

namespace Godwit.ApiServer.Requests;

/// <summary>A body as a JSON object. <see cref="DuplicateFields"/> are the paths of keys given more than once; the last one counts.</summary>
internal sealed record JsonBody(JsonObject Value, IReadOnlyList<string> DuplicateFields)
{
    private const int DuplicatesMax = 32;

    /// <exception cref="StatusException">The bytes are not one JSON object within <see cref="JsonLimits"/>: 400.</exception>
    public static JsonBody Parse(ReadOnlySpan<byte> utf8)
    {
        return ParseNode(utf8, out var duplicates) is JsonObject value
            ? new JsonBody(value, duplicates)
            : throw StatusException.BadRequest("the body must be a JSON object");
    }

    /// <summary>The bytes as one JSON object, or null when they are none; they may be YAML.</summary>
    /// <exception cref="StatusException">They are JSON beyond <see cref="JsonLimits"/>: 400.</exception>
    public static JsonBody? TryParse(ReadOnlySpan<byte> utf8)
    {
        try
        {
            return Parse(utf8);
        }
        catch (StatusException error) when (error.InnerException is JsonException)
        {
            return null;
        }
    }

    /// <summary>Any JSON value; a JSON patch is an array.</summary>
    public static JsonNode? ParseNode(ReadOnlySpan<byte> utf8, out List<string> duplicates)
    {
        duplicates = [];
        var reader = new Utf8JsonReader(utf8, new JsonReaderOptions { MaxDepth = JsonLimits.DepthMax });
        try
        {
            var builder = new Builder(duplicates);
            reader.Read();
            var value = builder.ReadValue(ref reader, "");
            return reader.Read() ? throw StatusException.BadRequest("the body goes on after its JSON value") : value;
        }
        catch (JsonException error)
        {
            throw StatusException.BadRequest($"the body is not JSON that this server takes: {error.Message}", error);
        }
        catch (InvalidOperationException error)
        {
            // The reader's word for bytes that are no UTF-8 and for lone surrogates.
            throw StatusException.BadRequest("the body holds a string that is not valid Unicode", error);
        }
    }

    private sealed class Builder(List<string> duplicates)
    {
        private int nodes;

        public JsonNode? ReadValue(ref Utf8JsonReader reader, string path)
        {
            if (++nodes > JsonLimits.NodesMax)
            {
                throw StatusException.BadRequest($"the body holds more than {JsonLimits.NodesMax} values");
            }

            return reader.TokenType switch
            {
                JsonTokenType.StartObject => ReadObject(ref reader, path),
                JsonTokenType.StartArray => ReadArray(ref reader, path),
                JsonTokenType.String => JsonValue.Create(reader.GetString()),
                JsonTokenType.Number => ReadNumber(ref reader),
                JsonTokenType.True => JsonValue.Create(true),
                JsonTokenType.False => JsonValue.Create(false),
                _ => null,
            };
        }

        private static JsonValue ReadNumber(ref Utf8JsonReader reader) =>
            reader.TryGetInt64(out var whole) ? JsonValue.Create(whole)
            : reader.TryGetDouble(out var real) && double.IsFinite(real) ? JsonValue.Create(real)
            : throw StatusException.BadRequest("the body holds a number beyond the range of a double");

        private JsonObject ReadObject(ref Utf8JsonReader reader, string path)
        {
            var result = new JsonObject();
            while (reader.Read() && reader.TokenType != JsonTokenType.EndObject)
            {
                var name = reader.GetString()!;
                reader.Read();
                var value = ReadValue(ref reader, path.Length == 0 ? name : $"{path}.{name}");
                if (!result.TryAdd(name, value))
                {
                    result[name] = value;
                    AddDuplicate(path.Length == 0 ? name : $"{path}.{name}");
                }
            }

            return result;
        }

        private JsonArray ReadArray(ref Utf8JsonReader reader, string path)
        {
            var result = new JsonArray();
            while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
            {
                result.Add(ReadValue(ref reader, $"{path}[{result.Count}]"));
            }

            return result;
        }

        private void AddDuplicate(string path)
        {
            if (duplicates.Count < DuplicatesMax)
            {
                duplicates.Add(path);
            }
        }
    }
}
