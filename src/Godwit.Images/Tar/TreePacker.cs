using Godwit.Linux.Files;

namespace Godwit.Images.Tar;

/// <summary>How a tree becomes a tar.</summary>
public sealed record PackOptions
{
    /// <summary>The tree is overlayfs's upper folder: its marks become a layer's <c>.wh.</c> names.</summary>
    public bool IsLayer { get; init; }

    /// <summary>In front of every name, without a slash at the end; empty for none.</summary>
    public byte[] Prefix { get; init; } = [];

    /// <summary>Whether the tree's root itself is a member (named by the prefix, or <c>./</c>).</summary>
    public bool WithRoot { get; init; }

    /// <summary>Makes another member of each one before it is written; null leaves them as they are.</summary>
    public Func<TarEntry, TarEntry>? Change { get; init; }

    /// <summary>Names (from the tree's root, without a slash in front) that are left out, with all below them.</summary>
    public Func<byte[], bool> LeaveOut { get; init; } = _ => false;
}

/// <summary>
/// Makes a tar of a tree: names in the order of their bytes, folders before what is in them, a file with several names
/// once and then as links. The same tree gives the same bytes. Nothing is followed, and the tree may change meanwhile:
/// a file that shrinks is filled with zeroes, one that grows is cut, one that goes is left out.
/// </summary>
public sealed class TreePacker
{
    private const int DepthMax = 4096;
    private const int BufferBytes = 128 << 10;

    private readonly TarWriter tar;
    private readonly PackOptions options;
    private readonly CancellationToken stopping;
    private readonly Dictionary<(ulong Device, ulong Inode), byte[]> firstNames = [];
    private readonly byte[] buffer = new byte[BufferBytes];

    private TreePacker(TarWriter tar, PackOptions options, CancellationToken stopping) => (this.tar, this.options, this.stopping) = (tar, options, stopping);

    /// <summary>Writes the members of the tree; the archive's end is the caller's to write.</summary>
    public static void Pack(HeldFolder root, TarWriter tar, PackOptions options, CancellationToken stopping)
    {
        var packer = new TreePacker(tar, options, stopping);
        if (options.WithRoot)
        {
            packer.Add(Describe(root.Status(), options.Prefix.Length == 0 ? "./"u8.ToArray() : [.. options.Prefix, (byte)'/'], ReadAttributes(root, default)));
        }

        packer.PackFolder(root, [], 0);
    }

    /// <summary>Writes one name of a folder, with all below it if it is a folder, as <see cref="PackOptions.Prefix"/>.</summary>
    /// <returns>False when there is no such name.</returns>
    public static bool PackOne(HeldFolder folder, byte[] name, TarWriter tar, PackOptions options, CancellationToken stopping)
    {
        if (folder.Find(name) is not { } status)
        {
            return false;
        }

        if (status.Kind is not FileKind.Folder)
        {
            new TreePacker(tar, options with { Prefix = [] }, stopping).PackEntry(folder, name, options.Prefix.Length == 0 ? name : options.Prefix, 0);
            return true;
        }

        using var held = folder.OpenFolder(name);
        if (held is not null)
        {
            Pack(held, tar, options with { WithRoot = true }, stopping);
        }

        return held is not null;
    }

    private void PackFolder(HeldFolder folder, byte[] path, int depth)
    {
        if (depth > DepthMax)
        {
            throw new ImageException(ImageErrorKind.Host, $"The folders of {folder.Path} are more than {DepthMax} deep.");
        }

        if (options.IsLayer && folder.GetAttribute(default, "trusted.overlay.opaque"u8) is [(byte)'y', ..])
        {
            Add(new TarEntry { Name = Prefixed([.. path, .. path.Length == 0 ? ""u8 : "/"u8, .. ".wh..wh..opq"u8]), Kind = TarKind.File, Mode = 0x180 });
        }

        foreach (var entry in folder.List())
        {
            stopping.ThrowIfCancellationRequested();
            byte[] below = path.Length == 0 ? entry.Name : [.. path, (byte)'/', .. entry.Name];
            if (!options.LeaveOut(below))
            {
                PackEntry(folder, entry.Name, below, depth);
            }
        }
    }

