using System.Text.Json.Nodes;
using CsCheck;
using Godwit.Api.Kinds;
using Godwit.Api.Machinery;
using Godwit.Api.Machinery.Protobuf;
using Google.Protobuf;

namespace Godwit.Api.Tests.Protobuf;

public sealed class ProtobufBodyTests
{
    private static readonly ObjectSchema ConfigMap = Schema("ConfigMap");

    [Fact]
    public void A_config_map_as_kubectl_writes_it_is_read()
    {
        // Written by hand after the numbers of generated.proto, with the empty fields that the Go code always writes.
        var metadata = Message(
            Text(1, "settings"), Text(2, ""), Text(3, "default"), Text(4, ""), Text(5, ""), Text(6, ""), Number(7, 0), Bytes(8, []),
            Bytes(11, Message(Text(1, "app"), Text(2, "web"))), Bytes(12, Message(Text(1, "note"), Text(2, ""))));
        var message = Message(
            Bytes(1, metadata),
            Bytes(2, Message(Text(1, "key"), Text(2, "wert ü"))),
            Bytes(3, Message(Text(1, "raw"), Bytes(2, [1, 2, 3]))),
            Number(4, 1));

        var read = ProtobufBody.Decode(Envelope("v1", "ConfigMap", message), ConfigMap);

        var expected = """
            {"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"settings","namespace":"default","labels":{"app":"web"},"annotations":{"note":""}},
            "data":{"key":"wert ü"},"binaryData":{"raw":"AQID"},"immutable":true}
            """;
        Assert.True(JsonNode.DeepEquals(JsonNode.Parse(expected), read), read.ToJsonString());
        Assert.True(SchemaCheck.Run(ConfigMap, read).AreNone);
    }

    [Fact]
    public void Json_within_protobuf_is_read_and_what_is_none_is_refused()
    {
        var good = Message(Bytes(1, Message(Text(1, "r"), Bytes(17, Message(Text(1, "kubectl"), Bytes(7, Message(Text(1, """{"f:data":{"f:a":{}}}"""))))))));
        var bad = Message(Bytes(1, Message(Bytes(17, Message(Bytes(7, Message(Text(1, "{"))))))));

        var read = ProtobufBody.Decode(Envelope("v1", "ConfigMap", good), ConfigMap);

        Assert.Equal("""{"f:data":{"f:a":{}}}""", read.ArrayAt("metadata", "managedFields")![0].At("fieldsV1")!.ToJsonString());
        Assert.Throws<FormatException>(() => ProtobufBody.Decode(Envelope("v1", "ConfigMap", bad), ConfigMap));
    }

    [Fact]
    public void Times_quantities_and_nested_lists_are_read()
    {
        var time = Message(Number(1, 1_769_860_800), Number(2, 123_456_000));
        var node = Message(
            Bytes(1, Message(Text(1, "n1"), Bytes(8, time))),
            Bytes(2, Message(Bytes(5, Message(Text(1, "k"), Text(2, "v"), Text(3, "NoSchedule"))), Number(4, 1))),
            Bytes(3, Message(
                Bytes(1, Message(Text(1, "memory"), Bytes(2, Message(Text(1, "1Gi"))))),
                Bytes(4, Message(Text(1, "Ready"), Text(2, "True"), Bytes(3, time))))));
        var lease = Message(Bytes(2, Message(Text(1, "me"), Number(2, 40), Bytes(4, time))));
        var request = Message(Bytes(2, Message(Bytes(1, [1]), Bytes(6, Message(Text(1, "k"), Bytes(2, Message(Text(1, "a"), Text(1, "b"))))))));

        var readNode = ProtobufBody.Decode(Envelope("v1", "Node", node), Schema("Node"));
        var readLease = ProtobufBody.Decode(Envelope("coordination.k8s.io/v1", "Lease", lease), Schema("Lease"));
        var readRequest = ProtobufBody.Decode(Envelope("certificates.k8s.io/v1", "CertificateSigningRequest", request), Schema("CertificateSigningRequest"));

        Assert.Equal("2026-01-31T12:00:00Z", readNode.TextAt("metadata", "creationTimestamp"));
        Assert.Equal("1Gi", readNode.TextAt("status", "capacity", "memory"));
        Assert.Equal("NoSchedule", readNode.ArrayAt("spec", "taints")![0].TextAt("effect"));
        Assert.Equal("Ready", readNode.ArrayAt("status", "conditions")![0].TextAt("type"));
        Assert.Equal("2026-01-31T12:00:00.123456Z", readLease.TextAt("spec", "renewTime"));
        Assert.Equal("""["a","b"]""", readRequest.At("spec", "extra", "k")!.ToJsonString());
    }

