using System.Text;
using Godwit.Api.Core.V1;
using Godwit.Linux.Files;

namespace Godwit.Node.Pods;

/// <summary>
/// The volumes of the pods of this node: a folder for each below <c>pods/UID/volumes</c>. ConfigMaps, Secrets and what the pod is told of itself are written before the first container
/// that has them starts, and Secrets into memory, so that no disk keeps them.
/// </summary>
internal sealed class PodVolumes
{
    private const long SecretBytesMax = 2L << 20;
    private const int ModeDefault = 0b110_100_100;

    /// <summary>In a volume that is written: the link to the folder that its files are in now.</summary>
    private const string Data = "..data";

    private readonly string folder;
    private readonly string hostAddress;
    private readonly ClaimedVolumes claimed;

    /// <param name="folder">Made, and shared with the places where containers' monitors are, before any of them is.</param>
    /// <param name="hostAddress">The node's address, of which pods may be told.</param>
    /// <param name="claimed">Volumes that outlive pods.</param>
    public PodVolumes(string folder, string hostAddress, ClaimedVolumes claimed)
    {
        this.claimed = claimed;
        this.folder = folder;
        this.hostAddress = hostAddress;
        Directory.CreateDirectory(folder);
        Mounts.Share(folder);
    }

    /// <summary>Pods that have something here.</summary>
    public IReadOnlyList<string> List() => [.. Directory.EnumerateDirectories(folder).Select(path => Path.GetFileName(path)!)];

    /// <summary>Where the volume's files are on the host. Makes them where they are not.</summary>
    /// <exception cref="PodConfigException">It cannot be given.</exception>
    public async Task<string> PrepareAsync(Pod pod, Container container, PodVolume volume, PodObjects objects, CancellationToken stopping)
    {
        var place = Path.Combine(folder, pod.Metadata.Uid, "volumes", volume.Name);
        switch (volume)
        {
            case { HostPath: { } host }:
                return PrepareHostPath(host);
            case { EmptyDir: { } empty }:
                MakeEmpty(place, empty, pod.Spec.SecurityContext?.FsGroup);
                return place;
            case { ConfigMap: { } map }:
                Write(place, Choose(await objects.ReadMapAsync(map.Name ?? "", map.Optional == true, stopping), map.Items, map.DefaultMode, $"configmap {map.Name}", map.Optional), inMemory: false, pod);
                return place;
            case { Secret: { } secret }:
                var name = secret.SecretName ?? "";
                Write(place, Choose(await objects.ReadSecretAsync(name, secret.Optional == true, stopping), secret.Items, secret.DefaultMode, $"secret {name}", secret.Optional), inMemory: true, pod);
                return place;
            case { DownwardAPI: { } downward }:
                Write(place, Tell(pod, container, downward.Items, downward.DefaultMode), inMemory: false, pod);
                return place;
            case { Projected: not null } when Directory.Exists(Path.Combine(place, Data)):
                return place; // Nothing is asked for twice: what changes in it is replaced in its time.
            case { Projected: { } projected }:
                Write(place, await ProjectAsync(pod, container, projected, objects, stopping), inMemory: true, pod);
                return place;
            case { PersistentVolumeClaim: { } claim }:
                return PrepareClaimed(await objects.FindVolumeAsync(claim.ClaimName, stopping), claim.ReadOnly == true ? null : pod.Spec.SecurityContext?.FsGroup);
            default:
                throw new PodConfigException($"the volume {volume.Name} is of a kind that this node does not have: emptyDir, hostPath, configMap, secret, projected, downwardAPI and persistentVolumeClaim are there");
        }
    }

