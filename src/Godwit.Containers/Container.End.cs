using System.Globalization;
using Godwit.Containers.Runtime;
using Godwit.Linux.Processes;

namespace Godwit.Containers;

/// <summary>From running to rest, and what may be done to it meanwhile.</summary>
internal sealed partial class Container
{
    /// <summary>What a container gets whose monitor ended without leaving an exit code: killed by hand, or with the host.</summary>
    private const int UnknownExitCode = 255;

    private const int KilledExitCode = 137;

    /// <summary>A process that SIGKILL has reached and that has not ended hangs in the kernel.</summary>
    private static readonly TimeSpan KillBound = TimeSpan.FromSeconds(30);

    internal async Task StopAsync(TimeSpan? patience, CancellationToken stopping)
    {
        var ended = Task.FromResult(LastExit(record));
        await InTurnAsync(
            async () =>
            {
                if (record.State is ContainerState.Restarting restarting)
                {
                    Note(record with { State = new ContainerState.Exited(restarting.Exit), StoppedByHand = true });
                    TellExit(restarting.Exit);
                    return;
                }

                if (record.State is not ContainerState.Alive alive)
                {
                    throw new NothingToDoException($"container {Name} is not running");
                }

                Note(record with { StoppedByHand = true });
                ended = WaitAsync(WaitCondition.NextExit, stopping);
                SendSignal(alive.Now, Signals.Parse(record.Spec.Stop.Signal));
                Tell("kill", ("signal", Signals.Parse(record.Spec.Stop.Signal).ToString(CultureInfo.InvariantCulture)));
                if (alive is ContainerState.Paused)
                {
                    await ResumeInTurnAsync(alive.Now, stopping);
                }
            },
            stopping);
        await EndWithinAsync(ended, patience ?? TimeSpan.FromSeconds(record.Spec.Stop.TimeoutSeconds), stopping);
        Tell("stop");
    }

    internal Task KillAsync(string signal, CancellationToken stopping) => InTurnAsync(
        async () =>
        {
            var number = Signals.Parse(signal);
            var now = RequireAlive("send it a signal");
            if (number == (int)ProcessSignal.Kill || number == Signals.Parse(record.Spec.Stop.Signal))
            {
                Note(record with { StoppedByHand = true });
            }

            SendSignal(now, number);
            Tell("kill", ("signal", number.ToString(CultureInfo.InvariantCulture)));
            if (number == (int)ProcessSignal.Kill && record.State is ContainerState.Paused)
            {
                await ResumeInTurnAsync(now, stopping);
            }
        },
        stopping);

    internal Task PauseAsync(CancellationToken stopping) => InTurnAsync(
        async () =>
        {
            var now = RequireAlive("pause it");
            if (record.State is ContainerState.Paused)
            {
                throw new ConflictException($"container {Name} is already paused");
            }

            await parts.Crun.PauseAsync(Id, stopping);
            Note(record with { State = new ContainerState.Paused(now) });
            Tell("pause");
        },
        stopping);

    internal Task UnpauseAsync(CancellationToken stopping) => InTurnAsync(
        async () =>
        {
            if (record.State is not ContainerState.Paused paused)
            {
                throw new ConflictException($"container {Name} is not paused");
            }

            await ResumeInTurnAsync(paused.Now, stopping);
        },
        stopping);

    internal Task UpdateAsync(ContainerUpdate update, CancellationToken stopping) => InTurnAsync(
        async () =>
        {
            var resources = update.Resources is null ? record.Spec.Resources : ResourcePlan.Merge(record.Spec.Resources, update.Resources);
            SpecCheck.CheckResources(resources, parts.Host);
            var before = record;
            Save(record with { Spec = record.Spec with { Resources = resources, Restart = update.Restart ?? record.Spec.Restart } });
            if (update.Resources is not null && record.State.IsAlive)
            {
                try
                {
                    await parts.Crun.UpdateAsync(Id, ResourcePlan.Build(resources, parts.Host), stopping);
                    TellBlockIoWeight();
                }
                catch
                {
                    Note(before);
                    throw;
                }
            }

            Tell("update");
        },
        stopping);

