using System.Text.Json;
using System.Text.Json.Nodes;
using CsCheck;

namespace Godwit.Oci.Tests;

/// <summary>Manifests, indexes and configurations that no honest registry sends: each is read or refused in words.</summary>
public sealed class HostileFormatTests
{
    private const string Hash = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    private const string Descriptor = $$$"""{"mediaType":"{{{MediaTypes.OciLayerGzip}}}","digest":"{{{Hash}}}","size":34,"urls":["https://a/b"],"annotations":{"a":"b"},"data":"eA==","platform":{"architecture":"amd64","os":"linux","variant":"v2","os.version":"1","os.features":["a"]}}""";

    private const string Manifest = $$$"""{"schemaVersion":2,"mediaType":"{{{MediaTypes.OciManifest}}}","artifactType":"a","config":{{{Descriptor}}},"layers":[{{{Descriptor}}},{{{Descriptor}}}],"subject":{{{Descriptor}}},"annotations":{"a":"b"}}""";

    private const string Index = $$$"""{"schemaVersion":2,"mediaType":"{{{MediaTypes.OciIndex}}}","manifests":[{{{Descriptor}}},{{{Descriptor}}}],"annotations":{"a":"b"}}""";

    private const string Config = $$$$"""
        {"architecture":"amd64","os":"linux","created":"2024-05-01T10:11:12.123456789Z","author":"a",
         "config":{"User":"1:2","Env":["PATH=/bin"],"Cmd":["c"],"Entrypoint":["/a"],"ExposedPorts":{"80/tcp":{}},"Volumes":{"/v":{}},"WorkingDir":"/w","Labels":{"a":"b"},
         "Healthcheck":{"Test":["CMD","x"],"Interval":5000000000,"Retries":3},"OnBuild":["RUN x"],"Shell":["/bin/bash","-c"],"StopSignal":"SIGINT","StopTimeout":5},
         "rootfs":{"type":"layers","diff_ids":["{{{Hash}}}"]},"history":[{"created":"2024-05-01T10:11:12Z","created_by":"x","empty_layer":true},{"created_by":"y"}]}
        """;

    private static readonly string[] Strange =
    [
        "null", "-1", "0", "9223372036854775807", "1e300", "\"\"", "\"\\u0000\"", "\"../../x\"", "\"sha256:..\"", "\"9999-99-99T99:99:99Z\"", "true", "[]", "{}", "[null]", "[\"\"]", "[[]]", "[{}]", "{\"\":null}", "{\"a\":[null]}",
        "\"" + new string('x', 70_000) + "\"",
    ];

    [Theory]
    [InlineData(Manifest)]
    [InlineData(Index)]
    [InlineData(Config)]
    public void Whatever_stands_in_it_is_read_or_refused_and_what_was_read_can_be_written(string honest)
    {
        var places = Places(JsonNode.Parse(honest)!, []).ToList();
        var index = Gen.Int[0, places.Count - 1];
        var value = Gen.Int[0, Strange.Length - 1];
        Gen.Select(index, value, index, value).Sample((place, strange, other, otherStrange) =>
        {
            var changed = JsonNode.Parse(honest)!;
            Put(changed, places[place], Strange[strange]);
            Put(changed, places[other], Strange[otherStrange]);
            var json = JsonSerializer.SerializeToUtf8Bytes(changed);
            Try(() => OciFormat.IsIndex(json, mediaType: null));
            Try(() => OciFormat.ReadManifest(OciFormat.Write(OciFormat.ReadManifest(json))));
            Try(() => OciFormat.ReadConfig(OciFormat.Write(OciFormat.ReadConfig(json))));
            Try(() =>
            {
                var read = OciFormat.ReadIndex(json);
                Assert.All(read.Manifests, one => one.Platform?.Rank(Platform.Host));
                OciFormat.ReadIndex(OciFormat.Write(read));
            });
        }, iter: 4_000);
    }

    private static void Try(Action read)
    {
        try
        {
            read();
        }
        catch (OciException refusal)
        {
            Assert.NotEmpty(refusal.Message);
        }
    }

    private static IEnumerable<IReadOnlyList<object>> Places(JsonNode? node, IReadOnlyList<object> path)
    {
        if (path.Count > 0)
        {
            yield return path;
        }

        IEnumerable<(object Key, JsonNode? Value)> below = node switch
        {
            JsonObject map => map.Select(pair => ((object)pair.Key, pair.Value)),
            JsonArray list => list.Select((item, at) => ((object)at, item)),
            _ => [],
        };
        foreach (var place in below.SelectMany(child => Places(child.Value, [.. path, child.Key])))
        {
            yield return place;
        }
    }

    private static void Put(JsonNode body, IReadOnlyList<object> path, string value)
    {
        JsonNode? holder = body;
        foreach (var step in path.SkipLast(1))
        {
            holder = (holder, step) switch
            {
                (JsonObject map, string name) => map[name],
                (JsonArray list, int at) when at < list.Count => list[at],
                _ => null, // The other change took it away.
            };
        }

        switch (holder, path[^1])
        {
            case (JsonObject map, string name):
                map[name] = JsonNode.Parse(value);
                break;
            case (JsonArray list, int at) when at < list.Count:
                list[at] = JsonNode.Parse(value);
                break;
            default:
                break;
        }
    }
}
