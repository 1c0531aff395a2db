using System.Buffers.Binary;
using System.Net.Sockets;
using System.Text;

namespace Godwit.Machines;

/// <summary>
/// Brings a source's QEMU back from post-copy when its target is dead and never ran the guest, by standing in for that target.
/// <para>
/// QEMU has no command for it: from <c>postcopy-active</c> on it neither cancels nor lets the guest go on, although it has all of it until the target
/// runs it. What it does know is to resume a stream that was paused, and what to do when a stream fails at its very end: then it takes its disks and
/// its guest back. So the stream is resumed with this at its other end, which has, it says, all of the memory already, and then reports an error:
/// </para>
/// <code>
///   QEMU: postcopy-paused                                stand-in
///     connects, by "migrate resume" ───────────────────▶
///     RECV_BITMAP block ───────────────────────────────▶
///     ◀─────────────── RECV_BITMAP block, every page is here      for each block
///     connects again, for urgent pages ────────────────▶          nothing ever comes there
///     POSTCOPY_RESUME ─────────────────────────────────▶
///     ◀──────────────────────────────────────── RESUME_ACK
///   QEMU: postcopy-active, nothing is left to send
///     the end of the stream ───────────────────────────▶
///     ◀─────────────────────────────────────── SHUT, error
///   QEMU: failed, the guest is its own
/// </code>
/// The order of the last two steps matters: an error before the first byte of the end would be one of the resumption, and only pause the stream again.
/// Wherever this is broken off, even by a kill, QEMU is either paused as before, or it takes the guest back; both are what is wanted next.
/// The messages are those of QEMU's migration stream and return path (its documentation, "Postcopy" and "Migration framework").
/// </summary>
internal sealed class PostcopyStandIn : IDisposable
{
    private const byte Command = 0x08;
    private const ushort ResumeCommand = 9;
    private const ushort BitmapCommand = 10;
    private const ushort ShutMessage = 1;
    private const ushort BitmapMessage = 5;
    private const ushort ResumeMessage = 6;
    private const uint Acknowledged = 1;
    private const uint Failed = 1;
    private const ulong BitmapEnd = 0x0123456789abcdef;
    private const int PageBytes = 4096;
    private const int CommandsMax = 4096;

    private const UnixFileMode Everyone =
        UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.OtherRead | UnixFileMode.OtherWrite;

