using System.Text;
using Godwit.Linux.Commands;

namespace Godwit.Linux.Tests.Commands;

/// <summary>What reads hostile bytes can do nothing but write others.</summary>
[Trait("Needs", "root")]
public sealed class StreamFilterTests
{
    private const string Shell = "/bin/sh";

    public StreamFilterTests() => Needs.Root();

    [Fact]
    public void Bytes_go_through_it_whole_and_its_end_is_the_end()
    {
        var bytes = new byte[3 << 20];
        new Random(1).NextBytes(bytes);
        Assert.Equal(bytes, Run("/bin/cat", [], new MemoryStream(bytes)));
    }

    [Fact]
    public void It_is_nobody_without_rights_network_or_children()
    {
        // Built-in commands alone: it cannot start any other program.
        var said = Encoding.UTF8.GetString(Run(Shell, ["-c", "while read -r line; do echo \"$line\"; done < /proc/self/status; while read -r line; do echo \"net $line\"; done < /proc/net/dev"], Stream.Null));
        var lines = said.Split('\n').Select(line => line.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)).Where(words => words.Length > 1).ToList();
        string[] Of(string name) => lines.Single(words => words[0] == name);
        Assert.All(Of("Uid:")[1..].Concat(Of("Gid:")[1..]), id => Assert.InRange(uint.Parse(id), 2_000_000_000u, 2_000_065_535u));
        Assert.All(new[] { "CapInh:", "CapPrm:", "CapEff:", "CapBnd:", "CapAmb:" }, name => Assert.Equal("0000000000000000", Of(name)[1]));
        Assert.Equal("1", Of("NoNewPrivs:")[1]);
        Assert.Equal(["lo:"], lines.Where(words => words[0] == "net" && words[1].EndsWith(':') && words.Length > 5).Select(words => words[1]));
        Assert.Contains("Cannot fork", Refusal(["-c", "/bin/true; exit 3"]), StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public void It_can_write_to_no_file_and_take_no_memory_without_end()
    {
        using var folder = new TemporaryFolder();
        File.SetUnixFileMode(folder.Path, (UnixFileMode)0x1ff);
        var file = Path.Combine(folder.Path, "file");
        Assert.Contains("exit code 153", Refusal(["-c", $"echo bytes > {file}"]), StringComparison.Ordinal); // 128 + SIGXFSZ
        Assert.True(!File.Exists(file) || new FileInfo(file).Length == 0);
        Assert.Contains("exit code", Refusal(["-c", "x=0123456789abcdef; while :; do x=$x$x; done"]), StringComparison.Ordinal);
    }

    [Fact]
    public void A_refusal_has_its_words_and_a_failed_source_its_own()
    {
        Assert.Contains("exit code 4): why", Refusal(["-c", "echo why >&2; exit 4"]), StringComparison.Ordinal);
        var failure = Assert.Throws<IOException>(() => Run("/bin/cat", [], new FailingStream()));
        Assert.Equal("broken on the way", failure.InnerException?.Message);
    }

    [Fact]
    public void Who_stops_reading_ends_it()
    {
        var filter = StreamFilter.Start("/bin/cat", [], new MemoryStream(new byte[8 << 20]));
        Assert.InRange(filter.Read(new byte[16]), 1, 16);
        filter.Dispose(); // With most of it unread: it does not wait.
        Assert.Contains("no-such", Assert.Throws<CommandException>(() => StreamFilter.Start("/no-such", [], Stream.Null)).Message, StringComparison.Ordinal);
    }

    private static string Refusal(IReadOnlyList<string> arguments) => Assert.Throws<InvalidDataException>(() => Run(Shell, arguments, Stream.Null)).Message;

    private static byte[] Run(string program, IReadOnlyList<string> arguments, Stream source)
    {
        using var filter = StreamFilter.Start(program, arguments, source);
        using var all = new MemoryStream();
        var buffer = new byte[64 << 10];
        while (filter.Read(buffer) is > 0 and var count)
        {
            all.Write(buffer, 0, count);
        }

        return all.ToArray();
    }

    private sealed class FailingStream : MemoryStream
    {
        public override int Read(byte[] buffer, int offset, int count) => throw new TimeoutException("broken on the way");
    }
}
