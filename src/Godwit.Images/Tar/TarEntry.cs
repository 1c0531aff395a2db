using System.Text;
using Godwit.Linux.Files;

namespace Godwit.Images.Tar;

public enum TarKind
{
    File,
    HardLink,
    SymbolicLink,
    CharacterDevice,
    BlockDevice,
    Folder,
    Pipe,
}

/// <summary>An extended attribute, its name with the namespace (<c>security.capability</c>), its value as bytes.</summary>
public readonly record struct TarAttribute(byte[] Name, byte[] Value);

/// <summary>A stretch of a sparse file that holds data; what lies between two of them reads as zeroes.</summary>
public readonly record struct TarExtent(long Offset, long Length);

/// <summary>One member of an archive. Names are bytes, just as Linux and tar have them.</summary>
public sealed record TarEntry
{
    /// <summary>As it stands in the archive, a folder's with or without its slash at the end.</summary>
    public required byte[] Name { get; init; }

    public required TarKind Kind { get; init; }

    /// <summary>The lower twelve bits: permissions, set-user-id, set-group-id, sticky.</summary>
    public required uint Mode { get; init; }

    public uint UserId { get; init; }

    public uint GroupId { get; init; }

    /// <summary>Length of the file as it will be, holes included; zero for all else.</summary>
    public long SizeBytes { get; init; }

    public FileTime Modified { get; init; }

    /// <summary>Where a link leads; empty for all else.</summary>
    public byte[] LinkTarget { get; init; } = [];

    public uint DeviceMajor { get; init; }

    public uint DeviceMinor { get; init; }

    public IReadOnlyList<TarAttribute> Attributes { get; init; } = [];

    /// <summary>Where the data lies, in ascending order; null when there are no holes.</summary>
    public IReadOnlyList<TarExtent>? Extents { get; init; }

    /// <summary>For messages.</summary>
    public string NameText => Encoding.UTF8.GetString(Name.AsSpan(0, Math.Min(Name.Length, 300)));
}
