using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Godwit.Linux.Native;
using Godwit.Linux.Netlink;

namespace Godwit.Linux.Networking;

/// <summary>Whole Ethernet frames in and out of one device (packet(7)), past routing, neighbour tables and packet filters.</summary>
public sealed unsafe class PacketSocket : IDisposable
{
    private const ushort AllProtocols = 0x0003; // ETH_P_ALL
    private const int LinkAddressLength = 20; // struct sockaddr_ll
    private const int SolPacket = 263;
    private const int PacketIgnoreOutgoing = 23;

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
    public static PacketSocket Open(string linkName, NetworkNamespace place, bool receives) => place.Run(() =>
    {
        using var routes = RouteSocket.Open(NetworkNamespace.Own); // Inside the place already.
        var index = routes.GetLink(linkName).Index;
        var value = LibC.Socket(SocketConstants.AF_PACKET, SocketConstants.SOCK_RAW | SocketConstants.SOCK_CLOEXEC, 0);
        var opened = value >= 0 ? new Descriptor(value) : throw LinuxException.FromLastCall($"open a packet socket on {linkName}");
        var yes = 1;
        _ = LibC.SetSocketOption(opened.Value, SolPacket, PacketIgnoreOutgoing, &yes, sizeof(int)); // Linux 4.20; without it we see our own frames too.

        var address = stackalloc byte[LinkAddressLength];
        var fields = new Span<byte>(address, LinkAddressLength);
        fields.Clear();
        BinaryPrimitives.WriteUInt16LittleEndian(fields, SocketConstants.AF_PACKET);
        BinaryPrimitives.WriteUInt16BigEndian(fields[2..], receives ? AllProtocols : (ushort)0);
        BinaryPrimitives.WriteInt32LittleEndian(fields[4..], index);
        if (LibC.Bind(opened.Value, address, LinkAddressLength) != 0)
        {
            var refusal = LinuxException.FromLastCall($"bind a packet socket to {linkName}");
            opened.Dispose();
            throw refusal;
        }

        return new PacketSocket(opened, linkName);
    });

    /// <summary>Sends one frame; false when the device is down or its queue is full, as a network may lose any frame.</summary>
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
        return refusal.Error is Errno.ENETDOWN or Errno.ENOBUFS or Errno.EAGAIN ? false : throw refusal;
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
}
