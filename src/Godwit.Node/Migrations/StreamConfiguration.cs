using Godwit.Machines;

namespace Godwit.Node.Migrations;

/// <summary>How QEMU is set for a stream. Both ends are set alike, and before the start: nothing of it can be switched on later.</summary>
internal static class StreamConfiguration
{
    public static MigrationSettings For(StreamSettings stream) => new()
    {
        Postcopy = stream.Postcopy,
        PostcopyPreempt = stream.Postcopy,
        AutoConverge = stream.AutoConverge,
        MaxBandwidthBytesPerSecond = stream.BandwidthBytesPerSecond,
        DowntimeLimitMs = stream.DowntimeLimitMs,
    };
}
