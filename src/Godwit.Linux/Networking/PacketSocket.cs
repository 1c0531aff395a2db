using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Godwit.Linux.Native;
using Godwit.Linux.Netlink;

namespace Godwit.Linux.Networking;

/// <summary>Whole Ethernet frames in and out of one device (packet(7)), past routing, neighbour tables and packet filters.</summary>
public sealed unsafe class PacketSocket : IDisposable
{
    private const ushort AllProtocols = 0x0003; // ETH_P_ALL
    private const ushort ArpProtocol = 0x0806; // ETH_P_ARP
    private const ushort NoProtocol = 0;
    private const int LinkAddressLength = 20; // struct sockaddr_ll
    private const int SolPacket = 263;
    private const int PacketVnetHeader = 15;
    private const int PacketIgnoreOutgoing = 23;
    private const int SoAttachFilter = 26;
    private const nuint GetStampNs = 0x8907; // SIOCGSTAMPNS

    private readonly Descriptor descriptor;
    private readonly string linkName;

    private PacketSocket(Descriptor descriptor, string linkName)
    {
        this.descriptor = descriptor;
        this.linkName = linkName;
    }

    /// <param name="linkName">The device.</param>
    /// <param name="place">Its namespace.</param>
    /// <param name="receives">Whether frames that arrive are kept to be read; a socket that only sends has no queue to fill.</param>
    /// <exception cref="LinuxException">There is no such device, or no right to do this (CAP_NET_RAW).</exception>
    public static PacketSocket Open(string linkName, NetworkNamespace place, bool receives) => Open(linkName, place, receives ? AllProtocols : NoProtocol, IgnoreOutgoing);

    /// <summary>For the questions and answers of ARP (RFC 826) that arrive. On a link that carries much else: the kernel hands on nothing of that.</summary>
    /// <param name="linkName">The device.</param>
    /// <param name="place">Its namespace.</param>
    /// <exception cref="LinuxException">There is no such device, or no right to do this (CAP_NET_RAW).</exception>
    public static PacketSocket OpenArp(string linkName, NetworkNamespace place) => Open(linkName, place, ArpProtocol, IgnoreOutgoing);

    /// <summary>
    /// For frames as they pass from device to device within a host, and not as they stand on a wire: what is read from or sent through it begins with
    /// a <c>struct virtio_net_hdr</c> (<see cref="OffloadHeaderLength"/> bytes), which says what was left to the device: a checksum, the cutting up of one that is too long.
    /// </summary>
    /// <param name="linkName">The device.</param>
    /// <param name="place">Its namespace.</param>
    /// <param name="overhears">Reads what this host gives the device to send, and nothing that came by it; otherwise it only sends.</param>
    /// <exception cref="LinuxException">There is no such device, or no right to do this (CAP_NET_RAW).</exception>
    public static PacketSocket OpenPassing(string linkName, NetworkNamespace place, bool overhears) => Open(linkName, place, overhears ? AllProtocols : NoProtocol, opened =>
    {
        var yes = 1;
        if (LibC.SetSocketOption(opened.Value, SolPacket, PacketVnetHeader, &yes, sizeof(int)) != 0)
        {
            throw LinuxException.FromLastCall($"ask for frames of {linkName} with what is left to the device");
        }

        if (overhears)
        {
            AttachOutgoingOnly(opened, linkName);
            _ = TryReadStamp(opened, out _); // The first call turns them on.
        }
    });

    private static void IgnoreOutgoing(Descriptor opened)
    {
        var yes = 1;
        _ = LibC.SetSocketOption(opened.Value, SolPacket, PacketIgnoreOutgoing, &yes, sizeof(int)); // Linux 4.20; without it we see our own frames too.
    }

    private static PacketSocket Open(string linkName, NetworkNamespace place, ushort protocol, Action<Descriptor> prepare) => place.Run(() =>
    {
        using var routes = RouteSocket.Open(NetworkNamespace.Own); // Inside the place already.
        var index = routes.GetLink(linkName).Index;
        var value = LibC.Socket(SocketConstants.AF_PACKET, SocketConstants.SOCK_RAW | SocketConstants.SOCK_CLOEXEC, 0);
        var opened = value >= 0 ? new Descriptor(value) : throw LinuxException.FromLastCall($"open a packet socket on {linkName}");
        try
        {
            prepare(opened);
            var address = stackalloc byte[LinkAddressLength];
            var fields = new Span<byte>(address, LinkAddressLength);
            fields.Clear();
            BinaryPrimitives.WriteUInt16LittleEndian(fields, SocketConstants.AF_PACKET);
            BinaryPrimitives.WriteUInt16BigEndian(fields[2..], protocol);
            BinaryPrimitives.WriteInt32LittleEndian(fields[4..], index);
            return LibC.Bind(opened.Value, address, LinkAddressLength) == 0
                ? new PacketSocket(opened, linkName)
                : throw LinuxException.FromLastCall($"bind a packet socket to {linkName}");
        }
        catch
        {
            opened.Dispose();
            throw;
        }
    });

