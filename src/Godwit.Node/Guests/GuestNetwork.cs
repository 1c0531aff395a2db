using System.Net;
using Godwit.Machines;

namespace Godwit.Node.Guests;

/// <summary>A guest's interface, as the network must know it.</summary>
/// <param name="Index">Which of the guest's interfaces, from 0.</param>
internal sealed record GuestPort(MachineId Machine, int Index, string MacAddress, IPAddress Address);

/// <summary>Bytes that a guest has sent and received since its ports were made.</summary>
internal sealed record GuestTraffic(long SentBytes, long ReceivedBytes);

/// <summary>
/// The guests' network as seen by those who start, stop and move guests. A port is silent when made: nothing passes in
/// either direction until <see cref="AdmitAsync"/>, which is what decides from which host a moved guest speaks.
/// </summary>
internal interface IGuestNetwork
{
    /// <summary>Makes the port's tap for the machine's user, silent. Idempotent: one that is there stays as it is.</summary>
    /// <returns>The tap's name.</returns>
    Task<string> PlugAsync(GuestPort port, uint userId, CancellationToken stopping);

    /// <summary>Lets the port speak and listen. A few milliseconds at most, because a moving guest waits for it.</summary>
    Task AdmitAsync(GuestPort port, CancellationToken stopping);

    /// <summary>Silences the port.</summary>
    Task SilenceAsync(GuestPort port, CancellationToken stopping);

    /// <summary>Tells the segment where the guest is now. Returns at once; repeats go on for about a second.</summary>
    void Announce(GuestPort port);

    /// <summary>Begins to keep what is sent to a guest that is about to move, so that what comes while it stands still can go after it.</summary>
    /// <exception cref="Linux.LinuxException">The port is not there.</exception>
    IKeptFrames Keep(GuestPort port);

    /// <summary>Gives a guest what was kept for it on the host that it came from. What cannot be given to it is lost.</summary>
    /// <exception cref="Linux.LinuxException">The port is not there.</exception>
    void Deliver(MachineId machine, int nic, IReadOnlyList<byte[]> frames);

    /// <summary>Removes all taps of a machine. Idempotent.</summary>
    Task UnplugAsync(MachineId machine, CancellationToken stopping);

    /// <summary>What all ports of a machine have carried; null when there are none.</summary>
    GuestTraffic? ReadTraffic(MachineId machine);

    /// <summary>Returns when DHCP here knows the guest's addresses.</summary>
    Task EnsureLeasesAsync(IReadOnlyList<GuestPort> ports, CancellationToken stopping);
}

/// <summary>What is sent to a guest that moves, while it stands still; see <c>FrameKeeper</c>.</summary>
internal interface IKeptFrames : IDisposable
{
    /// <summary>The guest has stood still since then.</summary>
    void Stopped(DateTimeOffset at);

    /// <summary>It takes in again, here, what it is sent.</summary>
    void Resumed();

    /// <summary>What came since, which is not kept any more.</summary>
    IReadOnlyList<byte[]> Take();
}
