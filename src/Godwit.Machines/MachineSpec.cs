using Godwit.Volumes;

namespace Godwit.Machines;

/// <summary>
/// One VM as its host must run it: plain values, every path resolved and checked, no API kind. The same spec (apart
/// from host paths) gives the same guest-visible machine on every host, which is what lets its state move.
/// </summary>
public sealed record MachineSpec
{
    /// <summary>The incarnation: names the folder, the process, the journal. A UUID in canonical form.</summary>
    public required MachineId Id { get; init; }

    /// <summary>For people and logs: namespace/name.</summary>
    public required string DisplayName { get; init; }

    public required int CpuCount { get; init; }

    public required long MemoryBytes { get; init; }

    /// <summary>QEMU's versioned machine type, the same on both ends of a move (for example <c>pc-q35-10.0</c>).</summary>
    public required string MachineType { get; init; }

    /// <summary>QEMU's CPU model with features; <c>max</c> under TCG.</summary>
    public required string CpuModel { get; init; }

    public DirectKernel? Kernel { get; init; }

    public IReadOnlyList<MachineDisk> Disks { get; init; } = [];

    public IReadOnlyList<MachineNic> Nics { get; init; } = [];
}

/// <summary>The identity of a machine incarnation.</summary>
public readonly record struct MachineId(Guid Value)
{
    public override string ToString() => Value.ToString("D");
}

/// <summary>Boot of a kernel without a boot loader.</summary>
public sealed record DirectKernel(string KernelPath, string? InitrdPath, string CommandLine);


/// <summary>A virtio disk. <see cref="Name"/> is unique in the machine and part of the guest-visible identity (serial).</summary>
public sealed record MachineDisk(string Name, string Path, DiskFormat Format, bool ReadOnly, int? BootOrder = null)
{
    /// <summary>The image below it, which is not written; null: it stands alone, or it is not known any more what it was.</summary>
    public DiskBacking? Backing { get; init; }
}

/// <summary>An image below a disk.</summary>
/// <param name="Path">On this host.</param>
/// <param name="Stamp">Which file lay there when the disk was made (<see cref="FileStamp"/>): one that was put in its place since is another image.</param>
public sealed record DiskBacking(string Path, string Stamp);

/// <summary>A virtio NIC on a tap that exists already, is owned by the machine's user and is named <see cref="TapName"/>.</summary>
/// <param name="Name">Unique in the machine.</param>
/// <param name="MacAddress">Six pairs of hexadecimal digits with colons.</param>
/// <param name="TapName">The tap on this host; not part of what the guest sees.</param>
/// <param name="MtuBytes">What the guest is told to use; null leaves it to the guest.</param>
public sealed record MachineNic(string Name, string MacAddress, string TapName, int? MtuBytes = null);
