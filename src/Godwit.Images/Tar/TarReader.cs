using System.Text;
using Godwit.Linux.Files;

namespace Godwit.Images.Tar;

/// <summary>
/// Reads a tar from a stream, forwards only: ustar, pax and GNU forms with long names, large numbers, extended attributes
/// and sparse files. The archive is hostile: every length is checked before memory is taken for it. Sources: POSIX pax,
/// and the GNU tar manual for its own forms.
/// <para>The library's own tar reader is not used: it decodes names and attribute values as text, which loses bytes
/// (a capability's value is no text), takes memory by the archive's word, and knows no sparse files.</para>
/// </summary>
/// <param name="stream">The tar itself, not compressed. It is not disposed here.</param>
public sealed class TarReader(Stream stream)
{
    internal const int BlockBytes = 512;
    private const int ExtendedHeaderBytesMax = 1 << 20;
    private const int HeadersInARowMax = 64;

    private readonly byte[] block = new byte[BlockBytes];
    private long dataLeft; // Stored bytes of the current entry that were not read yet.
    private long padding; // To the next block, after them.
    private bool ended;

    /// <summary>The next member, or null at the end. What was not read of the one before is skipped.</summary>
    /// <exception cref="ImageException">It is no tar, or a broken one (<see cref="ImageErrorKind.Corrupt"/>).</exception>
    public TarEntry? Next()
    {
        if (ended)
        {
            return null;
        }

        Skip(dataLeft + padding);
        (dataLeft, padding) = (0, 0);
        var extended = new TarExtendedHeader();
        for (var headers = 0; headers < HeadersInARowMax; headers++)
        {
            if (!ReadBlock())
            {
                ended = true;
                return null;
            }

            var header = new TarHeader(block);
            switch (header.Type)
            {
                case 'x':
                    extended.ReadPax(ReadSmall(header.SizeBytes));
                    break;
                case 'g':
                    _ = ReadSmall(header.SizeBytes); // Global defaults: only comments are in use.
                    break;
                case 'L':
                    extended.Name = TrimZeroes(ReadSmall(header.SizeBytes));
                    break;
                case 'K':
                    extended.LinkTarget = TrimZeroes(ReadSmall(header.SizeBytes));
                    break;
                case 'V' or 'M' or 'N':
                    throw Corrupt($"it has a member of the kind '{header.Type}', of a multi-volume archive");
                default:
                    return Describe(header, extended);
            }
        }

        throw Corrupt($"more than {HeadersInARowMax} extended headers stand before one member");
    }

    /// <summary>Stored bytes of the current member, holes left out; zero at its end.</summary>
    public int Read(Span<byte> buffer)
    {
        if (dataLeft == 0 || buffer.IsEmpty)
        {
            return 0;
        }

        var count = stream.Read(buffer[..(int)Math.Min(buffer.Length, dataLeft)]);
        dataLeft -= count;
        return count > 0 ? count : throw Corrupt("it ends in the middle of a file");
    }

    /// <summary>All stored bytes of the current member, which must be few.</summary>
    /// <exception cref="ImageException">It has more than <paramref name="bytesMax"/>.</exception>
    public byte[] ReadAll(int bytesMax)
    {
        if (dataLeft > bytesMax)
        {
            throw Corrupt($"a member has {dataLeft} bytes where at most {bytesMax} are expected");
        }

        var all = new byte[(int)dataLeft];
        for (var at = 0; at < all.Length;)
        {
            at += Read(all.AsSpan(at));
        }

        return all;
    }

    internal static ImageException Corrupt(string reason, Exception? cause = null) => cause is null
        ? new ImageException(ImageErrorKind.Corrupt, $"The tar archive is refused: {reason}.")
        : new ImageException(ImageErrorKind.Corrupt, $"The tar archive is refused: {reason}.", cause);

    private static byte[] TrimZeroes(byte[] name) => Array.IndexOf(name, (byte)0) is >= 0 and var end ? name[..end] : name;

