using Godwit.Linux.Files;

namespace Godwit.Volumes;

/// <summary>
/// Disks that a VM names by their path on the host. Only folders that the operator opened for it: else whoever may create
/// a VM could read any file of the host as a disk. The name tells the format (<c>.qcow2</c>, else raw), never the content,
/// which the guest writes.
/// </summary>
public sealed class HostDisks(IReadOnlyList<string> allowedFolders, DiskMaker maker)
{
    private readonly IReadOnlyList<string> allowed = [.. allowedFolders.Select(Path.GetFullPath)];

    /// <summary>The disk at a path inside an allowed folder.</summary>
    /// <exception cref="VolumeException">Outside, through a link, not there, or no disk.</exception>
    public DiskImage Open(string path) => DiskImage.CheckUsed(SafePath.FindFile(AllowedFolder(path), Relative(path)), FormatOf(path));

    /// <summary>The same; one that is not there yet is made, empty, of the given size.</summary>
    public async Task<DiskImage> OpenOrCreateAsync(string path, long sizeBytes, CancellationToken stopping)
    {
        var folder = AllowedFolder(path);
        if (FileIdentity.Find(path) is not null)
        {
            return Open(path);
        }

        var parent = Path.GetDirectoryName(Path.GetFullPath(path))!;
        if (parent != folder)
        {
            SafePath.FindFolder(folder, Path.GetRelativePath(folder, parent));
        }

        return await maker.CreateEmptyAsync(Path.GetFullPath(path), FormatOf(path), sizeBytes, stopping);
    }

    private static DiskFormat FormatOf(string path) => path.EndsWith(".qcow2", StringComparison.Ordinal) ? DiskFormat.Qcow2 : DiskFormat.Raw;

    private string Relative(string path) => Path.GetRelativePath(AllowedFolder(path), Path.GetFullPath(path));

    private string AllowedFolder(string path)
    {
        if (!Path.IsPathFullyQualified(path) || path.Split('/').Contains("..", StringComparer.Ordinal))
        {
            throw new VolumeException($"'{path}' is not the absolute path of a disk.");
        }

        var full = Path.GetFullPath(path);
        return allowed.FirstOrDefault(folder => full.StartsWith(folder + "/", StringComparison.Ordinal))
            ?? throw new VolumeException(
                $"{full} is in no folder that VMs may use on this node ({(allowed.Count == 0 ? "there is none" : string.Join(", ", allowed))}); an operator opens one as shared storage of the agent.");
    }
}
