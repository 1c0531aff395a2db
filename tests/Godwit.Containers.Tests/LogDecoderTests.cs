using System.Text;
using CsCheck;
using Godwit.Containers.Logs;

namespace Godwit.Containers.Tests;

public sealed class LogDecoderTests
{
    private const string At = "2026-11-23T03:14:08.045960027+00:00";

    private static readonly Gen<(bool IsError, string Text)[]> Prints = Gen.Select(Gen.Bool, Gen.String[Gen.Char["ab\n P F"], 0, 12]).Array[0, 30];

    [Fact]
    public void What_was_printed_comes_back_byte_for_byte_however_it_was_cut() => Gen.Select(Prints, Gen.Int[1, 400]).Sample((prints, size) =>
    {
        var log = new StringBuilder();
        foreach (var (isError, text) in prints)
        {
            Write(log, isError ? "stderr" : "stdout", text);
        }

        var (standard, error) = Decode(log.ToString(), new LogQuery(), size);
        Assert.Equal(string.Concat(prints.Where(print => !print.IsError).Select(print => print.Text)), standard);
        Assert.Equal(string.Concat(prints.Where(print => print.IsError).Select(print => print.Text)), error);
    });

    [Fact]
    public void Times_stand_before_each_line_and_not_within_one() => Assert.Equal(
        ("2026-11-23T03:14:08.045960027Z piecemeal\n2026-11-23T03:14:08.045960027Z next\n", ""),
        Decode($"{At} stdout P piece\n{At} stdout F meal\n{At} stdout F next\n", new LogQuery { Timestamps = true }, 1000));

    [Fact]
    public void Since_and_until_bound_it_and_streams_are_chosen()
    {
        var log = string.Concat(Enumerable.Range(1, 5).Select(second => $"2026-01-01T00:00:0{second}.000000000+00:00 {(second == 3 ? "stderr" : "stdout")} F {second}\n"));
        var second = (int number) => new DateTimeOffset(2026, 1, 1, 0, 0, number, TimeSpan.Zero);
        Assert.Equal(("2\n4\n", "3\n"), Decode(log, new LogQuery { Since = second(2), Until = second(4) }, 1000));
        Assert.Equal(("", "3\n"), Decode(log, new LogQuery { StandardOutput = false }, 1000));
    }

    /// <summary>Three lines, of which the second was cut off wherever in it a block of the disk ended.</summary>
    [Fact]
    public void A_line_that_a_full_disk_cut_off_does_not_run_into_the_next() => Gen.Select(Gen.Int[0, LogCut.BlockBytes + 100], Gen.Int[LogCut.BlockBytes, 4 * LogCut.BlockBytes], Gen.Bool, Gen.Int[1, 3000]).Sample((before, length, closes, size) =>
    {
        var first = $"{At} stdout F {new string('a', before)}\n";
        var second = $"{At} stdout {(closes ? 'F' : 'P')} {new string('b', length)}\n";
        var cut = LogCut.BlockBytes - (first.Length % LogCut.BlockBytes);
        var text = new string('b', Math.Max(0, cut - LogDecoder.HeaderLength));
        var left = cut < LogDecoder.HeaderLength ? "" : text + "\n"; // Of a line without text nothing is known.
        Assert.Equal(($"{new string('a', before)}\n{left}next\n", ""), Decode($"{first}{second[..cut]}{At} stdout F next\n", new LogQuery(), size));
    });

    [Fact]
    public void What_a_container_prints_of_logs_comes_back_as_it_was() => Gen.Int[0, 2 * LogCut.BlockBytes].Sample(before =>
    {
        // Of earlier, wherever it stands; and of later, where no block ends.
        var earlier = $"{new string('a', before)}{At.Replace("2026", "2025", StringComparison.Ordinal)} stdout F copied";
        Assert.Equal((earlier + "\n", ""), Decode($"{At} stdout F {earlier}\n", new LogQuery(), 3000));
        var later = $"{new string('a', before)}{At.Replace("2026", "2027", StringComparison.Ordinal)} stdout F forged";
        if ((LogDecoder.HeaderLength + before) % LogCut.BlockBytes != 0)
        {
            Assert.Equal((later + "\n", ""), Decode($"{At} stdout F {later}\n", new LogQuery(), 3000));
        }
    });

    [Fact]
    public void Whatever_a_file_holds_nothing_breaks() => Gen.Byte.Array[0, 2000].Sample(bytes =>
    {
        var decoder = new LogDecoder(new LogQuery { Timestamps = true });
        var used = 0;
        for (var steps = 0; steps < 3000; steps++)
        {
            var taken = decoder.Decode(bytes.AsSpan(used), used);
            used += taken;
            if (taken == 0 && decoder.Pending.Bytes.IsEmpty)
            {
                break;
            }

            decoder.TakePending();
        }

        Assert.InRange(used, 0, bytes.Length);
    });

    /// <summary>As the monitor writes: whole lines closed, the rest a piece.</summary>
    private static void Write(StringBuilder log, string stream, string text)
    {
        while (text.Length > 0)
        {
            var end = text.IndexOf('\n', StringComparison.Ordinal);
            var line = end < 0 ? text : text[..end];
            log.Append(System.Globalization.CultureInfo.InvariantCulture, $"{At} {stream} {(end < 0 ? 'P' : 'F')} {line}\n");
            text = end < 0 ? "" : text[(end + 1)..];
        }
    }

    private static (string Standard, string Error) Decode(string log, LogQuery query, int blockSize)
    {
        var decoder = new LogDecoder(query);
        var bytes = Encoding.UTF8.GetBytes(log);
        var (standard, error) = (new StringBuilder(), new StringBuilder());
        var (first, end) = (0, 0);
        while (end < bytes.Length || first < end)
        {
            end = Math.Min(bytes.Length, end + blockSize);
            var before = first;
            first += decoder.Decode(bytes.AsSpan(first, end - first), first);
            (decoder.Pending.Stream is OutputStream.Error ? error : standard).Append(Encoding.UTF8.GetString(decoder.Pending.Bytes.Span));
            decoder.TakePending();
            if (end == bytes.Length && first == before)
            {
                break;
            }
        }

        return (standard.ToString(), error.ToString());
    }
}