    /// <summary>Replaces the tokens of service accounts in the pod's volumes whose time for that has come.</summary>
    /// <returns>When to do it again; null when the pod has none.</returns>
    /// <exception cref="PodConfigException">The server gives none; the old one stays.</exception>
    public async Task<DateTimeOffset?> RefreshTokensAsync(Pod pod, PodObjects objects, DateTimeOffset now, CancellationToken stopping)
    {
        DateTimeOffset? next = null;
        foreach (var volume in PodTokens.Of(pod).GroupBy(each => each.Volume.Name, each => each.Token, StringComparer.Ordinal))
        {
            var place = Path.Combine(folder, pod.Metadata.Uid, "volumes", volume.Key);
            var changed = new Dictionary<string, byte[]>(StringComparer.Ordinal);
            foreach (var token in volume.Where(token => File.Exists(Path.Combine(place, Data, token.Path))))
            {
                var text = await File.ReadAllTextAsync(Path.Combine(place, Data, token.Path), stopping);
                if (PodTokens.RefreshAt(text) <= now)
                {
                    text = await objects.RequestTokenAsync(pod, token, stopping);
                    changed[token.Path] = Encoding.UTF8.GetBytes(text);
                }

                var at = PodTokens.RefreshAt(text);
                next = next is { } sooner && sooner < at ? sooner : at;
            }

            if (changed.Count > 0)
            {
                Replace(place, changed, pod);
            }
        }

        return next;
    }

    /// <summary>A place in a volume. Made where there is none; links that lead out of the volume are not followed.</summary>
    /// <exception cref="PodConfigException">It would lead out.</exception>
    public static string Inside(string volume, string? subPath)
    {
        if (string.IsNullOrEmpty(subPath))
        {
            return volume;
        }

        var path = Path.GetFullPath(Path.Combine(volume, subPath));
        if (!path.StartsWith(volume + "/", StringComparison.Ordinal))
        {
            throw new PodConfigException($"the subPath '{subPath}' leads out of its volume");
        }

        if (!Path.Exists(path))
        {
            Directory.CreateDirectory(path);
        }

        using var top = HeldFolder.Open(volume);
        using var parent = top.OpenBeneath(Encoding.UTF8.GetBytes(Path.GetRelativePath(volume, Path.GetDirectoryName(path)!)));
        var real = parent is null ? null : new FileInfo(parent.PathForOthers).ResolveLinkTarget(returnFinalTarget: false)?.FullName;
        return real is null ? throw new PodConfigException($"the subPath '{subPath}' leads out of its volume") : Path.Combine(real, Path.GetFileName(path));
    }

    /// <summary>What a pod's own volumes take of the disk, in bytes: neither what lies in memory nor what its links lead to.</summary>
    public long MeasureBytes(string uid)
    {
        var home = new DirectoryInfo(Path.Combine(folder, uid));
        if (!home.Exists)
        {
            return 0;
        }

        var mounts = MountsBelow(home.FullName).Select(path => path + "/").ToList();
        return home.EnumerateFiles("*", new EnumerationOptions { RecurseSubdirectories = true, AttributesToSkip = FileAttributes.ReparsePoint, IgnoreInaccessible = true })
            .Where(file => !mounts.Exists(mount => file.FullName.StartsWith(mount, StringComparison.Ordinal)))
            .Sum(LengthOf);
    }

    /// <summary>Takes all of a pod's away. Idempotent.</summary>
    public void Remove(string uid)
    {
        var home = Path.Combine(folder, uid);
        if (!Directory.Exists(home))
        {
            return;
        }

        foreach (var mount in MountsBelow(home).Reverse())
        {
            Mounts.Unmount(mount);
        }

        Directory.Delete(home, recursive: true);
    }

    /// <summary>In the order in which they were mounted.</summary>
    private static IReadOnlyList<string> MountsBelow(string home) => [.. Mounts.List().Select(mount => mount.Path).Where(path => path.StartsWith(home + "/", StringComparison.Ordinal))];

    private static long LengthOf(FileInfo file)
    {
        try
        {
            return file.Length;
        }
        catch (IOException)
        {
            return 0; // It went while we looked.
        }
    }

