using System.Collections.Concurrent;
using Godwit.Base;
using Godwit.Machines;
using Microsoft.Extensions.Logging;

namespace Godwit.Node.Guests;

/// <summary>
/// The machines of this host as the agent holds them: one object per machine, whoever made it (a boot, an arrival, or an
/// adoption after the agent was killed). Listens to each and tells who asked to be told when one changes. The machines
/// stay the host's: it lets go of them when it is disposed.
/// </summary>
internal sealed partial class LocalMachines(IMachineHost host, ILogger logger) : IAsyncDisposable
{
    private readonly ConcurrentDictionary<MachineId, Held> machines = new();
    private readonly List<Action<MachineId>> listeners = [];

    public IReadOnlyCollection<IMachine> All => [.. machines.Values.Select(held => held.Machine)];

    public IMachine? Find(MachineId id) => machines.TryGetValue(id, out var held) ? held.Machine : null;

    /// <summary>Calls back after each change of a machine. The callback only notes it. To be called before <see cref="AdoptAsync"/>.</summary>
    public void Subscribe(Action<MachineId> changed) => listeners.Add(changed);

    /// <summary>Takes up what an earlier agent left behind.</summary>
    public async Task AdoptAsync(CancellationToken stopping)
    {
        foreach (var machine in await host.AdoptAsync(stopping))
        {
            Log.Adopted(logger, machine.Spec.Id, machine.Spec.DisplayName, machine.RunState, machine.ProcessId);
            Hold(machine);
        }
    }

    /// <summary>Starts QEMU with the guest's CPUs stopped, or returns the machine that is there.</summary>
    public async Task<IMachine> CreateAsync(MachineSpec spec, MachineStart start, CancellationToken stopping)
    {
        if (Find(spec.Id) is { RunState: not MachineRunState.Gone } living)
        {
            return living;
        }

        var machine = await host.CreateAsync(spec, start, stopping); // Throws for one that has ended: its guest may have run.
        Hold(machine);
        return machine;
    }

    /// <summary>Starts another QEMU of a machine whose guest lies in a file, in place of the one before.</summary>
    public async Task<IMachine> RestoreAsync(MachineId id, CancellationToken stopping)
    {
        await LetGoAsync(id);
        var machine = await host.RestoreAsync(id, stopping);
        Hold(machine);
        return machine;
    }

    /// <summary>Ends the process and removes all that the host keeps of the machine. Idempotent.</summary>
    public async Task RemoveAsync(MachineId id, CancellationToken stopping)
    {
        // Held until it is gone: a machine that is not found here counts as one whose process has ended.
        await host.RemoveAsync(id, stopping);
        await LetGoAsync(id);
        Tell(id);
    }

    /// <summary>Lets go of all; the guests run on.</summary>
    public async ValueTask DisposeAsync()
    {
        foreach (var id in machines.Keys)
        {
            await LetGoAsync(id);
        }
    }

    private void Hold(IMachine machine)
    {
        var listening = new CancellationTokenSource();
        machines[machine.Spec.Id] = new Held(machine, listening, ListenAsync(machine, listening.Token));
        Tell(machine.Spec.Id);
    }

    private async Task LetGoAsync(MachineId id)
    {
        if (machines.TryRemove(id, out var held))
        {
            await held.Listening.CancelAsync();
            await held.Task;
            held.Listening.Dispose();
        }
    }

    private async Task ListenAsync(IMachine machine, CancellationToken stopping)
    {
        await Task.Yield();
        try
        {
            await foreach (var change in machine.ReadEventsAsync(stopping))
            {
                if (change is MachineEvent.RunStateChanged { State: var state, Reason: var reason })
                {
                    Log.Changed(logger, machine.Spec.Id, machine.Spec.DisplayName, state, reason);
                }

                Tell(machine.Spec.Id);
            }
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
        }
        catch (Exception error)
        {
            Log.Deaf(logger, machine.Spec.Id, ErrorChain.Describe(error));
            Tell(machine.Spec.Id);
        }
    }

    private void Tell(MachineId id)
    {
        foreach (var listener in listeners)
        {
            listener(id);
        }
    }

    private sealed record Held(IMachine Machine, CancellationTokenSource Listening, Task Task);

    private static partial class Log
    {
        [LoggerMessage(EventId = 2111, Level = LogLevel.Information, Message = "Adopted machine {Machine} ({Name}), {State}, process {ProcessId}")]
        public static partial void Adopted(ILogger logger, MachineId machine, string name, MachineRunState state, int processId);

        [LoggerMessage(EventId = 2112, Level = LogLevel.Information, Message = "Machine {Machine} ({Name}) is {State}: {Reason}")]
        public static partial void Changed(ILogger logger, MachineId machine, string name, MachineRunState state, string reason);

        [LoggerMessage(EventId = 2113, Level = LogLevel.Error, Message = "Machine {Machine} can no longer be listened to: {Reason}")]
        public static partial void Deaf(ILogger logger, MachineId machine, string reason);
    }
}
