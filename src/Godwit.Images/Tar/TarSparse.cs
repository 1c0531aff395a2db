namespace Godwit.Images.Tar;

/// <summary>A sparse file's map in one of GNU tar's four forms. Source: GNU tar manual, "Storing Sparse Files".</summary>
internal sealed class TarSparse
{
    private const int ExtentsMax = 1 << 20;
    private const int GnuFieldBytes = 12;

    private long? pendingOffset;
    private long major;

    public byte[]? Name { get; private set; }

    public long? SizeBytes { get; private set; }

    public List<TarExtent> Extents { get; } = [];

    /// <summary>Form 1.0: the map stands at the start of the data.</summary>
    public bool MapIsInData => major == 1;

    public void Take(ReadOnlySpan<byte> key, ReadOnlySpan<byte> value)
    {
        if (key.SequenceEqual("name"u8))
        {
            Name = value.IsEmpty || value.Contains((byte)0) ? throw TarReader.Corrupt("a sparse file's name is none") : value.ToArray();
        }
        else if (key.SequenceEqual("size"u8) || key.SequenceEqual("realsize"u8))
        {
            SizeBytes = TarExtendedHeader.Whole(value);
        }
        else if (key.SequenceEqual("major"u8))
        {
            major = TarExtendedHeader.Whole(value);
        }
        else if (key.SequenceEqual("offset"u8))
        {
            pendingOffset = TarExtendedHeader.Whole(value);
        }
        else if (key.SequenceEqual("numbytes"u8))
        {
            Add(Extents, pendingOffset ?? throw TarReader.Corrupt("a sparse file's map has a length without an offset"), TarExtendedHeader.Whole(value));
            pendingOffset = null;
        }
        else if (key.SequenceEqual("map"u8))
        {
            TakeMap(value);
        }
    }

    /// <summary>The form of GNU tar's own header: four extents in the header, and 21 in each block after it.</summary>
    public static (List<TarExtent> Extents, long SizeBytes) ReadGnu(byte[] block, Func<byte[]> nextBlock)
    {
        var extents = new List<TarExtent>();
        var size = TarHeader.Number(block.AsSpan(483, GnuFieldBytes), "size");
        AddGnu(extents, block.AsSpan(386, 4 * 2 * GnuFieldBytes));
        var more = block[482] != 0;
        while (more)
        {
            block = nextBlock();
            AddGnu(extents, block.AsSpan(0, 21 * 2 * GnuFieldBytes));
            more = block[504] != 0;
        }

        return (extents, size);
    }

    /// <summary>Form 1.0: lines with one decimal number each: how many extents, then offset and length of each.</summary>
    public static List<TarExtent> ReadMap(Func<byte> next)
    {
        var extents = new List<TarExtent>();
        var count = Line(next);
        if (count > ExtentsMax)
        {
            throw TarReader.Corrupt($"a sparse file has {count} extents; at most {ExtentsMax} are read");
        }

        for (var index = 0; index < count; index++)
        {
            Add(extents, Line(next), Line(next));
        }

        return extents;
    }

    /// <summary>Ascending, apart from each other, inside the file, and together as long as what is stored.</summary>
    public static IReadOnlyList<TarExtent> Check(List<TarExtent> extents, long stored, long size)
    {
        long end = 0, total = 0;
        foreach (var extent in extents)
        {
            if (extent.Offset < end || extent.Length < 0 || extent.Length > size - extent.Offset)
            {
                throw TarReader.Corrupt("a sparse file's map is out of order or leads out of the file");
            }

            end = extent.Offset + extent.Length;
            total += extent.Length;
        }

        return total == stored ? extents : throw TarReader.Corrupt("a sparse file's map and its data do not have the same length");
    }

    private void TakeMap(ReadOnlySpan<byte> value)
    {
        long? offset = null;
        foreach (var range in value.Split((byte)','))
        {
            var number = TarExtendedHeader.Whole(value[range]);
            if (offset is { } start)
            {
                Add(Extents, start, number);
                offset = null;
            }
            else
            {
                offset = number;
            }
        }
    }

    private static void AddGnu(List<TarExtent> extents, ReadOnlySpan<byte> fields)
    {
        for (; !fields.IsEmpty; fields = fields[(2 * GnuFieldBytes)..])
        {
            if (fields[0] != 0)
            {
                Add(extents, TarHeader.Number(fields[..GnuFieldBytes], "extent"), TarHeader.Number(fields.Slice(GnuFieldBytes, GnuFieldBytes), "extent"));
            }
        }
    }

    private static void Add(List<TarExtent> extents, long offset, long length)
    {
        if (extents.Count >= ExtentsMax)
        {
            throw TarReader.Corrupt($"a sparse file has more than {ExtentsMax} extents");
        }

        extents.Add(offset >= 0 && length >= 0 ? new TarExtent(offset, length) : throw TarReader.Corrupt("a sparse file's map has a negative number"));
    }

    private static long Line(Func<byte> next)
    {
        long number = 0;
        for (var digits = 0; digits < 19; digits++)
        {
            var digit = next();
            if (digit == '\n' && digits > 0)
            {
                return number;
            }

            if (digit is < (byte)'0' or > (byte)'9')
            {
                break;
            }

            number = (number * 10) + (digit - '0');
        }

        throw TarReader.Corrupt("a sparse file's map has a line that is no number");
    }
}
