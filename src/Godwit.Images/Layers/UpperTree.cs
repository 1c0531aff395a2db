using System.Text;
using Godwit.Linux.Files;

namespace Godwit.Images.Layers;

/// <summary>Reads overlayfs's upper folder: what a container changed.</summary>
internal static class UpperTree
{
    private const int DepthMax = 4096;

    public static IReadOnlyList<FileChange> Changes(HeldFolder upper, LowerTree lower)
    {
        var changes = new List<FileChange>();
        Collect(upper, [], lower, changes, 0);
        return changes;
    }

    /// <summary>Length of the regular files, each once.</summary>
    public static long SizeBytes(HeldFolder folder, CancellationToken stopping)
    {
        var counted = new HashSet<ulong>();
        return Sum(folder, 0);

        long Sum(HeldFolder current, int depth)
        {
            stopping.ThrowIfCancellationRequested();
            long sum = 0;
            foreach (var entry in current.List())
            {
                if (current.Find(entry.Name) is { Kind: FileKind.Regular } file && (file.Links == 1 || counted.Add(file.InodeNumber)))
                {
                    sum += file.SizeBytes;
                }
                else if (depth < DepthMax)
                {
                    using var below = current.OpenFolder(entry.Name);
                    sum += below is null ? 0 : Sum(below, depth + 1);
                }
            }

            return sum;
        }
    }

    private static void Collect(HeldFolder folder, byte[] path, LowerTree lower, List<FileChange> changes, int depth)
    {
        foreach (var entry in folder.List())
        {
            if (folder.Find(entry.Name) is not { } status || depth > DepthMax)
            {
                continue; // It went while we looked.
            }

            byte[] below = path.Length == 0 ? entry.Name : [.. path, (byte)'/', .. entry.Name];
            var kind = status.IsWhiteout ? ChangeKind.Deleted : lower.Has(below) ? ChangeKind.Modified : ChangeKind.Added;
            changes.Add(new FileChange("/" + Encoding.UTF8.GetString(below), kind));
            if (status.Kind is FileKind.Folder)
            {
                using var next = folder.OpenFolder(entry.Name);
                if (next is not null)
                {
                    Collect(next, below, lower, changes, depth + 1);
                }
            }
        }
    }
}

/// <summary>The image's layers as overlayfs would show them without a container's changes, to ask one path at a time.</summary>
/// <param name="trees">The highest first.</param>
internal sealed class LowerTree(IReadOnlyList<string> trees) : IDisposable
{
    private readonly HeldFolder[] roots = [.. trees.Select(HeldFolder.Open)];

    /// <summary>Whether there is something at this path (from the root, without a slash in front).</summary>
    public bool Has(byte[] path) => Find(path) is not null;

    /// <summary>The tree that shows what is at this path; null when nothing is.</summary>
    public HeldFolder? Find(byte[] path)
    {
        foreach (var root in roots)
        {
            if (Look(root, path) is { } found)
            {
                return found ? root : null;
            }
        }

        return null;
    }

    /// <summary>Every name that any tree has in this folder; whether it shows is for <see cref="Find"/> to say.</summary>
    public IEnumerable<byte[]> NamesIn(byte[] folderPath)
    {
        foreach (var root in roots)
        {
            using var folder = root.OpenBeneath(folderPath);
            foreach (var entry in folder?.List() ?? [])
            {
                yield return entry.Name;
            }
        }
    }

    public void Dispose()
    {
        foreach (var root in roots)
        {
            root.Dispose();
        }
    }

    /// <summary>True or false where this tree decides it; null where the trees below do.</summary>
    private static bool? Look(HeldFolder root, ReadOnlySpan<byte> path)
    {
        HeldFolder? opened = null;
        var current = root;
        try
        {
            var hidden = false;
            while (true)
            {
                var slash = path.IndexOf((byte)'/');
                var name = slash < 0 ? path : path[..slash];
                var status = current.Find(name);
                if (status is null)
                {
                    return hidden ? false : null;
                }

                if (status.Value.IsWhiteout)
                {
                    return false;
                }

                if (slash < 0)
                {
                    return true;
                }

                var next = current.OpenFolder(name);
                if (next is null)
                {
                    return false; // Something else than a folder stands in the way, and hides what is below.
                }

                opened?.Dispose();
                (opened, current) = (next, next);
                hidden |= current.GetAttribute(default, "trusted.overlay.opaque"u8) is not null;
                path = path[(slash + 1)..];
            }
        }
        finally
        {
            opened?.Dispose();
        }
    }
}
