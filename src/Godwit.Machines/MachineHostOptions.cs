namespace Godwit.Machines;

/// <summary>How machines live on this host.</summary>
public sealed record MachineHostOptions
{
    /// <summary>The agent's data folder. Machines' folders go to <c>machines/</c>, what only the agent may read to <c>records/</c>.</summary>
    public required string DataFolder { get; init; }

    public string QemuProgram { get; init; } = "/usr/bin/qemu-system-x86_64";

    /// <summary>The cgroup that holds those of the machines; several agents on one host need one each.</summary>
    public string ControlGroupParent { get; init; } = "godwit";

    /// <summary>Users for machines. The default lies in a range that systemd's conventions leave unused, so no account is among them.</summary>
    public UserIdRange Users { get; init; } = new(0x7000_0000, 1 << 24);

    /// <summary>
    /// The group that may open the devices QEMU needs (<c>/dev/kvm</c>, <c>/dev/userfaultfd</c>) where they are root's alone;
    /// the agent gives it to them. Just below the users by default.
    /// </summary>
    public uint DeviceGroupId { get; init; } = 0x6fff_ffff;

    /// <summary>Decides the accelerator without a probe.</summary>
    public Accelerator? Accelerator { get; init; }

    /// <summary>A log is cut at this size; as much again is kept of what was before.</summary>
    public long LogBytesMax { get; init; } = 4 << 20;

    /// <summary>How long QEMU may take to open its monitor, and a monitor that was lost to come back.</summary>
    public TimeSpan MonitorBound { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>How long adoption waits for a monitor before it calls the machine unresponsive for the time being.</summary>
    public TimeSpan AdoptBound { get; init; } = TimeSpan.FromSeconds(10);
}

/// <summary>Users <see cref="First"/> up to <see cref="First"/> plus <see cref="Count"/>.</summary>
public readonly record struct UserIdRange(uint First, uint Count)
{
    /// <summary>
    /// A machine's user: the same on every host unless another machine has it there, so that a disk on shared storage
    /// stays its own through a move.
    /// </summary>
    /// <param name="id">Whose user.</param>
    /// <param name="taken">Users of other machines of this host.</param>
    /// <exception cref="MachineException">All are taken.</exception>
    public uint Choose(MachineId id, IReadOnlySet<uint> taken)
    {
        Span<byte> bytes = stackalloc byte[16];
        id.Value.TryWriteBytes(bytes);
        var start = System.Buffers.Binary.BinaryPrimitives.ReadUInt32LittleEndian(bytes) ^ System.Buffers.Binary.BinaryPrimitives.ReadUInt32LittleEndian(bytes[12..]);
        for (uint step = 0; step < Count && step <= taken.Count; step++)
        {
            var candidate = First + (uint)(((ulong)start + step) % Count);
            if (!taken.Contains(candidate))
            {
                return candidate;
            }
        }

        throw new MachineException($"No user is left for machine {id}: all {Count} from {First} on are taken; widen the range of users for machines.");
    }
}