    private TarEntry Describe(TarHeader header, TarExtendedHeader extended)
    {
        var kind = KindOf(header, extended.Name ?? header.Name);
        var stored = kind is TarKind.File ? extended.SizeBytes ?? header.SizeBytes : 0;
        if (stored < 0)
        {
            throw Corrupt("a file has a negative size");
        }

        if (kind is not TarKind.File && header.Type is not ('1' or '2' or '3' or '4' or '5' or '6') && header.SizeBytes != 0)
        {
            stored = header.SizeBytes; // A folder of the oldest form; its bytes are skipped.
        }

        (dataLeft, padding) = (stored, Padding(stored));
        var entry = new TarEntry
        {
            Name = extended.Name ?? header.Name,
            Kind = kind,
            Mode = header.Mode,
            UserId = extended.UserId ?? header.UserId,
            GroupId = extended.GroupId ?? header.GroupId,
            Modified = extended.Modified ?? new FileTime(header.ModifiedSeconds, 0),
            LinkTarget = kind is TarKind.HardLink or TarKind.SymbolicLink ? extended.LinkTarget ?? header.LinkTarget : [],
            DeviceMajor = kind is TarKind.CharacterDevice or TarKind.BlockDevice ? header.DeviceMajor : 0,
            DeviceMinor = kind is TarKind.CharacterDevice or TarKind.BlockDevice ? header.DeviceMinor : 0,
            Attributes = extended.Attributes,
        };
        var (extents, size) = ReadExtents(header.Type, extended, stored); // Last: it reads on, over the header.
        return entry with { SizeBytes = kind is TarKind.File ? size : 0, Extents = extents };
    }

    private static TarKind KindOf(TarHeader header, byte[] name) => header.Type switch
    {
        '\0' or '0' or '7' => name is [.., (byte)'/'] ? TarKind.Folder : TarKind.File, // The oldest form marks a folder by its slash alone.
        'S' => TarKind.File,
        '1' => TarKind.HardLink,
        '2' => TarKind.SymbolicLink,
        '3' => TarKind.CharacterDevice,
        '4' => TarKind.BlockDevice,
        '5' => TarKind.Folder,
        '6' => TarKind.Pipe,
        var other => throw Corrupt($"it has a member of the unknown kind '{(char.IsAsciiLetterOrDigit(other) ? other : '?')}'"),
    };

    private (IReadOnlyList<TarExtent>? Extents, long SizeBytes) ReadExtents(char type, TarExtendedHeader extended, long stored)
    {
        if (type == 'S')
        {
            var (extents, size) = TarSparse.ReadGnu(block, () => ReadBlock() ? block : throw Corrupt("it ends in the middle of a sparse file's map"));
            return (TarSparse.Check(extents, stored, size), size);
        }

        if (extended.Sparse is not { } sparse)
        {
            return (null, stored);
        }

        if (sparse.SizeBytes is not { } real)
        {
            throw Corrupt("a sparse file does not say how long it is");
        }

        var map = sparse.MapIsInData ? TarSparse.ReadMap(ReadMapByte) : sparse.Extents;
        if (sparse.MapIsInData)
        {
            Skip((BlockBytes - ((stored - dataLeft) % BlockBytes)) % BlockBytes is var rest && rest <= dataLeft ? rest : throw Corrupt("a sparse file's map is cut off"));
            dataLeft -= rest;
        }

        return (TarSparse.Check(map, dataLeft, real), real);
    }

    private byte ReadMapByte()
    {
        Span<byte> one = stackalloc byte[1];
        return Read(one) == 1 ? one[0] : throw Corrupt("a sparse file's map is cut off");
    }

    private static long Padding(long size) => (BlockBytes - (size % BlockBytes)) % BlockBytes;

    private byte[] ReadSmall(long size)
    {
        if (size is < 0 or > ExtendedHeaderBytesMax)
        {
            throw Corrupt($"an extended header has {size} bytes; at most {ExtendedHeaderBytesMax} are read");
        }

        var bytes = new byte[(int)size];
        ReadExactly(bytes);
        Skip(Padding(size));
        return bytes;
    }

    /// <summary>False at the end: two blocks of zeroes, or, as Go's and GNU's readers take it, no more bytes.</summary>
    private bool ReadBlock()
    {
        var count = stream.ReadAtLeast(block, BlockBytes, throwOnEndOfStream: false);
        if (count == 0)
        {
            return false;
        }

        if (count < BlockBytes)
        {
            throw Corrupt("it ends in the middle of a header");
        }

        if (block.AsSpan().ContainsAnyExcept((byte)0))
        {
            return true;
        }

        count = stream.ReadAtLeast(block, BlockBytes, throwOnEndOfStream: false);
        return count is 0 or BlockBytes && !block.AsSpan(0, count).ContainsAnyExcept((byte)0) ? false : throw Corrupt("after a block of zeroes it goes on");
    }

    private void ReadExactly(Span<byte> bytes)
    {
        if (stream.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false) < bytes.Length)
        {
            throw Corrupt("it ends in the middle of a header");
        }
    }

    private void Skip(long count)
    {
        Span<byte> buffer = stackalloc byte[4096];
        while (count > 0)
        {
            var read = stream.Read(buffer[..(int)Math.Min(count, buffer.Length)]);
            if (read == 0)
            {
                throw Corrupt("it ends in the middle of a file");
            }

            count -= read;
        }
    }
}
