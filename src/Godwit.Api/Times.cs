using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Godwit.Api;

/// <summary>Kubernetes' <c>Time</c>: RFC 3339 in UTC, to the second.</summary>
public sealed class TimeJsonConverter : JsonConverter<DateTimeOffset>
{
    internal const string Format = "yyyy-MM-dd'T'HH:mm:ss'Z'";

    public override DateTimeOffset Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        Rfc3339.Read(ref reader);

    public override void Write(Utf8JsonWriter writer, DateTimeOffset value, JsonSerializerOptions options) =>
        writer.WriteStringValue(value.UtcDateTime.ToString(Format, CultureInfo.InvariantCulture));
}

/// <summary>Kubernetes' <c>MicroTime</c>: RFC 3339 in UTC, to the microsecond.</summary>
public sealed class MicroTimeJsonConverter : JsonConverter<DateTimeOffset>
{
    internal const string Format = "yyyy-MM-dd'T'HH:mm:ss.ffffff'Z'";

    public override DateTimeOffset Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        Rfc3339.Read(ref reader);

    public override void Write(Utf8JsonWriter writer, DateTimeOffset value, JsonSerializerOptions options) =>
        writer.WriteStringValue(value.UtcDateTime.ToString(Format, CultureInfo.InvariantCulture));
}

/// <summary>Times on the wire.</summary>
public static class Rfc3339
{
    /// <summary>The longest text that is looked at, in characters.</summary>
    public const int TextLengthMax = 40;

    public static bool TryParse(ReadOnlySpan<char> text, out DateTimeOffset time)
    {
        time = default;
        return text.Length is >= 20 and <= TextLengthMax
            && text[4] == '-' && text[10] is 'T' or 't'
            && char.IsAsciiDigit(text[0])
            && DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AdjustToUniversal | DateTimeStyles.AssumeUniversal, out time);
    }

    public static string Format(DateTimeOffset time) => time.UtcDateTime.ToString(TimeJsonConverter.Format, CultureInfo.InvariantCulture);

    internal static DateTimeOffset Read(ref Utf8JsonReader reader) =>
        reader.TokenType == JsonTokenType.String && TryParse(reader.GetString(), out var time)
            ? time
            : throw new JsonException("Expected a time such as 2026-01-31T12:00:00Z.");
}
