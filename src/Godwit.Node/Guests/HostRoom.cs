using Godwit.Machines;

namespace Godwit.Node.Guests;

/// <summary>
/// Whether this host has memory for a guest that is to arrive, asked when its QEMU is about to be started. The scheduler
/// counts what the API says, a while before; this counts what is on the host, now. One that does not fit is refused
/// before anything of it is made, rather than let in to be killed, or to have others killed, when memory runs out.
/// </summary>
/// <param name="offeredBytes">Memory that this node offers to guests.</param>
/// <param name="machines">What has been started already.</param>
/// <param name="readAvailableBytes">What the host could give to new programs now.</param>
internal sealed class HostRoom(long offeredBytes, LocalMachines machines, Func<long> readAvailableBytes)
{
    /// <summary>The word by which the scheduler names the same obstacle.</summary>
    public const string ShortageReason = "TargetMemoryShort";

    private readonly Lock gate = new();
    private readonly Dictionary<MachineId, long> promised = [];

    /// <summary>Promises the memory until the promise is disposed of: by then the machine is there and counts itself, or it failed.</summary>
    /// <exception cref="MachineException">There is no room; by name, with numbers and what to do.</exception>
    public IDisposable Take(MachineId id, long memoryBytes)
    {
        lock (gate)
        {
            var living = machines.All.Where(machine => machine.ProcessId != 0 && machine.Spec.Id != id).ToList();
            var awaited = living.Where(machine => machine.RunState is MachineRunState.Incoming)
                .Sum(machine => Math.Max(0, machine.Spec.MemoryBytes - ResidentMemory.ReadBytes(machine.ProcessId)));
            var others = promised.Where(promise => promise.Key != id).Sum(promise => promise.Value);
            if (FindShortage(memoryBytes, offeredBytes - living.Sum(machine => machine.Spec.MemoryBytes) - others, readAvailableBytes() - awaited - others) is { } shortage)
            {
                throw new MachineException(shortage);
            }

            promised[id] = memoryBytes;
            return new Promise(this, id);
        }
    }

    /// <summary>Why it does not fit, or null.</summary>
    /// <param name="neededBytes">The guest's memory.</param>
    /// <param name="unassignedBytes">Of what is offered to guests, what no guest has.</param>
    /// <param name="availableBytes">Of the host's memory, what is neither in use nor about to be.</param>
    internal static string? FindShortage(long neededBytes, long unassignedBytes, long availableBytes)
    {
        var (free, whose) = unassignedBytes <= availableBytes ? (unassignedBytes, "not given to other guests") : (availableBytes, "left on the host by all that runs there");
        return neededBytes <= free
            ? null
            : $"{ShortageReason}: the guest needs {(neededBytes + (1 << 20) - 1) >> 20}Mi memory, {Math.Max(0, free) >> 20}Mi are {whose}: stop or move a guest there, or choose another node";
    }

    private sealed class Promise(HostRoom room, MachineId id) : IDisposable
    {
        public void Dispose()
        {
            lock (room.gate)
            {
                room.promised.Remove(id);
            }
        }
    }
}
