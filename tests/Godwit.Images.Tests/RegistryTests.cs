using Godwit.Images.Layers;

namespace Godwit.Images.Tests;

/// <summary>Push and pull with a registry that others wrote.</summary>
[Trait("Needs", "registry")]
public sealed class RegistryTests(RealRegistry registry) : IClassFixture<RealRegistry>, IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public async Task What_was_pushed_is_pulled_the_same_and_its_root_can_be_mounted_and_written()
    {
        RequireRegistry();
        var name = $"{registry.Name}/team/app:v1";
        Oci.Digest id, manifest;
        using (var maker = Sample.OpenStore(folder.Sub("maker")))
        {
            id = (await ImportAsync(maker, name)).Id;
            manifest = (await maker.PushAsync(maker.ParseReference(name), new(), new Heard(), Sample.Stopping)).Manifest.Digest;
        }

        using var store = Sample.OpenStore(folder.Sub("taker"));
        var heard = new Heard();
        var pulled = await store.PullAsync(store.ParseReference(name), new PullOptions(), heard, Sample.Stopping);
        Assert.Equal((id, name, manifest), (pulled.Id, pulled.Tags[0].ToString(), pulled.RepositoryDigests[0].Digest!.Value));
        Assert.Equal(["/bin/true"], pulled.Config.Config!.Cmd!);
        Assert.True(heard.Count(TransferStage.Downloading) > 0);

        var root = await store.Layers.PrepareAsync(pulled, "c1", sizeLimitBytes: null, Sample.Stopping);
        Assert.Equal("hello", await File.ReadAllTextAsync(Path.Combine(root.RootPath, "etc/greeting"), Sample.Stopping));
        await File.WriteAllTextAsync(Path.Combine(root.RootPath, "etc/greeting"), "changed", Sample.Stopping);
        File.Delete(Path.Combine(root.RootPath, "bin/tool"));
        Directory.CreateDirectory(Path.Combine(root.RootPath, "new"));
        Assert.Equal(
            [new("/bin", ChangeKind.Modified), new("/bin/tool", ChangeKind.Deleted), new("/etc", ChangeKind.Modified), new("/etc/greeting", ChangeKind.Modified), new("/new", ChangeKind.Added)],
            root.Changes());
        root.Remove();
        Assert.False(Directory.Exists(root.RootPath));
    }

    [Fact]
    public async Task What_another_repository_of_the_registry_has_is_mounted_from_there_and_not_sent()
    {
        RequireRegistry();
        using var store = Sample.OpenStore(folder.Sub("maker"));
        var image = await ImportAsync(store, $"{registry.Name}/one/app:v1");
        var first = new Heard();
        await store.PushAsync(store.ParseReference($"{registry.Name}/one/app:v1"), new(), first, Sample.Stopping);
        Assert.True(first.Count(TransferStage.Uploaded) > 0);
        var other = store.ParseReference($"{registry.Name}/two/app:v1");
        store.Tag(image.Id, other);
        var second = new Heard();
        await store.PushAsync(other, new(), second, Sample.Stopping);
        Assert.True(second.Count(TransferStage.Mounted) > 0, "nothing was mounted");
        using var taker = Sample.OpenStore(folder.Sub("taker"));
        Assert.Equal(image.Id, (await taker.PullAsync(other, new PullOptions(), new Heard(), Sample.Stopping)).Id);
    }

    /// <summary>What a docker of its time wrote, byte for byte, members that nobody reads among them.</summary>
    [Fact]
    public async Task What_docker_pushed_in_its_own_types_goes_on_as_it_was_and_what_is_built_on_it_is_OCIs()
    {
        RequireRegistry();
        var tar = Sample.Tar((Sample.File("greeting"), "from docker"));
        using var compressed = new MemoryStream();
        using (var gzip = new System.IO.Compression.GZipStream(compressed, System.IO.Compression.CompressionLevel.Fastest, leaveOpen: true))
        {
            gzip.Write(tar);
        }

        var layer = compressed.ToArray();
        var config = Sample.Bytes($$$"""{"architecture":"{{{Oci.Platform.Host.Architecture}}}","config":{"Hostname":"","Env":["PATH=/bin"],"Cmd":["/bin/true"],"ArgsEscaped":true,"Image":"sha256:{{{new string('a', 64)}}}","Volumes":null,"OnBuild":null,"Labels":null},"container":"{{{new string('b', 64)}}}","container_config":{"Cmd":["/bin/sh","-c","#(nop) "]},"created":"2020-01-02T03:04:05.678901234Z","docker_version":"19.03.8","history":[{"created":"2020-01-02T03:04:05.678901234Z","created_by":"/bin/sh -c #(nop) COPY file in / "}],"os":"linux","rootfs":{"type":"layers","diff_ids":["{{{Oci.Digest.Of(tar)}}}"]}}""");
        var manifest = Sample.Bytes($$"""
            {
               "schemaVersion": 2,
               "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
               "config": {"mediaType": "application/vnd.docker.container.image.v1+json", "size": {{config.Length}}, "digest": "{{Oci.Digest.Of(config)}}"},
               "layers": [{"mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip", "size": {{layer.Length}}, "digest": "{{Oci.Digest.Of(layer)}}"}]
            }
            """);
        using var http = new HttpClient { BaseAddress = new Uri($"http://{registry.Name}/v2/") };
        await PutBlobAsync(http, "old/app", config);
        await PutBlobAsync(http, "old/app", layer);
        using (var content = new ByteArrayContent(manifest) { Headers = { { "Content-Type", Oci.MediaTypes.DockerManifest } } })
        {
            (await http.PutAsync(new Uri("old/app/manifests/v1", UriKind.Relative), content, Sample.Stopping)).EnsureSuccessStatusCode();
        }

        using var store = Sample.OpenStore(folder.Sub("store"));
        var image = await store.PullAsync(store.ParseReference($"{registry.Name}/old/app:v1"), new PullOptions(), new Heard(), Sample.Stopping);
        Assert.Equal((Oci.Digest.Of(config), Oci.Digest.Of(manifest)), (image.Id, image.RepositoryDigests.Single().Digest!.Value));
        store.Tag(image.Id, store.ParseReference($"{registry.Name}/on/app:v1"));
        await store.PushAsync(store.ParseReference($"{registry.Name}/on/app:v1"), new(), new Heard(), Sample.Stopping);
        Assert.Equal(manifest, await GetManifestAsync(http, "on/app", Oci.MediaTypes.DockerManifest));

        var root = await store.Layers.PrepareAsync(image, "c1", sizeLimitBytes: null, Sample.Stopping);
        Assert.Equal("from docker", await File.ReadAllTextAsync(Path.Combine(root.RootPath, "greeting"), Sample.Stopping));
        await File.WriteAllTextAsync(Path.Combine(root.RootPath, "more"), "built on it", Sample.Stopping);
        var added = (await root.CommitAsync(Sample.Stopping))!;
        root.Remove();
        var child = await store.CreateAsync(Sample.Step($"{registry.Name}/on/child:v1") with { Parent = image, Layer = added.DiffId }, Sample.Stopping);
        await store.PushAsync(store.ParseReference($"{registry.Name}/on/child:v1"), new(), new Heard(), Sample.Stopping);
        var pushed = Oci.OciFormat.ReadManifest(await GetManifestAsync(http, "on/child", Oci.MediaTypes.OciManifest));
        Assert.Equal((Oci.MediaTypes.OciManifest, Oci.MediaTypes.OciConfig), (pushed.MediaType, pushed.Config.MediaType));
        Assert.Equal([Oci.MediaTypes.OciLayerGzip, Oci.MediaTypes.OciLayerGzip], pushed.Layers.Select(each => each.MediaType));
        Assert.Equal(Oci.Digest.Of(layer), pushed.Layers[0].Digest);

        using var taker = Sample.OpenStore(folder.Sub("taker"));
        Assert.Equal(child.Id, (await taker.PullAsync(taker.ParseReference($"{registry.Name}/on/child:v1"), new PullOptions(), new Heard(), Sample.Stopping)).Id);
    }

    private static async Task PutBlobAsync(HttpClient http, string repository, byte[] blob)
    {
        using var begun = await http.PostAsync(new Uri($"{repository}/blobs/uploads/", UriKind.Relative), content: null, Sample.Stopping);
        var place = new UriBuilder(new Uri(http.BaseAddress!, begun.EnsureSuccessStatusCode().Headers.Location!));
        place.Query += $"{(place.Query.Length > 0 ? "&" : "")}digest={Uri.EscapeDataString(Oci.Digest.Of(blob).ToString())}";
        using var content = new ByteArrayContent(blob) { Headers = { { "Content-Type", "application/octet-stream" } } };
        (await http.PutAsync(place.Uri, content, Sample.Stopping)).EnsureSuccessStatusCode();
    }

    private static async Task<byte[]> GetManifestAsync(HttpClient http, string repository, string type)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri($"{repository}/manifests/v1", UriKind.Relative)) { Headers = { { "Accept", type } } };
        using var answer = await http.SendAsync(request, Sample.Stopping);
        Assert.Equal(type, answer.EnsureSuccessStatusCode().Content.Headers.ContentType?.MediaType);
        return await answer.Content.ReadAsByteArrayAsync(Sample.Stopping);
    }

    /// <summary>More than the kernel keeps of a connection between the two, several times over.</summary>
    [Fact]
    public async Task Killed_in_the_middle_of_a_pull_it_is_gone_on_with_where_it_broke_at_once_or_by_the_next_pull()
    {
        const int step = 1 << 20;
        RequireRegistry();
        await using var mortal = new RealRegistry();
        await mortal.InitializeAsync();
        var name = $"{mortal.Name}/team/large:v1";
        var contents = new byte[40 * step]; // Does not compress.
        new Random(7).NextBytes(contents);
        using (var maker = Sample.OpenStore(folder.Sub("maker")))
        {
            await maker.ImportAsync(new MemoryStream(Sample.Tar(Sample.File("data"), contents)), Sample.Step(name), new Heard(), Sample.Stopping);
            await maker.PushAsync(maker.ParseReference(name), new(), new Heard(), Sample.Stopping);
        }

        using var store = Sample.OpenStore(folder.Sub("taker"), time: new HastyTime());
        var first = KillAfter(mortal, step, comesBack: false);
        var refusal = await Assert.ThrowsAsync<ImageException>(() => store.PullAsync(store.ParseReference(name), new PullOptions(), first, Sample.Stopping));
        Assert.Equal(ImageErrorKind.Unavailable, refusal.Kind);
        Assert.Contains("try again later, it goes on from there", Base.ErrorChain.Describe(refusal), StringComparison.Ordinal);
        Assert.Empty(store.List());

        await mortal.StartAsync();
        var had = Came(first).Max();
        var second = KillAfter(mortal, had + (2 * step), comesBack: true);
        var image = await store.PullAsync(store.ParseReference(name), new PullOptions(), second, Sample.Stopping);
        Assert.True(second.Count(TransferStage.Retrying) > 0, "the second pull was not broken");
        Assert.True(Came(second)[0] > had, "the second pull began again");
        Assert.Equal(Came(second).Order(), Came(second)); // So did no attempt of it.
        var root = await store.Layers.PrepareAsync(image, "check", sizeLimitBytes: null, Sample.Stopping);
        Assert.Equal(contents, await File.ReadAllBytesAsync(Path.Combine(root.RootPath, "data"), Sample.Stopping));
        root.Remove();
    }

    /// <summary>What there was of the layer, each time that something came.</summary>
    private static List<long> Came(Heard heard) => [.. heard.All.Where(step => step.Stage is TransferStage.Downloading).Select(step => step.CurrentBytes)];

    /// <summary>Kills the registry when so much of the layer is here, and starts it again before the first attempt after that.</summary>
    private static Heard KillAfter(RealRegistry registry, long bytes, bool comesBack)
    {
        var killed = false;
        return new Heard
        {
            Also = step =>
            {
                if (!killed && step.Stage is TransferStage.Downloading && step.CurrentBytes >= bytes)
                {
                    killed = true;
                    registry.Kill();
                }
                else if (killed && comesBack && step.Stage is TransferStage.Retrying)
                {
                    comesBack = false;
                    registry.StartAsync().Wait(Sample.Stopping); // The download that tells us waits.
                }
            },
        };
    }

    private static Task<StoredImage> ImportAsync(ImageStore store, string name) => store.ImportAsync(
        new MemoryStream(Sample.Tar((Sample.Folder("bin/"), ""), (Sample.File("bin/tool", 0x1ed), "#!tool"), (Sample.Folder("etc/"), ""), (Sample.File("etc/greeting"), "hello"), (Sample.Link("lib", "usr/lib"), ""))),
        Sample.Step(name), new Heard(), Sample.Stopping);

    private static void RequireRegistry()
    {
        Needs.Root();
        Needs.Program("docker-registry");
    }
}

