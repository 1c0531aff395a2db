using System.Buffers.Binary;
using CsCheck;
using Godwit.Containers;
using Godwit.DockerApi.Serving;
using Godwit.DockerApi.Streams;

namespace Godwit.DockerApi.Tests.Streams;

public sealed class FramingTests
{
    private static readonly Gen<(OutputStream Stream, byte[] Bytes)[]> Chunks =
        Gen.Select(Gen.Bool, Gen.Byte.Array[0, 70_000], (error, bytes) => (error ? OutputStream.Error : OutputStream.Standard, bytes)).Array[0, 12];

    [Fact]
    public async Task Frames_say_of_every_byte_which_stream_it_belongs_to() => await Chunks.SampleAsync(async chunks =>
    {
        var line = new MemoryStream();
        await OutputPump.RunAsync(ListAsync(chunks), new OutputFrames(Multiplexed: true), line, CancellationToken.None);
        var read = Split(line.ToArray());
        foreach (var stream in new[] { OutputStream.Standard, OutputStream.Error })
        {
            Assert.Equal(chunks.Where(chunk => chunk.Stream == stream).SelectMany(chunk => chunk.Bytes), read.Where(frame => frame.Stream == stream).SelectMany(frame => frame.Bytes));
        }
    }, iter: 30);

    [Fact]
    public async Task A_terminals_bytes_go_as_they_are() => await Chunks.SampleAsync(async chunks =>
    {
        var line = new MemoryStream();
        await OutputPump.RunAsync(ListAsync(chunks), new OutputFrames(Multiplexed: false), line, CancellationToken.None);
        Assert.Equal(chunks.SelectMany(chunk => chunk.Bytes), line.ToArray());
    }, iter: 30);

    [Fact]
    public void Old_clients_know_one_content_type_for_both()
    {
        Assert.Equal("application/vnd.docker.raw-stream", new OutputFrames(Multiplexed: true).ContentType(new ApiVersion(1, 41)));
        Assert.Equal("application/vnd.docker.multiplexed-stream", new OutputFrames(Multiplexed: true).ContentType(new ApiVersion(1, 42)));
        Assert.Equal("application/vnd.docker.raw-stream", new OutputFrames(Multiplexed: false).ContentType(new ApiVersion(1, 48)));
    }

    [Theory]
    [InlineData("abc", false, "abc")]
    [InlineData("a\u0010b", false, "a\u0010b")]
    [InlineData("a\u0010\u0010b", false, "a\u0010\u0010b")]
    [InlineData("a\u0010\u0011b", true, "a")]
    [InlineData("a\u0010\u0010\u0011b", true, "a\u0010")]
    [InlineData("a\u0010", false, "a")]
    public void The_program_reads_all_but_the_detach_keys(string pressed, bool detached, string read)
    {
        var keys = DetachKeys.Parse(null);
        var passed = new byte[pressed.Length + DetachKeys.LengthMax];
        var count = keys.Pass(System.Text.Encoding.ASCII.GetBytes(pressed), passed);
        Assert.Equal((detached, read), (keys.IsComplete, System.Text.Encoding.ASCII.GetString(passed, 0, count)));
    }

    [Fact]
    public void Detach_keys_are_found_wherever_input_is_cut() => Gen.Select(Gen.Int[0, 2].Array[1, 30], Gen.Int[0, 2].Array[1, 4], Gen.Int[1, 7]).Sample((input, wanted, piece) =>
    {
        var letters = "abc";
        var text = string.Concat(input.Select(letter => letters[letter]));
        var end = string.Concat(wanted.Select(letter => letters[letter]));
        var keys = DetachKeys.Parse(string.Join(',', end.Select(letter => letter.ToString())));
        var read = new List<byte>();
        var passed = new byte[64];
        for (var at = 0; at < text.Length && !keys.IsComplete; at += piece)
        {
            var count = keys.Pass(System.Text.Encoding.ASCII.GetBytes(text.Substring(at, Math.Min(piece, text.Length - at))), passed);
            read.AddRange(passed[..count]);
        }

        var found = text.IndexOf(end, StringComparison.Ordinal);
        Assert.Equal(found >= 0, keys.IsComplete);
        var got = System.Text.Encoding.ASCII.GetString(read.ToArray());
        Assert.True(found >= 0 ? got == text[..found] : text.StartsWith(got, StringComparison.Ordinal) && text.Length - got.Length < end.Length, $"{text} with {end}: {got}");
    });

    private static async IAsyncEnumerable<OutputChunk> ListAsync(IEnumerable<(OutputStream Stream, byte[] Bytes)> chunks)
    {
        foreach (var (stream, bytes) in chunks)
        {
            await Task.Yield();
            yield return new OutputChunk(stream, bytes);
        }
    }

    private static List<(OutputStream Stream, byte[] Bytes)> Split(byte[] line)
    {
        var frames = new List<(OutputStream, byte[])>();
        for (var at = 0; at < line.Length;)
        {
            Assert.Equal(0, line[at + 1] | line[at + 2] | line[at + 3]);
            var length = (int)BinaryPrimitives.ReadUInt32BigEndian(line.AsSpan(at + 4));
            frames.Add(((OutputStream)line[at], line[(at + OutputFrames.HeaderBytes)..(at + OutputFrames.HeaderBytes + length)]));
            at += OutputFrames.HeaderBytes + length;
        }

        return frames;
    }
}
