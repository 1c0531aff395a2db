using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using Godwit.DockerApi.Serving;

namespace Godwit.DockerApi.Wire;

/// <summary>Bodies as clients send them. In a list, null stands for nothing that there is a word for: it is refused here, once, so that nobody behind has to look.</summary>
internal static class JsonBody
{
    private const int DepthMax = 32;

    /// <exception cref="DockerException">It is no JSON, or not of this form.</exception>
    public static T? Read<T>(ReadOnlySpan<byte> json, JsonTypeInfo<T> type)
        where T : class
    {
        try
        {
            RefuseNullItems(json);
            return JsonSerializer.Deserialize(json, type);
        }
        catch (JsonException reason)
        {
            throw DockerException.Invalid($"invalid JSON: at {reason.Path ?? "the beginning"} (line {reason.LineNumber + 1}) stands what is not expected there", reason);
        }
    }

    private static void RefuseNullItems(ReadOnlySpan<byte> json)
    {
        var reader = new Utf8JsonReader(json, new JsonReaderOptions { MaxDepth = DepthMax });
        var lists = 0UL; // A bit a depth: whether what is open there is a list.
        while (reader.Read())
        {
            switch (reader.TokenType)
            {
                case JsonTokenType.StartArray:
                    lists |= 1UL << (reader.CurrentDepth + 1);
                    break;
                case JsonTokenType.StartObject:
                    lists &= ~(1UL << (reader.CurrentDepth + 1));
                    break;
                case JsonTokenType.Null when (lists & (1UL << reader.CurrentDepth)) != 0:
                    throw DockerException.Invalid($"invalid JSON: null is no item of a list (byte {reader.TokenStartIndex})");
            }
        }
    }
}

/// <summary>A map of texts, in which null is the empty text, as Go reads it.</summary>
internal sealed class TextMapConverter : JsonConverter<IReadOnlyDictionary<string, string>>
{
    public override IReadOnlyDictionary<string, string>? Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        if (reader.TokenType is not JsonTokenType.StartObject)
        {
            throw new JsonException();
        }

        var map = new Dictionary<string, string>(StringComparer.Ordinal);
        while (reader.Read() && reader.TokenType is JsonTokenType.PropertyName)
        {
            var name = reader.GetString()!;
            reader.Read();
            map[name] = reader.TokenType switch
            {
                JsonTokenType.String => reader.GetString()!,
                JsonTokenType.Null => "",
                _ => throw new JsonException(),
            };
        }

        return map;
    }

    public override void Write(Utf8JsonWriter writer, IReadOnlyDictionary<string, string> value, JsonSerializerOptions options)
    {
        writer.WriteStartObject();
        foreach (var (name, text) in value)
        {
            writer.WriteString(name, text);
        }

        writer.WriteEndObject();
    }
}
