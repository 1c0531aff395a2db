using System.Buffers.Binary;
using System.Net.Sockets;
using CsCheck;

namespace Godwit.Machines.Tests;

/// <summary>The stand-in for a dead target, against one who speaks as QEMU's source does, and against garbage. With a real QEMU: PostcopyEndTests.</summary>
public sealed class PostcopyStandInTests : IDisposable
{
    private const int Page = 4096;
    private readonly string folder = Directory.CreateTempSubdirectory("godwit-stand-in-").FullName;

    private static CancellationToken Stopping => TestContext.Current.CancellationToken;

    private string SocketPath => Path.Combine(folder, "s");

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(8)]
    [InlineData(63)]
    [InlineData(64)]
    [InlineData(65)]
    [InlineData(3_000_001)]
    public async Task Every_page_is_said_to_be_here_and_the_end_of_the_stream_is_answered_with_an_error(int pages)
    {
        using var standIn = PostcopyStandIn.Listen(SocketPath, new Dictionary<string, long> { ["pc.ram"] = (long)pages * Page, ["vga.vram"] = 0 });
        var answering = standIn.AnswerAsync(Stopping);
        await using var main = await ConnectAsync();

        await SendAsync(main, 10, [6, .. "pc.ram"u8]);
        Assert.Equal([0, 5, 0, 7, 6, .. "pc.ram"u8], await ReadAsync(main, 11));
        var length = (int)BinaryPrimitives.ReadUInt64BigEndian(await ReadAsync(main, 8));
        Assert.Equal((pages + 63) / 64 * 8, length);
        var bitmap = await ReadAsync(main, length);
        Assert.Equal(pages, bitmap.Sum(part => int.PopCount(part)));
        Assert.True((bitmap[(pages - 1) / 8] & (1 << ((pages - 1) % 8))) != 0);
        Assert.Equal(Convert.FromHexString("0123456789ABCDEF"), await ReadAsync(main, 8));
        await SendAsync(main, 10, [8, .. "vga.vram"u8]);
        Assert.Equal([0, 5, 0, 9, 8, .. "vga.vram"u8, 0, 0, 0, 0, 0, 0, 0, 0], await ReadAsync(main, 21));
        await ReadAsync(main, 8);

        await using var urgent = await ConnectAsync();
        await SendAsync(main, 9, []);
        Assert.Equal([0, 6, 0, 4, 0, 0, 0, 1], await ReadAsync(main, 8));
        Assert.Equal(0, main.Socket.Available); // No error before the stream ends.
        await main.WriteAsync(new byte[] { 3, 0, 0, 0, 2, 0 }, Stopping);
        Assert.Equal([0, 1, 0, 4, 0, 0, 0, 1], await ReadAsync(main, 8));
        await main.DisposeAsync();
        await answering;
    }

    [Fact]
    public async Task A_block_that_is_not_known_is_an_error_that_names_it()
    {
        using var standIn = PostcopyStandIn.Listen(SocketPath, new Dictionary<string, long> { ["pc.ram"] = Page });
        var answering = standIn.AnswerAsync(Stopping);
        await using var main = await ConnectAsync();
        await SendAsync(main, 10, [5, .. "other"u8]);
        Assert.Contains("'other'", (await Assert.ThrowsAsync<MachineException>(() => answering)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Whatever_else_comes_ends_in_an_error()
    {
        var garbage = Gen.Byte.Array[0, 64].Where(bytes => !(bytes is [8, 0, 9, 0, 0, ..]));
        await garbage.SampleAsync(
            async bytes =>
            {
                using var standIn = PostcopyStandIn.Listen(SocketPath, new Dictionary<string, long> { ["pc.ram"] = Page });
                var answering = standIn.AnswerAsync(Stopping);
                await using (var main = await ConnectAsync())
                {
                    await main.WriteAsync(bytes, Stopping);
                    main.Socket.Shutdown(SocketShutdown.Send);
                    await Assert.ThrowsAsync<MachineException>(() => answering);
                }
            },
            iter: 200,
            threads: 1);
    }

    [Fact]
    public void The_blocks_of_memory_are_read_from_what_QEMU_tells_people()
    {
        var blocks = MemoryBlocks.Parse(
            "              Block Name    PSize              Offset               Used              Total                HVA  RO\r\n"
            + "                  pc.ram    4 KiB  0x0000000000000000 0x0000000010000000 0x0000000010000000 0x00007f0a53e00000  rw\r\n"
            + "    /rom@etc/acpi/tables    4 KiB  0x0000000010400000 0x0000000000020000 0x0000000000200000 0x00007f0a64c00000  ro\r\n");
        Assert.Equal([new("pc.ram", 256L << 20), new("/rom@etc/acpi/tables", 128L << 10)], blocks);
        Assert.Contains("info ramblock", Assert.Throws<MachineException>(() => MemoryBlocks.Parse("nothing\nof 4 KiB 0x12")).Message, StringComparison.Ordinal);
    }

    private async Task<NetworkStream> ConnectAsync()
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await socket.ConnectAsync(new UnixDomainSocketEndPoint(SocketPath), Stopping);
        return new(socket, ownsSocket: true);
    }

    private static async Task SendAsync(NetworkStream stream, ushort command, byte[] data)
    {
        await stream.WriteAsync(new byte[] { 8, (byte)(command >> 8), (byte)command, (byte)(data.Length >> 8), (byte)data.Length }, Stopping);
        await stream.WriteAsync(data, Stopping);
    }

    private static async Task<byte[]> ReadAsync(NetworkStream stream, int count)
    {
        var bytes = new byte[count];
        await stream.ReadExactlyAsync(bytes, Stopping);
        return bytes;
    }
}
