using System.Globalization;
using Godwit.Linux;
using Godwit.Linux.Files;
using Microsoft.Win32.SafeHandles;

namespace Godwit.Containers.Logs;

/// <summary>
/// A container's log: the file that is written, and those put aside, the oldest last: <c>log</c>, <c>log.1</c>, <c>log.2</c>. Putting aside is renaming, and the
/// monitor is told to open the name anew; whoever reads holds its file open and goes on from it to the next newer one.
/// <para>
/// Files are known by inode, because names pass from one to the other while a reader looks. Renaming goes from the oldest on, so at every
/// instant the order of the names is the order of the files, though with gaps; but a look takes many instants. So only what two looks
/// find alike is believed, and what is opened is compared with it.
/// </para>
/// </summary>
internal sealed class LogFiles(string path)
{
    private const int FilesMax = 1000;
    private const int LooksMax = 100;
    private const int BlockBytes = 64 << 10;

    internal string Current => path;

    /// <summary>From the oldest to the one that is written.</summary>
    internal IReadOnlyList<string> List() => Look() is { Count: > 0 } found ? [.. found.Select(file => file.Path)] : [path];

    /// <summary>Puts the file aside, and drops the oldest. The monitor still writes to it, until it has been told.</summary>
    internal void PutAside(int filesMax)
    {
        for (var i = FilesMax - 1; i >= Math.Max(1, filesMax - 1); i--)
        {
            File.Delete(Aside(i));
        }

        for (var i = filesMax - 2; i >= 1; i--)
        {
            if (File.Exists(Aside(i)))
            {
                File.Move(Aside(i), Aside(i + 1), overwrite: true);
            }
        }

        if (filesMax > 1)
        {
            File.Move(path, Aside(1), overwrite: true);
        }
        else
        {
            File.Delete(path);
        }
    }

    /// <summary>
    /// Ends a line that was cut off when the host went down, so that the next does not run into it. Only while no monitor writes. On a full disk the line
    /// stays open, and its reader finds the place (<see cref="LogCut"/>).
    /// </summary>
    internal void EndLine()
    {
        if (!File.Exists(path))
        {
            return; // Put aside, and its monitor ended before it opened the name anew.
        }

        using var file = File.OpenHandle(path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete);
        var length = RandomAccess.GetLength(file);
        Span<byte> last = [0];
        if (length == 0 || RandomAccess.Read(file, last, length - 1) == 0 || last[0] == (byte)'\n')
        {
            return;
        }

        try
        {
            RandomAccess.Write(file, "\n"u8, length);
        }
        catch (IOException full) when (full.HResult is (int)Errno.ENOSPC or (int)Errno.EDQUOT)
        {
            // Then it ends where a block of the disk does, and is found by that.
        }
    }

    /// <summary>The end of what is written now.</summary>
    internal LogCursor OpenEnd()
    {
        var cursor = LogCursor.Open(path);
        cursor.Offset = RandomAccess.GetLength(cursor.File);
        return cursor;
    }

    /// <summary>The start, or the place from which so many lines follow.</summary>
    internal LogCursor OpenStart(long? tail)
    {
        var files = List();
        if (tail is null)
        {
            return LogCursor.Open(files[0]);
        }

        var left = tail.Value;
        for (var i = files.Count - 1; ; i--)
        {
            var cursor = LogCursor.Open(files[i]);
            left = SeekBack(cursor, left, isLast: i == files.Count - 1);
            if (left == 0 || i == 0)
            {
                return cursor;
            }

            cursor.Dispose();
        }
    }

    /// <summary>The next newer file after the one that the cursor is in; null when that is the newest.</summary>
    internal LogCursor? OpenNext(LogCursor cursor)
    {
        for (var looks = 0; looks < LooksMax; looks++)
        {
            var files = Look();
            var place = files.FindIndex(file => file.InodeNumber == cursor.InodeNumber);
            if (files.Count == 0 || place == files.Count - 1)
            {
                return null;
            }

            if (!files.SequenceEqual(Look()))
            {
                continue;
            }

            // Not there: dropped meanwhile. What was in between is gone, the oldest that there is comes next.
            var next = LogCursor.TryOpen(files[place + 1].Path);
            if (next?.InodeNumber == files[place + 1].InodeNumber)
            {
                return next;
            }

            next?.Dispose();
        }

        return null; // They change faster than we look: the next change brings us back.
    }

    /// <summary>How much is there now after the cursor's place, in its file and in all newer ones.</summary>
    internal long CountBytesFrom(LogCursor cursor)
    {
        for (var looks = 0; ; looks++)
        {
            var files = Look();
            // Not there: dropped meanwhile, so all that are there are newer.
            var newer = files.Skip(files.FindIndex(file => file.InodeNumber == cursor.InodeNumber) + 1).ToList();
            var count = RandomAccess.GetLength(cursor.File) - cursor.Offset + newer.Sum(file => FileIdentity.Find(file.Path)?.SizeBytes ?? 0);
            if (looks == LooksMax || files.SequenceEqual(Look()))
            {
                return Math.Max(0, count);
            }
        }
    }

