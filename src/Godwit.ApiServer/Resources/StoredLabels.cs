using System.Text.Json;

namespace Godwit.ApiServer.Resources;

/// <summary>Reads an object's labels from its stored bytes without parsing the rest: metadata comes first, so the reader stops early.</summary>
internal static class StoredLabels
{
    private static readonly Dictionary<string, string> None = [];

    public static IReadOnlyDictionary<string, string> Read(ReadOnlySpan<byte> stored)
    {
        var reader = new Utf8JsonReader(stored, new JsonReaderOptions { MaxDepth = JsonLimits.DepthMax });
        reader.Read();
        if (!SkipTo(ref reader, "metadata"u8) || !SkipTo(ref reader, "labels"u8))
        {
            return None;
        }

        var labels = new Dictionary<string, string>(StringComparer.Ordinal);
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var name = reader.GetString()!;
            reader.Read();
            labels[name] = reader.TokenType == JsonTokenType.String ? reader.GetString()! : "";
        }

        return labels;
    }

    /// <summary>From inside an object to the inside of the object that is the named property's value.</summary>
    private static bool SkipTo(ref Utf8JsonReader reader, ReadOnlySpan<byte> name)
    {
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var found = reader.ValueTextEquals(name);
            reader.Read();
            if (found)
            {
                return reader.TokenType == JsonTokenType.StartObject;
            }

            reader.Skip();
        }

        return false;
    }
}
