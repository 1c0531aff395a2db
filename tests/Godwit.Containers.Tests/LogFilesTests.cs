using System.Globalization;
using System.Text;
using CsCheck;
using Godwit.Containers.Logs;

namespace Godwit.Containers.Tests;

public sealed class LogFilesTests : IDisposable
{
    private const string At = "2026-11-23T03:14:08.045960027+00:00";

    private readonly string folder = Directory.CreateTempSubdirectory("godwit-log-").FullName;

    [Fact]
    public void A_tail_has_so_many_lines_over_all_files_and_no_more() => Gen.Select(Gen.Int[1, 60], Gen.Int[0, 70], Gen.Int[1, 4], Gen.Int[1, 3000]).Sample(
        (lines, tail, files, length) =>
        {
            var place = Path.Combine(folder, Guid.NewGuid().ToString("N"));
            var all = Enumerable.Range(0, lines).Select(number => $"{number} {new string('x', length)}").ToList();
            var each = (lines / files) + 1;
            for (var file = 0; file < files; file++)
            {
                var text = string.Concat(all.Skip(file * each).Take(each).Select(line => $"{At} stdout P {line[..1]}\n{At} stdout F {line[1..]}\n"));
                File.WriteAllText(file == files - 1 ? place : $"{place}.{files - 1 - file}", text);
            }

            Assert.Equal(all.TakeLast(tail), Read(place, tail));
        },
        iter: 40);

    [Fact]
    public void An_open_piece_at_the_end_is_a_line()
    {
        var place = Path.Combine(folder, "log");
        File.WriteAllText(place, $"{At} stdout F one\n{At} stdout F two\n{At} stdout P thr\n");
        Assert.Equal(["two", "thr"], Read(place, 2));
    }

    /// <summary>A reader may come in the middle of the monitor's writing.</summary>
    [Theory]
    [InlineData("stdout F one\n2026-11-23T03:1", "one")]
    [InlineData("stdout F one\n2026-11-23T03:14:08.045960027+00:00 stdout F tw", "one")]
    [InlineData("stdout F on", "")]
    public void A_line_that_is_being_written_is_none_of_a_tail(string log, string found)
    {
        var place = Path.Combine(folder, "log");
        File.WriteAllText(place + ".1", $"{At} stdout F none\n");
        File.WriteAllText(place, $"{At} {log}");
        Assert.Equal(found.Length == 0 ? ["none"] : [found], Read(place, 1));
    }

    [Theory]
    [InlineData("", "")]
    [InlineData("stdout F one\n", "one")]
    [InlineData("stdout F on", "on")]
    [InlineData("stdout F one\n2026-11-23T03:1", "one")]
    public void A_line_that_was_cut_off_is_ended_before_the_next_is_written(string left, string found)
    {
        var place = Path.Combine(folder, "log");
        File.WriteAllText(place, left.Length == 0 ? "" : $"{At} {left}");
        new LogFiles(place).EndLine();
        File.AppendAllText(place, $"{At} stdout F next\n");
        Assert.Equal(found.Length == 0 ? ["next"] : [found, "next"], Read(place, null));
    }

    [Fact]
    public void Putting_aside_keeps_so_many_files_and_drops_the_oldest()
    {
        var place = Path.Combine(folder, "log");
        var files = new LogFiles(place);
        for (var round = 0; round < 5; round++)
        {
            File.WriteAllText(place, $"{At} stdout F {round}\n");
            files.PutAside(3);
        }

        File.WriteAllText(place, $"{At} stdout F 5\n");
        Assert.Equal(["3", "4", "5"], Read(place, null));
    }

    [Fact]
    public async Task A_reader_goes_on_over_files_that_are_put_aside_and_misses_nothing()
    {
        var place = Path.Combine(folder, "log");
        var files = new LogFiles(place);
        await File.WriteAllTextAsync(place, "", TestContext.Current.CancellationToken);
        var ended = new TaskCompletionSource();
        var start = files.OpenEnd(); // Before anything is written.
        var reading = Task.Run(() => ReadAsync(LogReader.ReadAsync(files, start, new LogQuery(), ended.Task, TestContext.Current.CancellationToken)));
        for (var round = 0; round < 200; round++)
        {
            await File.AppendAllTextAsync(place, $"{At} stdout F {round}\n", TestContext.Current.CancellationToken);
            if (round % 50 == 49)
            {
                files.PutAside(100);
                await File.WriteAllTextAsync(place, "", TestContext.Current.CancellationToken);
            }
        }

        ended.SetResult();
        Assert.Equal(Enumerable.Range(0, 200).Select(number => $"{number}"), await reading);
    }

    /// <summary>As it is printed faster than read: whenever a piece has been taken, two more lines are there, and at times the file is put aside, or the oldest dropped.</summary>
    [Theory]
    [InlineData(int.MaxValue, 100)]
    [InlineData(1, 100)]
    [InlineData(3, 100)]
    [InlineData(2, 2)]
    public async Task A_reader_that_does_not_follow_ends_where_the_log_ended_when_it_was_asked_however_much_is_printed_meanwhile(int takenPerFile, int filesMax)
    {
        const int linesBefore = 40;
        const int linesMax = 10 * linesBefore;
        var (place, text) = (Path.Combine(folder, "log"), new string('x', 40_000)); // No two of them in one piece.
        var files = new LogFiles(place);
        string Line(int number) => $"{At} stdout F {number:D5} {text}\n";
        for (var number = 0; number < linesBefore; number++)
        {
            if (number == linesBefore / 2)
            {
                files.PutAside(filesMax);
            }

            await File.AppendAllTextAsync(place, Line(number), TestContext.Current.CancellationToken);
        }

        var (written, taken, read) = (linesBefore, 0, new StringBuilder());
        await foreach (var chunk in LogReader.ReadAsync(files, files.OpenStart(tail: null), new LogQuery(), ended: null, TestContext.Current.CancellationToken))
        {
            Assert.InRange(written, linesBefore, linesMax);
            read.Append(Encoding.UTF8.GetString(chunk.Bytes.Span));
            await File.AppendAllTextAsync(place, Line(written++), TestContext.Current.CancellationToken);
            if (++taken % takenPerFile == 0)
            {
                files.PutAside(filesMax);
            }

            await File.AppendAllTextAsync(place, Line(written++), TestContext.Current.CancellationToken);
        }

        var found = read.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => int.Parse(line.AsSpan(0, 5), CultureInfo.InvariantCulture)).ToList();
        if (filesMax > 2)
        {
            Assert.Equal(Enumerable.Range(0, linesBefore), found);
            return;
        }

        // Some were dropped before they could be read. Later ones may come for them, in their order, and never more than there were.
        Assert.InRange(found.Count, linesBefore / 2, linesBefore);
        Assert.Equal(Enumerable.Range(0, linesBefore / 2), found.Take(linesBefore / 2)); // Its file was open.
        Assert.Equal(found.Order(), found);
        Assert.Equal(found.Distinct(), found);
    }

    public void Dispose() => Directory.Delete(folder, recursive: true);

    private static List<string> Read(string place, long? tail)
    {
        var files = new LogFiles(place);
        return ReadAsync(LogReader.ReadAsync(files, files.OpenStart(tail), new LogQuery(), ended: null, CancellationToken.None)).GetAwaiter().GetResult();
    }

    private static async Task<List<string>> ReadAsync(IAsyncEnumerable<OutputChunk> chunks)
    {
        var text = new StringBuilder();
        await foreach (var chunk in chunks)
        {
            text.Append(Encoding.UTF8.GetString(chunk.Bytes.Span));
        }

        return [.. text.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries)];
    }
}