    private void PackEntry(HeldFolder folder, byte[] name, byte[] path, int depth)
    {
        if (folder.Find(name) is not { } status || status.Kind is FileKind.Socket or FileKind.Other)
        {
            return; // Sockets have no form in a tar.
        }

        if (options.IsLayer && status.IsWhiteout)
        {
            Add(new TarEntry { Name = Prefixed([.. path.AsSpan(0, path.Length - name.Length), .. ".wh."u8, .. name]), Kind = TarKind.File, Mode = 0x180 });
            return;
        }

        if (status.Kind is FileKind.Folder)
        {
            using var below = folder.OpenFolder(name);
            if (below is not null)
            {
                Add(Describe(status, [.. Prefixed(path), (byte)'/'], ReadAttributes(folder, name)));
                PackFolder(below, path, depth + 1);
            }

            return;
        }

        var full = Prefixed(path);
        if (status.Links > 1 && !firstNames.TryAdd((status.DeviceId, status.InodeNumber), full))
        {
            Add(Describe(status, full, []) with { Kind = TarKind.HardLink, LinkTarget = firstNames[(status.DeviceId, status.InodeNumber)] });
            return;
        }

        PackLeaf(folder, name, status, full);
    }

    private void PackLeaf(HeldFolder folder, byte[] name, FileStatus status, byte[] full)
    {
        var entry = Describe(status, full, ReadAttributes(folder, name));
        if (status.Kind is FileKind.Link)
        {
            entry = entry with { LinkTarget = folder.ReadLink(name) ?? [] };
        }

        if (status.Kind is not FileKind.Regular)
        {
            // A layer with any other device would not unpack to itself.
            if (!options.IsLayer || entry.Kind is TarKind.SymbolicLink or TarKind.Pipe || HarmlessDevices.Has(entry.Kind, entry.DeviceMajor, entry.DeviceMinor))
            {
                Add(entry);
            }

            return;
        }

        using var file = folder.OpenFile(name);
        if (file is null)
        {
            return;
        }

        tar.Begin(Changed(entry) with { SizeBytes = status.SizeBytes });
        for (long offset = 0; offset < status.SizeBytes;)
        {
            stopping.ThrowIfCancellationRequested();
            var wanted = (int)Math.Min(BufferBytes, status.SizeBytes - offset);
            var read = RandomAccess.Read(file, buffer.AsSpan(0, wanted), offset);
            buffer.AsSpan(read, read == 0 ? wanted : 0).Clear();
            read = read == 0 ? wanted : read;
            tar.Write(buffer.AsSpan(0, read));
            offset += read;
        }
    }

    private void Add(TarEntry entry) => tar.Add(Changed(entry));

    private TarEntry Changed(TarEntry entry) => options.Change?.Invoke(entry) ?? entry;

    private byte[] Prefixed(byte[] path) => options.Prefix.Length == 0 ? path : [.. options.Prefix, (byte)'/', .. path];

    private static TarEntry Describe(FileStatus status, byte[] name, IReadOnlyList<TarAttribute> attributes) => new()
    {
        Name = name,
        Kind = status.Kind switch
        {
            FileKind.Folder => TarKind.Folder,
            FileKind.Link => TarKind.SymbolicLink,
            FileKind.CharacterDevice => TarKind.CharacterDevice,
            FileKind.BlockDevice => TarKind.BlockDevice,
            FileKind.Pipe => TarKind.Pipe,
            _ => TarKind.File,
        },
        Mode = status.Mode,
        UserId = status.UserId,
        GroupId = status.GroupId,
        Modified = status.Modified,
        DeviceMajor = status.DeviceMajor,
        DeviceMinor = status.DeviceMinor,
        Attributes = attributes,
    };

    private static TarAttribute[] ReadAttributes(HeldFolder folder, ReadOnlySpan<byte> name)
    {
        var names = folder.ListAttributes(name);
        if (names.Count == 0)
        {
            return [];
        }

        var found = new List<TarAttribute>();
        foreach (var attribute in names)
        {
            if (TreeUnpacker.IsTaken(attribute) && folder.GetAttribute(name, attribute) is { } value)
            {
                found.Add(new TarAttribute(attribute, value));
            }
        }

        return [.. found];
    }
}
