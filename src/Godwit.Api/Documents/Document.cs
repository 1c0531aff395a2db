using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Godwit.Api.Documents;

/// <summary>The bytes of an answer that never changes while the server runs, and a name for exactly these bytes.</summary>
public sealed class Document
{
    private static readonly JsonWriterOptions Plain = new() { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    internal Document(byte[] bytes)
    {
        Bytes = bytes;
        Hash = Convert.ToHexString(SHA256.HashData(bytes));
    }

    public ReadOnlyMemory<byte> Bytes { get; }

    /// <summary>SHA-256 in upper-case hexadecimal.</summary>
    public string Hash { get; }

    /// <summary>The hash as an HTTP entity tag, quotes and all.</summary>
    public string ETag => $"\"{Hash}\"";

    internal static Document Of(JsonObject content)
    {
        using var stream = new MemoryStream();
        using (var writer = new Utf8JsonWriter(stream, Plain))
        {
            content.WriteTo(writer);
        }

        return new Document(stream.ToArray());
    }
}

internal static class JsonBuilding
{
    public static JsonArray ToJson(this IEnumerable<string> texts) => new([.. texts.Select(text => (JsonNode?)JsonValue.Create(text))]);

    public static JsonArray ToJson(this IEnumerable<JsonObject> items) => new([.. items]);
}
