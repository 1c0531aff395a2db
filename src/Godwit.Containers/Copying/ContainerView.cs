using System.Text;
using Godwit.Linux.Files;
using Godwit.Linux.Processes;

namespace Godwit.Containers.Copying;

/// <summary>
/// A container's files, to be read or written from outside. While it runs they are seen as it sees them, mounts included; at rest its root is mounted for as long as this is held,
/// and a path below a volume or bind leads to its source. Every path is resolved by the kernel within this root (openat2(2)): no link of the container's leads out, even while it
/// changes them.
/// </summary>
internal sealed class ContainerView(HeldFolder root, string prefix, IdMap? ids, Func<Task> letGo) : IAsyncDisposable
{
    internal HeldFolder Root => root;

    /// <summary>The host's ids that its files have here instead of the container's; null: they have the container's.</summary>
    internal IdMap? Ids => ids;

    /// <summary>The container's path as one below <see cref="Root"/>.</summary>
    internal ContainerPath Within(string path) => ContainerPath.Parse(path).Below(prefix);

    public async ValueTask DisposeAsync()
    {
        root.Dispose();
        await letGo();
    }
}

/// <summary>A path in a container, cleaned of dots as text.</summary>
/// <param name="Text">Absolute, without a slash at the end but for the root.</param>
/// <param name="IsFolder">It was written with a slash or a dot at its end: a link there is followed.</param>
internal readonly record struct ContainerPath(string Text, bool IsFolder)
{
    /// <summary>The last part; a slash for the root.</summary>
    internal string Name => Text == "/" ? "/" : Path.GetFileName(Text);

    /// <summary>For the kernel: relative, so that it begins at the root that it is given.</summary>
    internal byte[] Relative => Encoding.UTF8.GetBytes(Text.TrimStart('/'));

    internal byte[] RelativeFolder => Encoding.UTF8.GetBytes((Path.GetDirectoryName(Text) ?? "/").TrimStart('/'));

    internal byte[] NameBytes => Encoding.UTF8.GetBytes(Name);

    /// <exception cref="InvalidRequestException">It cannot be a path.</exception>
    internal static ContainerPath Parse(string path)
    {
        if (path.Length == 0 || path.Contains('\0', StringComparison.Ordinal))
        {
            throw new InvalidRequestException("a path in the container is wanted");
        }

        var full = Path.GetFullPath("/" + path);
        return new ContainerPath(full.Length > 1 ? full.TrimEnd('/') : "/", path.EndsWith('/') || path.EndsWith("/.", StringComparison.Ordinal) || path == ".");
    }

    internal ContainerPath Below(string prefix) => prefix.Length == 0 ? this : this with { Text = "/" + Text[prefix.Length..].TrimStart('/') };
}
