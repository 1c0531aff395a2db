using System.Text;
using CsCheck;

namespace Godwit.Oci.Tests;

public sealed class FormatTests
{
    private const string Hash = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    private static readonly string Manifest = $$"""
        {"schemaVersion":2,"mediaType":"{{MediaTypes.OciManifest}}","config":{"mediaType":"{{MediaTypes.OciConfig}}","digest":"{{Hash}}","size":12},
         "layers":[{"mediaType":"{{MediaTypes.OciLayerGzip}}","digest":"{{Hash}}","size":34}]}
        """;

    [Fact]
    public void Empty_bytes_have_the_known_digest()
    {
        Assert.Equal(Hash, Digest.Of([]).ToString());
        Assert.Equal(("sha256", "e3b0c44298fc"), (Digest.Of([]).Algorithm, Digest.Of([]).Short));
        Assert.True(Digest.Parse(Hash).Matches([]));
        Assert.False(Digest.Parse(Hash).Matches("x"u8));
    }

    [Theory]
    [InlineData("")]
    [InlineData("sha256")]
    [InlineData("sha256:")]
    [InlineData("sha256:E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855")]
    [InlineData("sha256:../../../../../../../../../../../../../../../../../../../../etc/x")]
    [InlineData("sha512:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")]
    [InlineData("md5:d41d8cd98f00b204e9800998ecf8427e")]
    public void What_is_no_digest_is_refused(string text) => Assert.False(Digest.TryParse(text, out _));

    [Fact]
    public void Manifest_is_read()
    {
        var manifest = OciFormat.ReadManifest(Encoding.UTF8.GetBytes(Manifest));
        Assert.Equal((12, 34), (manifest.Config.SizeBytes, manifest.Layers[0].SizeBytes));
        Assert.False(OciFormat.IsIndex(Encoding.UTF8.GetBytes(Manifest), mediaType: null));
        Assert.Equal(manifest.Layers[0], OciFormat.ReadManifest(OciFormat.Write(manifest)).Layers[0]);
    }

    [Fact]
    public void Manifest_that_is_also_an_index_is_refused()
    {
        var both = Manifest.Replace("\"layers\"", "\"manifests\":[],\"layers\"", StringComparison.Ordinal);
        Assert.Contains("ambiguous", Assert.Throws<OciException>(() => OciFormat.IsIndex(Encoding.UTF8.GetBytes(both), MediaTypes.OciIndex)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("\"schemaVersion\":2", "\"schemaVersion\":1")]
    [InlineData("\"size\":34", "\"size\":-34")]
    [InlineData("\"size\":34", "\"size\":1e99")]
    [InlineData("\"layers\":[", "\"layers\":[null,")]
    [InlineData("sha256:e3", "sha256:zz")]
    [InlineData("\"layers\"", "\"lairs\"")]
    [InlineData("\"config\":{", "\"config\":null,\"x\":{")]
    public void Manifest_that_does_not_add_up_is_refused(string part, string other) =>
        Assert.Throws<OciException>(() => OciFormat.ReadManifest(Encoding.UTF8.GetBytes(Manifest.Replace(part, other, StringComparison.Ordinal))));

    [Fact]
    public void Too_many_layers_are_refused()
    {
        var layer = $$"""{"mediaType":"{{MediaTypes.OciLayer}}","digest":"{{Hash}}","size":1}""";
        var many = $$"""{"schemaVersion":2,"config":{{layer}},"layers":[{{string.Join(',', Enumerable.Repeat(layer, ImageManifest.LayersMax + 1))}}]}""";
        Assert.Contains("128 layers", Assert.Throws<OciException>(() => OciFormat.ReadManifest(Encoding.UTF8.GetBytes(many))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Configuration_of_docker_is_read_and_what_is_written_reads_the_same()
    {
        var json = $$$"""
            {"architecture":"amd64","os":"linux","created":"2024-05-01T10:11:12.123456789Z","container":"abc","docker_version":"20.10",
             "config":{"Env":["PATH=/bin"],"Cmd":null,"Entrypoint":["/a"],"ExposedPorts":{"80/tcp":{}},"Labels":{"a":"b"},
             "Healthcheck":{"Test":["CMD","x"],"Interval":5000000000},"OnBuild":["RUN x"],"Shell":["/bin/bash","-c"],"StopSignal":"SIGINT"},
             "rootfs":{"type":"layers","diff_ids":["{{{Hash}}}"]},"history":[{"created_by":"x","empty_layer":true},{"created_by":"y"}]}
            """;
        var config = OciFormat.ReadConfig(Encoding.UTF8.GetBytes(json));
        Assert.Equal(5_000_000_000, config.Config!.Healthcheck!.IntervalNanoseconds);
        Assert.Equal(["80/tcp"], config.Config.ExposedPorts!.Keys);
        Assert.Equal([true, false], config.History!.Select(step => step.EmptyLayer));
        Assert.Equal(2024, config.Created!.Value.Year);
        var written = OciFormat.Write(config);
        Assert.Equal(written, OciFormat.Write(OciFormat.ReadConfig(written)));
    }

    [Fact]
    public void Damaged_JSON_is_an_error_of_its_own_and_never_another()
    {
        var bytes = Encoding.UTF8.GetBytes(Manifest);
        Gen.Select(Gen.Int[0, bytes.Length - 1], Gen.Byte, Gen.Int[0, bytes.Length]).Sample((at, value, length) =>
        {
            var damaged = bytes.ToArray();
            damaged[at] = value;
            foreach (var read in new Action<byte[]>[] { json => OciFormat.ReadManifest(json), json => OciFormat.ReadIndex(json), json => OciFormat.ReadConfig(json), json => OciFormat.IsIndex(json, null) })
            {
                try
                {
                    read(damaged[..length]);
                }
                catch (OciException)
                {
                    // The only way to refuse.
                }
            }
        });
    }

    [Theory]
    [InlineData("linux/amd64", "linux/amd64", true)]
    [InlineData("amd64", "linux/amd64", true)]
    [InlineData("linux/arm64", "linux/arm64/v8", true)]
    [InlineData("linux/arm/v7", "linux/arm/v6", true)]
    [InlineData("linux/arm/v6", "linux/arm/v7", false)]
    [InlineData("linux/aarch64", "linux/arm64", true)]
    [InlineData("linux/amd64", "linux/amd64/v3", false)]
    [InlineData("linux/amd64", "windows/amd64", false)]
    public void Platforms_serve_as_they_should(string wanted, string offered, bool serves) => Assert.Equal(serves, Platform.Parse(wanted).Rank(Platform.Parse(offered)) > 0);

    [Fact]
    public void Best_platform_of_an_index_is_chosen_and_attestations_are_not()
    {
        static Descriptor Of(string platform, char digit) => new() { MediaType = MediaTypes.OciManifest, Digest = Digest.Parse($"sha256:{new string(digit, 64)}"), SizeBytes = 1, Platform = Platform.Parse(platform) };
        var index = new ImageIndex { Manifests = [Of("unknown/unknown", '0'), Of("linux/arm/v5", '1'), Of("linux/arm/v7", '2'), Of("linux/amd64", '3')] };
        Assert.Equal('2', index.Select(Platform.Parse("linux/arm"))!.Digest.Hex[0]);
        Assert.Equal('1', index.Select(Platform.Parse("linux/arm/v6"))!.Digest.Hex[0]);
        Assert.Null(index.Select(Platform.Parse("linux/s390x")));
    }
}