    /// <summary>Takes it away, whatever state it is in. What could not be removed is known as Dead, and may be removed again.</summary>
    internal async Task RemoveAsync(RemoveOptions options, CancellationToken stopping)
    {
        if (options.Force && record.State.IsAlive)
        {
            var ended = WaitAsync(WaitCondition.NextExit, stopping);
            try
            {
                await KillAsync("KILL", stopping);
            }
            catch (ConflictException)
            {
                // It has ended meanwhile.
            }

            if (record.State.IsAlive)
            {
                await EndWithinAsync(ended, KillBound, stopping);
            }
        }

        await InTurnAsync(() => RemoveInTurnAsync(options.Volumes, stopping), stopping);
    }

    private async Task RemoveInTurnAsync(bool volumes, CancellationToken stopping)
    {
        if (!Directory.Exists(Folder.Data))
        {
            return; // Somebody else's turn removed it.
        }

        if (record.State.IsAlive)
        {
            throw new ConflictException($"cannot remove container {Name}: it is running. Stop it before, or remove it by force");
        }

        try
        {
            await CleanUpInTurnAsync(stopping);
            await parts.Roots.RemoveAsync(Id, stopping);
            if (volumes || record.Spec.AutoRemove)
            {
                RemoveVolumes();
            }

            parts.Volumes.Release(Id.Value);
            Directory.Delete(Folder.Data, recursive: true);
        }
        catch (Exception failure) when (failure is not OperationCanceledException && Directory.Exists(Folder.Data))
        {
            Note(record with { State = new ContainerState.Dead(Base.ErrorChain.Describe(failure)) });
            throw;
        }

        Tell("destroy");
        TellRemoved();
        Removed?.Invoke(this);
    }

    /// <summary>Called when nothing is left of it.</summary>
    internal Action<Container>? Removed { get; set; }

    private void RemoveVolumes()
    {
        foreach (var volume in record.Spec.Mounts.OfType<MountSpec.Volume>().Where(volume => volume.Anonymous))
        {
            parts.Volumes.TryRemove(volume.Name, Id.Value);
        }
    }

    /// <summary>Waits for the monitor's end, and for its turn, and brings the container to rest.</summary>
    private async Task EndAsync(Incarnation now, LinuxProcess? monitor)
    {
        using (monitor)
        {
            if (monitor is not null)
            {
                await monitor.Exited.WaitAsync(parts.Closing);
            }
        }

        await InTurnAsync(
            async () =>
            {
                if (record.State is ContainerState.Alive alive && alive.Now == now)
                {
                    await EndInTurnAsync(now);
                }
            },
            parts.Closing);
    }

    private async Task EndInTurnAsync(Incarnation now)
    {
        Health.Stop();
        var exit = ReadExit(now);
        var wait = RestartDecision.Decide(record, exit, restartStreak);
        var next = wait is { } delay ? new ContainerState.Restarting(exit, parts.Time.GetUtcNow() + delay) : (ContainerState)new ContainerState.Exited(exit);
        restartStreak = RestartDecision.WasGood(exit) ? 1 : restartStreak + 1;
        // A fact, whether the disk takes it or not: those who wait are told.
        Note(record with { State = next, RestartCount = wait is null ? record.RestartCount : record.RestartCount + 1 });
        Log.Ended(parts.Log, Name, exit.Code);
        if (exit.OutOfMemory)
        {
            Tell("oom");
        }

        Tell("die", ("exitCode", exit.Code.ToString(CultureInfo.InvariantCulture)), ("execDuration", ((long)(exit.FinishedAt - exit.StartedAt).TotalSeconds).ToString(CultureInfo.InvariantCulture)));
        TellExit(exit);
        await CleanUpInTurnAsync(CancellationToken.None);
        if (next is ContainerState.Restarting restarting)
        {
            RestartLater(restarting);
        }
        else if (record.Spec.AutoRemove)
        {
            await RemoveInTurnAsync(volumes: true, CancellationToken.None);
        }
    }