    /// <summary>What is there, from the oldest to the newest.</summary>
    private List<LogFile> Look()
    {
        var prefix = path + '.';
        var aside = Directory.EnumerateFiles(Path.GetDirectoryName(path)!)
            .Where(file => file.StartsWith(prefix, StringComparison.Ordinal))
            .Select(file => int.TryParse(file.AsSpan(prefix.Length), NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : 0)
            .Where(number => number is > 0 and < FilesMax)
            .OrderDescending()
            .Select(Aside);
        return [.. aside.Append(path).Select(file => FileIdentity.Find(file) is { } found ? new LogFile(file, found.InodeNumber) : default).Where(file => file.Path is not null).DistinctBy(file => file.InodeNumber)];
    }

    private string Aside(int number) => string.Create(CultureInfo.InvariantCulture, $"{path}.{number}");

    /// <summary>Sets the cursor so that up to <paramref name="lines"/> of the container's lines follow in this file; returns how many are still missing.</summary>
    private static long SeekBack(LogCursor cursor, long lines, bool isLast)
    {
        var end = RandomAccess.GetLength(cursor.File);
        cursor.Offset = end;
        if (lines <= 0)
        {
            return 0;
        }

        // An open piece at the very end counts as a line; a closing line is counted when the one after it begins.
        var found = 0L;
        var first = isLast;
        var block = new byte[BlockBytes];
        var lineEnd = IsLineEnd(cursor, end) ? end : 0; // What is being written there is no line yet.
        for (var blockEnd = end; blockEnd > 0;)
        {
            var start = Math.Max(0, blockEnd - BlockBytes);
            var bytes = block.AsSpan(0, RandomAccess.Read(cursor.File, block.AsSpan(0, (int)(blockEnd - start)), start));
            for (var i = bytes.LastIndexOf((byte)'\n'); i >= 0; i = bytes[..i].LastIndexOf((byte)'\n'))
            {
                var lineStart = start + i + 1;
                if (lineStart < lineEnd && Counts(cursor, lineStart, ref first) && ++found > lines)
                {
                    cursor.Offset = NextLine(cursor, lineStart);
                    return 0;
                }

                lineEnd = lineStart;
            }

            blockEnd = start;
        }

        if (lineEnd > 0 && Counts(cursor, 0, ref first) && ++found > lines)
        {
            cursor.Offset = NextLine(cursor, 0);
            return 0;
        }

        cursor.Offset = 0;
        return lines - found;
    }

    private static bool IsLineEnd(LogCursor cursor, long end)
    {
        Span<byte> last = [0];
        return end > 0 && RandomAccess.Read(cursor.File, last, end - 1) > 0 && last[0] == (byte)'\n';
    }

    private static bool Counts(LogCursor cursor, long lineStart, ref bool first)
    {
        Span<byte> header = stackalloc byte[LogDecoder.HeaderLength];
        var count = RandomAccess.Read(cursor.File, header, lineStart);
        var counts = LogDecoder.IsClosing(header[..count]) || first;
        first = false;
        return counts;
    }

    private static long NextLine(LogCursor cursor, long offset)
    {
        var block = new byte[BlockBytes];
        int count;
        while ((count = RandomAccess.Read(cursor.File, block, offset)) > 0)
        {
            var end = block.AsSpan(0, count).IndexOf((byte)'\n');
            if (end >= 0)
            {
                return offset + end + 1;
            }

            offset += count;
        }

        return offset;
    }
}

/// <summary>A file of a log, as one look found it.</summary>
internal readonly record struct LogFile(string Path, ulong InodeNumber);

/// <summary>A place in one file of a log.</summary>
internal sealed class LogCursor : IDisposable
{
    private LogCursor(SafeFileHandle file, ulong inodeNumber)
    {
        File = file;
        InodeNumber = inodeNumber;
    }

    internal SafeFileHandle File { get; }

    internal ulong InodeNumber { get; }

    internal long Offset { get; set; }

    internal static LogCursor Open(string path) => TryOpen(path) ?? throw new NotThereException($"there is no log at {path}");

    internal static LogCursor? TryOpen(string path)
    {
        try
        {
            var file = System.IO.File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            // Asked of the open file: the name may be another's by now.
            return new LogCursor(file, FileIdentity.Of(file).InodeNumber);
        }
        catch (FileNotFoundException)
        {
            return null;
        }
    }

    public void Dispose() => File.Dispose();
}
