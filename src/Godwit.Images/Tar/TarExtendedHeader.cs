using System.Buffers.Text;
using Godwit.Linux.Files;

namespace Godwit.Images.Tar;

/// <summary>What stands before a member's own header and overrules it. Source: POSIX pax, "pax Extended Header"; SCHILY.xattr and GNU.sparse by their makers' manuals.</summary>
internal sealed class TarExtendedHeader
{
    private const int AttributesMax = 256;

    public byte[]? Name { get; set; }

    public byte[]? LinkTarget { get; set; }

    public long? SizeBytes { get; private set; }

    public uint? UserId { get; private set; }

    public uint? GroupId { get; private set; }

    public FileTime? Modified { get; private set; }

    public List<TarAttribute> Attributes { get; } = [];

    public TarSparse? Sparse { get; private set; }

    /// <summary>Records of the form <c>LENGTH KEY=VALUE\n</c>, where LENGTH counts itself and the line's end.</summary>
    public void ReadPax(ReadOnlySpan<byte> records)
    {
        while (!records.IsEmpty)
        {
            if (!Utf8Parser.TryParse(records, out int length, out var digits) || digits >= records.Length || records[digits] != ' '
                || length <= digits + 2 || length > records.Length || records[length - 1] != '\n')
            {
                throw TarReader.Corrupt("an extended header cannot be read");
            }

            var record = records[(digits + 1)..(length - 1)];
            var equals = record.IndexOf((byte)'=');
            if (equals <= 0)
            {
                throw TarReader.Corrupt("an extended header has a record without a name");
            }

            Take(record[..equals], record[(equals + 1)..]);
            records = records[length..];
        }
    }

    private void Take(ReadOnlySpan<byte> key, ReadOnlySpan<byte> value)
    {
        if (key.SequenceEqual("path"u8))
        {
            Name = Sparse?.Name ?? Path(value);
        }
        else if (key.SequenceEqual("linkpath"u8))
        {
            LinkTarget = Path(value);
        }
        else if (key.SequenceEqual("size"u8))
        {
            SizeBytes = Whole(value);
        }
        else if (key.SequenceEqual("uid"u8))
        {
            UserId = Id(value);
        }
        else if (key.SequenceEqual("gid"u8))
        {
            GroupId = Id(value);
        }
        else if (key.SequenceEqual("mtime"u8))
        {
            Modified = Time(value);
        }
        else if (key.StartsWith("SCHILY.xattr."u8))
        {
            TakeAttribute(key["SCHILY.xattr."u8.Length..], value);
        }
        else if (key.StartsWith("GNU.sparse."u8))
        {
            Sparse ??= new TarSparse();
            Sparse.Take(key["GNU.sparse."u8.Length..], value);
            Name = Sparse.Name ?? Name;
        }
    }

    private void TakeAttribute(ReadOnlySpan<byte> name, ReadOnlySpan<byte> value)
    {
        if (name.IsEmpty || name.Length > 255 || Attributes.Count >= AttributesMax || name.Contains((byte)0))
        {
            throw TarReader.Corrupt("a member's extended attributes are too many, or have no proper names");
        }

        Attributes.Add(new TarAttribute(name.ToArray(), value.ToArray()));
    }

    private static byte[]? Path(ReadOnlySpan<byte> value) =>
        value.Contains((byte)0) ? throw TarReader.Corrupt("a name has a zero in it") : value.IsEmpty ? null : value.ToArray();

    internal static long Whole(ReadOnlySpan<byte> value) =>
        Utf8Parser.TryParse(value, out long number, out var used) && used == value.Length && number >= 0 ? number : throw TarReader.Corrupt("an extended header has a number that is none");

    private static uint? Id(ReadOnlySpan<byte> value) => Whole(value) is < uint.MaxValue and var id ? (uint)id : throw TarReader.Corrupt("a user or group id is out of range");

    /// <summary>Seconds with an optional fraction, possibly negative.</summary>
    private static FileTime Time(ReadOnlySpan<byte> value)
    {
        if (!Utf8Parser.TryParse(value, out decimal seconds, out var used) || used != value.Length || Math.Abs(seconds) > 1L << 53)
        {
            throw TarReader.Corrupt("a member's time is no number");
        }

        var whole = decimal.Floor(seconds);
        return new FileTime((long)whole, (int)((seconds - whole) * 1_000_000_000m));
    }
}
