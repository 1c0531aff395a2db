using Godwit.Api;
using Godwit.Api.Core.V1;
using Godwit.Api.Meta.V1;
using Godwit.Api.Storage.V1;
using Godwit.Node.Pods;

namespace Godwit.Node.Tests.Pods;

/// <summary>The folders of volumes that outlive pods: what is made, what is removed, and what is never touched.</summary>
public sealed class ClaimedVolumeTests : IDisposable
{
    private readonly string home = Directory.CreateTempSubdirectory("godwit-claimed-").FullName;
    private readonly ClaimedVolumes volumes;

    public ClaimedVolumeTests() => volumes = new ClaimedVolumes(Folder);

    private string Folder => Path.Combine(home, "volumes");

    public void Dispose() => Directory.Delete(home, recursive: true);

    [Fact]
    public void One_of_ours_is_made_once_keeps_its_files_and_is_removed_with_them_but_not_what_its_links_lead_to()
    {
        var volume = Ours("pvc-1", Path.Combine(Folder, "pvc-1"));
        var path = volumes.Prepare(volume);
        Assert.Equal((UnixFileMode)0b111_111_111, File.GetUnixFileMode(path));
        File.WriteAllText(Path.Combine(path, "kept"), "data");
        File.WriteAllText(Path.Combine(home, "outside"), "others'");
        Directory.CreateSymbolicLink(Path.Combine(path, "link"), home);
        Assert.Equal(path, volumes.Prepare(volume));
        Assert.Equal("data", File.ReadAllText(Path.Combine(path, "kept")));

        volumes.Remove(volume);
        volumes.Remove(volume);
        Assert.Empty(Directory.EnumerateFileSystemEntries(Folder));
        Assert.Equal("others'", File.ReadAllText(Path.Combine(home, "outside")));
    }

    [Theory]
    [InlineData("pvc-1", "/etc")]
    [InlineData("..", "/etc")]
    [InlineData("a/b", "/etc")]
    public void A_path_that_is_not_its_own_is_refused_and_never_removed(string name, string path)
    {
        Assert.Throws<PodConfigException>(() => volumes.Prepare(Ours(name, path)));
        File.WriteAllText(Path.Combine(home, "outside"), "others'");
        Directory.CreateDirectory(Folder);
        volumes.Remove(Ours(name, path));
        Assert.True(File.Exists(Path.Combine(home, "outside")));
        Assert.True(Directory.Exists("/etc"));
    }

    [Fact]
    public void A_local_volume_that_a_person_made_must_be_there()
    {
        var volume = Ours("mine", Path.Combine(home, "disk")) with { Metadata = new ObjectMeta { Name = "mine" } };
        Assert.Contains("is no folder of this node", Assert.Throws<PodConfigException>(() => volumes.Prepare(volume)).Message, StringComparison.Ordinal);
        Directory.CreateDirectory(Path.Combine(home, "disk"));
        Assert.Equal(Path.Combine(home, "disk"), volumes.Prepare(volume));
    }

    [Theory]
    [InlineData(true, true, false, ReclaimPolicies.Delete, false, nameof(VolumeDuty.Remove))]
    [InlineData(true, true, false, ReclaimPolicies.Delete, true, nameof(VolumeDuty.Wait))]
    [InlineData(true, true, true, ReclaimPolicies.Delete, false, nameof(VolumeDuty.None))]
    [InlineData(true, true, false, ReclaimPolicies.Retain, false, nameof(VolumeDuty.None))]
    [InlineData(true, false, false, ReclaimPolicies.Delete, false, nameof(VolumeDuty.None))]
    [InlineData(false, true, false, ReclaimPolicies.Delete, false, nameof(VolumeDuty.None))]
    public void A_folder_is_removed_only_when_its_volume_goes_nobody_has_it_and_it_is_not_to_be_kept(bool isDeleted, bool isHeld, bool isProtected, string policy, bool isMounted, string duty)
    {
        var volume = Ours("pvc-1", "/data/pvc-1");
        volume = volume with
        {
            Metadata = volume.Metadata with
            {
                DeletionTimestamp = isDeleted ? DateTimeOffset.UnixEpoch : null,
                Finalizers = [.. isHeld ? [FinalizerNames.LocalVolume] : Array.Empty<string>(), .. isProtected ? [FinalizerNames.VolumeProtection] : Array.Empty<string>()],
            },
            Spec = volume.Spec with { PersistentVolumeReclaimPolicy = policy },
        };
        Assert.Equal(duty, VolumeKeeper.DutyOf(volume, isMounted).ToString());
    }

    private static PersistentVolume Ours(string name, string path) => new()
    {
        Metadata = new ObjectMeta { Name = name, Annotations = new Dictionary<string, string> { [AnnotationNames.ProvisionedBy] = StorageClassNames.LocalProvisioner } },
        Spec = new PersistentVolumeSpec { Local = new LocalVolumeSource { Path = path } },
    };
}