    private ContainerExit ReadExit(Incarnation now)
    {
        var group = parts.ControlGroups.Open(ControlGroupPath.TrimStart('/'));
        var outOfMemory = group.Exists && group.ReadUsage().OutOfMemoryKills > 0;
        var file = new FileInfo(Folder.Monitor.ExitFile);
        if (file.Exists && int.TryParse(File.ReadAllText(file.FullName).AsSpan().Trim(), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var code))
        {
            return new ContainerExit(code, outOfMemory, now.StartedAt, new DateTimeOffset(file.LastWriteTimeUtc, TimeSpan.Zero));
        }

        // Without its monitor nobody drains its output or hears of its end: it is ended with it.
        var lost = ProcessIdentity.Find(now.ProcessId) == now.Process;
        return new ContainerExit(lost ? KilledExitCode : UnknownExitCode, outOfMemory, now.StartedAt, parts.Time.GetUtcNow(), "its monitor ended before it, or with the host");
    }

    /// <summary>Takes away what only a running container needs. May be repeated; each step finds what is left of it.</summary>
    private async Task CleanUpInTurnAsync(CancellationToken stopping)
    {
        if (!Directory.Exists(Folder.Run))
        {
            return;
        }

        await Executions.Spare.EndAsync(stopping);
        await EndMonitorAsync(stopping);
        await parts.Crun.DeleteAsync(Id, stopping);
        await ContainerNetworking.LeaveAsync(record, parts, stopping);
        await parts.Roots.UnmountAsync(Id, stopping);
        Directory.Delete(Folder.Run, recursive: true);
        if (record.Endpoints.Values.Any(endpoint => endpoint.Addresses is not null))
        {
            record = record with { Endpoints = ContainerNetworking.WithoutAddresses(record.Endpoints) };
        }
    }

    /// <summary>A monitor of a start that was given up waits for a program that will never run.</summary>
    private async Task EndMonitorAsync(CancellationToken stopping)
    {
        var path = Folder.Monitor.MonitorFile;
        if (!File.Exists(path) || !int.TryParse(await File.ReadAllTextAsync(path, stopping), NumberStyles.None, CultureInfo.InvariantCulture, out var id))
        {
            return;
        }

        if (ProcessIdentity.Find(id) is { } identity && ProcessCommand.Read(id).Contains(Id.Value) && LinuxProcess.TryOpen(identity) is { } monitor)
        {
            using (monitor)
            {
                await parts.Crun.DeleteAsync(Id, stopping);
                await monitor.StopAsync(TimeSpan.FromSeconds(1), parts.Time, stopping);
            }
        }
    }

    private void RestartLater(ContainerState.Restarting restarting) => _ = InBackgroundAsync(
        async () =>
        {
            var delay = restarting.NextStartAt - parts.Time.GetUtcNow();
            await Task.Delay(delay > TimeSpan.Zero ? delay : TimeSpan.Zero, parts.Time, parts.Closing);
            await InTurnAsync(
                async () =>
                {
                    if (record.State == restarting)
                    {
                        await StartInTurnAsync(parts.Closing);
                    }
                },
                parts.Closing);
        },
        "the restart");

    private async Task ResumeInTurnAsync(Incarnation now, CancellationToken stopping)
    {
        await parts.Crun.ResumeAsync(Id, stopping);
        Note(record with { State = new ContainerState.Running(now) });
        Tell("unpause");
    }

    /// <summary>SIGKILL when patience is over; returns when it has ended.</summary>
    private async Task EndWithinAsync(Task<ContainerExit> ended, TimeSpan patience, CancellationToken stopping)
    {
        try
        {
            await (patience < TimeSpan.Zero ? ended : ended.WaitAsync(patience, parts.Time, stopping));
        }
        catch (TimeoutException)
        {
            if (record.State is ContainerState.Alive alive)
            {
                SendSignal(alive.Now, (int)ProcessSignal.Kill);
            }

            await ended.WaitAsync(KillBound, parts.Time, stopping);
        }
    }

    private static void SendSignal(Incarnation now, int signal)
    {
        using var process = LinuxProcess.TryOpen(now.Process);
        process?.Send((ProcessSignal)signal);
    }
}
