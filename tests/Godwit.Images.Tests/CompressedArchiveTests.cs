using System.Diagnostics;
using Godwit.Images.Content;
using Godwit.Images.Tar;

namespace Godwit.Images.Tests;

/// <summary>Archives that users compressed with xz or bzip2: by the programs of these names, which see nothing of the host.</summary>
[Trait("Needs", "root")]
public sealed class CompressedArchiveTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public CompressedArchiveTests() => Needs.Root();

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData("xz")]
    [InlineData("bzip2")]
    public async Task An_image_is_imported_saved_and_loaded_in_it(string program)
    {
        using var store = Sample.OpenStore(folder.Sub("a"));
        var tar = Sample.Tar((Sample.File("file"), "inside"), (Sample.File("zeros"), new string('\0', 3 << 20)));
        var imported = await store.ImportAsync(new MemoryStream(await CompressAsync(program, tar)), Sample.Step("made"), new Heard(), Sample.Stopping);
        Assert.Equal("inside", await ReadAsync(store, imported));
        using var saved = new MemoryStream();
        await store.SaveAsync(["made"], saved, Sample.Stopping);
        using var other = Sample.OpenStore(folder.Sub("b"));
        var loaded = Assert.Single(await other.LoadAsync(new MemoryStream(await CompressAsync(program, saved.ToArray())), new Heard(), Sample.Stopping));
        Assert.Equal(imported.Id, loaded.Id);
        Assert.Equal("inside", await ReadAsync(other, loaded));
    }

    [Theory]
    [InlineData("xz")]
    [InlineData("bzip2")]
    public async Task Streams_one_after_the_other_are_one(string program)
    {
        var bytes = new byte[1 << 20];
        new Random(3).NextBytes(bytes);
        byte[] two = [.. await CompressAsync(program, bytes[..400_000]), .. await CompressAsync(program, bytes[400_000..])];
        Assert.Equal(bytes, Open(two, new UnpackLimits()));
    }

    [Theory]
    [InlineData("xz")]
    [InlineData("bzip2")]
    public async Task Damage_and_bombs_are_refused(string program)
    {
        var bytes = new byte[1 << 20];
        new Random(5).NextBytes(bytes);
        var good = await CompressAsync(program, bytes);
        var torn = good[..(good.Length / 2)];
        var changed = good.ToArray();
        changed[good.Length / 2] ^= 1;
        Assert.All(new[] { torn, changed }, bad => Assert.Equal(ImageErrorKind.Corrupt, Refusal(bad, new UnpackLimits()).Kind));
        var bomb = await CompressAsync(program, new byte[64 << 20]);
        Assert.InRange(bomb.Length, 1, 64 << 10);
        Assert.Contains("is a bomb", Refusal(bomb, new UnpackLimits { RatioFreeBytes = 1 << 20 }).Message, StringComparison.Ordinal);
    }

    /// <summary>An xz archive says how much memory reading it takes: up to 4 GiB.</summary>
    [Fact]
    public async Task An_archive_cannot_make_the_program_take_memory_by_its_word()
    {
        var greedy = await CompressAsync("xz", Sample.Bytes("little"));
        const int header = 12; // After the stream's own: size, flags, filter 0x21 with one byte, the dictionary's size (xz's file format, 3.1 and 5.3.1).
        Assert.Equal((0x21, 1), (greedy[header + 2], greedy[header + 3]));
        greedy[header + 4] = 40; // 4 GiB.
        var length = (greedy[header] + 1) * 4;
        BitConverter.TryWriteBytes(greedy.AsSpan(header + length - 4), Crc32(greedy.AsSpan(header, length - 4)));
        var refusal = Refusal(greedy, new UnpackLimits());
        Assert.Equal(ImageErrorKind.Corrupt, refusal.Kind);
        Assert.Contains("Memory usage limit reached", refusal.InnerException!.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_only_begins_like_one_is_taken_as_it_is()
    {
        var text = Sample.Bytes("BZh is how it begins");
        Assert.Equal(text, Open(text, new UnpackLimits()));
        Assert.Equal(Sample.Bytes("x"), Open(await CompressAsync("bzip2", Sample.Bytes("x")), new UnpackLimits()));
        Assert.Empty(Open(await CompressAsync("bzip2", []), new UnpackLimits()));
    }

    private static uint Crc32(ReadOnlySpan<byte> bytes)
    {
        var crc = uint.MaxValue;
        foreach (var value in bytes)
        {
            crc ^= value;
            for (var bit = 0; bit < 8; bit++)
            {
                crc = (crc >> 1) ^ ((crc & 1) * 0xedb88320);
            }
        }

        return ~crc;
    }

    private static byte[] Open(byte[] archive, UnpackLimits limits)
    {
        using var plain = ArchiveDecompression.Open(new MemoryStream(archive), limits);
        using var all = new MemoryStream();
        plain.CopyTo(all);
        return all.ToArray();
    }

    private static ImageException Refusal(byte[] archive, UnpackLimits limits) => Assert.Throws<ImageException>(() => Open(archive, limits));

    private static async Task<byte[]> CompressAsync(string program, byte[] bytes)
    {
        using var process = Process.Start(new ProcessStartInfo(Needs.Program(program), ["--compress", "--stdout"]) { RedirectStandardInput = true, RedirectStandardOutput = true })!;
        using var output = new MemoryStream();
        var reading = process.StandardOutput.BaseStream.CopyToAsync(output, Sample.Stopping);
        await process.StandardInput.BaseStream.WriteAsync(bytes, Sample.Stopping);
        process.StandardInput.Close();
        await reading;
        await process.WaitForExitAsync(Sample.Stopping);
        Assert.Equal(0, process.ExitCode);
        return output.ToArray();
    }

    private static async Task<string> ReadAsync(ImageStore store, StoredImage image)
    {
        var root = await store.Layers.PrepareAsync(image, "check", sizeLimitBytes: null, Sample.Stopping);
        var text = await File.ReadAllTextAsync(Path.Combine(root.RootPath, "file"), Sample.Stopping);
        root.Remove();
        return text;
    }
}
