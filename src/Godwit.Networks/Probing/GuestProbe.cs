using System.Net;
using Godwit.Linux.Networking;
using Godwit.Linux.Processes;
using Godwit.Networks.Guests;
using Godwit.Networks.Overlays;

namespace Godwit.Networks.Probing;

/// <summary>From where, and whom.</summary>
public sealed record ProbeTarget
{
    /// <summary>The device that frames leave and arrive by: the overlay's <see cref="OverlayNames.Observer"/>.</summary>
    public required string LinkName { get; init; }

    public NetworkNamespace Place { get; init; } = NetworkNamespace.Own;

    /// <summary>The address that probes come from: the overlay's <see cref="OverlayState.ObserverAddress"/>.</summary>
    public required IPAddress SourceAddress { get; init; }

    /// <summary>Whom to probe.</summary>
    public required IPAddress Address { get; init; }

    /// <summary>How often. No probe waits for the answer to another.</summary>
    public TimeSpan Interval { get; init; } = TimeSpan.FromMilliseconds(5);
}

/// <summary>
/// Asks a guest for a sign of life every few milliseconds and notes how long it ever was silent: a move as the guest's
/// users feel it, seen from a place that is neither source nor target.
/// <para>
/// Frames are built here and sent past the host's own network stack: its neighbour table would give a silent guest up, wait, and ask again at
/// its own pace, and would so measure itself. The guest's MAC address is asked for by ARP and kept (it moves with the guest); its
/// questions for ours are answered. A thread of its own does it, ahead of others in line; the answers are timed when they are read.
/// </para>
/// </summary>
public sealed class GuestProbe : IAsyncDisposable
{
    private const int FrameBytesMax = 2048;
    private const int Niceness = -15;

    /// <summary>Without an ICMP answer for this long after ARP's, the guest is asked by ARP alone.</summary>
    private static readonly TimeSpan IcmpPatience = TimeSpan.FromSeconds(1);

    private readonly ProbeTarget target;
    private readonly TimeProvider time;
    private readonly PacketSocket socket;
    private readonly MacAddress sourceMac;
    private readonly ProbeLedger ledger;
    private readonly Lock sync = new();
    private readonly long start;
    private readonly DateTimeOffset startedAt;
    private readonly ushort identifier = (ushort)Random.Shared.Next(1, ushort.MaxValue);
    private readonly TaskCompletionSource ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource answered = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile bool stopped;
    private ProbeMethod method = ProbeMethod.Icmp;
    private MacAddress? guestMac;
    private TimeSpan resolvedAt;

    private GuestProbe(ProbeTarget target, TimeProvider time)
    {
        this.target = target;
        this.time = time;
        sourceMac = OverlayState.ObserverMac(target.SourceAddress);
        ledger = new ProbeLedger(target.Interval);
        socket = PacketSocket.Open(target.LinkName, target.Place, receives: true);
        start = time.GetTimestamp();
        startedAt = time.GetUtcNow();
        new Thread(Run) { IsBackground = true, Name = "godwit-probe" }.Start();
    }

    /// <summary>Ends with the guest's first answer.</summary>
    public Task Answered => answered.Task;

    /// <exception cref="Godwit.Linux.LinuxException">There is no such device, or no right to do this.</exception>
    public static GuestProbe Start(ProbeTarget target, TimeProvider time) => new(target, time);

    /// <summary>Whether an address answers within a bound.</summary>
    public static async Task<bool> IsReachableAsync(ProbeTarget target, TimeSpan bound, TimeProvider time, CancellationToken stopping)
    {
        await using var probe = Start(target, time);
        try
        {
            await probe.Answered.WaitAsync(bound, time, stopping);
            return true;
        }
        catch (TimeoutException)
        {
            return false;
        }
    }

    /// <summary>What was seen up to now.</summary>
    public ProbeReport Report()
    {
        lock (sync)
        {
            return ledger.Report(method, Now, startedAt);
        }
    }

    public async ValueTask DisposeAsync()
    {
        stopped = true;
        await ended.Task;
        socket.Dispose();
        answered.TrySetCanceled();
    }

    private TimeSpan Now => time.GetElapsedTime(start);

    private void Run()
    {
        try
        {
            ThreadNiceness.TrySet(Niceness);
            var buffer = new byte[FrameBytesMax];
            var next = Now;
            while (!stopped)
            {
                if (Now is var now && now >= next)
                {
                    Send(now);
                    // A prober that was held up does not make up for it: the guest would see a burst.
                    next = now - next > target.Interval ? now + target.Interval : next + target.Interval;
                }

                var patience = (int)Math.Ceiling((next - Now).TotalMilliseconds);
                if (patience > 0 && socket.Receive(buffer, patience) is > 0 and var count)
                {
                    Read(buffer.AsSpan(0, count));
                }
            }

            ended.TrySetResult();
        }
        catch (Exception failure)
        {
            // The device is gone from under us: told to whoever waits, and in the silence that the report shows.
            answered.TrySetException(failure);
            ended.TrySetResult();
        }
    }

    private void Send(TimeSpan now)
    {
        lock (sync)
        {
            var number = ledger.Send(now);
            socket.TrySend(BuildProbe((ushort)number, now));
        }
    }

    private byte[] BuildProbe(ushort sequence, TimeSpan now)
    {
        if (guestMac is not { } mac)
        {
            return Frames.ArpRequest(sourceMac, target.SourceAddress, target.Address, MacAddress.Broadcast);
        }

        if (method is ProbeMethod.Icmp && !ledger.HasReplies && now - resolvedAt > IcmpPatience)
        {
            method = ProbeMethod.Arp;
        }

        return method is ProbeMethod.Icmp
            ? Frames.EchoRequest(sourceMac, target.SourceAddress, mac, target.Address, identifier, sequence)
            : Frames.ArpRequest(sourceMac, target.SourceAddress, target.Address, mac);
    }

    private void Read(ReadOnlySpan<byte> frame)
    {
        var now = Now;
        if (Frames.TryReadEchoReply(frame, out var reply))
        {
            if (reply.Identifier == identifier && reply.Source.Equals(target.Address))
            {
                Note(reply.Sequence, now);
            }
        }
        else if (Frames.TryReadArp(frame, out var arp))
        {
            ReadArp(arp, now);
        }
    }

    private void ReadArp(ArpPacket arp, TimeSpan now)
    {
        if (arp.IsRequest && arp.TargetAddress.Equals(target.SourceAddress))
        {
            socket.TrySend(Frames.ArpReply(sourceMac, target.SourceAddress, arp.SenderMac, arp.SenderAddress));
        }
        else if (!arp.IsRequest && arp.SenderAddress.Equals(target.Address) && arp.TargetMac == sourceMac)
        {
            if (guestMac is null)
            {
                lock (sync)
                {
                    (guestMac, resolvedAt) = (arp.SenderMac, now);
                }
            }
            else if (method is ProbeMethod.Arp)
            {
                // ARP carries no number: it answers the latest probe.
                Note((ushort)(ledger.Sent - 1), now);
            }
        }
    }

    private void Note(ushort sequence, TimeSpan now)
    {
        lock (sync)
        {
            ledger.Receive(sequence, now);
        }

        answered.TrySetResult();
    }
}
