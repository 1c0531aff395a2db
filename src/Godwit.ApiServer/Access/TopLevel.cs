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

    /// <summary>Whether two objects have the same properties in the same order, the one named left out of both.</summary>
    /// <param name="one">The first object.</param>
    /// <param name="other">The second.</param>
    /// <param name="name">The property that is not compared.</param>
    /// <param name="text">What the second object has of it; null when it has none, or no text.</param>
    public static bool AreSameBut(ReadOnlySpan<byte> one, ReadOnlySpan<byte> other, ReadOnlySpan<byte> name, out string? text)
    {
        text = null;
        var first = new Utf8JsonReader(one, new JsonReaderOptions { MaxDepth = JsonLimits.DepthMax });
        var second = new Utf8JsonReader(other, new JsonReaderOptions { MaxDepth = JsonLimits.DepthMax });
        first.Read();
        second.Read();
        while (true)
        {
            var expected = NextBut(ref first, one, name, out _);
            var found = NextBut(ref second, other, name, out var skipped);
            text ??= skipped;
            if (!found.SequenceEqual(expected))
            {
                return false;
            }

            if (found.IsEmpty)
            {
                return true;
            }
        }
    }

    /// <summary>The bytes of the next property, its name with it, other than the one named; empty at the object's end.</summary>
    private static ReadOnlySpan<byte> NextBut(ref Utf8JsonReader reader, ReadOnlySpan<byte> json, ReadOnlySpan<byte> name, out string? skipped)
    {
        skipped = null;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var start = (int)reader.TokenStartIndex;
            var isIt = reader.ValueTextEquals(name);
            reader.Read();
            if (isIt && reader.TokenType == JsonTokenType.String)
            {
                skipped = reader.GetString();
            }

            reader.Skip();
            if (!isIt)
            {
                return json[start..(int)reader.BytesConsumed];
            }
        }

        return default;
    }
}
