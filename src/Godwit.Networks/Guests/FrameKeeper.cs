using System.Net;
using Godwit.Linux;
using Godwit.Linux.Networking;

namespace Godwit.Networks.Guests;

/// <summary>
/// Keeps what is sent to a guest that moves while it stands still, so that it can go after the guest and nobody has to say it again: a TCP peer would, but only
/// after 200 ms or more, for it cannot know better.
/// <code>
///   others ─▶ bridge ─▶ tap ─▶ (QEMU: the guest stands still, and what waits for it here is lost with it)
///                        └ overheard ─▶ kept ─▶ when the guest runs on the target: its agent ─▶ its tap (GuestPorts.Deliver)
/// </code>
/// <para>
/// <b>From when on.</b> QEMU stops the guest by itself, and takes one more frame from the tap afterwards: so frames are kept from before the stop,
/// for a short time, and those from the stop on are picked by the kernel's time of the frame and QEMU's time of the stop. A frame that came within
/// <see cref="Doubt"/> before it may have been taken in or not, and goes again: IP may deliver twice.
/// </para>
/// <para>
/// <b>Why not through the tunnel.</b> Tunnel ends and bridges learn from each frame where its sender is, and a host that filters what it bridges would take its own
/// question, as it comes back to it, for a connection of another. So agent and agent hand it over.
/// </para>
/// It is best effort, within a bound, and decides nothing. A move that turned back needs none of it: QEMU finds in the tap what came meanwhile.
/// </summary>
public sealed class FrameKeeper : IDisposable
{
    /// <summary>What is kept of one guest's frames: less than agents would notice between their orders.</summary>
    public const int BytesMax = 256 << 10;

    internal static readonly TimeSpan Doubt = TimeSpan.FromMilliseconds(2);

    private const int FrameBytesMax = 65535 + Frames.EthernetLength; // A device that cuts frames up is given ones this long.
    private const byte ChecksumChecked = 2; // VIRTIO_NET_HDR_F_DATA_VALID: not for one who sends to say.
    private const int LookMs = 100;

    /// <summary>Longer than QEMU's word of the stop can take to be heard, by much.</summary>
    private static readonly TimeSpan Watched = TimeSpan.FromMilliseconds(100);

    private readonly KeptFrames kept = new(Watched, BytesMax);
    private readonly Lock gate = new();
    private readonly PacketSocket tap;
    private readonly MacAddress mac;
    private readonly IPAddress? address;
    private readonly TimeProvider time;
    private readonly Thread thread;
    private volatile bool disposed;

    private FrameKeeper(PacketSocket tap, GuestPort port, TimeProvider time)
    {
        this.tap = tap;
        this.time = time;
        (mac, address) = (port.Mac, port.Address);
        thread = new Thread(Run) { IsBackground = true, Name = "godwit-frames" };
        thread.Start();
    }

    /// <summary>How many frames are kept now.</summary>
    internal int KeptCount
    {
        get
        {
            lock (gate)
            {
                return kept.Count;
            }
        }
    }

    /// <param name="port">The guest's port on this host.</param>
    /// <param name="place">Where it is.</param>
    /// <param name="time">Times frames that the kernel does not time.</param>
    /// <exception cref="LinuxException">The port is not there.</exception>
    public static FrameKeeper Start(GuestPort port, NetworkNamespace place, TimeProvider time) =>
        new(PacketSocket.OpenPassing(port.TapName, place, overhears: true), port, time);

    /// <summary>The guest has stood still since then, in this host's time. Only the first time counts, until <see cref="Resumed"/>.</summary>
    public void Stopped(DateTimeOffset at)
    {
        lock (gate)
        {
            kept.Hold(at - Doubt);
        }
    }

    /// <summary>The guest goes on here, and finds in its tap what came meanwhile.</summary>
    public void Resumed()
    {
        lock (gate)
        {
            kept.Watch();
        }
    }

    /// <summary>What came since the stop, in its order, for <see cref="GuestPorts.Deliver"/> on another host. It is not kept here any more.</summary>
    public IReadOnlyList<byte[]> Take()
    {
        lock (gate)
        {
            return kept.Take();
        }
    }

    public void Dispose()
    {
        if (!disposed)
        {
            disposed = true;
            thread.Join();
            tap.Dispose();
        }
    }

    /// <summary>Whether a frame is for this guest: sent to it, or a question to all for its MAC address.</summary>
    internal static bool IsFor(ReadOnlySpan<byte> frame, MacAddress mac, IPAddress? address) =>
        frame.Length >= Frames.EthernetLength
        && (MacAddress.FromBytes(frame[..MacAddress.Length]) == mac
            || (Frames.TryReadArp(frame, out var question) && question.IsRequest && question.TargetAddress.Equals(address)));

    private void Run()
    {
        var buffer = new byte[PacketSocket.OffloadHeaderLength + FrameBytesMax];
        try
        {
            while (!disposed)
            {
                var length = tap.Receive(buffer, LookMs);
                if (length > PacketSocket.OffloadHeaderLength && IsFor(buffer.AsSpan(PacketSocket.OffloadHeaderLength, length - PacketSocket.OffloadHeaderLength), mac, address))
                {
                    buffer[0] &= unchecked((byte)~ChecksumChecked);
                    var at = tap.OverheardAt ?? time.GetUtcNow();
                    lock (gate)
                    {
                        kept.Add(at, buffer.AsSpan(0, length));
                    }
                }
            }
        }
        catch (LinuxException)
        {
            // The port is gone, and its guest with it: nothing more comes by it. What was kept still is.
        }
    }
}