    internal static string PrepareHostPath(HostPathVolumeSource host)
    {
        var exists = Path.Exists(host.Path);
        switch (host.Type)
        {
            case "DirectoryOrCreate" when !exists:
                Directory.CreateDirectory(host.Path);
                break;
            case "FileOrCreate" when !exists:
                File.WriteAllBytes(host.Path, []);
                break;
            case "Directory" or "DirectoryOrCreate" when !Directory.Exists(host.Path):
                throw new PodConfigException($"hostPath type check failed: {host.Path} is not a directory");
            case "File" or "FileOrCreate" when !File.Exists(host.Path):
                throw new PodConfigException($"hostPath type check failed: {host.Path} is not a file");
            case null or "" when !exists:
                Directory.CreateDirectory(host.Path);
                break;
        }

        return host.Path;
    }

    /// <summary>The group is that of the top folder, which hands it on to what is made in it. What lies deeper is not walked through: others may be writing there.</summary>
    private string PrepareClaimed(PersistentVolume volume, long? group)
    {
        var path = claimed.Prepare(volume);
        if (volume.Spec.Local is not null)
        {
            Own(path, group);
        }

        return path;
    }

    private static void MakeEmpty(string place, EmptyDirVolumeSource empty, long? group)
    {
        if (Directory.Exists(place))
        {
            return;
        }

        Directory.CreateDirectory(place);
        if (empty.Medium == "Memory")
        {
            Mounts.MountMemory(place, empty.SizeLimit is { Value: > 0 } limit ? (long)limit.Value : Linux.Hosts.HostFacts.MemoryBytes / 2);
        }

        File.SetUnixFileMode(place, (UnixFileMode)0b111_111_111);
        Own(place, group);
    }

    private async Task<IReadOnlyList<VolumeFile>> ProjectAsync(Pod pod, Container container, ProjectedVolumeSource projected, PodObjects objects, CancellationToken stopping)
    {
        var files = new List<VolumeFile>();
        foreach (var source in projected.Sources)
        {
            files.AddRange(source switch
            {
                { ConfigMap: { } map } => Choose(await objects.ReadMapAsync(map.Name ?? "", map.Optional == true, stopping), map.Items, projected.DefaultMode, $"configmap {map.Name}", map.Optional),
                { Secret: { } secret } => Choose(await objects.ReadSecretAsync(secret.Name ?? "", secret.Optional == true, stopping), secret.Items, projected.DefaultMode, $"secret {secret.Name}", secret.Optional),
                { DownwardAPI: { } downward } => Tell(pod, container, downward.Items, projected.DefaultMode),
                { ServiceAccountToken: { } token } => [new VolumeFile(token.Path, Encoding.UTF8.GetBytes(await objects.RequestTokenAsync(pod, token, stopping)), projected.DefaultMode ?? ModeDefault)],
                _ => throw new PodConfigException("a projected volume asks for a source that this node does not have: configMap, secret, downwardAPI and serviceAccountToken are there"),
            });
        }

        return files;
    }

    private List<VolumeFile> Tell(Pod pod, Container container, IReadOnlyList<DownwardAPIVolumeFile> items, int? mode) =>
    [
        .. items.Select(item => new VolumeFile(
            item.Path,
            Encoding.UTF8.GetBytes(item.FieldRef is { } field ? PodFields.Field(pod, field.FieldPath, hostAddress)
                : item.ResourceFieldRef is { } resource ? PodFields.Resource(pod, container, resource)
                : throw new PodConfigException($"the file {item.Path} says nothing of what it holds")),
            item.Mode ?? mode ?? ModeDefault)),
    ];

    private static List<VolumeFile> Choose(IReadOnlyDictionary<string, byte[]>? data, IReadOnlyList<KeyToPath> items, int? mode, string what, bool? optional)
    {
        if (data is null)
        {
            return [];
        }

        if (items.Count == 0)
        {
            return [.. data.Select(pair => new VolumeFile(pair.Key, pair.Value, mode ?? ModeDefault))];
        }

        var files = new List<VolumeFile>();
        foreach (var item in items)
        {
            if (data.TryGetValue(item.Key, out var bytes))
            {
                files.Add(new VolumeFile(item.Path, bytes, item.Mode ?? mode ?? ModeDefault));
            }
            else if (optional != true)
            {
                throw new PodConfigException($"{what} has no key {item.Key}");
            }
        }

        return files;
    }

