namespace Godwit.Containers.Logs;

/// <summary>
/// Finds where a full disk cut a line of the log off. The monitor appends; when there is no room it drops the rest, and when there is room again the next
/// line begins where the file ends, with no line's end between the two.
/// <para>
/// A container may print what looks like the beginning of such a line, and its text must come back as it was. So what is taken for one stands where only a
/// disk breaks off, at the end of a block, and its time is not before the time of the line that it stands in: what a container prints was written down
/// by others, earlier.
/// </para>
/// </summary>
internal static class LogCut
{
    /// <summary>No file system has smaller blocks.</summary>
    internal const int BlockBytes = 512;

    /// <param name="line">A line of the log's file, without its end.</param>
    /// <param name="place">Where in the file it begins.</param>
    /// <returns>Where in it the next line begins; 0 when it is one line.</returns>
    internal static int Find(ReadOnlySpan<byte> line, long place)
    {
        for (var end = BlockBytes - (int)(place % BlockBytes); end <= line.Length - LogDecoder.HeaderLength; end += BlockBytes)
        {
            if (IsBeginning(line[end..]) && !IsBefore(line[end..], line[..end]))
            {
                return end;
            }
        }

        return 0;
    }

    private static bool IsBeginning(ReadOnlySpan<byte> text) =>
        LogDecoder.IsLine(text) && text[LogDecoder.SortableLength..].StartsWith("+00:00 std"u8) && text[LogDecoder.HeaderLength - 2] is (byte)'F' or (byte)'P'
        && text[4] == (byte)'-' && text[10] == (byte)'T';

    /// <summary>By their times, of which the line that was cut off may have a part only.</summary>
    private static bool IsBefore(ReadOnlySpan<byte> next, ReadOnlySpan<byte> cut)
    {
        var length = Math.Min(LogDecoder.SortableLength, cut.Length);
        return next[..length].SequenceCompareTo(cut[..length]) < 0;
    }
}
