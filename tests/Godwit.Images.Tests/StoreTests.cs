using System.Text;
using Godwit.Images.Layers;
using Godwit.Oci;

namespace Godwit.Images.Tests;

/// <summary>Images without a registry: names, archives, removal, roots, restarts.</summary>
[Trait("Needs", "root")]
public sealed class StoreTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public StoreTests() => Needs.Root();

    public void Dispose() => folder.Dispose();

    [Fact]
    public async Task Saved_images_load_elsewhere_with_names_and_layers_and_unnamed_ones_by_id()
    {
        var archive = Path.Combine(folder.Path, "saved.tar");
        Digest first, second;
        using (var store = Sample.OpenStore(folder.Sub("a")))
        {
            first = (await ImportAsync(store, "one:x", "1")).Id;
            second = (await ImportAsync(store, "two:y", "2")).Id;
            await using var output = File.Create(archive);
            await store.SaveAsync(["one:x", second.ToString()], output, Sample.Stopping);
        }

        using var other = Sample.OpenStore(folder.Sub("b"));
        await using (var input = File.OpenRead(archive))
        {
            var loaded = await other.LoadAsync(input, new Heard(), Sample.Stopping);
            Assert.Equal([first, second], loaded.Select(image => image.Id));
        }

        Assert.Equal(["one:x"], other.Get(first.ToString()).Tags.Select(tag => tag.ToString()));
        Assert.Empty(other.Get(second.Hex[..12]).Tags);
        await CheckFileAsync(other, other.Get("one:x"), "1");
    }

    /// <summary>What is told of a load is the archive's: the image may have other names here, and what has no name there is told by its id.</summary>
    [Theory]
    [InlineData("manifest.json")]
    [InlineData("index.json")]
    public async Task What_is_loaded_is_told_by_the_archives_names_alone(string without)
    {
        using var store = Sample.OpenStore(folder.Sub("a"));
        var (named, unnamed) = ((await ImportAsync(store, "one:x", "1")).Id, (await ImportAsync(store, "two:y", "2")).Id);
        store.Tag(named, store.ParseReference("other"));
        using var archive = new MemoryStream();
        await store.SaveAsync(["one:x", unnamed.ToString()], archive, Sample.Stopping);

        var loaded = await store.LoadAsync(new MemoryStream(Without(archive.ToArray(), without)), new Heard(), Sample.Stopping);
        Assert.Equal([(named, "one:x"), (unnamed, "")], loaded.Select(image => (image.Id, string.Join(' ', image.Tags))));
        Assert.Equal(["one:x", "other:latest"], store.Get(named.ToString()).Tags.Select(tag => tag.ToString()).Order(StringComparer.Ordinal));
        Assert.Equal(["two:y"], store.Get(unnamed.ToString()).Tags.Select(tag => tag.ToString()));
    }

    /// <summary>The same archive for readers of the one form and of the other: each finds all that the other would.</summary>
    [Theory]
    [InlineData("manifest.json")]
    [InlineData("index.json")]
    public async Task What_is_saved_is_a_dockers_archive_and_an_OCI_layout_and_either_is_loaded_alone(string without)
    {
        using var archive = new MemoryStream();
        Digest first, second;
        using (var store = Sample.OpenStore(folder.Sub("a")))
        {
            first = (await ImportAsync(store, "registry.test:5000/one:x", "1")).Id;
            second = (await ImportAsync(store, "two:y", "2")).Id;
            store.Tag(first, store.ParseReference("other"));
            await store.SaveAsync(["registry.test:5000/one:x", "other", second.ToString()], archive, Sample.Stopping);
        }

        using var elsewhere = Sample.OpenStore(folder.Sub("b"));
        var loaded = await elsewhere.LoadAsync(new MemoryStream(Without(archive.ToArray(), without)), new Heard(), Sample.Stopping);
        Assert.Equal([first, second], loaded.Select(image => image.Id).Distinct());
        Assert.Equal(["other:latest", "registry.test:5000/one:x"], elsewhere.Get(first.ToString()).Tags.Select(tag => tag.ToString()).Order(StringComparer.Ordinal));
        Assert.Empty(elsewhere.Get(second.ToString()).Tags);
        await CheckFileAsync(elsewhere, elsewhere.Get("other"), "1");
        await CheckFileAsync(elsewhere, elsewhere.Get(second.ToString()), "2");
    }

    /// <summary>As other tools write layouts: an index of platforms inside, Docker's types, and a bare tag for a name.</summary>
    [Fact]
    public async Task Layouts_of_others_are_loaded_by_the_platforms_own_image_and_a_bare_tag_is_no_name()
    {
        var tar = Sample.Tar((Sample.File("file"), "theirs"));
        var config = OciFormat.Write(new ImageConfig { Architecture = Platform.Host.Architecture, OperatingSystem = "linux", RootFileSystem = new() { DiffIds = [Digest.Of(tar)] } });
        Descriptor Of(byte[] blob, string type) => new() { MediaType = type, Digest = Digest.Of(blob), SizeBytes = blob.Length };
        var manifest = OciFormat.Write(new ImageManifest { MediaType = MediaTypes.DockerManifest, Config = Of(config, MediaTypes.DockerConfig), Layers = [Of(tar, MediaTypes.DockerLayer)] });
        var platforms = OciFormat.Write(new ImageIndex { MediaType = MediaTypes.DockerIndex, Manifests = [Of([1], MediaTypes.DockerManifest) with { Platform = Platform.Parse("linux/s390x") }, Of(manifest, MediaTypes.DockerManifest) with { Platform = Platform.Host }] });
        var tag = new Dictionary<string, string>(StringComparer.Ordinal) { [Annotations.ReferenceName] = "v1" };
        var index = OciFormat.Write(new ImageIndex { MediaType = MediaTypes.OciIndex, Manifests = [Of(platforms, MediaTypes.DockerIndex) with { Annotations = tag }] });
        using var bytes = new MemoryStream();
        var writer = new Tar.TarWriter(bytes);
        writer.Add(Sample.File("index.json"), index); // Before what it names.
        foreach (var blob in new[] { tar, config, manifest, platforms })
        {
            writer.Add(Sample.File($"blobs/sha256/{Digest.Of(blob).Hex}"), blob);
        }

        writer.End();
        using var store = Sample.OpenStore(folder.Sub("a"));
        var image = Assert.Single(await store.LoadAsync(new MemoryStream(bytes.ToArray()), new Heard(), Sample.Stopping));
        Assert.Equal(Digest.Of(config), image.Id);
        Assert.Empty(image.Tags);
        await CheckFileAsync(store, image, "theirs");
    }

    [Theory]
    [InlineData("""{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","size":2}]}""")]
    [InlineData("""{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2}]}""")]
    [InlineData("""{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.index.v1+json","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2}]}""")]
    [InlineData("""{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:../../../../etc/passwd","size":2}]}""")]
    [InlineData("""{"schemaVersion":2,"manifests":[]}""")]
    [InlineData("""{"schemaVersion":1,"manifests":[]}""")]
    [InlineData("""{"schemaVersion":2,"manifests":[null]}""")]
    [InlineData("""[]""")]
    [InlineData("""nothing""")]
    public async Task Layouts_that_do_not_add_up_are_refused_and_leave_nothing(string index)
    {
        using var store = Sample.OpenStore(folder.Sub("a"));
        var archive = Sample.Tar((Sample.File($"blobs/sha256/{Digest.Of("{}"u8).Hex}"), "{}"), (Sample.File("index.json"), index));
        var refusal = await Assert.ThrowsAsync<ImageException>(() => store.LoadAsync(new MemoryStream(archive), new Heard(), Sample.Stopping));
        Assert.True(refusal.Kind is ImageErrorKind.Corrupt or ImageErrorKind.Invalid, $"{refusal.Kind}");
        store.Prune(new PruneFilter());
        Assert.Empty(Directory.GetFileSystemEntries(Path.Combine(folder.Path, "a/blobs")));
    }

    /// <summary>The archive without one of its files, written by another's tar.</summary>
    private static byte[] Without(byte[] archive, string name)
    {
        using var bytes = new MemoryStream();
        using (var writer = new System.Formats.Tar.TarWriter(bytes, leaveOpen: true))
        {
            using var reader = new System.Formats.Tar.TarReader(new MemoryStream(archive));
            var left = 0;
            while (reader.GetNextEntry(copyData: true) is { } entry)
            {
                if (entry.Name == name)
                {
                    left++;
                    continue;
                }

                writer.WriteEntry(entry);
            }

            Assert.Equal(1, left);
        }

        return bytes.ToArray();
    }

    [Fact]
    public async Task Archives_of_old_dockers_with_links_between_layers_are_loaded()
    {
        var tar = Encoding.Latin1.GetString(Sample.Tar((Sample.File("file"), "old")));
        var config = Encoding.UTF8.GetString(OciFormat.Write(new ImageConfig { Architecture = "amd64", OperatingSystem = "linux", RootFileSystem = new() { DiffIds = [Digest.Of(Encoding.Latin1.GetBytes(tar))] } }));
        using var bytes = new MemoryStream();
        var writer = new Tar.TarWriter(bytes);
        writer.Add(Sample.File("abc/layer.tar"), Encoding.Latin1.GetBytes(tar));
        writer.Add(Sample.Link("def/layer.tar", "../abc/layer.tar"));
        writer.Add(Sample.File("config.json"), Encoding.UTF8.GetBytes(config));
        writer.Add(Sample.File("manifest.json"), """[{"Config":"config.json","RepoTags":["old:1","old:2"],"Layers":["def/layer.tar"]}]"""u8);
        writer.End();

        using var store = Sample.OpenStore(folder.Sub("a"));
        var image = Assert.Single(await store.LoadAsync(new MemoryStream(bytes.ToArray()), new Heard(), Sample.Stopping));
        Assert.Equal(["old:1", "old:2"], image.Tags.Select(tag => tag.ToString()));
        await CheckFileAsync(store, image, "old");
    }

    [Theory]
    [InlineData("""[{"Config":"../../etc/passwd","Layers":[]}]""")]
    [InlineData("""[{"Config":"c","Layers":["missing"]}]""")]
    [InlineData("""[null]""")]
    [InlineData("""{"a":1}""")]
    public async Task Archives_that_do_not_add_up_are_refused_and_leave_nothing(string manifest)
    {
        using var store = Sample.OpenStore(folder.Sub("a"));
        var refusal = await Assert.ThrowsAsync<ImageException>(() => store.LoadAsync(new MemoryStream(Sample.Tar((Sample.File("c"), "{}"), (Sample.File("manifest.json"), manifest))), new Heard(), Sample.Stopping));
        Assert.Equal(ImageErrorKind.Corrupt, refusal.Kind);
        store.Prune(new PruneFilter());
        Assert.Empty(Directory.GetFileSystemEntries(Path.Combine(folder.Path, "a/blobs")));
    }

    [Fact]
    public async Task A_name_belongs_to_one_image_and_the_last_name_takes_the_image_along()
    {
        using var store = Sample.OpenStore(folder.Sub("a"));
        var first = await ImportAsync(store, "app", "1");
        store.Tag(first.Id, store.ParseReference("team/other:2"));
        var second = await ImportAsync(store, "app", "2");
        Assert.Equal(["team/other:2"], store.Get(first.Id.ToString()).Tags.Select(tag => tag.ToString()));
        Assert.Equal(second.Id, store.Get("app").Id);

        var report = store.Remove("team/other:2", force: false, keepParents: false, _ => false);
        Assert.Equal([new ImageRemoval.Untagged(store.ParseReference("team/other:2")), new ImageRemoval.Deleted(first.Id)], report.Steps);
        Assert.True(report.ReclaimedBytes > 0);
        Assert.Null(store.Find(first.Id.ToString()));
        await CheckFileAsync(store, second, "2");
    }

    [Fact]
    public async Task What_a_container_uses_is_kept_even_when_its_image_is_removed_by_force()
    {
        using var store = Sample.OpenStore(folder.Sub("a"));
        var image = await ImportAsync(store, "app", "1");
        var root = await store.Layers.PrepareAsync(image, "c1", sizeLimitBytes: null, Sample.Stopping);
        Assert.Equal(ImageErrorKind.Conflict, Assert.Throws<ImageException>(() => store.Remove("app", force: false, keepParents: false, _ => false)).Kind);
        Assert.Equal(ImageErrorKind.Conflict, Assert.Throws<ImageException>(() => store.Remove(image.Id.ToString(), force: true, keepParents: false, _ => true)).Kind);

        store.Remove("app", force: true, keepParents: false, _ => false);
        Assert.Empty(store.List());
        root.Unmount();
        root.Mount();
        Assert.Equal("1", await File.ReadAllTextAsync(Path.Combine(root.RootPath, "file"), Sample.Stopping));
        root.Remove();
        store.Prune(new PruneFilter());
        Assert.Empty(Directory.GetFileSystemEntries(Path.Combine(folder.Path, "a/layers")));
    }

    [Fact]
    public async Task After_a_restart_images_and_roots_are_there_and_rubbish_is_gone()
    {
        var place = folder.Sub("a");
        using (var store = Sample.OpenStore(place))
        {
            var image = await ImportAsync(store, "app", "1");
            var root = await store.Layers.PrepareAsync(image, "c1", sizeLimitBytes: null, Sample.Stopping);
            await File.WriteAllTextAsync(Path.Combine(root.RootPath, "mine"), "written", Sample.Stopping);
            Directory.CreateDirectory(Path.Combine(place, "containers/halfmade/root")); // As if we had died while making it.
            Directory.CreateDirectory(Path.Combine(place, "staging/x/fs"));
            await File.WriteAllTextAsync(Path.Combine(place, "blobs", $"sha256-{new string('a', 64)}"), "nobody's", Sample.Stopping);
        }

        using var again = Sample.OpenStore(place);
        Assert.Equal("app:latest", Assert.Single(again.List()).DisplayName);
        var found = Assert.Single(again.Layers.List());
        Assert.True(found.IsMounted); // It outlived us.
        found.Mount();
        Assert.Equal("written", await File.ReadAllTextAsync(Path.Combine(found.RootPath, "mine"), Sample.Stopping));
        Assert.Equal([new("/mine", ChangeKind.Added)], found.Changes());
        Assert.False(Directory.Exists(Path.Combine(place, "containers/halfmade")));
        Assert.Empty(Directory.GetFileSystemEntries(Path.Combine(place, "staging")));
        Assert.Equal(again.List().Count, Directory.GetFileSystemEntries(Path.Combine(place, "blobs")).Length);
        found.Remove();
    }

    [Fact]
    public async Task Two_processes_do_not_share_a_folder()
    {
        using var store = Sample.OpenStore(folder.Sub("a"));
        Assert.Equal(ImageErrorKind.Conflict, Assert.Throws<ImageException>(() => Sample.OpenStore(folder.Sub("a"))).Kind);
        await Task.CompletedTask;
    }

    [Fact]
    public async Task A_commit_is_a_layer_that_shows_the_same_root_and_survives_a_push_form()
    {
        using var store = Sample.OpenStore(folder.Sub("a"));
        var image = await ImportAsync(store, "app", "1");
        var root = await store.Layers.PrepareAsync(image, "c1", sizeLimitBytes: null, Sample.Stopping);
        File.Delete(Path.Combine(root.RootPath, "file"));
        Directory.Delete(Path.Combine(root.RootPath, "folder"), recursive: true);
        Directory.CreateDirectory(Path.Combine(root.RootPath, "folder")); // Opaque now.
        await File.WriteAllTextAsync(Path.Combine(root.RootPath, "folder/new"), "n", Sample.Stopping);
        var layer = (await root.CommitAsync(Sample.Stopping))!;
        var child = await store.CreateAsync(Sample.Step("child") with { Parent = image, Layer = layer.DiffId }, Sample.Stopping);
        root.Remove();

        using var archive = new MemoryStream();
        await store.SaveAsync(["child"], archive, Sample.Stopping); // Packs the layer, and compares its digest.
        using var other = Sample.OpenStore(folder.Sub("b"));
        await other.LoadAsync(new MemoryStream(archive.ToArray()), new Heard(), Sample.Stopping);
        foreach (var (place, each) in new[] { (store, child), (other, other.Get("child")) })
        {
            var shown = await place.Layers.PrepareAsync(each, "c2", sizeLimitBytes: null, Sample.Stopping);
            Assert.False(File.Exists(Path.Combine(shown.RootPath, "file")));
            Assert.Equal(["new"], Directory.GetFileSystemEntries(Path.Combine(shown.RootPath, "folder")).Select(Path.GetFileName));
            Assert.Empty(shown.Changes());
            shown.Remove();
        }
    }

    [Fact]
    public async Task A_machines_disk_is_read_where_it_lies_in_its_layer_and_kept_for_it()
    {
        using var store = Sample.OpenStore(folder.Sub("a"));
        var image = await store.ImportAsync(new MemoryStream(Sample.Tar((Sample.Folder("disk/"), ""), (Sample.File("disk/vm.img"), "a disk"), (Sample.Link("disk/way", "/etc/passwd"), ""))), Sample.Step("machine"), new Heard(), Sample.Stopping);
        var hold = await store.Layers.PrepareAsync(image, "vm1", sizeLimitBytes: null, Sample.Stopping);
        await File.WriteAllTextAsync(Path.Combine(hold.RootPath, "disk/vm.img"), "changed in the root", Sample.Stopping);
        hold.Unmount();
        Assert.Equal("a disk", await File.ReadAllTextAsync(hold.FindImageFile("/disk/vm.img")!, Sample.Stopping));
        Assert.Null(hold.FindImageFile("disk/way"));
        Assert.Null(hold.FindImageFile("disk"));
        Assert.Null(hold.FindImageFile("disk/none"));
        Assert.Throws<ImageException>(() => hold.FindImageFile("../../etc/passwd"));
        Assert.Throws<ImageException>(() => store.Remove("machine", force: false, keepParents: false, _ => false));
        hold.Remove();
        Assert.Equal(2, store.Remove("machine", force: false, keepParents: false, _ => false).Steps.Count);
    }

    [Fact]
    public async Task A_size_limit_holds_and_the_container_sees_a_full_disk()
    {
        Needs.Program("mkfs.ext4");
        using var store = Sample.OpenStore(folder.Sub("a"));
        var root = await store.Layers.PrepareAsync(await ImportAsync(store, "app", "1"), "c1", sizeLimitBytes: 32 << 20, Sample.Stopping);
        var full = Assert.Throws<IOException>(() =>
        {
            using var file = File.OpenHandle(Path.Combine(root.RootPath, "big"), FileMode.Create, FileAccess.Write);
            for (var at = 0; at < 64; at++)
            {
                RandomAccess.Write(file, new byte[1 << 20], at * (1L << 20));
            }
        });
        Assert.Equal(28, full.HResult); // ENOSPC
        root.Remove();
        Assert.DoesNotContain(Linux.Files.Mounts.List(), mount => mount.Path.StartsWith(folder.Path, StringComparison.Ordinal));
    }

    [Fact]
    public async Task As_many_layers_as_a_manifest_may_have_can_be_mounted()
    {
        using var store = Sample.OpenStore(folder.Sub(new string('d', 60)));
        StoredImage? image = null;
        for (var at = 0; at < ImageManifest.LayersMax; at++)
        {
            var root = await store.Layers.PrepareAsync(image, "step", sizeLimitBytes: null, Sample.Stopping);
            await File.WriteAllTextAsync(Path.Combine(root.RootPath, $"f{at}"), "x", Sample.Stopping);
            var layer = (await root.CommitAsync(Sample.Stopping))!;
            image = await store.CreateAsync(Sample.Step("many") with { Parent = image, Layer = layer.DiffId }, Sample.Stopping);
            root.Remove();
        }

        var full = await store.Layers.PrepareAsync(image, "all", sizeLimitBytes: null, Sample.Stopping);
        Assert.True(File.Exists(Path.Combine(full.RootPath, "f0")) && File.Exists(Path.Combine(full.RootPath, "f126")));
        full.Remove();
        await Assert.ThrowsAsync<ImageException>(() => store.CreateAsync(Sample.Step("more") with { Parent = image, Layer = image!.Layers[0].DiffId }, Sample.Stopping));
    }

    private static Task<StoredImage> ImportAsync(ImageStore store, string name, string contents) => store.ImportAsync(
        new MemoryStream(Sample.Tar((Sample.File("file"), contents), (Sample.Folder("folder/"), ""), (Sample.File("folder/old"), "o"))), Sample.Step(name), new Heard(), Sample.Stopping);

    private static async Task CheckFileAsync(ImageStore store, StoredImage image, string contents)
    {
        var root = await store.Layers.PrepareAsync(image, "check", sizeLimitBytes: null, Sample.Stopping);
        Assert.Equal(contents, await File.ReadAllTextAsync(Path.Combine(root.RootPath, "file"), Sample.Stopping));
        root.Remove();
    }
}
