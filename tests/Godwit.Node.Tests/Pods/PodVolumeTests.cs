using System.Text;
using Godwit.Api.Core.V1;
using Godwit.Api.Meta.V1;
using Godwit.Base;
using Godwit.Linux.Files;
using Godwit.Node.Pods;
using Godwit.Node.Tests.Clusters;

namespace Godwit.Node.Tests.Pods;

/// <summary>What a pod's volumes hold, from a real server's objects, in real folders and mounts.</summary>
[Trait("Needs", "root")]
public sealed class PodVolumeTests : IAsyncLifetime
{
    private static readonly Pod Pod = new()
    {
        Metadata = new ObjectMeta { Name = "web-1", Namespace = "default", Uid = "uid-1", Labels = new Dictionary<string, string> { ["app"] = "web", ["tier"] = "front" } },
        Spec = new PodSpec
        {
            Containers =
            [
                new Container { Name = "main", Resources = new ContainerResources { Limits = new Dictionary<string, Quantity> { ["memory"] = Quantity.Parse("64Mi"), ["cpu"] = Quantity.Parse("1500m") } } },
            ],
            SecurityContext = new PodSecurityContext { FsGroup = 4711 },
        },
    };

    private TestCluster cluster = null!;
    private PodVolumes volumes = null!;

    private string Folder => Path.Combine(cluster.Folder, "volumes");

