using System.Globalization;
using System.Text;

namespace Godwit.Images.Tar;

/// <summary>
/// Writes a tar in pax form: a plain ustar header where it holds everything, with an extended header before it where it
/// does not. The same entries give the same bytes. Times are written in whole seconds, as Docker's layers have them.
/// </summary>
/// <param name="output">Where it goes. It is not disposed here.</param>
public sealed class TarWriter(Stream output)
{
    private const long OctalMax8 = 0x1f_ffff; // Seven octal digits.
    private const long OctalMax12 = 0x1_ffff_ffff; // Eleven.

    private readonly byte[] block = new byte[TarReader.BlockBytes];
    private long dataLeft;
    private int padding;

    /// <summary>Begins a member. A file's <see cref="TarEntry.SizeBytes"/> bytes must follow through <see cref="Write"/>.</summary>
    public void Begin(TarEntry entry)
    {
        RequireComplete();
        if (entry.Extents is not null)
        {
            throw new ArgumentException("Sparse files are written in full.", nameof(entry));
        }

        var records = Records(entry);
        if (records.Length > 0)
        {
            var name = entry.Name.AsSpan(0, Math.Min(entry.Name.Length, 80));
            WriteHeader(new TarEntry { Name = [.. "PaxHeaders/"u8, .. name.TrimEnd((byte)'/')], Kind = TarKind.File, Mode = 0x1a4, SizeBytes = records.Length }, 'x');
            output.Write(records);
            block.AsSpan().Clear();
            output.Write(block.AsSpan(0, Pad(records.Length)));
        }

        WriteHeader(entry, TypeOf(entry.Kind));
        (dataLeft, padding) = (entry.SizeBytes, Pad(entry.SizeBytes));
        FinishMember();
    }

    /// <summary>The next bytes of the current file.</summary>
    public void Write(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length > dataLeft)
        {
            throw new InvalidOperationException("More bytes than the member was announced with.");
        }

        output.Write(bytes);
        dataLeft -= bytes.Length;
        FinishMember();
    }

    /// <summary>A whole member at once.</summary>
    public void Add(TarEntry entry, ReadOnlySpan<byte> contents = default)
    {
        Begin(entry with { SizeBytes = contents.Length });
        Write(contents);
    }

    /// <summary>Two blocks of zeroes.</summary>
    public void End()
    {
        RequireComplete();
        Array.Clear(block);
        output.Write(block);
        output.Write(block);
    }

    private static int Pad(long size) => (int)((TarReader.BlockBytes - (size % TarReader.BlockBytes)) % TarReader.BlockBytes);

    private static char TypeOf(TarKind kind) => kind switch
    {
        TarKind.File => '0',
        TarKind.HardLink => '1',
        TarKind.SymbolicLink => '2',
        TarKind.CharacterDevice => '3',
        TarKind.BlockDevice => '4',
        TarKind.Folder => '5',
        _ => '6',
    };

    private void FinishMember()
    {
        if (dataLeft == 0 && padding > 0)
        {
            block.AsSpan(0, padding).Clear();
            output.Write(block.AsSpan(0, padding));
            padding = 0;
        }
    }

    private void RequireComplete()
    {
        if (dataLeft > 0)
        {
            throw new InvalidOperationException("The member before has not got all of its bytes.");
        }
    }

    private static byte[] Records(TarEntry entry)
    {
        using var records = new MemoryStream();
        if (entry.Name.Length > 100 && SplitName(entry.Name) < 0)
        {
            AddRecord(records, "path"u8, entry.Name);
        }

        if (entry.LinkTarget.Length > 100)
        {
            AddRecord(records, "linkpath"u8, entry.LinkTarget);
        }

        AddNumber(records, "size"u8, entry.SizeBytes, OctalMax12);
        AddNumber(records, "uid"u8, entry.UserId, OctalMax8);
        AddNumber(records, "gid"u8, entry.GroupId, OctalMax8);
        if (entry.Modified.Seconds is < 0 or > OctalMax12)
        {
            AddRecord(records, "mtime"u8, Encoding.ASCII.GetBytes(entry.Modified.Seconds.ToString(CultureInfo.InvariantCulture)));
        }

        foreach (var attribute in entry.Attributes)
        {
            AddRecord(records, [.. "SCHILY.xattr."u8, .. attribute.Name], attribute.Value);
        }

        return records.ToArray();
    }

    private static void AddNumber(MemoryStream records, ReadOnlySpan<byte> key, long value, long plainMax)
    {
        if (value > plainMax)
        {
            AddRecord(records, key, Encoding.ASCII.GetBytes(value.ToString(CultureInfo.InvariantCulture)));
        }
    }

    private static void AddRecord(MemoryStream records, ReadOnlySpan<byte> key, ReadOnlySpan<byte> value)
    {
        var bare = key.Length + value.Length + 3; // Blank, equals sign, line's end.
        var length = bare;
        while (length != bare + Digits(length))
        {
            length = bare + Digits(length);
        }

        records.Write(Encoding.ASCII.GetBytes(length.ToString(CultureInfo.InvariantCulture)));
        records.WriteByte((byte)' ');
        records.Write(key);
        records.WriteByte((byte)'=');
        records.Write(value);
        records.WriteByte((byte)'\n');
    }

    private static int Digits(int number) => number.ToString(CultureInfo.InvariantCulture).Length;

    /// <summary>Where a long name can be split into prefix and name; -1 where it cannot.</summary>
    private static int SplitName(ReadOnlySpan<byte> name)
    {
        if (name.Length > 256)
        {
            return -1;
        }

        var at = name[..Math.Min(name.Length - 1, 156)].LastIndexOf((byte)'/');
        return at > 0 && name.Length - at - 1 is > 0 and <= 100 ? at : -1;
    }

    private void WriteHeader(TarEntry entry, char type)
    {
        Array.Clear(block);
        var name = entry.Name.AsSpan();
        if (name.Length > 100 && SplitName(name) is >= 0 and var split)
        {
            name[..split].CopyTo(block.AsSpan(345));
            name = name[(split + 1)..];
        }

        name[..Math.Min(name.Length, 100)].CopyTo(block);
        Octal(100, 8, entry.Mode);
        Octal(108, 8, entry.UserId <= OctalMax8 ? entry.UserId : 0);
        Octal(116, 8, entry.GroupId <= OctalMax8 ? entry.GroupId : 0);
        Octal(124, 12, entry.SizeBytes <= OctalMax12 ? entry.SizeBytes : 0);
        Octal(136, 12, entry.Modified.Seconds is >= 0 and <= OctalMax12 ? entry.Modified.Seconds : 0);
        block[156] = (byte)type;
        entry.LinkTarget.AsSpan(0, Math.Min(entry.LinkTarget.Length, 100)).CopyTo(block.AsSpan(157));
        "ustar\000"u8.CopyTo(block.AsSpan(257));
        Octal(329, 8, entry.DeviceMajor);
        Octal(337, 8, entry.DeviceMinor);
        var sum = TarHeader.Checksum(block);
        Octal(148, 7, sum);
        block[155] = (byte)' ';
        output.Write(block);
    }

    /// <summary>Leading zeroes, and a zero byte at the end.</summary>
    private void Octal(int offset, int length, long value)
    {
        for (var at = offset + length - 2; at >= offset; at--)
        {
            block[at] = (byte)('0' + (value & 7));
            value >>= 3;
        }
    }
}
