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

    private static Task<StoredImage> ImportAsync(ImageStore store, string name) => store.ImportAsync(
        new MemoryStream(Sample.Tar((Sample.Folder("bin/"), ""), (Sample.File("bin/tool", 0x1ed), "#!tool"), (Sample.Folder("etc/"), ""), (Sample.File("etc/greeting"), "hello"), (Sample.Link("lib", "usr/lib"), ""))),
        Sample.Step(name), new Heard(), Sample.Stopping);

    private static void RequireRegistry()
    {
        Needs.Root();
        Needs.Program("docker-registry");
    }
}
