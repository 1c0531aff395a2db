using Godwit.Api.Core.V1;
using Godwit.Api.KubeVirt.V1;
using Godwit.Base;
using Godwit.Client;
using Godwit.Machines;
using Godwit.Volumes;
using Microsoft.Extensions.Logging;

namespace Godwit.Node.Guests;

/// <summary>
/// Guests on their way into a file or out of it, each in the background and one thing at a time. What is written before
/// what stands in <see cref="Incarnation"/>; an agent that is killed anywhere finds its way by that record.
/// </summary>
internal sealed partial class GuestSuspensions(GuestSyncParts parts, Action<MachineId> ended) : IDisposable
{
    private static readonly TimeSpan CancelBound = TimeSpan.FromSeconds(5);

    private readonly Dictionary<MachineId, Task> running = [];
    private readonly Dictionary<MachineId, string> troubles = [];
    private readonly StartRetries retries = new(parts.Time);
    private readonly Lock gate = new();
    private readonly CancellationTokenSource closing = new();

    public bool IsUnderWay(MachineId id)
    {
        lock (gate)
        {
            return running.ContainsKey(id);
        }
    }

    /// <summary>Why the last try failed; null: it did not.</summary>
    public string? TroubleOf(MachineId id)
    {
        lock (gate)
        {
            return troubles.GetValueOrDefault(id);
        }
    }

    public DateTimeOffset? NotBefore(MachineId id) => retries.NotBefore(id);

    public void Forget(MachineId id)
    {
        retries.Forget(id);
        lock (gate)
        {
            troubles.Remove(id);
        }
    }

    public void Begin(MachineId id, VirtualMachineInstance instance, GuestStep step)
    {
        lock (gate)
        {
            if (!running.ContainsKey(id))
            {
                running[id] = RunAsync(id, instance, step);
            }
        }
    }

    /// <summary>Stops watching. A QEMU that writes goes on writing, and the next agent finds it.</summary>
    public async Task StopAsync()
    {
        await closing.CancelAsync();
        Task[] waiting;
        lock (gate)
        {
            waiting = [.. running.Values];
        }

        await Task.WhenAll(waiting);
    }

    public void Dispose() => closing.Dispose();

    private async Task RunAsync(MachineId id, VirtualMachineInstance instance, GuestStep step)
    {
        await Task.Yield();
        string? trouble = null;
        try
        {
            switch (step)
            {
                case GuestStep.Suspend:
                    await SuspendAsync(id, instance, closing.Token);
                    break;
                case GuestStep.CallOffSuspend:
                    await CallOffAsync(id, instance, closing.Token);
                    break;
                case GuestStep.Wake:
                    await WakeAsync(id, instance, closing.Token);
                    break;
            }
        }
        catch (OperationCanceledException) when (closing.IsCancellationRequested)
        {
        }
        catch (Exception error)
        {
            trouble = ErrorChain.Describe(error);
            Log.Failed(parts.Logger, step.GetType().Name, ResourceKey.Of(instance), trouble);
            parts.Events.Record(instance, EventTypes.Warning, step is GuestStep.Wake ? "CannotResume" : "CannotSuspend", trouble);
        }

        Note(id, trouble);
        ended(id);
    }

    private void Note(MachineId id, string? trouble)
    {
        if (trouble is null)
        {
            retries.Forget(id);
        }
        else
        {
            retries.Note(id);
        }

        lock (gate)
        {
            running.Remove(id);
            troubles.Remove(id);
            if (trouble is not null)
            {
                troubles[id] = trouble;
            }
        }
    }