    private readonly IReadOnlyDictionary<string, long> blocks;
    private readonly string socketPath;
    private readonly Socket listening = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);

    private PostcopyStandIn(string socketPath, IReadOnlyDictionary<string, long> blocks)
    {
        this.socketPath = socketPath;
        this.blocks = blocks;
    }

    /// <param name="socketPath">In the machine's own folder, which only the machine's user (and root) may enter: the folder is the guard, not the socket's mode.</param>
    /// <param name="blocks">The guest's memory: names, and sizes in bytes.</param>
    /// <exception cref="MachineException">The socket cannot be made.</exception>
    public static PostcopyStandIn Listen(string socketPath, IReadOnlyDictionary<string, long> blocks)
    {
        var standIn = new PostcopyStandIn(socketPath, blocks);
        try
        {
            File.Delete(socketPath); // Left by an agent that was killed.
            standIn.listening.Bind(new UnixDomainSocketEndPoint(socketPath));
            File.SetUnixFileMode(socketPath, Everyone);
            standIn.listening.Listen(backlog: 4);
            return standIn;
        }
        catch (Exception error) when (error is SocketException or IOException or UnauthorizedAccessException or ArgumentException)
        {
            standIn.Dispose();
            throw new MachineException($"cannot make the socket {socketPath} to take a guest back from post-copy.", error);
        }
    }

    /// <summary>Returns when QEMU has closed the stream, which was failed at its end.</summary>
    /// <exception cref="MachineException">QEMU said something else than what this knows to answer.</exception>
    public async Task AnswerAsync(CancellationToken stopping)
    {
        await Task.Yield();
        using var main = await listening.AcceptAsync(stopping);
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        var urgent = HoldUrgentAsync(ended.Token);
        try
        {
            await using var stream = new NetworkStream(main);
            await ResumeAsync(stream, stopping);
            await ReadExactlyAsync(stream, 1, stopping); // Past the handshake: QEMU ends the stream.
            await SayAsync(stream, ShutMessage, BigEndian(Failed), stopping);
            await DrainAsync(stream, stopping);
        }
        catch (Exception error) when (error is IOException or SocketException)
        {
            throw new MachineException("cannot take a guest back from post-copy: QEMU broke off.", error);
        }
        finally
        {
            await ended.CancelAsync();
            await urgent;
        }
    }

    public void Dispose()
    {
        listening.Dispose();
        File.Delete(socketPath);
    }

    private async Task ResumeAsync(NetworkStream stream, CancellationToken stopping)
    {
        for (var count = 0; count < CommandsMax; count++)
        {
            var head = await ReadExactlyAsync(stream, 5, stopping);
            var command = BinaryPrimitives.ReadUInt16BigEndian(head.AsSpan(1));
            var data = await ReadExactlyAsync(stream, BinaryPrimitives.ReadUInt16BigEndian(head.AsSpan(3)), stopping);
            switch (head[0], command)
            {
                case (Command, BitmapCommand) when data.Length > 1 && data[0] == data.Length - 1:
                    await SayAllIsHereAsync(stream, Encoding.ASCII.GetString(data.AsSpan(1)), stopping);
                    break;
                case (Command, ResumeCommand):
                    await SayAsync(stream, ResumeMessage, BigEndian(Acknowledged), stopping);
                    return;
                default:
                    throw new MachineException($"cannot take a guest back from post-copy: QEMU resumes its stream with {Convert.ToHexString(head)}, which is not known.");
            }
        }

        throw new MachineException($"cannot take a guest back from post-copy: QEMU did not resume its stream within {CommandsMax} commands.");
    }

    /// <summary>A bit for each page, padded with zeroes to whole words of eight bytes, between its length and a mark.</summary>
    private async Task SayAllIsHereAsync(NetworkStream stream, string name, CancellationToken stopping)
    {
        var bytes = blocks.TryGetValue(name, out var known) ? known
            : throw new MachineException($"cannot take a guest back from post-copy: QEMU asks for the block of memory '{name}', which it did not tell of before.");
        var pages = bytes / PageBytes;
        var length = (pages + 63) / 64 * 8;
        var heading = new byte[Encoding.ASCII.GetByteCount(name) + 1];
        heading[0] = (byte)(heading.Length - 1);
        Encoding.ASCII.GetBytes(name, heading.AsSpan(1));
        await SayAsync(stream, BitmapMessage, heading, stopping);
        await stream.WriteAsync(BigEndian((ulong)length), stopping);
        var ones = new byte[Math.Min(pages / 8, 64 << 10)];
        Array.Fill(ones, (byte)0xff);
        for (var left = pages / 8; left > 0; left -= Math.Min(left, ones.Length))
        {
            await stream.WriteAsync(ones.AsMemory(0, (int)Math.Min(left, ones.Length)), stopping);
        }

        var rest = new byte[length - (pages / 8)];
        if (rest.Length > 0)
        {
            rest[0] = (byte)((1 << (int)(pages % 8)) - 1);
        }

        await stream.WriteAsync(rest, stopping);
        await stream.WriteAsync(BigEndian(BitmapEnd), stopping);
    }

    /// <summary>QEMU waits until the channel for urgent pages is there, if it uses one.</summary>
    private async Task HoldUrgentAsync(CancellationToken ended)
    {
        try
        {
            using var urgent = await listening.AcceptAsync(ended);
            var buffer = new byte[4096];
            while (await urgent.ReceiveAsync(buffer, ended) > 0)
            {
                // Of a guest that stands still no page is urgent: nothing comes, and it ends when QEMU closes it.
            }
        }
        catch (Exception error) when (error is OperationCanceledException or SocketException)
        {
            // The end of what it was held for.
        }
    }

    private static async Task DrainAsync(NetworkStream stream, CancellationToken stopping)
    {
        var buffer = new byte[4096];
        while (await stream.ReadAsync(buffer, stopping) > 0)
        {
            // The rest of the end; nobody needs it.
        }
    }

    private static async Task<byte[]> ReadExactlyAsync(NetworkStream stream, int count, CancellationToken stopping)
    {
        var bytes = new byte[count];
        await stream.ReadExactlyAsync(bytes, stopping);
        return bytes;
    }

    private static async Task SayAsync(NetworkStream stream, ushort message, byte[] data, CancellationToken stopping)
    {
        var bytes = new byte[4 + data.Length];
        BinaryPrimitives.WriteUInt16BigEndian(bytes, message);
        BinaryPrimitives.WriteUInt16BigEndian(bytes.AsSpan(2), (ushort)data.Length);
        data.CopyTo(bytes, 4);
        await stream.WriteAsync(bytes, stopping);
    }

    private static byte[] BigEndian(uint value)
    {
        var bytes = new byte[4];
        BinaryPrimitives.WriteUInt32BigEndian(bytes, value);
        return bytes;
    }

    private static byte[] BigEndian(ulong value)
    {
        var bytes = new byte[8];
        BinaryPrimitives.WriteUInt64BigEndian(bytes, value);
        return bytes;
    }
}
