namespace Godwit.Migration.Protocol;

/// <summary>How the copies of a guest's disks stand, all together: as the one that is furthest behind.</summary>
public enum DiskCopyState
{
    /// <summary>Not all has been copied once.</summary>
    Copying,

    /// <summary>All was copied once; what the guest writes is copied after it.</summary>
    Copied,

    /// <summary>The copies are the disks: a write is acknowledged to the guest when both have it.</summary>
    InStep,

    /// <summary>A copy has ended with an error; it will not go on.</summary>
    Broken,
}

/// <summary>A look at the mirrors of the source's QEMU; <paramref name="EffectCount"/> as with <see cref="QemuReading"/>.</summary>
public sealed record DiskReading(DiskCopyState State, int EffectCount)
{
    public long CopiedBytes { get; init; }

    /// <summary>What is to be copied as known now: it grows as the guest writes.</summary>
    public long TotalBytes { get; init; }

    /// <summary>QEMU's own words when it is broken.</summary>
    public string Failure { get; init; } = "";
}