    /// <summary>A guest that cannot be written runs on.</summary>
    private async Task SuspendAsync(MachineId id, VirtualMachineInstance instance, CancellationToken stopping)
    {
        var machine = Machine(id);
        var (guestNamespace, name) = (instance.Metadata.Namespace, instance.Metadata.Name);
        if (parts.Journal.Find(id) is Incarnation.Started)
        {
            StateFile.Remove(machine.Place); // An agent that died just after the guest ran again may have left one.
            DiskSpace.Require(machine.Place.Folder, StateFile.BytesMax(machine.Spec), "the guest's state");
            parts.Journal.Write(new Incarnation.Suspending(id, guestNamespace, name));
        }

        try
        {
            if (await machine.QueryRunStateAsync(stopping) is MachineRunState.Running)
            {
                await machine.PauseAsync(stopping);
            }

            var stateBytes = await StateFile.SaveAsync(machine, parts.Time, stopping);
            parts.Journal.Write(new Incarnation.Suspended(id, guestNamespace, name, stateBytes));
            Log.Suspended(parts.Logger, ResourceKey.Of(instance), stateBytes);
            parts.Events.Record(instance, EventTypes.Normal, "Suspended", $"The guest lies in a file of {stateBytes >> 20} MiB on {parts.Node}.");
        }
        catch (Exception error) when (error is not OperationCanceledException && machine.ProcessId != 0)
        {
            await CallOffAsync(id, instance, stopping);
            throw;
        }
    }

    /// <summary>The QEMU that was to write the guest has it still, even when it wrote all of it: the file does not count.</summary>
    private async Task CallOffAsync(MachineId id, VirtualMachineInstance instance, CancellationToken stopping)
    {
        var machine = Machine(id);
        await machine.Migration.CancelAsync(CancelBound, stopping);
        parts.Journal.Write(new Incarnation.Suspending(id, instance.Metadata.Namespace, instance.Metadata.Name)); // Again: a write that failed may have left more.
        StateFile.Remove(machine.Place);
        if (await machine.QueryRunStateAsync(stopping) is not MachineRunState.Running)
        {
            await machine.ResumeAsync(stopping);
        }

        parts.Journal.Write(new Incarnation.Started(id, instance.Metadata.Namespace, instance.Metadata.Name));
    }

    private async Task WakeAsync(MachineId id, VirtualMachineInstance instance, CancellationToken stopping)
    {
        var (guestNamespace, name) = (instance.Metadata.Namespace, instance.Metadata.Name);
        var ports = await parts.Builder.PortsOfAsync(instance, stopping);
        if (parts.Journal.Find(id) is Incarnation.Suspended suspended)
        {
            await new GuestLoader(parts.Builder, parts.Machines, parts.Time).LoadAsync(instance, suspended, openDisks: false, stopping);
            parts.Journal.Write(new Incarnation.Resuming(id, guestNamespace, name));
        }

        var machine = Machine(id);
        foreach (var port in ports)
        {
            await parts.Network.AdmitAsync(port, stopping);
        }

        await machine.ResumeAsync(stopping);
        parts.Journal.Write(new Incarnation.Started(id, guestNamespace, name));
        StateFile.Remove(machine.Place);
        await machine.Migration.AnnounceAsync(stopping);
        Log.Resumed(parts.Logger, ResourceKey.Of(instance));
        parts.Events.Record(instance, EventTypes.Normal, "Resumed", $"The guest runs on {parts.Node}, from its file.");
    }

    private IMachine Machine(MachineId id) => parts.Machines.Find(id) ?? throw new MachineException($"There is no machine {id} on this host any more.");

    private static partial class Log
    {
        [LoggerMessage(EventId = 2141, Level = LogLevel.Warning, Message = "{Step} of guest {Guest} failed, it will be tried again: {Reason}")]
        public static partial void Failed(ILogger logger, string step, ResourceKey guest, string reason);

        [LoggerMessage(EventId = 2142, Level = LogLevel.Information, Message = "Guest {Guest} is suspended: its state is a file of {Bytes} bytes")]
        public static partial void Suspended(ILogger logger, ResourceKey guest, long bytes);

        [LoggerMessage(EventId = 2143, Level = LogLevel.Information, Message = "Guest {Guest} runs again from its file")]
        public static partial void Resumed(ILogger logger, ResourceKey guest);
    }
}
