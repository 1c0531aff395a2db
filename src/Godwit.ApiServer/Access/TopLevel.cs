using System.Text.Json;
using Godwit.ApiServer.Resources;

namespace Godwit.ApiServer.Access;

/// <summary>Looks at one part of a stored object without reading the rest.</summary>
internal static class TopLevel
{
    /// <summary>The bytes of a property of the object; empty when it has none of that name.</summary>
    public static ReadOnlySpan<byte> Slice(ReadOnlySpan<byte> json, ReadOnlySpan<byte> name)
    {
        var reader = new Utf8JsonReader(json, new JsonReaderOptions { MaxDepth = JsonLimits.DepthMax });
        reader.Read();
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var isIt = reader.ValueTextEquals(name);
            reader.Read();
            var start = (int)reader.TokenStartIndex;
            reader.Skip();
            if (isIt)
            {
                return json[start..(int)reader.BytesConsumed];
            }
        }

        return default;
    }
}