    public async ValueTask InitializeAsync()
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "volumes in memory are mounted: run as root");
        cluster = await TestCluster.StartAsync();
        volumes = new PodVolumes(Folder, "10.66.0.11", new ClaimedVolumes(Path.Combine(Folder, "claimed")));
        await cluster.Admin.For<ConfigMap>().CreateAsync(
            new ConfigMap
            {
                Metadata = new ObjectMeta { Name = "settings", Namespace = "default" },
                Data = new Dictionary<string, string> { ["colour"] = "blue", ["shape"] = "round" },
                BinaryData = new Dictionary<string, byte[]> { ["bytes"] = [0, 255] },
            },
            TestCluster.Stopping);
        await cluster.Admin.For<Secret>().CreateAsync(
            new Secret { Metadata = new ObjectMeta { Name = "keys", Namespace = "default" }, Data = new Dictionary<string, byte[]> { ["key"] = Encoding.UTF8.GetBytes("secret") } }, TestCluster.Stopping);
    }

    public async ValueTask DisposeAsync()
    {
        if (volumes is not null)
        {
            volumes.Remove(Pod.Metadata.Uid);
            Mounts.Unmount(Folder);
        }

        if (cluster is not null)
        {
            await cluster.DisposeAsync();
        }
    }

    [Fact]
    public async Task An_empty_folder_is_open_to_every_user_belongs_to_the_pods_group_and_keeps_its_files()
    {
        var place = await PrepareAsync(new PodVolume { Name = "work", EmptyDir = new EmptyDirVolumeSource() });
        Assert.Equal((UnixFileMode)0b111_111_111, File.GetUnixFileMode(place) & (UnixFileMode)0b111_111_111);
        await File.WriteAllTextAsync(Path.Combine(place, "kept"), "five!", TestCluster.Stopping);
        Assert.Equal(place, await PrepareAsync(new PodVolume { Name = "work", EmptyDir = new EmptyDirVolumeSource() })); // Another container of the pod, or the same one started anew.
        Assert.True(File.Exists(Path.Combine(place, "kept")));
        Assert.Equal(5, volumes.MeasureBytes(Pod.Metadata.Uid));

        volumes.Remove(Pod.Metadata.Uid);
        Assert.DoesNotContain(Pod.Metadata.Uid, volumes.List());
        Assert.Equal(0, volumes.MeasureBytes(Pod.Metadata.Uid));
    }

    [Fact]
    public async Task One_in_memory_holds_no_more_than_its_size_and_takes_nothing_of_the_disk()
    {
        var place = await PrepareAsync(new PodVolume { Name = "fast", EmptyDir = new EmptyDirVolumeSource { Medium = "Memory", SizeLimit = Quantity.Parse("64Ki") } });
        Assert.Contains(Mounts.List(), mount => mount.Path == place);
        await File.WriteAllBytesAsync(Path.Combine(place, "fits"), new byte[32 << 10], TestCluster.Stopping);
        await Assert.ThrowsAsync<IOException>(() => File.WriteAllBytesAsync(Path.Combine(place, "large"), new byte[128 << 10], TestCluster.Stopping));
        Assert.Equal(0, volumes.MeasureBytes(Pod.Metadata.Uid));
        volumes.Remove(Pod.Metadata.Uid);
        Assert.DoesNotContain(Mounts.List(), mount => mount.Path.StartsWith(place, StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_config_map_is_files_all_of_it_or_what_is_chosen_with_the_modes_that_are_said()
    {
        var whole = await PrepareAsync(new PodVolume { Name = "whole", ConfigMap = new ConfigMapVolumeSource { Name = "settings" } });
        Assert.Equal(["bytes", "colour", "shape"], Directory.GetFiles(whole).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        Assert.Equal(("blue", new byte[] { 0, 255 }.Length), (await ReadAsync(whole, "colour"), (await File.ReadAllBytesAsync(Path.Combine(whole, "bytes"), TestCluster.Stopping)).Length));
        Assert.Equal((UnixFileMode)0b110_100_100, ModeOf(whole, "colour"));

        var items = new[] { new KeyToPath { Key = "colour", Path = "a/b/paint", Mode = 0b100_000_000 }, new KeyToPath { Key = "shape", Path = "form" } };
        var chosen = await PrepareAsync(new PodVolume { Name = "chosen", ConfigMap = new ConfigMapVolumeSource { Name = "settings", DefaultMode = 0b110_110_000, Items = items } });
        Assert.Equal(("blue", "round"), (await ReadAsync(chosen, "a/b/paint"), await ReadAsync(chosen, "form")));
        // The pod's group may read whatever is said, or fsGroup would be of no use.
        Assert.Equal(((UnixFileMode)0b100_100_000, (UnixFileMode)0b110_110_000), (ModeOf(chosen, "a/b/paint"), ModeOf(chosen, "form")));
    }

    [Fact]
    public async Task What_is_not_there_is_refused_by_its_name_unless_it_is_optional_and_no_path_leads_out()
    {
        Assert.Contains("configmap \"none\" not found", await RefusalAsync(new ConfigMapVolumeSource { Name = "none" }), StringComparison.Ordinal);
        Assert.Contains("configmap settings has no key size", await RefusalAsync(new ConfigMapVolumeSource { Name = "settings", Items = [new KeyToPath { Key = "size", Path = "size" }] }), StringComparison.Ordinal);
        Assert.Contains("leads out of its volume", await RefusalAsync(new ConfigMapVolumeSource { Name = "settings", Items = [new KeyToPath { Key = "colour", Path = "../../paint" }] }), StringComparison.Ordinal);
        Assert.Empty(Directory.GetFiles(await PrepareAsync(new PodVolume { Name = "may", ConfigMap = new ConfigMapVolumeSource { Name = "none", Optional = true } })));
    }

    [Fact]
    public async Task A_secret_lies_in_memory()
    {
        var place = await PrepareAsync(new PodVolume { Name = "keys", Secret = new SecretVolumeSource { SecretName = "keys" } });
        Assert.Equal("secret", await ReadAsync(place, "key"));
        Assert.Contains(Mounts.List(), mount => mount.Path == place);
        Assert.Equal(0, volumes.MeasureBytes(Pod.Metadata.Uid));
    }

    [Fact]
    public async Task A_pod_is_told_of_itself_and_several_sources_lie_in_one_volume()
    {
        var told = new[]
        {
            new DownwardAPIVolumeFile { Path = "name", FieldRef = new ObjectFieldSelector { FieldPath = "metadata.name" } },
            new DownwardAPIVolumeFile { Path = "labels", FieldRef = new ObjectFieldSelector { FieldPath = "metadata.labels" } },
            new DownwardAPIVolumeFile { Path = "memory", ResourceFieldRef = new ResourceFieldSelector { ContainerName = "main", Resource = "limits.memory" } },
            new DownwardAPIVolumeFile { Path = "cpu", ResourceFieldRef = new ResourceFieldSelector { ContainerName = "main", Resource = "limits.cpu" } },
        };
        var place = await PrepareAsync(new PodVolume { Name = "me", DownwardAPI = new DownwardAPIVolumeSource { Items = told } });
        Assert.Equal(("web-1", "app=\"web\"\ntier=\"front\"", "67108864", "2"), (await ReadAsync(place, "name"), (await ReadAsync(place, "labels")).TrimEnd(), await ReadAsync(place, "memory"), await ReadAsync(place, "cpu")));

        VolumeProjection[] sources =
        [
            new() { ConfigMap = new ConfigMapProjection { Name = "settings", Items = [new KeyToPath { Key = "colour", Path = "colour" }] } },
            new() { Secret = new SecretProjection { Name = "keys" } },
            new() { DownwardAPI = new DownwardAPIProjection { Items = [told[0]] } },
        ];
        var all = await PrepareAsync(new PodVolume { Name = "all", Projected = new ProjectedVolumeSource { Sources = sources } });
        Assert.Equal(("blue", "secret", "web-1"), (await ReadAsync(all, "colour"), await ReadAsync(all, "key"), await ReadAsync(all, "name")));
    }

    [Fact]
    public async Task A_place_in_a_volume_is_made_and_neither_dots_nor_links_lead_out_of_it()
    {
        var place = await PrepareAsync(new PodVolume { Name = "work", EmptyDir = new EmptyDirVolumeSource() });
        Assert.Equal(place, PodVolumes.Inside(place, null));
        Assert.True(Directory.Exists(PodVolumes.Inside(place, "a/b")));
        Assert.Throws<PodConfigException>(() => PodVolumes.Inside(place, "../other"));
        Directory.CreateSymbolicLink(Path.Combine(place, "out"), "/etc");
        Assert.ThrowsAny<Exception>(() => PodVolumes.Inside(place, "out/passwd"));
    }

    private static Task<string> ReadAsync(string place, string file) => File.ReadAllTextAsync(Path.Combine(place, file), TestCluster.Stopping);

    private static UnixFileMode ModeOf(string place, string file) => File.GetUnixFileMode(Path.Combine(place, "..data", file));

    private Task<string> PrepareAsync(PodVolume volume) => volumes.PrepareAsync(Pod, Pod.Spec.Containers[0], volume, new PodObjects(cluster.Admin, "default"), TestCluster.Stopping);

    private async Task<string> RefusalAsync(ConfigMapVolumeSource source) =>
        (await Assert.ThrowsAsync<PodConfigException>(() => PrepareAsync(new PodVolume { Name = $"refused-{Guid.NewGuid():N}", ConfigMap = source }))).Message;
}
