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
