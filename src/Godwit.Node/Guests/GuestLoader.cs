using Godwit.Api.KubeVirt.V1;
using Godwit.Machines;

namespace Godwit.Node.Guests;

/// <summary>Puts a suspended guest into a new QEMU, in which it stands still with its ports silent. The file goes on being the guest.</summary>
internal sealed class GuestLoader(GuestBuilder builder, LocalMachines machines, TimeProvider time)
{
    /// <param name="instance">The guest's object.</param>
    /// <param name="suspended">What is recorded of it.</param>
    /// <param name="openDisks">Its disks are to be copied; else they are opened with the order to run.</param>
    /// <param name="stopping">Leaves a QEMU that is to be ended.</param>
    /// <exception cref="MachineException">It could not be loaded; no QEMU is left, and the file is as it was.</exception>
    public async Task<IMachine> LoadAsync(VirtualMachineInstance instance, Incarnation.Suspended suspended, bool openDisks, CancellationToken stopping)
    {
        await builder.PlugAsync(instance, stopping);
        var machine = await machines.RestoreAsync(suspended.Id, stopping);
        try
        {
            await StateFile.LoadAsync(machine, suspended.StateBytes, time, stopping);
            if (openDisks)
            {
                await machine.DiskCopies.OpenAsync(stopping);
            }

            return machine;
        }
        catch (MachineException)
        {
            await machine.StopAsync(TimeSpan.Zero, stopping); // Its guest never ran there.
            throw;
        }
    }
}
