using Godwit.Linux;
using Godwit.Linux.Files;

namespace Godwit.Machines;

/// <summary>
/// A guest that lies in a file: QEMU's own stream of a migration, written into the machine's folder by its QEMU, as its
/// user. Who owns the guest, and when the file counts, its holder decides; here are only the effects.
/// </summary>
public static class StateFile
{
    /// <summary>What the state of the devices takes beside memory, and what QEMU's stream adds.</summary>
    private const long DevicesBytes = 64L << 20;

    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(50);

    /// <summary>Without one byte written or read.</summary>
    private static readonly TimeSpan StandsBound = TimeSpan.FromSeconds(60);

    /// <summary>For QEMU to read a file: this, and the file at the least rate that a disk has.</summary>
    private static readonly TimeSpan LoadBoundMin = TimeSpan.FromSeconds(60);

    private const long LoadBytesPerSecondMin = 16L << 20;

    private static readonly TimeSpan CancelBound = TimeSpan.FromSeconds(5);

    private static readonly MigrationSettings Settings = new() { PauseBeforeSwitchover = false, ReturnPath = false };

    /// <summary>The most that the state of a guest takes on the disk.</summary>
    public static long BytesMax(MachineSpec spec) => spec.MemoryBytes + (spec.MemoryBytes / 64) + DevicesBytes;

    /// <summary>
    /// Writes a guest that stands still, or goes on with what an earlier agent began. When it returns the file is whole
    /// and on the disk, and the guest's QEMU stands still for good unless it is told to run.
    /// </summary>
    /// <returns>The file's size in bytes.</returns>
    /// <exception cref="MachineException">It could not be written; the guest stands still as before.</exception>
    public static async Task<long> SaveAsync(IMachine machine, TimeProvider clock, CancellationToken stopping)
    {
        var reading = await machine.Migration.QueryAsync(stopping);
        var isWritten = reading.Status == "completed" && await machine.QueryRunStateAsync(stopping) is MachineRunState.PostMigrate;
        if (!isWritten && QemuMigration.IsOver(reading.Status))
        {
            Remove(machine.Place);
            await machine.Migration.ConfigureAsync(Settings, stopping);
            await machine.Migration.StartOutgoingAsync($"file:{machine.Place.StateFile}", stopping);
        }

        if (!isWritten)
        {
            await FollowWritingAsync(machine, clock, stopping);
        }

        try
        {
            return Sync(machine.Place);
        }
        catch (Exception error) when (error is LinuxException or IOException)
        {
            throw new MachineException($"cannot make the state of {machine.Spec.DisplayName} durable", error);
        }
    }

    /// <summary>Loads the guest into a QEMU that waits for it. When it returns the guest is whole there and stands still.</summary>
    /// <param name="machine">Started to wait for a guest.</param>
    /// <param name="sizeBytes">What <see cref="SaveAsync"/> returned.</param>
    /// <param name="clock">The time.</param>
    /// <param name="stopping">Gives up; the file is not changed.</param>
    /// <exception cref="MachineException">The file is not what was written, or QEMU refused it. It is not changed.</exception>
    public static async Task LoadAsync(IMachine machine, long sizeBytes, TimeProvider clock, CancellationToken stopping)
    {
        var path = machine.Place.StateFile;
        if (FileIdentity.Find(path) is not { Kind: FileKind.Regular } found || found.SizeBytes != sizeBytes)
        {
            throw new MachineException($"cannot load {machine.Spec.DisplayName}: {path} is not the file of {sizeBytes} bytes that its state was written to; put it back from a copy, or delete the virtual machine.");
        }

        await machine.Migration.ConfigureAsync(Settings, stopping);
        await machine.Migration.StartIncomingAsync($"file:{path}", stopping);
        await FollowLoadingAsync(machine, LoadBoundMin + TimeSpan.FromSeconds(sizeBytes / LoadBytesPerSecondMin), clock, stopping);
        var state = await machine.QueryRunStateAsync(stopping);
        if (state is not MachineRunState.Paused)
        {
            throw new MachineException($"cannot load {machine.Spec.DisplayName}: QEMU says {state} where the guest should stand still.");
        }
    }

    /// <summary>Removes the file for good. Idempotent.</summary>
    public static void Remove(MachinePlace place) => DurableFile.Delete(place.StateFile);

    private static async Task FollowWritingAsync(IMachine machine, TimeProvider clock, CancellationToken stopping)
    {
        var (movedBytes, movedAt) = (-1L, clock.GetTimestamp());
        while (await machine.Migration.QueryAsync(stopping) is var reading && !IsDone(machine, "write", reading))
        {
            if (reading.TransferredBytes != movedBytes)
            {
                (movedBytes, movedAt) = (reading.TransferredBytes, clock.GetTimestamp());
            }
            else if (clock.GetElapsedTime(movedAt) > StandsBound)
            {
                await machine.Migration.CancelAsync(CancelBound, stopping);
                throw new MachineException($"cannot write the state of {machine.Spec.DisplayName}: not one byte went within {StandsBound.TotalSeconds:0} s.");
            }

            await Task.Delay(Look, clock, stopping);
        }
    }

    /// <summary>QEMU's main loop does the loading and answers nobody meanwhile: only its end and a bound say anything.</summary>
    private static async Task FollowLoadingAsync(IMachine machine, TimeSpan bound, TimeProvider clock, CancellationToken stopping)
    {
        var began = clock.GetTimestamp();
        while (true)
        {
            try
            {
                if (IsDone(machine, "load", await machine.Migration.QueryAsync(stopping)))
                {
                    return;
                }
            }
            catch (MachineException error) when (error.IsOutcomeUnknown && machine.ProcessId != 0 && clock.GetElapsedTime(began) < bound)
            {
            }

            if (clock.GetElapsedTime(began) > bound)
            {
                throw new MachineException($"cannot load the state of {machine.Spec.DisplayName}: QEMU has not read it within {bound.TotalSeconds:0} s.");
            }

            await Task.Delay(Look, clock, stopping);
        }
    }

    private static bool IsDone(IMachine machine, string purpose, MigrationStatistics reading) => reading.Status switch
    {
        "completed" => true,
        "failed" or "cancelled" => throw new MachineException($"cannot {purpose} the state of {machine.Spec.DisplayName}: {reading.ErrorDescription ?? $"QEMU says '{reading.Status}'"}"),
        _ => false,
    };

    private static long Sync(MachinePlace place)
    {
        using var file = GuardedFile.TryOpenWrite(place.StateFile) ?? throw new LinuxException($"open {place.StateFile}", Errno.ENOENT, "QEMU says that it wrote it");
        var found = FileIdentity.Of(file);
        RandomAccess.FlushToDisk(file);
        DurableFile.SyncFolder(place.Folder);
        return found.SizeBytes;
    }
}
