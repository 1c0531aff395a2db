using System.Text;
using System.Text.Json.Nodes;
using Google.Protobuf;

namespace Godwit.Api.Machinery.Protobuf;

/// <summary>
/// Reads objects in Kubernetes' protobuf form, which <c>kubectl</c> sends for built-in kinds without asking whether the
/// server takes it. Only decoding: answers are JSON, which every client takes.
/// <code>
///   "k8s\0"  Unknown { 1: TypeMeta { 1: apiVersion, 2: kind }, 2: raw, 3: contentEncoding, 4: contentType }
///                                                                 └─ the object's message, by the numbers of its schema
/// </code>
/// Unknown numbers are skipped, as protobuf asks. What protobuf writes for absence (empty texts and messages, zeros,
/// false) is dropped. Source: Kubernetes documentation, "Alternate representations of resources", and
/// <c>apimachinery/pkg/runtime/generated.proto</c>.
/// </summary>
public static class ProtobufBody
{
    public const string MediaType = "application/vnd.kubernetes.protobuf";

    /// <summary>At most this many values make one object: a few bytes may stand for one each.</summary>
    public const int ValuesMax = 200_000;

    private static readonly byte[] Magic = "k8s\0"u8.ToArray();
    private static readonly UTF8Encoding StrictUtf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>The object, with <c>apiVersion</c> and <c>kind</c> as its envelope names them.</summary>
    /// <exception cref="FormatException">The bytes are no such object; the message says why.</exception>
    public static JsonObject Decode(ReadOnlySpan<byte> body, ObjectSchema schema)
    {
        if (!body.StartsWith(Magic))
        {
            throw new FormatException("the body does not begin like an object in Kubernetes' protobuf form (k8s\\0)");
        }

        try
        {
            var (apiVersion, kind, raw) = ReadEnvelope(new CodedInputStream(body[Magic.Length..].ToArray()));
            var resource = new JsonObject { ["apiVersion"] = apiVersion, ["kind"] = kind };
            new MessageReader().ReadInto(resource, raw, schema);
            return resource;
        }
        catch (InvalidProtocolBufferException error)
        {
            throw new FormatException("the body is cut short or is no protobuf", error);
        }
        catch (DecoderFallbackException error)
        {
            throw new FormatException("the body holds a text that is not UTF-8", error);
        }
    }

    private static (string ApiVersion, string Kind, byte[] Raw) ReadEnvelope(CodedInputStream input)
    {
        var (apiVersion, kind, raw) = ("", "", Array.Empty<byte>());
        while (input.ReadTag() is var tag && tag != 0)
        {
            switch (WireFormat.GetTagFieldNumber(tag))
            {
                case 1:
                    (apiVersion, kind) = ReadTypeMeta(new CodedInputStream(ReadDelimited(input, tag)));
                    break;
                case 2:
                    raw = ReadDelimited(input, tag);
                    break;
                case 3 when ReadText(input, tag) is { Length: > 0 } encoding:
                    throw new FormatException($"the object is encoded ({encoding}), which is not supported");
                case 3:
                    break;
                default:
                    input.SkipLastField();
                    break;
            }
        }

        return (apiVersion, kind, raw);
    }

    private static (string ApiVersion, string Kind) ReadTypeMeta(CodedInputStream input)
    {
        var (apiVersion, kind) = ("", "");
        while (input.ReadTag() is var tag && tag != 0)
        {
            switch (WireFormat.GetTagFieldNumber(tag))
            {
                case 1:
                    apiVersion = ReadText(input, tag);
                    break;
                case 2:
                    kind = ReadText(input, tag);
                    break;
                default:
                    input.SkipLastField();
                    break;
            }
        }

        return (apiVersion, kind);
    }

    internal static byte[] ReadDelimited(CodedInputStream input, uint tag)
    {
        Expect(tag, WireFormat.WireType.LengthDelimited);
        return input.ReadBytes().ToByteArray();
    }

    internal static string ReadText(CodedInputStream input, uint tag) => StrictUtf8.GetString(ReadDelimited(input, tag));

    internal static long ReadVarint(CodedInputStream input, uint tag)
    {
        Expect(tag, WireFormat.WireType.Varint);
        return input.ReadInt64();
    }

    private static void Expect(uint tag, WireFormat.WireType expected)
    {
        if (WireFormat.GetTagWireType(tag) != expected)
        {
            throw new FormatException($"field {WireFormat.GetTagFieldNumber(tag)} has wire type {WireFormat.GetTagWireType(tag)}, expected {expected}");
        }
    }
}
