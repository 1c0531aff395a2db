using Godwit.Linux.Files;
using Microsoft.Win32.SafeHandles;

namespace Godwit.Images.Tar;

/// <summary>Writes a member's bytes into its file. Long runs of zeroes become holes: a disk image keeps its size and not its weight.</summary>
/// <param name="isSynced">A sync of all follows: then large files begin to go to the disk while the rest is unpacked.</param>
internal sealed class FileContents(TarReader tar, bool isSynced)
{
    private const int BufferBytes = 128 << 10;
    private const int HoleBytes = 32 << 10;
    private const int BeginWritingBytes = 4 << 20;

    private readonly byte[] buffer = new byte[BufferBytes];

    public void Write(SafeFileHandle file, TarEntry entry, CancellationToken stopping)
    {
        long end = 0;
        foreach (var extent in entry.Extents ?? [new TarExtent(0, entry.SizeBytes)])
        {
            end = WriteExtent(file, extent, stopping);
        }

        if (end < entry.SizeBytes)
        {
            RandomAccess.SetLength(file, entry.SizeBytes); // It ends with a hole.
        }
    }

    /// <summary>Where the last byte was written.</summary>
    private long WriteExtent(SafeFileHandle file, TarExtent extent, CancellationToken stopping)
    {
        long written = 0;
        long unsynced = 0;
        for (long offset = extent.Offset, left = extent.Length; left > 0;)
        {
            stopping.ThrowIfCancellationRequested();
            var count = Fill((int)Math.Min(left, BufferBytes));
            // Neighbours that are no holes are written at once.
            for (int from = 0, at = 0; at < count; from = at)
            {
                while (at < count && (extent.Length < HoleBytes || buffer.AsSpan(at, Math.Min(HoleBytes, count - at)).ContainsAnyExcept((byte)0)))
                {
                    at = Math.Min(at + HoleBytes, count);
                }

                if (at > from)
                {
                    RandomAccess.Write(file, buffer.AsSpan(from, at - from), offset + from);
                    written = offset + at;
                }
                else
                {
                    at = Math.Min(at + HoleBytes, count);
                }
            }

            offset += count;
            left -= count;
            unsynced += count;
            if (isSynced && unsynced >= BeginWritingBytes)
            {
                HeldFolder.BeginWriting(file);
                unsynced = 0;
            }
        }

        return written;
    }

    private int Fill(int count)
    {
        var filled = 0;
        while (filled < count)
        {
            filled += tar.Read(buffer.AsSpan(filled, count - filled));
        }

        return filled;
    }
}