    /// <summary>A filter (bpf(4), in its classic form) of four steps: load the packet's type, keep what goes out, drop the rest.</summary>
    private static void AttachOutgoingOnly(Descriptor opened, string linkName)
    {
        const ushort LoadByte = 0x30; // BPF_LD | BPF_B | BPF_ABS
        const ushort JumpIfEqual = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
        const ushort Return = 0x06; // BPF_RET | BPF_K
        const uint PacketType = 0xfffff004; // SKF_AD_OFF + SKF_AD_PKTTYPE
        const uint Outgoing = 4; // PACKET_OUTGOING
        const uint Whole = 0x40000;
        var steps = stackalloc FilterStep[] { new(LoadByte, 0, 0, PacketType), new(JumpIfEqual, 0, 1, Outgoing), new(Return, 0, 0, Whole), new(Return, 0, 0, 0) };
        var filter = new Filter { Count = 4, Steps = steps };
        if (LibC.SetSocketOption(opened.Value, SocketConstants.SOL_SOCKET, SoAttachFilter, &filter, (uint)sizeof(Filter)) != 0)
        {
            throw LinuxException.FromLastCall($"filter what is overheard on {linkName}");
        }
    }

    private static bool TryReadStamp(Descriptor opened, out DateTimeOffset stamp)
    {
        var seconds = stackalloc long[2];
        var known = LibC.IoCtl(opened.Value, GetStampNs, seconds) == 0;
        stamp = known ? DateTimeOffset.UnixEpoch.AddTicks((seconds[0] * TimeSpan.TicksPerSecond) + (seconds[1] / TimeSpan.NanosecondsPerTick)) : default;
        return known;
    }

    /// <summary>Bytes before each frame of a socket that was opened for passing frames.</summary>
    public const int OffloadHeaderLength = 10;

    /// <summary>When the kernel saw the frame that was overheard last; null: it does not say.</summary>
    public DateTimeOffset? OverheardAt => TryReadStamp(descriptor, out var stamp) ? stamp : null;

    /// <summary>Sends one frame; false when the device is down or its queue is full, or the frame is none that it can send, as a network may lose any frame.</summary>
    public bool TrySend(ReadOnlySpan<byte> frame)
    {
        fixed (byte* start = frame)
        {
            if (LibC.SendTo(descriptor.Value, start, (nuint)frame.Length, SocketConstants.MSG_DONTWAIT, null, 0) == frame.Length)
            {
                return true;
            }
        }

        var refusal = LinuxException.FromLastCall($"send a frame on {linkName}");
        return refusal.Error is Errno.ENETDOWN or Errno.ENOBUFS or Errno.EAGAIN or Errno.EINVAL or Errno.EMSGSIZE ? false : throw refusal;
    }

    /// <summary>Waits for a frame until one is there or the time is over.</summary>
    /// <param name="buffer">Takes the frame; a longer one is cut.</param>
    /// <param name="boundMs">How long to wait, in milliseconds.</param>
    /// <returns>The frame's bytes in the buffer; zero when none came, or when the device is down.</returns>
    public int Receive(Span<byte> buffer, int boundMs)
    {
        var entry = new LibC.PollEntry { Descriptor = descriptor.Value, Events = PollConstants.POLLIN };
        if (LibC.Poll(&entry, 1, boundMs) <= 0)
        {
            return 0;
        }

        nint count;
        fixed (byte* start = buffer)
        {
            count = LibC.Receive(descriptor.Value, start, (nuint)buffer.Length, SocketConstants.MSG_DONTWAIT);
        }

        if (count >= 0)
        {
            return (int)count;
        }

        return (Errno)Marshal.GetLastPInvokeError() is Errno.EAGAIN or Errno.EINTR or Errno.ENETDOWN
            ? 0
            : throw LinuxException.FromLastCall($"receive on {linkName}");
    }

    public void Dispose() => descriptor.Dispose();

    /// <summary>The kernel's <c>struct sock_filter</c>.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private readonly struct FilterStep(ushort code, byte whenTrue, byte whenFalse, uint operand)
    {
        private readonly ushort code = code;
        private readonly byte whenTrue = whenTrue;
        private readonly byte whenFalse = whenFalse;
        private readonly uint operand = operand;
    }

    /// <summary>The kernel's <c>struct sock_fprog</c>.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Filter
    {
        internal ushort Count;
        internal FilterStep* Steps;
    }
}
