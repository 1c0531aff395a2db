using System.Text;
using Godwit.Builder.Dockerfiles;
using Godwit.Images.Tar;
using Godwit.Linux.Files;

namespace Godwit.Builder.Contexts;

/// <summary>One file or folder that a COPY takes, found in a tree: the context, or a stage's root.</summary>
/// <param name="Path">From the tree's root, without a slash in front; empty for the root itself.</param>
/// <param name="IsFolder">Then what is in it is copied, not itself.</param>
internal sealed record CopySource(string Path, bool IsFolder)
{
    public string Name => Path[(Path.LastIndexOf('/') + 1)..];
}

/// <summary>
/// Finds what COPY's sources mean. A path cannot lead out of its tree: dots go no higher than the root as text, and links are
/// resolved by the kernel inside it (<see cref="HeldFolder"/>).
/// </summary>
internal sealed class CopySources(HeldFolder root, int line)
{
    private const int FoundMax = 100_000;
    private const int LinksMax = 40;

    /// <exception cref="BuildException">There is nothing of this name, or no name that fits the pattern.</exception>
    public IReadOnlyList<CopySource> Find(string source)
    {
        var path = Clean(source);
        if (!Glob.HasPattern(path))
        {
            return [Look(path) ?? throw new BuildException($"COPY failed: file not found in build context or excluded by .dockerignore: stat {source}: file does not exist", line)];
        }

        var found = new List<string>();
        Expand("", path.Split('/'), found);
        return found.Count > 0 ? [.. found.Select(each => Look(each)).OfType<CopySource>()] : throw new BuildException($"COPY failed: no source files were specified: nothing fits {source}", line);
    }

    /// <summary>Dots and double slashes taken away; nothing goes above the root.</summary>
    public static string Clean(string path)
    {
        var parts = new List<string>();
        foreach (var part in path.Split('/', StringSplitOptions.RemoveEmptyEntries))
        {
            if (part == "..")
            {
                parts.RemoveRange(Math.Max(parts.Count - 1, 0), Math.Min(parts.Count, 1));
            }
            else if (part != ".")
            {
                parts.Add(part);
            }
        }

        return string.Join('/', parts);
    }

    /// <summary>Writes a source's members: a folder's contents below the prefix, a file as the prefix.</summary>
    public void Pack(CopySource source, string prefix, TarWriter tar, PackOptions options, CancellationToken stopping)
    {
        if (source.IsFolder)
        {
            using var folder = root.OpenBeneath(Encoding.UTF8.GetBytes(source.Path)) ?? throw Vanished(source);
            TreePacker.Pack(folder, tar, options with { Prefix = Encoding.UTF8.GetBytes(prefix) }, stopping);
            return;
        }

        var (parent, name) = Split(source.Path);
        using var held = root.OpenBeneath(Encoding.UTF8.GetBytes(parent)) ?? throw Vanished(source);
        if (!TreePacker.PackOne(held, Encoding.UTF8.GetBytes(name), tar, options with { Prefix = Encoding.UTF8.GetBytes(prefix) }, stopping))
        {
            throw Vanished(source);
        }
    }

    private BuildException Vanished(CopySource source) => new($"COPY failed: {source.Path} vanished while it was copied", line);

    private static (string Folder, string Name) Split(string path) => path.LastIndexOf('/') is >= 0 and var slash ? (path[..slash], path[(slash + 1)..]) : ("", path);

    /// <summary>What is at the path, where a link at its end leads.</summary>
    private CopySource? Look(string path)
    {
        for (var links = 0; links < LinksMax; links++)
        {
            using var asFolder = root.OpenBeneath(Encoding.UTF8.GetBytes(path));
            if (asFolder is not null)
            {
                return new CopySource(path, IsFolder: true);
            }

            var (parentPath, name) = Split(path);
            using var parent = root.OpenBeneath(Encoding.UTF8.GetBytes(parentPath));
            switch (parent?.Find(Encoding.UTF8.GetBytes(name))?.Kind)
            {
                case null:
                    return null;
                case FileKind.Link:
                    var target = Encoding.UTF8.GetString(parent.ReadLink(Encoding.UTF8.GetBytes(name)) ?? []);
                    path = Clean(target.StartsWith('/') ? target : $"{parentPath}/{target}");
                    break;
                default:
                    return new CopySource(path, IsFolder: false);
            }
        }

        throw new BuildException($"COPY failed: links at {path} lead to links, more than {LinksMax} times", line);
    }

    private void Expand(string folder, ReadOnlySpan<string> parts, List<string> found)
    {
        if (parts.IsEmpty)
        {
            found.Add(found.Count < FoundMax ? folder : throw new BuildException($"COPY failed: more than {FoundMax} names fit", line));
            return;
        }

        using var held = root.OpenBeneath(Encoding.UTF8.GetBytes(folder));
        foreach (var entry in held?.List() ?? [])
        {
            var name = Encoding.UTF8.GetString(entry.Name);
            if (Glob.Matches(parts[0], name))
            {
                Expand(folder.Length == 0 ? name : $"{folder}/{name}", parts[1..], found);
            }
        }
    }
}