    [Fact]
    public void Fields_that_stand_deeper_than_in_json_are_read_into_their_place()
    {
        var source = Message(Bytes(19, Message(Bytes(1, Message(Text(1, "settings"))), Number(3, 256))));
        var probe = Message(Bytes(1, Message(Bytes(2, Message(Text(1, "/ok"), Bytes(2, Message(Number(1, 1), Text(3, "http"))))))), Number(4, 5));
        var pod = Message(Bytes(2, Message(
            Bytes(1, Message(Text(1, "v"), Bytes(2, source))),
            Bytes(2, Message(Text(1, "c"), Text(2, "i"), Bytes(11, probe))),
            Number(4, 0),
            Bytes(34, Message(Bytes(1, Message(Text(1, "look"))), Text(2, "c"))))));

        var read = ProtobufBody.Decode(Envelope("v1", "Pod", pod), Schema("Pod"));

        var expected = """
            {"volumes":[{"name":"v","configMap":{"name":"settings","defaultMode":256}}],
            "containers":[{"name":"c","image":"i","readinessProbe":{"httpGet":{"path":"/ok","port":"http"},"periodSeconds":5}}],
            "terminationGracePeriodSeconds":0,"ephemeralContainers":[{"name":"look","targetContainerName":"c"}]}
            """;
        Assert.True(JsonNode.DeepEquals(JsonNode.Parse(expected), read["spec"]), read.ToJsonString());
    }

    [Fact]
    public void A_grace_period_of_zero_is_not_an_absent_one()
    {
        var forced = ProtobufBody.Decode(Envelope("v1", "DeleteOptions", Message(Number(1, 0), Text(4, "Background"))), BuiltInKinds.DeleteOptions);
        var plain = ProtobufBody.Decode(Envelope("v1", "DeleteOptions", Message(Text(4, "Background"))), BuiltInKinds.DeleteOptions);

        Assert.Equal(0, JsonAccess.AsInt64(forced["gracePeriodSeconds"]));
        Assert.False(plain.ContainsKey("gracePeriodSeconds"));
    }

    [Fact]
    public void Numbers_of_fields_that_are_not_known_are_skipped()
    {
        var message = Message(Text(99, "new"), Number(98, 7), Bytes(2, Message(Text(1, "a"), Text(2, "b"), Text(3, "c"))));

        var read = ProtobufBody.Decode(Envelope("v1", "ConfigMap", message), ConfigMap);

        Assert.Equal("""{"a":"b"}""", read["data"]!.ToJsonString());
    }

    public static TheoryData<string, byte[]> Broken => new()
    {
        { "nothing", [] },
        { "no magic", "{\"kind\":\"ConfigMap\"}"u8.ToArray() },
        { "only magic and a cut tag", "k8s\0\x80"u8.ToArray() },
        { "a length beyond the end", [.. "k8s\0"u8, 0x12, 0xff, 0xff, 0xff, 0x7f] },
        { "a negative length", [.. "k8s\0"u8, 0x12, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01] },
        { "a number where a message belongs", Envelope("v1", "ConfigMap", Message(Number(1, 7))) },
        { "a text where a number belongs", Envelope("v1", "ConfigMap", Message(Text(4, "x"))) },
        { "a text that is not UTF-8", Envelope("v1", "ConfigMap", Message(Bytes(1, Message(Bytes(1, [0xff, 0xfe]))))) },
        { "a time beyond the calendar", Envelope("v1", "ConfigMap", Message(Bytes(1, Message(Bytes(8, Message(Number(1, long.MaxValue))))))) },
        { "a compressed object", [.. "k8s\0"u8, .. Message(Text(3, "gzip"))] },
        { "field number zero", Envelope("v1", "ConfigMap", [0x02, 0x00]) },
        { "an end of a group that never began", Envelope("v1", "ConfigMap", [0x0c]) },
    };

