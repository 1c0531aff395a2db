using System.Runtime.CompilerServices;
using Godwit.Linux.Files;

namespace Godwit.Containers.Logs;

/// <summary>
/// Reads a log from a place to its end, or until its container has ended. The log is the only way that a container's output takes: who attaches
/// follows it. So nobody who reads slowly holds a container up, nothing is kept in memory for them, and nothing is lost with the engine.
/// <para>
/// Its end is where it ended when it was asked for: a container that prints faster than somebody reads would never let them come to another. That place is
/// kept as the bytes that lie before it, because files are put aside and dropped meanwhile: as long as none is dropped, the bytes end there, in whichever file
/// it then is; and when some are, as many later ones take their place, and no more.
/// </para>
/// </summary>
internal static class LogReader
{
    /// <param name="files">The log.</param>
    /// <param name="start">Where to begin; disposed here.</param>
    /// <param name="query">What of it.</param>
    /// <param name="ended">Null: what is there when the first piece is asked for. Otherwise goes on until this has come, and all is read that was written before.</param>
    /// <param name="stopping">Ends it.</param>
    internal static async IAsyncEnumerable<OutputChunk> ReadAsync(LogFiles files, LogCursor start, LogQuery query, Task? ended, [EnumeratorCancellation] CancellationToken stopping)
    {
        var cursor = start;
        var decoder = new LogDecoder(query);
        var block = new LogBlock(ended is null ? files.CountBytesFrom(cursor) : long.MaxValue);
        // Before the first look, so that no change falls between a look and the wait after it. The folder's watch tells of writes to its files too.
        using var changes = ended is null ? null : FileChanges.Watch(Path.GetDirectoryName(files.Current)!);
        try
        {
            while (!decoder.IsPastEnd && !block.IsAtEnd)
            {
                stopping.ThrowIfCancellationRequested();
                // Asked before reading: what was written before the end is read after it.
                var isOver = ended is null || ended.IsCompleted;
                if (block.Fill(cursor))
                {
                    while (block.DecodeInto(decoder))
                    {
                        yield return decoder.Pending;
                        decoder.TakePending();
                    }

                    continue;
                }

                if (files.OpenNext(cursor) is { } next)
                {
                    // It is there, so the monitor writes to it; what it had written to the old one before is read now.
                    if (RandomAccess.GetLength(cursor.File) > cursor.Offset)
                    {
                        next.Dispose();
                        continue;
                    }

                    cursor.Dispose();
                    cursor = next;
                    block.Clear();
                    continue;
                }

                if (isOver)
                {
                    break;
                }

                await Task.WhenAny(changes!.WaitAsync(stopping), ended!);
            }
        }
        finally
        {
            cursor.Dispose();
        }
    }

    /// <summary>Bytes of a log that have been read and not been decoded.</summary>
    /// <param name="readBytesMax">How many are read, over all files.</param>
    private sealed class LogBlock(long readBytesMax)
    {
        private const int BytesMax = 256 << 10;

        private readonly byte[] bytes = new byte[BytesMax];
        private long leftBytes = readBytesMax;
        private int first;
        private int end;
        private long place; // Of the first byte, in its file.

        /// <summary>All that was to be read has been.</summary>
        internal bool IsAtEnd => leftBytes == 0;

        internal void Clear() => first = end = 0;

        /// <summary>Reads on; false at the file's present end.</summary>
        internal bool Fill(LogCursor cursor)
        {
            bytes.AsSpan(first, end - first).CopyTo(bytes);
            (first, end) = (0, end - first);
            place = cursor.Offset - end;
            if (end == BytesMax)
            {
                (end, place) = (0, cursor.Offset); // No line is as long as this: not our monitor's writing.
            }

            var count = RandomAccess.Read(cursor.File, bytes.AsSpan(end, (int)Math.Min(BytesMax - end, leftBytes)), cursor.Offset);
            leftBytes -= count;
            cursor.Offset += count;
            end += count;
            return count > 0;
        }

        /// <summary>Whether there is something to be taken.</summary>
        internal bool DecodeInto(LogDecoder decoder)
        {
            first += decoder.Decode(bytes.AsSpan(first, end - first), place + first);
            return !decoder.Pending.Bytes.IsEmpty;
        }
    }
}
