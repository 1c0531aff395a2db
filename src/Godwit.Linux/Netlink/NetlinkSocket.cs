using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Godwit.Linux.Native;
using Godwit.Linux.Networking;

namespace Godwit.Linux.Netlink;

/// <summary>A conversation with the kernel's routing part: one request, its answers, at most a few seconds. Safe for threads to share.</summary>
internal sealed unsafe class NetlinkSocket : IDisposable
{
    internal const ushort FlagRequest = 1;
    internal const ushort FlagAcknowledge = 4;
    internal const ushort FlagDump = 0x300;
    internal const ushort FlagReplace = 0x100;
    internal const ushort FlagExclusive = 0x200;
    internal const ushort FlagCreate = 0x400;
    internal const ushort FlagAppend = 0x800;

    private const ushort TypeError = 2;
    private const ushort TypeDone = 3;
    private const ushort FlagDumpInterrupted = 0x10;
    private const ushort FlagAcknowledgeCapped = 0x100;
    private const ushort FlagAcknowledgeAttributes = 0x200;
    private const ushort ErrorAttributeMessage = 1;
    private const int ReceiveBytes = 1 << 16;
    private const int DumpTriesMax = 10;
    private const long AnswerBoundSeconds = 10;

    private readonly Descriptor descriptor;
    private readonly Lock sync = new();
    private readonly byte[] buffer = new byte[ReceiveBytes];
    private uint sequence;

    private NetlinkSocket(Descriptor descriptor) => this.descriptor = descriptor;

    internal delegate void Answer(ReceivedMessage message);

    internal static NetlinkSocket Open(NetworkNamespace place) => place.Run(() =>
    {
        var value = LibC.Socket(SocketConstants.AF_NETLINK, SocketConstants.SOCK_RAW | SocketConstants.SOCK_CLOEXEC, SocketConstants.NETLINK_ROUTE);
        var opened = value >= 0 ? new Descriptor(value) : throw LinuxException.FromLastCall("open a netlink socket");
        var bound = stackalloc long[2] { AnswerBoundSeconds, 0 };
        var yes = 1;
        if (LibC.SetSocketOption(opened.Value, SocketConstants.SOL_SOCKET, SocketConstants.SO_RCVTIMEO, bound, sizeof(long) * 2) != 0
            || LibC.SetSocketOption(opened.Value, SocketConstants.SOL_NETLINK, SocketConstants.NETLINK_EXT_ACK, &yes, sizeof(int)) != 0)
        {
            throw LinuxException.FromLastCall("set up a netlink socket");
        }

        return new NetlinkSocket(opened);
    });

    /// <summary>Sends a request that the kernel acknowledges.</summary>
    /// <param name="request">Built with <see cref="FlagRequest"/> and <see cref="FlagAcknowledge"/>.</param>
    /// <param name="attempt">What it does and on what, for the error.</param>
    internal void Request(NetlinkMessage request, string attempt) => Converse(request, attempt, _ => { });

    /// <summary>Asks for a list. If it changed while it was read, it is read again, so <paramref name="answer"/> may see entries twice after <paramref name="restart"/>.</summary>
    internal void Dump(NetlinkMessage request, string attempt, Action restart, Answer answer)
    {
        for (var i = 0; i < DumpTriesMax; i++)
        {
            restart();
            if (Converse(request, attempt, answer))
            {
                return;
            }
        }

        throw new LinuxException(attempt, Errno.EAGAIN, "it changes faster than it can be read");
    }

    public void Dispose() => descriptor.Dispose();

    /// <summary>False when the kernel says that the list changed under the reader.</summary>
    private bool Converse(NetlinkMessage request, string attempt, Answer answer)
    {
        lock (sync)
        {
            var number = ++sequence;
            Send(request.Finish(number), attempt);
            var whole = true;
            while (true)
            {
                var reader = new NetlinkReader(Receive(attempt));
                while (reader.TryReadMessage(out var message))
                {
                    if (message.Sequence != number)
                    {
                        continue; // What is left of a conversation that failed halfway.
                    }

                    whole &= (message.Flags & FlagDumpInterrupted) == 0;
                    switch (message.Type)
                    {
                        case TypeDone:
                            return whole;
                        case TypeError:
                            ThrowIfError(message, attempt);
                            return whole;
                        default:
                            answer(message);
                            break;
                    }
                }
            }
        }
    }

    private void Send(ReadOnlySpan<byte> bytes, string attempt)
    {
        fixed (byte* start = bytes)
        {
            if (LibC.SendTo(descriptor.Value, start, (nuint)bytes.Length, 0, null, 0) != bytes.Length)
            {
                throw LinuxException.FromLastCall(attempt);
            }
        }
    }

    private ReadOnlySpan<byte> Receive(string attempt)
    {
        while (true)
        {
            nint count;
            fixed (byte* start = buffer)
            {
                count = LibC.Receive(descriptor.Value, start, (nuint)buffer.Length, 0);
            }

            if (count > 0)
            {
                return buffer.AsSpan(0, (int)count);
            }

            if ((Errno)Marshal.GetLastPInvokeError() is not Errno.EINTR)
            {
                throw LinuxException.FromLastCall(attempt);
            }
        }
    }

    /// <summary>An error answer: the negative errno, the request's header (and, unless capped, its body), then attributes in words.</summary>
    private static void ThrowIfError(ReceivedMessage message, string attempt)
    {
        var body = message.Body;
        var error = body.Length >= sizeof(int) ? BinaryPrimitives.ReadInt32LittleEndian(body) : -(int)Errno.EIO;
        if (error == 0)
        {
            return;
        }

        string? words = null;
        if ((message.Flags & FlagAcknowledgeAttributes) != 0 && body.Length >= sizeof(int) + NetlinkMessage.HeaderLength)
        {
            var quoted = (message.Flags & FlagAcknowledgeCapped) != 0 ? NetlinkMessage.HeaderLength : (int)Math.Min(NetlinkReader.UInt32(body[sizeof(int)..]), int.MaxValue / 2);
            var start = sizeof(int) + NetlinkMessage.Align(quoted);
            var reader = new NetlinkReader(start <= body.Length ? body[start..] : []);
            while (reader.TryReadAttribute(out var type, out var value))
            {
                words = type == ErrorAttributeMessage ? "the kernel says: " + NetlinkReader.Text(value) : words;
            }
        }

        throw new LinuxException(attempt, (Errno)(-error), words);
    }
}
