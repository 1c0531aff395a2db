using System.Net;
using Godwit.Linux.Networking;

namespace Godwit.Networks.Guests;

/// <summary>Says on a link, unasked, which MAC address an IP address has from now on (RFC 5227 calls it an announcement).</summary>
internal static class GratuitousArp
{
    /// <summary>When to say it, counted from the first time: a frame may be lost, and the moment of a move is the worst for frames.</summary>
    private static readonly TimeSpan[] Schedule = [.. new[] { 0, 20, 60, 150, 300, 600, 1000 }.Select(at => TimeSpan.FromMilliseconds(at))];

    /// <summary>Says it for the first time before it returns; the task ends about a second later, when it was said for the last time.</summary>
    /// <exception cref="Godwit.Linux.LinuxException">There is no such link, or no right to do this.</exception>
    internal static Task SayAsync(string linkName, NetworkNamespace place, IReadOnlyList<(MacAddress Mac, IPAddress Address)> stations, TimeProvider time, CancellationToken stopping)
    {
        var socket = PacketSocket.Open(linkName, place, receives: false);
        byte[][] frames;
        try
        {
            frames = [.. stations.SelectMany(each => new[] { Frames.GratuitousRequest(each.Mac, each.Address), Frames.GratuitousReply(each.Mac, each.Address) })];
            Say(socket, frames);
        }
        catch
        {
            socket.Dispose();
            throw;
        }

        return RepeatAsync(socket, frames, time, stopping);
    }

    private static void Say(PacketSocket socket, byte[][] frames)
    {
        foreach (var frame in frames)
        {
            socket.TrySend(frame);
        }
    }

    private static async Task RepeatAsync(PacketSocket socket, byte[][] frames, TimeProvider time, CancellationToken stopping)
    {
        using var own = socket;
        for (var i = 1; i < Schedule.Length; i++)
        {
            await Task.Delay(Schedule[i] - Schedule[i - 1], time, stopping);
            Say(own, frames);
        }
    }
}
