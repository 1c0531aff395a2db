using System.Collections.Concurrent;
using Godwit.Base;
using Godwit.Linux.Networking;
using Godwit.Machines;
using Godwit.Networks.Guests;
using Godwit.Networks.Overlays;
using Godwit.Node.Guests;
using Microsoft.Extensions.Logging;
using GuestPort = Godwit.Node.Guests.GuestPort;

namespace Godwit.Node.Networking;

/// <summary>Guests' ports on this host's overlay.</summary>
internal sealed partial class OverlayGuestNetwork(OverlayNames names, OverlaySync overlay, TimeProvider time, ILogger logger) : IGuestNetwork, IDisposable
{
    private const int NicsMax = 8;

    private readonly GuestPorts ports = new(NetworkNamespace.Own, names, time);
    private readonly Announcer announcer = new(NetworkNamespace.Own, names, time);
    private readonly CancellationTokenSource closing = new();

    public async Task<string> PlugAsync(GuestPort port, uint userId, CancellationToken stopping)
    {
        await overlay.Ready.WaitAsync(stopping);
        var tap = TapOf(port.Machine, port.Index);
        await ports.CreateAsync(new Networks.Guests.GuestPort(tap, MacAddress.Parse(port.MacAddress), port.Address, userId), stopping);
        return tap;
    }

    public Task AdmitAsync(GuestPort port, CancellationToken stopping)
    {
        ports.Admit(TapOf(port.Machine, port.Index), MacAddress.Parse(port.MacAddress));
        return Task.CompletedTask;
    }

    public Task SilenceAsync(GuestPort port, CancellationToken stopping)
    {
        ports.Silence(TapOf(port.Machine, port.Index));
        return Task.CompletedTask;
    }

    public void Announce(GuestPort port) => _ = AnnounceAsync(port);

    public IKeptFrames Keep(GuestPort port) =>
        new KeptFrames(FrameKeeper.Start(new(TapOf(port.Machine, port.Index), MacAddress.Parse(port.MacAddress), port.Address, OwnerUserId: 0), NetworkNamespace.Own, time));

    public void Deliver(MachineId machine, int nic, IReadOnlyList<byte[]> frames) => ports.Deliver(TapOf(machine, nic), frames);

    public async Task UnplugAsync(MachineId machine, CancellationToken stopping)
    {
        var standing = ports.List().ToHashSet(StringComparer.Ordinal);
        for (var nic = 0; nic < NicsMax; nic++)
        {
            if (TapOf(machine, nic) is var tap && standing.Contains(tap))
            {
                await ports.RemoveAsync(tap, stopping);
            }
        }

        overlay.Forget(machine);
    }

    public GuestTraffic? ReadTraffic(MachineId machine)
    {
        GuestTraffic? sum = null;
        for (var nic = 0; nic < NicsMax && ports.ReadStatistics(TapOf(machine, nic)) is { } seen; nic++)
        {
            // What the tap received, the guest sent.
            sum = new GuestTraffic((sum?.SentBytes ?? 0) + (long)seen.ReceivedBytes, (sum?.ReceivedBytes ?? 0) + (long)seen.SentBytes);
        }

        return sum;
    }

    public async Task EnsureLeasesAsync(IReadOnlyList<GuestPort> guestPorts, CancellationToken stopping)
    {
        foreach (var port in guestPorts)
        {
            overlay.Expect(port.Machine, MacAddress.Parse(port.MacAddress));
        }

        await overlay.ApplyNowAsync(stopping);
    }

    public void Dispose()
    {
        closing.Cancel();
        closing.Dispose();
    }

    private string TapOf(MachineId machine, int nic) => names.Tap(machine.ToString(), nic);

    private async Task AnnounceAsync(GuestPort port)
    {
        try
        {
            await announcer.AnnounceAsync(MacAddress.Parse(port.MacAddress), port.Address, closing.Token);
        }
        catch (Exception error) when (error is not OperationCanceledException)
        {
            Log.NotAnnounced(logger, port.Address, ErrorChain.Describe(error));
        }
        catch (OperationCanceledException)
        {
            // The agent ends; QEMU's own announcement went out too.
        }
    }

    private sealed class KeptFrames(FrameKeeper keeper) : IKeptFrames
    {
        public void Stopped(DateTimeOffset at) => keeper.Stopped(at);

        public void Resumed() => keeper.Resumed();

        public IReadOnlyList<byte[]> Take() => keeper.Take();

        public void Dispose() => keeper.Dispose();
    }

    private static partial class Log
    {
        [LoggerMessage(EventId = 2411, Level = LogLevel.Warning, Message = "Could not announce where {Address} is now: {Reason}")]
        public static partial void NotAnnounced(ILogger logger, System.Net.IPAddress address, string reason);
    }
}
