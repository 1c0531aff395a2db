using System.Globalization;
using System.Text;

namespace Godwit.Containers.Logs;

/// <summary>
/// The log's lines, as the monitor writes them, back into what the container printed. A line is
/// <code>2026-11-23T03:14:08.045960027+00:00 stdout F text</code>
/// where F closes a line of the container's and P is a piece of one, written as it came. The text cannot contain a line's end, so nothing that a
/// container prints can look like a line of the log. One that a full disk cut off has no end either: it is closed where the next one begins (<see cref="LogCut"/>).
/// </summary>
internal sealed class LogDecoder(LogQuery query)
{
    /// <summary>Of the time, the blank, the stream's name, the blank, the flag and the blank.</summary>
    internal const int HeaderLength = TimeLength + 1 + StreamLength + 1 + 1 + 1;

    private const int TimeLength = 35;
    private const int StreamLength = 6;
    internal const int SortableLength = 29;
    private const int OutputBytesMax = 64 << 10;

    private static readonly DateTimeOffset Earliest = DateTimeOffset.UnixEpoch;

    private readonly byte[]? since = query.Since is { } start ? Sortable(start) : null;
    private readonly byte[]? until = query.Until is { } end ? Sortable(end) : null;
    private readonly bool[] withinLine = new bool[3];
    private byte[] output = new byte[OutputBytesMax];
    private int filled;
    private OutputStream stream;

    /// <summary>What has been decoded and not been taken.</summary>
    internal OutputChunk Pending => new(stream, output.AsMemory(0, filled));

    /// <summary>A line later than <see cref="LogQuery.Until"/> was seen: nothing more will come.</summary>
    internal bool IsPastEnd { get; private set; }

    internal void TakePending() => filled = 0;

    /// <summary>Decodes whole lines until one of the other stream comes, or the piece is full.</summary>
    /// <param name="block">What was read.</param>
    /// <param name="place">Where in its file that begins.</param>
    /// <returns>Bytes used; the rest is to be given again, with more after it, once the pending piece was taken.</returns>
    internal int Decode(ReadOnlySpan<byte> block, long place)
    {
        var used = 0;
        while (!IsPastEnd)
        {
            var length = block[used..].IndexOf((byte)'\n');
            var cut = length < 0 ? 0 : LogCut.Find(block.Slice(used, length), place + used);
            if (length < 0 || !TryAdd(block.Slice(used, cut > 0 ? cut : length), isCut: cut > 0))
            {
                return used;
            }

            used += cut > 0 ? cut : length + 1;
        }

        return block.Length;
    }

    /// <summary>Whether a line closes one of the container's.</summary>
    internal static bool IsClosing(ReadOnlySpan<byte> line) => line.Length >= HeaderLength && line[HeaderLength - 2] == (byte)'F';

    /// <summary>Whether this begins as a line does.</summary>
    internal static bool IsLine(ReadOnlySpan<byte> line) => line.Length >= HeaderLength && line[TimeLength] == (byte)' ' && line[HeaderLength - 1] == (byte)' ';

    /// <summary>False when the pending piece must be taken first.</summary>
    private bool TryAdd(ReadOnlySpan<byte> line, bool isCut)
    {
        if (!IsLine(line))
        {
            return true; // Cut off before its text began, perhaps.
        }

        var kind = line[TimeLength + 4] == (byte)'o' ? OutputStream.Standard : OutputStream.Error; // std[o]ut, std[e]rr
        if (until is not null && line[..SortableLength].SequenceCompareTo(until) > 0)
        {
            IsPastEnd = true;
            return true;
        }

        if ((kind is OutputStream.Standard ? !query.StandardOutput : !query.StandardError) || (since is not null && line[..SortableLength].SequenceCompareTo(since) < 0))
        {
            return true;
        }

        var text = line[HeaderLength..];
        var closes = isCut || IsClosing(line);
        var needed = text.Length + 1 + TimeLength + 1;
        if (filled > 0 && (kind != stream || filled + needed > OutputBytesMax))
        {
            return false;
        }

        if (needed > output.Length)
        {
            output = new byte[needed];
        }

        stream = kind;
        if (query.Timestamps && !withinLine[(int)kind])
        {
            // Nanoseconds and UTC: ours say so by +00:00, readers expect Z.
            Append(line[..SortableLength]);
            Append("Z "u8);
        }

        Append(text);
        if (closes)
        {
            Append("\n"u8);
        }

        withinLine[(int)kind] = !closes;
        return true;
    }

    private void Append(ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(output.AsSpan(filled));
        filled += bytes.Length;
    }

    /// <summary>In the log's own form, which sorts as text.</summary>
    private static byte[] Sortable(DateTimeOffset at) =>
        Encoding.ASCII.GetBytes((at < Earliest ? Earliest : at).UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.fffffff'00'", CultureInfo.InvariantCulture));
}