    /// <summary>Written whole beside the place and put there by one change of a link, as programs that watch such volumes expect.</summary>
    private static void Write(string place, IReadOnlyList<VolumeFile> files, bool inMemory, Pod pod)
    {
        if (Directory.Exists(Path.Combine(place, Data)))
        {
            return;
        }

        Directory.CreateDirectory(place);
        if (inMemory && Mounts.List().All(mount => mount.Path != place))
        {
            Mounts.MountMemory(place, SecretBytesMax);
            File.SetUnixFileMode(place, (UnixFileMode)0b111_101_101);
        }

        var data = Path.Combine(place, "..first");
        foreach (var file in files)
        {
            var path = Path.GetFullPath(Path.Combine(data, file.Path));
            if (!path.StartsWith(data + "/", StringComparison.Ordinal))
            {
                throw new PodConfigException($"the path '{file.Path}' leads out of its volume");
            }

            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            File.WriteAllBytes(path, file.Bytes);
            File.SetUnixFileMode(path, (UnixFileMode)file.Mode);
            Own(path, pod.Spec.SecurityContext?.FsGroup);
        }

        Directory.CreateDirectory(data);
        foreach (var top in files.Select(file => file.Path.TrimStart('/').Split('/')[0]).Distinct(StringComparer.Ordinal))
        {
            if (!Path.Exists(Path.Combine(place, top)))
            {
                File.CreateSymbolicLink(Path.Combine(place, top), Path.Combine("..data", top));
            }
        }

        File.CreateSymbolicLink(Path.Combine(place, Data), "..first");
    }

    /// <summary>All files anew beside the old ones, some of them with other bytes, and one change of the link.</summary>
    private static void Replace(string place, Dictionary<string, byte[]> changed, Pod pod)
    {
        const string draft = "..data_new";
        var old = new DirectoryInfo(Path.Combine(place, Data)).LinkTarget!;
        var fresh = $"..{Guid.NewGuid():N}";
        foreach (var file in Directory.EnumerateFiles(Path.Combine(place, old), "*", SearchOption.AllDirectories))
        {
            var name = Path.GetRelativePath(Path.Combine(place, old), file);
            var copy = Path.Combine(place, fresh, name);
            Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
            File.WriteAllBytes(copy, changed.TryGetValue(name, out var bytes) ? bytes : File.ReadAllBytes(file));
            File.SetUnixFileMode(copy, File.GetUnixFileMode(file));
            Own(copy, pod.Spec.SecurityContext?.FsGroup);
        }

        File.Delete(Path.Combine(place, draft)); // Of an agent that ended here.
        File.CreateSymbolicLink(Path.Combine(place, draft), fresh);
        using (var held = HeldFolder.Open(place))
        {
            held.Rename(Encoding.UTF8.GetBytes(draft), held, Encoding.UTF8.GetBytes(Data));
        }

        foreach (var former in Directory.EnumerateDirectories(place, "..*").Where(path => Path.GetFileName(path) is var name && name != fresh && name != Data))
        {
            Directory.Delete(former, recursive: true);
        }
    }

    private static void Own(string path, long? group)
    {
        if (group is { } id)
        {
            Ownership.Change(path, new Linux.Processes.ProcessUser(0, (uint)id));
            const UnixFileMode shared = UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.GroupExecute | UnixFileMode.SetGroup;
            File.SetUnixFileMode(path, File.GetUnixFileMode(path) | (Directory.Exists(path) ? shared : UnixFileMode.GroupRead));
        }
    }

    private sealed record VolumeFile(string Path, byte[] Bytes, int Mode);
}
