using System.Buffers;
using System.Buffers.Text;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Godwit.Api.Machinery;

namespace Godwit.ApiServer.Resources;

/// <summary>
/// How an object of one kind lies in the store, and how it leaves without being parsed again.
/// <para>
/// The stored value is the object's JSON with its parts in a fixed order and without a resourceVersion, which is the
/// store's revision and only known once written:
/// </para>
/// <code>
/// {"apiVersion":"v1","kind":"ConfigMap","metadata":{ ▲ "name":"a","uid":"…"},"data":{…}}
/// └──────────────── head: the same for a kind ─────┘ └ "resourceVersion":"7", is spliced in here
/// </code>
/// So get, list and watch copy bytes: head, version, rest. Only of a version that is not the stored one every object is read and converted.
/// </summary>
internal sealed class StoredForm
{
    /// <summary>Room that a spliced object needs beyond the stored bytes.</summary>
    public const int SpliceBytesMax = 48;

    public static readonly JsonWriterOptions WriterOptions = new()
    {
        // Answers are application/json with nosniff: nothing is gained by escaping for HTML, and names stay readable.
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        SkipValidation = true,
    };

    private static readonly JsonDocumentOptions ReaderOptions = new() { MaxDepth = JsonLimits.DepthMax };

    private readonly VersionConversion? conversion;
    private readonly StoredForm? stored;
    private readonly byte[] head;
    private readonly string apiVersion;
    private readonly string kind;

    public StoredForm(ResourceDefinition definition)
    {
        apiVersion = definition.ApiVersion;
        kind = definition.Kind;
        conversion = definition.Conversion;
        stored = conversion is null ? null : new StoredForm(conversion.Stored);
        head = Encoding.UTF8.GetBytes($$"""{"apiVersion":"{{apiVersion}}","kind":"{{kind}}","metadata":{""");
    }

    /// <summary>The stored bytes of an object. Its <c>metadata.resourceVersion</c> is left out.</summary>
    public byte[] Encode(JsonObject resource)
    {
        if (stored is not null)
        {
            var converted = resource.DeepClone().AsObject();
            conversion!.ToStored(converted);
            return stored.Encode(converted);
        }

        var output = new ArrayBufferWriter<byte>(1024);
        using var writer = new Utf8JsonWriter(output, WriterOptions);
        writer.WriteStartObject();
        writer.WriteString("apiVersion"u8, apiVersion);
        writer.WriteString("kind"u8, kind);
        writer.WriteStartObject("metadata"u8);
        foreach (var (name, value) in resource["metadata"]!.AsObject())
        {
            if (name != "resourceVersion")
            {
                WriteProperty(writer, name, value);
            }
        }

        writer.WriteEndObject();
        foreach (var (name, value) in resource)
        {
            if (name is not ("apiVersion" or "kind" or "metadata"))
            {
                WriteProperty(writer, name, value);
            }
        }

        writer.WriteEndObject();
        writer.Flush();
        return output.WrittenSpan.ToArray();
    }

    /// <summary>The object with its resourceVersion, to be read or changed.</summary>
    public JsonObject Decode(ReadOnlySpan<byte> value, long revision)
    {
        if (stored is not null)
        {
            var converted = stored.Decode(value, revision);
            conversion!.FromStored(converted);
            converted["apiVersion"] = apiVersion;
            return converted;
        }

        Check(value);
        var resource = JsonNode.Parse(value, documentOptions: ReaderOptions)!.AsObject();
        resource["metadata"]!["resourceVersion"] = revision.ToString(System.Globalization.CultureInfo.InvariantCulture);
        return resource;
    }

    /// <summary>The object with its resourceVersion, as the client gets it.</summary>
    public void Write(IBufferWriter<byte> output, ReadOnlySpan<byte> value, long revision)
    {
        if (stored is not null)
        {
            var converted = Decode(value, revision);
            if (revision <= 0)
            {
                converted["metadata"]!.AsObject().Remove("resourceVersion");
            }

            using var writer = new Utf8JsonWriter(output, WriterOptions);
            converted.WriteTo(writer);
            return;
        }

        Check(value);
        output.Write(value[..head.Length]);
        if (revision > 0)
        {
            WriteVersion(output, revision, isLast: false); // Every stored object has a name.
        } // Else a dry run: the object was never written.

        output.Write(value[head.Length..]);
    }

    /// <summary>The object's metadata alone, as the object that it is, with the resourceVersion.</summary>
    public void WriteMetadata(IBufferWriter<byte> output, ReadOnlySpan<byte> value, long revision)
    {
        if (stored is not null)
        {
            stored.WriteMetadata(output, value, revision);
            return;
        }

        Check(value);
        var metadata = value[(head.Length - 1)..];
        var reader = new Utf8JsonReader(metadata, new JsonReaderOptions { MaxDepth = JsonLimits.DepthMax });
        reader.Read();
        reader.Skip();
        var rest = metadata[1..(int)reader.BytesConsumed];
        output.Write("{"u8);
        if (revision > 0)
        {
            WriteVersion(output, revision, isLast: rest.Length == 1);
        }

        output.Write(rest);
    }

    private static void WriteVersion(IBufferWriter<byte> output, long revision, bool isLast)
    {
        var span = output.GetSpan(SpliceBytesMax);
        "\"resourceVersion\":\""u8.CopyTo(span);
        Utf8Formatter.TryFormat(revision, span[19..], out var digits);
        span[19 + digits] = (byte)'"';
        span[20 + digits] = (byte)',';
        output.Advance(digits + (isLast ? 20 : 21));
    }

    private static void WriteProperty(Utf8JsonWriter writer, string name, JsonNode? value)
    {
        writer.WritePropertyName(name);
        if (value is null)
        {
            writer.WriteNullValue();
        }
        else
        {
            value.WriteTo(writer);
        }
    }

    private void Check(ReadOnlySpan<byte> value)
    {
        if (!value.StartsWith(head))
        {
            throw new InvalidDataException($"A stored object of kind {kind} does not begin as this server writes it: the store was written by something else, or is damaged.");
        }
    }
}
