using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Godwit.Api.Core.V1;

/// <summary>A number, or a name (or percentage) as text: a port by number or by name.</summary>
[JsonConverter(typeof(IntOrTextJsonConverter))]
public readonly record struct IntOrText(int Number, string? Text)
{
    public bool IsNumber => Text is null;

    public override string ToString() => Text ?? Number.ToString(CultureInfo.InvariantCulture);
}

internal sealed class IntOrTextJsonConverter : JsonConverter<IntOrText>
{
    public override IntOrText Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) => reader.TokenType switch
    {
        JsonTokenType.Number when reader.TryGetInt32(out var number) => new IntOrText(number, null),
        // A number that is too large is none here; as a text it fits nothing, and is refused with its path.
        JsonTokenType.Number => new IntOrText(0, JsonElement.ParseValue(ref reader).GetRawText()),
        JsonTokenType.String => new IntOrText(0, reader.GetString()),
        _ => throw new JsonException("a number or a text is wanted"),
    };

    public override void Write(Utf8JsonWriter writer, IntOrText value, JsonSerializerOptions options)
    {
        if (value.Text is { } text)
        {
            writer.WriteStringValue(text);
        }
        else
        {
            writer.WriteNumberValue(value.Number);
        }
    }
}
