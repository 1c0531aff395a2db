using System.Globalization;
using Godwit.Base;

namespace Godwit.Scheduling;

/// <summary>Memory in bytes and CPU in thousandths of a core, as reserved on a node.</summary>
public readonly record struct ResourceAmount(long MemoryBytes, long Millicores)
{
    private const long MiB = 1 << 20;

    public static ResourceAmount operator +(ResourceAmount left, ResourceAmount right) =>
        new(left.MemoryBytes + right.MemoryBytes, left.Millicores + right.Millicores);

    public static ResourceAmount operator -(ResourceAmount left, ResourceAmount right) =>
        new(left.MemoryBytes - right.MemoryBytes, left.Millicores - right.Millicores);

    public static ResourceAmount Add(ResourceAmount left, ResourceAmount right) => left + right;

    public static ResourceAmount Subtract(ResourceAmount left, ResourceAmount right) => left - right;

    /// <summary>
    /// What QEMU itself may need beside the guest's memory: a fixed part, page tables and migration bitmaps by memory,
    /// and a part for each CPU's thread. Generous on purpose: too little is a guest killed by its host.
    /// </summary>
    public static long OverheadBytes(long guestMemoryBytes, int cpuCount) => (120 * MiB) + (guestMemoryBytes / 256) + (cpuCount * 8 * MiB);

    /// <summary>For people, in whole MiB, rounded up: what somebody needs.</summary>
    internal static string MemoryNeeded(long bytes) => $"{((bytes + MiB - 1) / MiB).ToString(CultureInfo.InvariantCulture)}Mi";

    /// <summary>For people, in whole MiB, rounded down: what is there.</summary>
    internal static string MemoryFree(long bytes) => $"{Math.Max(0, bytes / MiB).ToString(CultureInfo.InvariantCulture)}Mi";

    internal static string CpuText(long millicores) => Quantity.FromMilli(Math.Max(0, millicores)).ToString();
}
