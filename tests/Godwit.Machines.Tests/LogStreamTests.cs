using System.Globalization;
using System.Text;
using CsCheck;
using Microsoft.Extensions.Logging.Abstractions;

namespace Godwit.Machines.Tests;

public sealed class LogStreamTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory($"godwit-log-{Environment.ProcessId.ToString(CultureInfo.InvariantCulture)}-").FullName;

    private static CancellationToken Stopping => TestContext.Current.CancellationToken;

    private string Older => Path.Combine(folder, "log.1");

    private string Current => Path.Combine(folder, "log");

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Theory]
    [InlineData("", "", 3, "")]
    [InlineData("", "a\nb\nc\n", 2, "b\nc\n")]
    [InlineData("", "a\nb\nc", 2, "b\nc")]
    [InlineData("", "a\nb\n", 0, "")]
    [InlineData("", "a\nb\n", 9, "a\nb\n")]
    [InlineData("x\ny\n", "a\n", 2, "y\na\n")]
    [InlineData("x\ny\n", "", 1, "y\n")]
    [InlineData("x\nhalf", "-line\nb\n", 2, "half-line\nb\n")]
    [InlineData("", "\n\n\n", 2, "\n\n")]
    public async Task Tail_begins_that_many_lines_before_the_end(string older, string current, int lines, string expected)
    {
        await File.WriteAllTextAsync(Older, older, Stopping);
        await File.WriteAllTextAsync(Current, current, Stopping);
        Assert.Equal(expected, await ReadAsync(lines));
    }

    [Fact]
    public void Tail_is_always_what_a_simple_split_would_give() =>
        Gen.Select(Gen.Char["ab\n"].Array[0, 40], Gen.Int[0, 40], Gen.Int[1, 12]).Sample(
            pick =>
            {
                var (letters, cut, lines) = pick;
                var text = new string(letters);
                cut = Math.Min(cut, text.Length);
                File.WriteAllText(Older, text[..cut]);
                File.WriteAllText(Current, text[cut..]);
                var all = text.Split('\n').ToList();
                var open = all[^1].Length > 0;
                var wanted = string.Join('\n', all.TakeLast(open ? lines : lines + 1));
                return ReadAsync(lines).GetAwaiter().GetResult() == wanted;
            },
            iter: 300,
            threads: 1);

    [Fact]
    public async Task Missing_log_is_empty() => Assert.Equal("", await ReadAsync(null));

    [Fact]
    public async Task Follower_sees_what_is_appended_and_goes_on_after_a_cut()
    {
        await File.WriteAllTextAsync(Current, "first\n", Stopping);
        var live = true;
        await using var stream = new LogStream(Older, Current, null, () => live, TimeProvider.System);
        var reader = new StreamReader(stream);
        Assert.Equal("first", await reader.ReadLineAsync(Stopping));
        await File.AppendAllTextAsync(Current, "a second line, longer than what comes after the cut\n", Stopping);
        Assert.StartsWith("a second line", await reader.ReadLineAsync(Stopping), StringComparison.Ordinal);

        var context = new MachineContext(new MachineHostOptions { DataFolder = folder, LogBytesMax = 8 }, TimeProvider.System, NullLogger.Instance);
        LogKeeper.Bound(Current, Older, context.Options.LogBytesMax, context);
        Assert.Equal(8, new FileInfo(Older).Length);
        Assert.Equal(0, new FileInfo(Current).Length);
        await File.AppendAllTextAsync(Current, "after\n", Stopping);
        Assert.Equal("after", await reader.ReadLineAsync(Stopping));
        live = false;
        Assert.Null(await reader.ReadLineAsync(Stopping));
    }

    private async Task<string> ReadAsync(int? tailLines)
    {
        await using var stream = new LogStream(Older, Current, tailLines, null, TimeProvider.System);
        return await new StreamReader(stream, Encoding.UTF8).ReadToEndAsync(Stopping);
    }
}