/// <summary>A registry that wants a name and a password.</summary>
[Trait("Needs", "registry")]
public sealed class LockedRegistryTests(LockedRegistry registry) : IClassFixture<LockedRegistry>, IDisposable
{
    private static readonly Oci.Distribution.RegistryCredentials Right = new() { UserName = LockedRegistry.UserName, Password = LockedRegistry.Password };

    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public async Task With_the_right_password_images_go_there_and_back_and_with_another_nothing_does()
    {
        Needs.Root();
        Needs.Program("docker-registry");
        using var store = Sample.OpenStore(folder.Sub("maker"));
        var name = store.ParseReference($"{registry.Name}/team/app:v1");
        var image = await store.ImportAsync(new MemoryStream(Sample.Tar((Sample.File("tool", 0x1ed), "#!tool"))), Sample.Step(name.ToString()), new Heard(), Sample.Stopping);
        await store.CheckCredentialsAsync(registry.Name, Right, Sample.Stopping);
        await store.PushAsync(name, Right, new Heard(), Sample.Stopping);
        foreach (var wrong in new[] { new Oci.Distribution.RegistryCredentials(), Right with { Password = "guess" } })
        {
            Assert.Equal(ImageErrorKind.Unauthorized, (await Assert.ThrowsAsync<ImageException>(() => store.PushAsync(name, wrong, new Heard(), Sample.Stopping))).Kind);
            var refusal = await Assert.ThrowsAsync<ImageException>(() => store.PullAsync(name, new PullOptions { Credentials = wrong }, new Heard(), Sample.Stopping));
            Assert.Equal(ImageErrorKind.Unauthorized, refusal.Kind);
            Assert.DoesNotContain("guess", refusal.ToString(), StringComparison.Ordinal);
        }

        Assert.Equal(ImageErrorKind.Unauthorized, (await Assert.ThrowsAsync<ImageException>(() => store.CheckCredentialsAsync(registry.Name, Right with { Password = "guess" }, Sample.Stopping))).Kind);
        using var taker = Sample.OpenStore(folder.Sub("taker"));
        Assert.Equal(image.Id, (await taker.PullAsync(name, new PullOptions { Credentials = Right }, new Heard(), Sample.Stopping)).Id);
    }
}