    [Theory]
    [MemberData(nameof(Broken))]
    public void Broken_bodies_are_refused_in_words(string what, byte[] body)
    {
        var error = Assert.Throws<FormatException>(() => ProtobufBody.Decode(body, ConfigMap));
        Assert.NotEmpty(error.Message + what);
    }

    [Fact]
    public void A_small_body_cannot_become_values_without_bound()
    {
        var entries = Enumerable.Range(0, ProtobufBody.ValuesMax + 1).SelectMany(_ => new byte[] { 0x72, 0x00 });
        var body = Envelope("v1", "ConfigMap", Message(Bytes(1, [.. entries])));

        Assert.Contains("values", Assert.Throws<FormatException>(() => ProtobufBody.Decode(body, ConfigMap)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Any_bytes_are_read_or_refused() =>
        Gen.Select(Gen.Byte.Array[0, 60], Gen.Int[0, BuiltInKinds.All.Count - 1]).Sample((bytes, kind) =>
        {
            try
            {
                ProtobufBody.Decode(Envelope("v1", "X", bytes), BuiltInKinds.All[kind].Schema);
            }
            catch (FormatException)
            {
                // Refused in words, which is what is asked.
            }
        });

    [Fact]
    public void A_damaged_body_is_read_or_refused()
    {
        var whole = Envelope("v1", "Node", Message(
            Bytes(1, Message(Text(1, "n1"), Bytes(8, Message(Number(1, 1_769_860_800))), Bytes(11, Message(Text(1, "a"), Text(2, "b"))))),
            Bytes(3, Message(Bytes(1, Message(Text(1, "memory"), Bytes(2, Message(Text(1, "1Gi")))))))));
        Gen.Select(Gen.Int[4, whole.Length - 1], Gen.Byte, Gen.Int[0, whole.Length]).Sample((at, value, length) =>
        {
            var damaged = whole[..Math.Max(length, 5)].ToArray();
            damaged[Math.Min(at, damaged.Length - 1)] = value;
            try
            {
                ProtobufBody.Decode(damaged, Schema("Node"));
            }
            catch (FormatException)
            {
                // Refused in words, which is what is asked.
            }
        });
    }

    private static ObjectSchema Schema(string kind) => BuiltInKinds.All.Single(definition => definition.Kind == kind).Schema;

    private static byte[] Envelope(string apiVersion, string kind, byte[] raw) =>
        [.. "k8s\0"u8, .. Message(Bytes(1, Message(Text(1, apiVersion), Text(2, kind))), Bytes(2, raw), Text(3, ""), Text(4, ""))];

    private static byte[] Message(params byte[][] fields) => [.. fields.SelectMany(field => field)];

    private static byte[] Text(int number, string text) => Bytes(number, System.Text.Encoding.UTF8.GetBytes(text));

    private static byte[] Bytes(int number, byte[] bytes) => Write(output =>
    {
        output.WriteTag(number, WireFormat.WireType.LengthDelimited);
        output.WriteBytes(ByteString.CopyFrom(bytes));
    });

    private static byte[] Number(int number, long value) => Write(output =>
    {
        output.WriteTag(number, WireFormat.WireType.Varint);
        output.WriteInt64(value);
    });

    private static byte[] Write(Action<CodedOutputStream> write)
    {
        using var stream = new MemoryStream();
        using (var output = new CodedOutputStream(stream))
        {
            write(output);
        }

        return stream.ToArray();
    }
}
