using System.IO.Compression;
using System.Text;
using Godwit.Oci;
using Godwit.Oci.Distribution;

namespace Godwit.Images.Tests;

/// <summary>Pulls from registries that break off, lie, ask for tokens or are overloaded.</summary>
[Trait("Needs", "root")]
public sealed class PullTests : IAsyncLifetime
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly TemporaryFolder folder = new();
    private readonly FakeRegistry registry = new();
    private readonly byte[] random = new byte[3 << 20]; // Does not compress: its layer is as long.
    private byte[] layer = [];
    private Digest diffId;

    public ValueTask InitializeAsync()
    {
        Needs.Root();
        new Random(42).NextBytes(random);
        using var tar = new MemoryStream();
        var writer = new Tar.TarWriter(tar);
        writer.Add(Sample.File("data"), random);
        writer.End();
        diffId = Digest.Of(tar.ToArray());
        layer = Gzip(tar.ToArray());
        registry.Add("team/app", "v1", (layer, diffId, MediaTypes.OciLayerGzip));
        return ValueTask.CompletedTask;
    }

    public async ValueTask DisposeAsync()
    {
        await registry.DisposeAsync();
        folder.Dispose();
    }

    private string Name => $"{registry.Name}/team/app:v1";

    private string LayerLine => $"GET /v2/team/app/blobs/{Digest.Of(layer)}";

    [Fact]
    public async Task A_connection_that_breaks_is_gone_on_with_where_it_broke()
    {
        var breaks = 3;
        registry.BreakAfter = line => line == LayerLine && Interlocked.Decrement(ref breaks) >= 0 ? 700_000 : null;
        using var store = Open();
        var heard = new Heard();
        var image = await PullAsync(store, heard);
        var ranges = registry.Requests.Where(request => request.Line == LayerLine).Select(request => request.Range).ToList();
        Assert.Equal(4, ranges.Count);
        Assert.Null(ranges[0]);
        Assert.All(ranges.Skip(1), range => Assert.StartsWith("bytes=", range, StringComparison.Ordinal));
        Assert.Equal(3, heard.Count(TransferStage.Retrying));
        await CheckDataAsync(store, image);
    }

    [Fact]
    public async Task A_registry_that_cannot_begin_in_the_middle_is_read_from_the_start_again()
    {
        registry.IgnoresRange = true;
        var breaks = 2;
        registry.BreakAfter = line => line == LayerLine && Interlocked.Decrement(ref breaks) >= 0 ? 1_000_000 : null;
        using var store = Open();
        await CheckDataAsync(store, await PullAsync(store));
    }

    [Fact]
    public async Task What_another_process_had_of_a_layer_when_it_died_is_not_fetched_again()
    {
        using var gone = new CancellationTokenSource();
        using (var first = Open())
        {
            registry.BreakAfter = line => line == LayerLine ? 2_000_000 : null;
            var heard = new Heard { Also = step => _ = step.Stage is TransferStage.Retrying ? gone.CancelAsync() : Task.CompletedTask };
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => first.PullAsync(first.ParseReference(Name), new PullOptions(), heard, gone.Token));
            Assert.Null(first.Find(Name));
        }

        registry.BreakAfter = _ => null;
        registry.Requests.Clear();
        using var store = Open();
        await CheckDataAsync(store, await PullAsync(store));
        var range = Assert.Single(registry.Requests, request => request.Line == LayerLine).Range!;
        Assert.InRange(int.Parse(range["bytes=".Length..^1], System.Globalization.CultureInfo.InvariantCulture), 1, 2_000_000); // A reset drops what was on its way.
    }

    [Fact]
    public async Task Bytes_of_another_digest_are_refused_and_not_kept()
    {
        var other = layer.ToArray();
        other[^20] ^= 1;
        registry.Blobs[Digest.Of(layer).ToString()] = other;
        using var store = Open();
        var refusal = await Assert.ThrowsAsync<ImageException>(() => PullAsync(store));
        Assert.Equal(ImageErrorKind.Corrupt, refusal.Kind);
        Assert.Null(store.Find(Name));

        registry.Blobs[Digest.Of(layer).ToString()] = layer;
        await CheckDataAsync(store, await PullAsync(store));
    }

    [Fact]
    public async Task A_layer_whose_tar_has_another_digest_than_its_image_says_is_refused()
    {
        registry.Add("team/app", "v1", (layer, Digest.Of("other"u8), MediaTypes.OciLayerGzip));
        using var store = Open();
        var refusal = await Assert.ThrowsAsync<ImageException>(() => PullAsync(store));
        Assert.Equal(ImageErrorKind.Corrupt, refusal.Kind);
        Assert.Empty(store.List());
    }

    [Fact]
    public async Task A_manifest_of_another_digest_is_refused()
    {
        var wrong = Digest.Of("something else"u8);
        registry.Manifests[$"team/app/{wrong}"] = registry.Manifests["team/app/v1"];
        using var store = Open();
        var refusal = await Assert.ThrowsAsync<ImageException>(() => store.PullAsync(store.ParseReference($"{registry.Name}/team/app@{wrong}"), new PullOptions(), new Heard(), Sample.Stopping));
        Assert.Equal(ImageErrorKind.Corrupt, refusal.Kind);
    }

    private static Task Hold(TaskCompletionSource asked, TaskCompletionSource go)
    {
        asked.TrySetResult();
        return go.Task;
    }

    [Fact]
    public async Task Pulls_at_the_same_time_share_what_they_both_need()
    {
        var (asked, both) = (new TaskCompletionSource(), new TaskCompletionSource());
        registry.BeforeBody = line => line == LayerLine ? Hold(asked, both) : Task.CompletedTask;
        registry.Manifests["team/app/v2"] = registry.Manifests["team/app/v1"];
        using var store = Open();
        var first = PullAsync(store);
        await asked.Task.WaitAsync(Patience, Sample.Stopping); // It is at the layer, so the second will find it there.
        var heard = new Heard { Also = step => _ = step.Stage is TransferStage.Shared && both.TrySetResult() };
        var second = store.PullAsync(store.ParseReference(Name.Replace(":v1", ":v2", StringComparison.Ordinal)), new PullOptions(), heard, Sample.Stopping);
        Assert.Equal((await first).Id, (await second).Id);
        Assert.Equal(1, registry.CountOf(LayerLine));
        Assert.Equal(2, store.Get(Name).Tags.Count);
    }

    [Fact]
    public async Task One_who_gives_up_does_not_take_the_layer_from_the_other()
    {
        var (asked, go) = (new TaskCompletionSource(), new TaskCompletionSource());
        registry.BeforeBody = line => line == LayerLine ? Hold(asked, go) : Task.CompletedTask;
        using var store = Open();
        using var impatient = new CancellationTokenSource();
        var first = store.PullAsync(store.ParseReference(Name), new PullOptions(), new Heard(), impatient.Token);
        await asked.Task.WaitAsync(Patience, Sample.Stopping);
        var joined = new TaskCompletionSource();
        var second = PullAsync(store, new Heard { Also = step => _ = step.Stage is TransferStage.Shared && joined.TrySetResult() });
        await joined.Task.WaitAsync(Patience, Sample.Stopping);
        await impatient.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => first);
        go.SetResult();
        await CheckDataAsync(store, await second);
        Assert.Equal(1, registry.CountOf(LayerLine));
    }

    [Theory]
    [InlineData(429)]
    [InlineData(500)]
    [InlineData(503)]
    public async Task An_overloaded_registry_is_asked_again(int status)
    {
        var refusals = 2;
        registry.Answer = (line, _) => line.Contains("/manifests/", StringComparison.Ordinal) && Interlocked.Decrement(ref refusals) >= 0 ? (status, "", []) : null;
        using var store = Open();
        await CheckDataAsync(store, await PullAsync(store));
    }

    [Fact]
    public async Task A_token_is_fetched_once_for_a_scope_with_the_users_name_and_sent_from_then_on()
    {
        string? asked = null;
        registry.Answer = (line, authorization) =>
        {
            if (line.StartsWith("GET /token", StringComparison.Ordinal))
            {
                asked = line;
                return authorization == "Basic " + Convert.ToBase64String("me:secret"u8) ? (200, "", "{\"token\":\"abc\",\"expires_in\":300}"u8.ToArray()) : (401, "", []);
            }

            return authorization == "Bearer abc" ? null : (401, $"WWW-Authenticate: Bearer realm=\"http://{registry.Name}/token?x=1\",service=\"reg, istry\",scope=\"repository:team/app:pull\"\r\n", []);
        };
        using var store = Open();
        var without = await Assert.ThrowsAsync<ImageException>(() => PullAsync(store));
        Assert.Equal(ImageErrorKind.Unauthorized, without.Kind);
        Assert.DoesNotContain("secret", Base.ErrorChain.Describe(without), StringComparison.Ordinal);

        registry.Requests.Clear();
        var me = new PullOptions { Credentials = new RegistryCredentials { UserName = "me", Password = "secret" } };
        await store.PullAsync(store.ParseReference(Name), me, new Heard(), Sample.Stopping);
        Assert.Equal(1, registry.CountOf("GET /token"));
        Assert.Equal("GET /token?x=1&service=reg%2C%20istry&scope=repository%3Ateam%2Fapp%3Apull&account=me", asked);
        Assert.Single(registry.Requests, request => request.Line.StartsWith("GET /v2", StringComparison.Ordinal) && request.Authorization is null);
    }

    [Fact]
    public async Task A_mirror_is_asked_first_and_the_registry_when_it_has_nothing()
    {
        await using var mirror = new FakeRegistry();
        var registries = new RegistryOptions { Mirrors = new Dictionary<string, IReadOnlyList<Uri>>(StringComparer.Ordinal) { [registry.Name] = [new Uri($"http://{mirror.Name}")] } };
        mirror.Blobs[Digest.Of(layer).ToString()] = layer;
        using var store = Sample.OpenStore(folder.Sub("store"), registries);
        await CheckDataAsync(store, await PullAsync(store));
        Assert.True(mirror.CountOf("GET /v2/team/app/manifests/v1") > 0);
        Assert.Equal((1, 0), (mirror.CountOf(LayerLine), registry.CountOf(LayerLine)));
    }

    [Fact]
    public async Task The_platforms_own_manifest_is_chosen_from_an_index_and_a_missing_one_is_named()
    {
        var manifest = registry.Manifests["team/app/v1"].Content;
        var here = new Descriptor { MediaType = MediaTypes.OciManifest, Digest = Digest.Of(manifest), SizeBytes = manifest.Length, Platform = Platform.Host };
        var index = OciFormat.Write(new ImageIndex { MediaType = MediaTypes.OciIndex, Manifests = [here with { Platform = Platform.Parse("linux/s390x"), Digest = Digest.Of("x"u8) }, here] });
        var named = registry.AddManifest("team/app", "v1", index, MediaTypes.OciIndex);
        using var store = Open();
        var image = await PullAsync(store);
        Assert.Equal(named, image.RepositoryDigests.Single().Digest);
        await CheckDataAsync(store, image);

        var refusal = await Assert.ThrowsAsync<ImageException>(() => store.PullAsync(store.ParseReference(Name), new PullOptions { Platform = Platform.Parse("linux/riscv64") }, new Heard(), Sample.Stopping));
        Assert.Contains("no matching manifest for linux/riscv64", refusal.Message, StringComparison.Ordinal);
    }

    /// <summary>Schema 2, as docker itself pushed before it wrote OCI's.</summary>
    [Fact]
    public async Task Dockers_own_types_are_pulled_as_OCIs_are_by_their_manifest_and_by_a_list_of_them()
    {
        var plain = Sample.Tar((Sample.File("plain"), "as it is"));
        registry.Add("team/app", "v1", MediaTypes.DockerManifest, MediaTypes.DockerConfig, (layer, diffId, MediaTypes.DockerLayerGzip), (plain, Digest.Of(plain), MediaTypes.DockerLayer));
        var (manifest, type) = registry.Manifests["team/app/v1"];
        Assert.Equal("application/vnd.docker.distribution.manifest.v2+json", type);
        using (var store = Open())
        {
            var image = await PullAsync(store);
            Assert.Equal(Digest.Of(manifest), image.RepositoryDigests.Single().Digest);
            await CheckDataAsync(store, image);
            var root = await store.Layers.PrepareAsync(image, "c1", sizeLimitBytes: null, Sample.Stopping);
            Assert.Equal("as it is", await File.ReadAllTextAsync(Path.Combine(root.RootPath, "plain"), Sample.Stopping));
            root.Remove();
        }

        var here = new Descriptor { MediaType = MediaTypes.DockerManifest, Digest = Digest.Of(manifest), SizeBytes = manifest.Length, Platform = Platform.Host };
        var list = OciFormat.Write(new ImageIndex { MediaType = MediaTypes.DockerIndex, Manifests = [here with { Platform = Platform.Parse("linux/s390x"), Digest = Digest.Of("x"u8) }, here] });
        var named = registry.AddManifest("team/app", "v1", list, MediaTypes.DockerIndex);
        using var other = Sample.OpenStore(folder.Sub("other"));
        var listed = await PullAsync(other);
        Assert.Equal(named, listed.RepositoryDigests.Single().Digest);
        await CheckDataAsync(other, listed);
    }

    [Fact]
    public async Task Zstd_and_plain_layers_are_unpacked_too()
    {
        var tar = Sample.Tar((Sample.File("z"), "from zstd"));
        using var compressor = new ZstdSharp.Compressor();
        var plain = Sample.Tar((Sample.File("p"), "plain"));
        registry.Add("team/app", "v1", (compressor.Wrap(tar).ToArray(), Digest.Of(tar), MediaTypes.OciLayerZstd), (plain, Digest.Of(plain), MediaTypes.OciLayer));
        using var store = Open();
        var root = await store.Layers.PrepareAsync(await PullAsync(store), "c1", sizeLimitBytes: null, Sample.Stopping);
        Assert.Equal("from zstd", await File.ReadAllTextAsync(Path.Combine(root.RootPath, "z"), Sample.Stopping));
        Assert.Equal("plain", await File.ReadAllTextAsync(Path.Combine(root.RootPath, "p"), Sample.Stopping));
        root.Remove();
    }

    [Fact]
    public async Task A_bomb_in_a_layer_stops_the_download_and_leaves_nothing()
    {
        registry.BeforeBody = _ => Task.CompletedTask;
        using var store = ImageStore.Open(new ImageStoreOptions { Folder = folder.Sub("store"), Limits = new Tar.UnpackLimits { TotalBytesMax = 1 << 20 } }, TimeProvider.System, Microsoft.Extensions.Logging.Abstractions.NullLogger<ImageStore>.Instance);
        var refusal = await Assert.ThrowsAsync<ImageException>(() => PullAsync(store));
        Assert.Equal(ImageErrorKind.Corrupt, refusal.Kind);
        Assert.Contains("more than 1048576 bytes", Base.ErrorChain.Describe(refusal), StringComparison.Ordinal);
        Assert.Empty(Directory.GetFileSystemEntries(Path.Combine(folder.Path, "store/staging")));
        Assert.Empty(Directory.GetFileSystemEntries(Path.Combine(folder.Path, "store/layers")));
    }

    /// <summary>The layer is 3 MiB on its way and 3 MiB unpacked: no room for it, for the one only, and for hardly more.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(4)]
    [InlineData(5)]
    public async Task A_disk_that_is_full_is_told_in_words_gets_its_room_back_and_takes_the_image_when_there_is_room(int roomMebibytes)
    {
        await Disk.MountAsync(folder.Sub("store"), 16 << 20);
        var filler = Path.Combine(folder.Path, "store/filler");
        using var store = Open();
        await File.WriteAllBytesAsync(filler, new byte[(16 - roomMebibytes) << 20], Sample.Stopping);
        var refusal = await Assert.ThrowsAsync<ImageException>(() => PullAsync(store));
        var words = Base.ErrorChain.Describe(refusal);
        Assert.Equal(ImageErrorKind.Host, refusal.Kind);
        Assert.Contains(Name, words, StringComparison.Ordinal);
        Assert.Contains("make room", words, StringComparison.Ordinal);
        Assert.Contains("No space left on device", words, StringComparison.Ordinal);
        Assert.Empty(store.List());
        foreach (var place in new[] { "partial", "blobs", "staging", "layers" })
        {
            Assert.Empty(Directory.GetFileSystemEntries(Path.Combine(folder.Path, "store", place)));
        }

        File.Delete(filler);
        await CheckDataAsync(store, await PullAsync(store));
    }

    private static byte[] Gzip(byte[] bytes)
    {
        using var compressed = new MemoryStream();
        using (var gzip = new GZipStream(compressed, CompressionLevel.Fastest))
        {
            gzip.Write(bytes);
        }

        return compressed.ToArray();
    }

    private ImageStore Open() => Sample.OpenStore(folder.Sub("store"));

    private Task<StoredImage> PullAsync(ImageStore store, Heard? heard = null) => store.PullAsync(store.ParseReference(Name), new PullOptions(), heard ?? new Heard(), Sample.Stopping);

    private async Task CheckDataAsync(ImageStore store, StoredImage image)
    {
        var root = await store.Layers.PrepareAsync(image, "check", sizeLimitBytes: null, Sample.Stopping);
        Assert.Equal(random, await File.ReadAllBytesAsync(Path.Combine(root.RootPath, "data"), Sample.Stopping));
        root.Remove();
    }
}
