using System.Buffers.Binary;
using System.Globalization;
using System.Net.Sockets;
using Godwit.Machines;
using Godwit.Real.Tests.Machines;

namespace Godwit.Real.Tests.Hosts;

/// <summary>What a stream may lie about.</summary>
public enum Lie
{
    /// <summary>None: so that it is known that the stream, as it came, would be loaded.</summary>
    None,
    MachineType,
    BlockName,
    BlockNameLength,
    BlockLength,
    PageOffset,
    PageBlock,
}

/// <summary>
/// The beginning of a real QEMU's stream: the configuration, the list of memory blocks and the first pages, taken down on its way.
/// <code>
///  "QEVM" version … machine type … section "ram": total | 4, then for each block: length of name, name, bytes
///  then pages: offset | flags, (length of name, name, unless it is the same block as before), content
/// </code>
/// Numbers are big-endian (QEMU: migration/ram.c, docs/devel/migration).
/// </summary>
internal sealed class CapturedStream
{
    private const int CapturedBytes = 1 << 20;
    private static readonly byte[] RamSection = [3, .. "ram"u8];

    private readonly byte[] bytes;
    private readonly byte[] block;
    private readonly int listed;
    private readonly int firstPage;

    private CapturedStream(byte[] bytes)
    {
        this.bytes = bytes;

        // Behind the section's name: its instance and version, four bytes each, and the total of all blocks.
        listed = Find(RamSection, 0) + RamSection.Length + 16;
        block = bytes[listed..(listed + 1 + bytes[listed])];
        firstPage = Find(block, listed + block.Length) - 8;
    }

    private static CancellationToken Stopping => TestContext.Current.CancellationToken;

    /// <summary>From a running guest, which keeps running.</summary>
    public static async Task<CapturedStream> TakeAsync(IMachine source)
    {
        var path = source.Place.MigrationSocket("captured");
        using var listener = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        listener.Bind(new UnixDomainSocketEndPoint(path));
        listener.Listen();
        (await Labs.Command.RunAsync("/bin/chown", [source.Place.UserId.ToString(CultureInfo.InvariantCulture), path], TimeSpan.FromSeconds(60))).MustSucceed();
        await source.Migration.StartOutgoingAsync($"unix:{path}", Stopping);
        using var stream = await listener.AcceptAsync(Stopping);
        var taken = new byte[CapturedBytes];
        for (var read = 0; read < taken.Length;)
        {
            var more = await stream.ReceiveAsync(taken.AsMemory(read), Stopping);
            Assert.True(more > 0, $"The stream ended after {read} bytes.");
            read += more;
        }

        return new CapturedStream(taken);
    }

    public byte[] With(Lie lie)
    {
        var told = (byte[])bytes.Clone();
        switch (lie)
        {
            case Lie.MachineType:
                told[Find("pc-q35"u8, 0) + 3] = (byte)'x';
                break;
            case Lie.BlockName:
                told[listed + 1] ^= 1;
                break;
            case Lie.BlockNameLength:
                told[listed] = byte.MaxValue;
                break;
            case Lie.BlockLength:
                Add(told, listed + block.Length, 1L << 40);
                break;
            case Lie.PageOffset:
                Add(told, firstPage, 1L << 50);
                break;
            case Lie.PageBlock:
                told[firstPage + 9] ^= 1;
                break;
        }

        Assert.Equal(lie == Lie.None, told.AsSpan().SequenceEqual(bytes));
        return told;
    }

    private static void Add(byte[] told, int at, long more)
    {
        var number = told.AsSpan(at, 8);
        BinaryPrimitives.WriteInt64BigEndian(number, BinaryPrimitives.ReadInt64BigEndian(number) + more);
    }

    private int Find(ReadOnlySpan<byte> what, int from)
    {
        var at = bytes.AsSpan(from).IndexOf(what);
        Assert.True(at >= 0, "The stream is not as QEMU describes it.");
        return from + at;
    }
}
