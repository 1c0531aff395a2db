using System.Text;
using Godwit.Api;
using Godwit.Api.Core.V1;
using Godwit.Api.Machinery;
using Godwit.Api.Storage.V1;
using Godwit.Linux.Files;

namespace Godwit.Node.Pods;

/// <summary>
/// The folders of volumes that outlive pods: those that Godwit made lie in one folder, each under the volume's own name, which is all that is ever made or removed here. What an object says
/// of a path is compared, never followed, where something is removed.
/// </summary>
internal sealed class ClaimedVolumes(string folder)
{
    private const UnixFileMode All = (UnixFileMode)0b111_111_111;

    /// <summary>Where an agent with this data folder has its volumes.</summary>
    public static string FolderOf(string dataFolder) => Path.Combine(Path.GetFullPath(dataFolder), "volumes");

    /// <summary>Where the volume's files are on the host. One of ours is made where it is not there.</summary>
    /// <exception cref="PodConfigException">It is not here.</exception>
    public string Prepare(PersistentVolume volume) => volume.Spec switch
    {
        { Local: { } local } when IsOurs(volume) => Make(volume, local.Path),
        { Local: { } local } => Directory.Exists(local.Path) ? local.Path : throw new PodConfigException($"local volume \"{volume.Metadata.Name}\" is not here: {local.Path} is no folder of this node"),
        { HostPath: { } host } => PodVolumes.PrepareHostPath(host),
        _ => throw new PodConfigException($"the volume \"{volume.Metadata.Name}\" is of a kind that this node does not have: hostPath and local are there"),
    };

    /// <summary>Where one of ours lies.</summary>
    public string PathOf(PersistentVolume volume) => Path.Combine(folder, volume.Metadata.Name);

    /// <summary>Removes the folder of one of ours with all that is in it. Idempotent; links are removed, not followed.</summary>
    /// <exception cref="Linux.LinuxException">Something in it cannot be removed.</exception>
    public void Remove(PersistentVolume volume)
    {
        if (!Directory.Exists(folder) || Names.CheckDnsSubdomain(volume.Metadata.Name) is not null)
        {
            return; // None was ever made.
        }

        using var held = HeldFolder.Open(folder);
        held.Remove(Encoding.ASCII.GetBytes(volume.Metadata.Name));
        DurableFile.SyncFolder(folder);
    }

    private static bool IsOurs(PersistentVolume volume) => volume.Metadata.Annotations.GetValueOrDefault(AnnotationNames.ProvisionedBy) == StorageClassNames.LocalProvisioner;

    private string Make(PersistentVolume volume, string path)
    {
        if (Names.CheckDnsSubdomain(volume.Metadata.Name) is not null || PathOf(volume) != path)
        {
            throw new PodConfigException($"the volume \"{volume.Metadata.Name}\" lies at {path}, which is not among the volumes of this node in {folder}: was the agent's data folder moved?");
        }

        if (!Directory.Exists(path))
        {
            const UnixFileMode passing = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;
            Directory.CreateDirectory(folder, passing);
            Directory.CreateDirectory(path);
            DurableFile.SyncFolder(folder);
        }

        if (File.GetUnixFileMode(path) is var mode && (mode & All) != All)
        {
            File.SetUnixFileMode(path, mode | All); // As an emptyDir: whoever the container runs as.
        }

        return path;
    }
}
