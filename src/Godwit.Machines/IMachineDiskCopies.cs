namespace Godwit.Machines;

/// <summary>A disk of a machine that is copied to another host: which one, and how.</summary>
/// <param name="Index">Its place in <see cref="MachineSpec.Disks"/>, the same on both hosts.</param>
/// <param name="TopOnly">Only the machine's own layer: the other host has the same image below it.</param>
public sealed record DiskMirror(int Index, bool TopOnly);

/// <summary>One mirror as QEMU tells of it.</summary>
public sealed record DiskMirrorStatus(int Index)
{
    public long CopiedBytes { get; init; }

    public long TotalBytes { get; init; }

    /// <summary>All was copied once.</summary>
    public bool IsCopied { get; init; }

    /// <summary>Both sides are alike, and the guest's writes wait for both.</summary>
    public bool IsInStep { get; init; }

    /// <summary>QEMU's words; null while it goes on.</summary>
    public string? Failure { get; init; }
}

/// <summary>The effects on one QEMU by which disks go along with a guest. What to do when is decided elsewhere (<c>Godwit.Migration</c>).</summary>
public interface IMachineDiskCopies
{
    /// <summary>Target: lets whoever reaches the socket write these disks. The machine must not run before <see cref="CloseAsync"/>.</summary>
    Task ExportAsync(string socketPath, IReadOnlyCollection<int> disks, CancellationToken stopping);

    /// <summary>Target: nobody but the guest writes the disks any more. Idempotent.</summary>
    Task CloseAsync(CancellationToken stopping);

    /// <summary>Source of a guest that was loaded and stands still: takes its disks into use, so that they can be copied. What is on them is not changed.</summary>
    Task OpenAsync(CancellationToken stopping);

    /// <summary>Source: begins to copy, after what an earlier attempt left was cleared away.</summary>
    /// <param name="socketPath">On which an export of the other host is reached.</param>
    /// <param name="disks">Which disks.</param>
    /// <param name="bytesPerSecond">For all together; zero: no bound.</param>
    /// <param name="stopping">Gives up waiting.</param>
    Task StartAsync(string socketPath, IReadOnlyCollection<DiskMirror> disks, long bytesPerSecond, CancellationToken stopping);

    /// <summary>Source: changes what the mirrors that run may copy, in bytes a second for all together; zero: no bound.</summary>
    Task LimitAsync(long bytesPerSecond, CancellationToken stopping);

    Task<IReadOnlyList<DiskMirrorStatus>> QueryAsync(CancellationToken stopping);

    /// <summary>Source: a write of the guest waits for the copy from now on. The mirrors have copied all once.</summary>
    Task KeepInStepAsync(CancellationToken stopping);

    /// <summary>Source, the guest stands still: ends the mirrors, and returns when the copies are exact and flushed.</summary>
    /// <exception cref="MachineException">One of them cannot be said to be exact.</exception>
    Task FinishAsync(int count, CancellationToken stopping);

    /// <summary>Source: ends the mirrors however they stand. The guest's own disks are as they were. Idempotent.</summary>
    Task AbandonAsync(CancellationToken stopping);
}
