using System.Collections.Frozen;
using System.Net;
using Godwit.Base;
using Godwit.Linux;
using Godwit.Linux.Netlink;
using Godwit.Linux.Networking;
using Godwit.Networks.Guests;
using Microsoft.Extensions.Logging;

namespace Godwit.Networks.Services;

/// <summary>Answers on one link for a set of addresses, in a thread of its own. Made and told by <see cref="AddressAnnouncer"/>.</summary>
internal sealed partial class AddressResponder : IDisposable
{
    /// <summary>How long an end may wait for the thread to look, in milliseconds.</summary>
    private const int LookMs = 100;

    private readonly Link link;
    private readonly NetworkNamespace place;
    private readonly PacketSocket socket;
    private readonly TimeProvider time;
    private readonly ILogger log;
    private readonly Thread thread;
    private volatile FrozenSet<IPAddress> addresses = FrozenSet<IPAddress>.Empty;
    private CancellationTokenSource ending = new();
    private Task saying = Task.CompletedTask;
    private IReadOnlyList<IPAddress> said = [];
    private volatile bool disposed;

    private AddressResponder(Link link, NetworkNamespace place, PacketSocket socket, TimeProvider time, ILogger log)
    {
        (this.link, this.place, this.socket, this.time, this.log) = (link, place, socket, time, log);
        thread = new Thread(Run) { IsBackground = true, Name = "godwit-addresses" };
        thread.Start();
    }

    /// <summary>False: the link has gone, or refuses.</summary>
    public bool Runs => thread.IsAlive;

    /// <exception cref="LinuxException">The link has gone meanwhile, or there is no right to do this.</exception>
    public static AddressResponder Start(Link link, NetworkNamespace place, TimeProvider time, ILogger log) =>
        new(link, place, PacketSocket.OpenArp(link.Name, place), time, log);

    /// <summary>Answers for these and no others, and says unasked where those are that are new.</summary>
    public void Apply(FrozenSet<IPAddress> wanted)
    {
        var before = addresses;
        addresses = wanted;
        if (before.SetEquals(wanted))
        {
            return;
        }

        // What is being said may be true no more; what of it still is begins again, with what is new.
        var unfinished = saying.IsCompleted ? [] : said;
        said = [.. wanted.Where(address => !before.Contains(address) || unfinished.Contains(address))];
        ending.Cancel();
        ending.Dispose();
        ending = new CancellationTokenSource();
        saying = said.Count > 0 ? SayAsync([.. said.Select(address => (link.Mac, address))], ending.Token) : Task.CompletedTask;
    }

    public void Dispose()
    {
        if (!disposed)
        {
            disposed = true;
            ending.Cancel();
            ending.Dispose();
            thread.Join();
            socket.Dispose();
        }
    }

    /// <summary>What a station with this MAC address says to a frame that arrived; null: nothing.</summary>
    /// <param name="frame">The frame, of whoever sent it.</param>
    /// <param name="mac">The station's.</param>
    /// <param name="addresses">What it has.</param>
    internal static byte[]? AnswerTo(ReadOnlySpan<byte> frame, MacAddress mac, IReadOnlySet<IPAddress> addresses)
    {
        if (!Frames.TryReadArp(frame, out var question) || !question.IsRequest || !addresses.Contains(question.TargetAddress))
        {
            return null;
        }

        // A device may hear what is for others; an announcement asks nothing; a group cannot be answered.
        var asked = MacAddress.FromBytes(frame[..MacAddress.Length]);
        return (asked == mac || asked == MacAddress.Broadcast) && question.SenderMac.IsUnicast && question.SenderMac != mac && !question.SenderAddress.Equals(question.TargetAddress)
            ? Frames.ArpReply(mac, question.TargetAddress, question.SenderMac, question.SenderAddress)
            : null;
    }

    private async Task SayAsync(IReadOnlyList<(MacAddress Mac, IPAddress Address)> fresh, CancellationToken stopping)
    {
        try
        {
            await GratuitousArp.SayAsync(link.Name, place, fresh, time, stopping);
        }
        catch (OperationCanceledException)
        {
            // Something else is true now.
        }
        catch (LinuxException error)
        {
            Log.NotSaid(log, link.Name, ErrorChain.Describe(error)); // Whoever asks is answered.
        }
    }

    private void Run()
    {
        var buffer = new byte[Frames.ArpLength];
        try
        {
            while (!disposed)
            {
                var length = socket.Receive(buffer, LookMs);
                if (length > 0 && AnswerTo(buffer.AsSpan(0, length), link.Mac, addresses) is { } answer)
                {
                    socket.TrySend(answer);
                }
            }
        }
        catch (LinuxException error)
        {
            Log.Ended(log, link.Name, ErrorChain.Describe(error));
        }
    }

    private static partial class Log
    {
        [LoggerMessage(EventId = 2152, Level = LogLevel.Warning, Message = "Could not say on {Link} where addresses are now: {Reason}")]
        internal static partial void NotSaid(ILogger log, string link, string reason);

        [LoggerMessage(EventId = 2153, Level = LogLevel.Warning, Message = "Nobody is answered on {Link} until it is looked at again: {Reason}")]
        internal static partial void Ended(ILogger log, string link, string reason);
    }
}
