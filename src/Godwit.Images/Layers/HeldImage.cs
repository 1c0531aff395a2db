using System.Text;
using Godwit.Images.Content;
using Godwit.Images.Tar;
using Godwit.Linux;
using Godwit.Linux.Files;
using Microsoft.Win32.SafeHandles;

namespace Godwit.Images.Layers;

/// <summary>
/// The files of an image, read where they lie in its layers, without a container and without a mount. What an image says is
/// hostile: a file is looked for part by part, and each part is one name in one folder that is held.
/// <code>
///   /boot/vmlinuz   boot            a folder in some layer, and no layer above it marks it as gone
///                   boot/vmlinuz    a link: its target takes its place; from the image's root when it begins with '/'
///                   boot/vmlinuz-6  a regular file: this one
/// </code>
/// A link that leads above the image's root is refused, not bent back into it: an image has no use for one.
/// </summary>
public sealed class HeldImage : IDisposable
{
    private const int LinksMax = 40; // As the kernel follows on one path.
    private const int NamesMax = 10_000;

    private readonly LowerTree layers;
    private readonly ContentPins.ContentLease lease;
    private readonly UnpackLimits limits;

    internal HeldImage(IReadOnlyList<string> trees, ContentPins.ContentLease lease, UnpackLimits limits)
    {
        layers = new LowerTree(trees);
        (this.lease, this.limits) = (lease, limits);
    }

    /// <summary>A regular file, for reading.</summary>
    /// <param name="path">From the image's root, with or without a slash in front.</param>
    /// <exception cref="ImageException">There is none (<see cref="ImageErrorKind.NotFound"/>), or the way to it leads out of the image or in a circle (<see cref="ImageErrorKind.Corrupt"/>).</exception>
    public ImageFile OpenFile(string path)
    {
        var plain = Follow(path);
        if (plain.Length > 0 && layers.Find(plain) is { } layer)
        {
            var (folderPath, name) = TreePath.Split(plain);
            using var folder = layer.OpenBeneath(folderPath.Span);
            if (folder?.Find(name.Span) is { Kind: FileKind.Regular } status && folder.OpenFile(name.Span) is { } opened)
            {
                return new ImageFile("/" + Encoding.UTF8.GetString(plain), opened, status.SizeBytes, status.AllocatedBytes);
            }
        }

        throw Missing(path);
    }

    /// <summary>The paths of what lies in a folder and is no folder, by name.</summary>
    /// <exception cref="ImageException">As <see cref="OpenFile"/>, for the folder; or it holds more names than are looked at.</exception>
    public IReadOnlyList<string> ListFiles(string folder)
    {
        var plain = Follow(folder);
        var names = new SortedSet<string>(StringComparer.Ordinal);
        try
        {
            foreach (var name in layers.NamesIn(plain))
            {
                names.Add(Encoding.UTF8.GetString(name));
                if (names.Count > NamesMax)
                {
                    throw new ImageException(ImageErrorKind.Invalid, $"The image's folder {Show(folder)} holds more than {NamesMax} names.");
                }
            }
        }
        catch (LinuxException circle)
        {
            throw new ImageException(ImageErrorKind.Corrupt, $"The image's folder {Show(folder)} cannot be listed.", circle);
        }

        return [.. names.Select(name => plain.Length == 0 ? "/" + name : $"/{Encoding.UTF8.GetString(plain)}/{name}").Where(path => KindOf(Encoding.UTF8.GetBytes(path[1..])) is FileKind.Regular or FileKind.Link)];
    }

    public void Dispose()
    {
        layers.Dispose();
        lease.Dispose();
    }

    /// <summary>The way without links in it.</summary>
    private byte[] Follow(string path)
    {
        if (Encoding.UTF8.GetByteCount(path) > limits.PathBytesMax)
        {
            throw new ImageException(ImageErrorKind.Invalid, $"A path in an image has at most {limits.PathBytesMax} bytes.");
        }

        var ahead = new Stack<byte[]>(Parts(Encoding.UTF8.GetBytes(path)).Reverse());
        var done = new List<byte[]>();
        var links = 0;
        while (ahead.TryPop(out var part))
        {
            if (part.AsSpan().SequenceEqual(".."u8))
            {
                if (done.Count == 0)
                {
                    throw new ImageException(ImageErrorKind.Corrupt, $"The path {Show(path)} leads out of the image.");
                }

                done.RemoveAt(done.Count - 1);
                continue;
            }

            done.Add(part);
            var here = Join(done);
            switch (KindOf(here))
            {
                case null:
                    throw Missing(path);
                case FileKind.Link:
                    if (++links > LinksMax)
                    {
                        throw new ImageException(ImageErrorKind.Corrupt, $"The path {Show(path)} leads over more than {LinksMax} links.");
                    }

                    var target = TargetOf(here);
                    done.RemoveAt(done.Count - 1);
                    if (target is [(byte)'/', ..])
                    {
                        done.Clear();
                    }

                    foreach (var next in Parts(target).Reverse())
                    {
                        ahead.Push(next);
                    }

                    break;
            }

            if (done.Count + ahead.Count > limits.DepthMax)
            {
                throw new ImageException(ImageErrorKind.Corrupt, $"The path {Show(path)} is more than {limits.DepthMax} folders deep.");
            }
        }

        return Join(done);
    }

    private FileKind? KindOf(byte[] plain)
    {
        if (layers.Find(plain) is not { } layer)
        {
            return null;
        }

        var (folderPath, name) = TreePath.Split(plain);
        using var folder = layer.OpenBeneath(folderPath.Span);
        return folder?.Find(name.Span)?.Kind;
    }

    private byte[] TargetOf(byte[] plain)
    {
        var (folderPath, name) = TreePath.Split(plain);
        using var folder = layers.Find(plain)?.OpenBeneath(folderPath.Span);
        return folder?.ReadLink(name.Span) ?? throw Missing(Encoding.UTF8.GetString(plain));
    }

    private static IEnumerable<byte[]> Parts(byte[] path)
    {
        for (int at = 0, end; at <= path.Length; at = end + 1)
        {
            end = path.AsSpan(at).IndexOf((byte)'/') is >= 0 and var slash ? at + slash : path.Length;
            var part = path[at..end];
            if (part.Length > 255 || part.AsSpan().Contains((byte)0))
            {
                throw new ImageException(ImageErrorKind.Invalid, "A name in an image has at most 255 bytes, and no zero among them.");
            }

            if (part.Length > 0 && !part.AsSpan().SequenceEqual("."u8))
            {
                yield return part;
            }
        }
    }

    private static byte[] Join(List<byte[]> parts)
    {
        var joined = new List<byte>();
        foreach (var part in parts)
        {
            if (joined.Count > 0)
            {
                joined.Add((byte)'/');
            }

            joined.AddRange(part);
        }

        return [.. joined];
    }

    private static ImageException Missing(string path) => new(ImageErrorKind.NotFound, $"The image has no file {Show(path)}.");

    private static string Show(string path) => TreePath.Show(Encoding.UTF8.GetBytes(path));
}

/// <summary>A file of an image, open for reading.</summary>
/// <param name="Path">In the image, from its root, without links.</param>
/// <param name="SizeBytes">Its length.</param>
/// <param name="AllocatedBytes">The room that it takes, which is less where it has holes.</param>
public sealed record ImageFile(string Path, SafeFileHandle Contents, long SizeBytes, long AllocatedBytes) : IDisposable
{
    public void Dispose() => Contents.Dispose();
}