/// <summary>A registry that sends its users to a token server.</summary>
[Trait("Needs", "registry")]
public sealed class TokenRegistryTests(TokenRegistry registry) : IClassFixture<TokenRegistry>, IDisposable
{
    private static readonly Oci.Distribution.RegistryCredentials Right = new() { UserName = TokenRegistry.UserName, Password = TokenRegistry.Password };

    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public async Task Tokens_are_fetched_for_what_is_done_and_a_name_without_rights_gets_nothing()
    {
        Needs.Root();
        Needs.Program("docker-registry");
        using var store = Sample.OpenStore(folder.Sub("maker"));
        var name = store.ParseReference($"{registry.Name}/team/app:v1");
        var image = await store.ImportAsync(new MemoryStream(Sample.Tar((Sample.File("tool", 0x1ed), "#!tool"))), Sample.Step(name.ToString()), new Heard(), Sample.Stopping);
        await store.CheckCredentialsAsync(registry.Name, Right, Sample.Stopping);
        await store.PushAsync(name, Right, new Heard(), Sample.Stopping);
        Assert.Contains(registry.Asked, scope => scope.Contains("repository:team/app:", StringComparison.Ordinal) && scope.Contains("push", StringComparison.Ordinal));
        foreach (var wrong in new[] { new Oci.Distribution.RegistryCredentials(), Right with { Password = "guess" } })
        {
            var refusal = await Assert.ThrowsAsync<ImageException>(() => store.PullAsync(name, new PullOptions { Credentials = wrong }, new Heard(), Sample.Stopping));
            Assert.Equal(ImageErrorKind.Unauthorized, refusal.Kind);
            Assert.DoesNotContain("guess", refusal.ToString(), StringComparison.Ordinal);
        }

        using var taker = Sample.OpenStore(folder.Sub("taker"));
        Assert.Equal(image.Id, (await taker.PullAsync(name, new PullOptions { Credentials = Right }, new Heard(), Sample.Stopping)).Id);
    }
}
