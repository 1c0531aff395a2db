using Godwit.Linux;
using Godwit.Linux.Processes;
using Godwit.Qmp;
using Microsoft.Extensions.Logging;

namespace Godwit.Machines;

/// <summary>
/// One VM whose QEMU lives beside us, not below us: disposing of this object leaves it running.
/// <para>
/// One task, <see cref="WatchAsync"/>, follows QEMU through its life and is the only one to change <see cref="status"/>,
/// save that an order which QEMU acknowledged shows at once. Its loop:
/// <code>
///   connect ──▶ query-status ──▶ events … ──▶ session ends ──▶ process ended? ── yes ──▶ record the end; done
///      ▲                                                            │ no: Unresponsive
///      └────────────────────────────────────────────────────────────┘
/// </code>
/// </para>
/// </summary>
internal sealed partial class Machine : IMachine
{
    private static readonly TimeSpan ExitBound = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan ReadingBound = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan QuitGrace = TimeSpan.FromSeconds(10);

    private readonly MachineContext context;
    private readonly MachineParts parts;
    private readonly MachineRecords records;
    private readonly Monitor? monitor;
    private readonly RescueMonitor? rescue;
    private readonly Broadcast broadcast;
    private readonly ConsoleHub? console;
    private readonly ConsoleLog consoleLog;
    private readonly QemuMigration migration;
    private readonly CancellationTokenSource lifetime = new();
    private readonly Lock gate = new();
    private Task watching = Task.CompletedTask;
    private Task upkeep = Task.CompletedTask;
    private volatile RunStatus status;
    private DateTimeOffset? stoppedAt;
    private int isDisposed;

    private Machine(MachineContext context, MachineParts parts, RunStatus status)
    {
        this.context = context;
        this.parts = parts;
        this.status = status;
        records = new MachineRecords(parts.Files);
        broadcast = new Broadcast(context.Clock);
        if (parts.Process is { } process)
        {
            rescue = new RescueMonitor(parts.Files, context.Clock);
            monitor = new Monitor(parts.Spec.DisplayName, parts.Files.Monitor, process, context.Clock, context.Log) { Rescue = rescue };
            console = new ConsoleHub(parts.Files.Console, process.Identity.ProcessId, context.Log);
        }

        consoleLog = new ConsoleLog(parts.Files, monitor, context);
        migration = new QemuMigration(
            monitor, parts.Spec.DisplayName, new KeyHandover(MachineFiles.KeysFolder(context.Options.DataFolder), parts.Place.UserId), parts.Place.MigrationSocket("reclaim"), context.Clock);
        DiskCopies = new QemuDiskCopies(monitor, parts.Spec.DisplayName, context.Clock);
    }

    public MachineSpec Spec => parts.Spec;

    public MachinePlace Place => parts.Place;

    public int ProcessId => parts.Process is { Exited.IsCompleted: false } process ? process.Identity.ProcessId : 0;

    public MachineRunState RunState => status.State;

    public DateTimeOffset? StoppedAt
    {
        get
        {
            lock (gate)
            {
                return stoppedAt;
            }
        }
    }

    public string RunStateReason => status.Reason;

    public IMachineMigration Migration => migration;

    public IMachineDiskCopies DiskCopies { get; }

    /// <summary>A machine whose process ended earlier.</summary>
    public static Machine Ended(MachineContext context, MachineParts parts, MachineEnd end)
    {
        var machine = new Machine(context, parts, new RunStatus(end.State, end.Reason));
        machine.broadcast.End();
        return machine;
    }

    /// <summary>Connects to a QEMU that was started, now or by an agent before us.</summary>
    /// <exception cref="MachineException">Its monitor did not answer, or it ended.</exception>
    public static async Task<Machine> ConnectAsync(MachineContext context, MachineParts parts, TimeSpan bound, CancellationToken stopping)
    {
        var machine = new Machine(context, parts, new RunStatus(MachineRunState.Unresponsive, "its monitor was not yet reached"));
        try
        {
            var connection = await machine.monitor!.ConnectAsync(bound, stopping);
            machine.Become(await machine.QueryAsync(connection, stopping));
            await machine.PrepareRescueAsync(stopping);
            machine.Watch(connection);
            return machine;
        }
        catch
        {
            await machine.DisposeAsync();
            throw;
        }
    }

    /// <summary>A living process whose monitor has not answered so far; it is tried on and on.</summary>
    public static Machine Unreached(MachineContext context, MachineParts parts, string reason)
    {
        var machine = new Machine(context, parts, new RunStatus(MachineRunState.Unresponsive, reason));
        machine.Watch(null);
        return machine;
    }

    public async Task<MachineRunState> QueryRunStateAsync(CancellationToken stopping) => ProcessId == 0
        ? MachineRunState.Gone
        : RunStates.FromQuery((await TellAsync("ask for the state of", QmpCommands.QueryStatus with { Bound = ReadingBound }, stopping)).Status).State;

    public IAsyncEnumerable<MachineEvent> ReadEventsAsync(CancellationToken stopping) => broadcast.Listen(stopping);

    public async Task ResumeAsync(CancellationToken stopping)
    {
        // QEMU would say yes to a "cont" before its guest is here, and only note that it is to run when it comes: never, after a stream that failed.
        if (status.State is MachineRunState.Incoming && await QueryRunStateAsync(stopping) is MachineRunState.Incoming)
        {
            throw new MachineException(migration.LastStatus == "failed"
                ? $"cannot let {Spec.DisplayName} run: the stream that was to bring the guest failed, so nothing is here to run; remove this machine, the guest is where it was."
                : $"cannot let {Spec.DisplayName} run: the guest has not arrived yet.");
        }

        await TellAsync("let run", QmpCommands.Continue, stopping);
        Become(new RunStatus(MachineRunState.Running, "runs"));
    }

    public async Task PauseAsync(CancellationToken stopping)
    {
        await TellAsync("pause", QmpCommands.Stop, stopping);
        if (status.State is MachineRunState.Running)
        {
            Become(new RunStatus(MachineRunState.Paused, "stopped by order"));
        }
    }

    public async Task RestartAsync(CancellationToken stopping) => await TellAsync("restart", QmpCommands.SystemReset, stopping);

    public async Task StopAsync(TimeSpan grace, CancellationToken stopping)
    {
        if (parts.Process is not { Exited.IsCompleted: false } process)
        {
            return;
        }

        if (status.State is MachineRunState.Running && grace > TimeSpan.Zero && !await ShutDownAsync(grace, stopping))
        {
            Log.Forced(context.Log, Spec.DisplayName, grace.TotalSeconds);
            Become(new RunStatus(MachineRunState.Shutdown, $"ended by force: the guest did not shut down within {grace.TotalSeconds:0.#} s"));
        }

        if (status.State is not (MachineRunState.Shutdown or MachineRunState.Crashed))
        {
            Become(new RunStatus(MachineRunState.Shutdown, "ended by order"));
        }

        await EndProcessAsync(process, stopping);
    }

    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref isDisposed, 1) == 1)
        {
            return; // Its holder and its host both let go of it.
        }

        await lifetime.CancelAsync();
        await watching.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await upkeep.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (monitor is not null)
        {
            await monitor.DisposeAsync();
        }

        if (console is not null)
        {
            await console.DisposeAsync();
        }

        rescue?.Dispose();
        await consoleLog.DisposeAsync();
        broadcast.End();
        parts.Process?.Dispose();
        lifetime.Dispose();
    }

    /// <summary>Ends the process, whatever it does, and waits for its end.</summary>
    internal async Task KillAsync(CancellationToken stopping)
    {
        if (parts.Process is { Exited.IsCompleted: false } process)
        {
            await process.StopAsync(TimeSpan.Zero, context.Clock, stopping);
        }
    }

    private Task<TReply> TellAsync<TReply>(string purpose, QmpCommand<TReply> command, CancellationToken stopping) =>
        monitor is null
            ? throw new MachineException($"cannot {purpose} {Spec.DisplayName}: its QEMU has ended.")
            : monitor.TellAsync(purpose, command, stopping);

    /// <summary>Presses the power button and waits. False when the guest did not obey in time.</summary>
    private async Task<bool> ShutDownAsync(TimeSpan grace, CancellationToken stopping)
    {
        using var bound = new CancellationTokenSource(grace, context.Clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(bound.Token, stopping);
        var events = broadcast.Listen(either.Token);
        try
        {
            await TellAsync("shut down", QmpCommands.SystemPowerdown, either.Token);
            await foreach (var happened in events)
            {
                if (happened is MachineEvent.RunStateChanged { State: MachineRunState.Shutdown or MachineRunState.Crashed or MachineRunState.Gone })
                {
                    return true;
                }
            }

            return true; // The events ended: so has QEMU.
        }
        catch (Exception error) when (error is MachineException || (error is OperationCanceledException && !stopping.IsCancellationRequested))
        {
            return false;
        }
    }

    /// <summary>The end is recorded before it is brought about, so that no agent takes it for a crash.</summary>
    private async Task EndProcessAsync(LinuxProcess process, CancellationToken stopping)
    {
        records.Write(new MachineEnd(status.State, status.Reason));
        await consoleLog.DrainAsync(stopping); // The ring ends with QEMU.
        try
        {
            await TellAsync("end", QmpCommands.Quit, stopping);
            await process.Exited.WaitAsync(QuitGrace, context.Clock, stopping);
        }
        catch (Exception error) when (error is MachineException or TimeoutException)
        {
            await process.StopAsync(QuitGrace, context.Clock, stopping);
        }

        await watching.WaitAsync(stopping);
    }

    private void Watch(QmpConnection? connection)
    {
        watching = Task.Run(() => WatchAsync(connection, lifetime.Token), CancellationToken.None);
        upkeep = Task.Run(() => LogKeeper.KeepUpAsync(parts.Files, consoleLog, rescue!, context, lifetime.Token), CancellationToken.None);
    }

    /// <summary>Without its rescue monitor a machine is only harder to recover, so it goes on.</summary>
    private async Task PrepareRescueAsync(CancellationToken stopping)
    {
        try
        {
            await rescue!.PrepareAsync(stopping);
        }
        catch (Exception error) when (error is QmpException or LinuxException)
        {
            Log.NoRescue(context.Log, Spec.DisplayName, error);
        }
    }

    private async Task WatchAsync(QmpConnection? connection, CancellationToken stopping)
    {
        var process = parts.Process!;
        while (true)
        {
            if (connection is not null)
            {
                await foreach (var happened in connection.ReadEventsAsync(stopping))
                {
                    Receive(happened);
                }
            }

            if (await EndsSoonAsync(process, stopping))
            {
                RecordEnd(await process.Exited);
                return;
            }

            Become(new RunStatus(MachineRunState.Unresponsive, "its process lives, but its monitor does not answer"));
            connection = await ReconnectAsync(stopping);
        }
    }

    private async Task<bool> EndsSoonAsync(LinuxProcess process, CancellationToken stopping)
    {
        try
        {
            await process.Exited.WaitAsync(ExitBound, context.Clock, stopping);
            return true;
        }
        catch (TimeoutException)
        {
            return false;
        }
    }

    private async Task<QmpConnection?> ReconnectAsync(CancellationToken stopping)
    {
        try
        {
            var connection = await monitor!.ConnectAsync(context.Options.MonitorBound, stopping);
            Become(await QueryAsync(connection, stopping));
            return connection;
        }
        catch (Exception error) when (error is MachineException or QmpException)
        {
            Log.NotReached(context.Log, Spec.DisplayName, error);
            return null; // The loop looks at the process, then comes here again.
        }
    }

    private async Task<RunStatus> QueryAsync(QmpConnection connection, CancellationToken stopping)
    {
        try
        {
            return RunStates.FromQuery((await connection.ExecuteAsync(QmpCommands.QueryStatus, stopping)).Status);
        }
        catch (QmpException error)
        {
            throw new MachineException($"cannot ask QEMU of {Spec.DisplayName} for its state", error);
        }
    }

    private void Receive(QmpEvent happened)
    {
        if (happened.LostBefore > 0)
        {
            broadcast.Publish(new MachineEvent.EventsLost(happened.At, happened.LostBefore));
        }

        lock (gate)
        {
            Become(RunStates.After(status, happened), happened.At);
        }

        switch (happened.Name)
        {
            case "MIGRATION" when happened.Text("status") is { } word:
                migration.Heard(word);
                broadcast.Publish(new MachineEvent.MigrationStatusChanged(happened.At, word));
                break;
            case "MIGRATION_PASS" when happened.Number("pass") is { } pass:
                broadcast.Publish(new MachineEvent.MigrationPassEnded(happened.At, pass));
                break;
        }
    }

    private void Become(RunStatus next, DateTimeOffset? at = null)
    {
        lock (gate)
        {
            if (next == status)
            {
                return;
            }

            stoppedAt = (status.State, next.State) switch
            {
                (_, MachineRunState.Running) => null,
                (MachineRunState.Running, _) => at,
                _ => stoppedAt,
            };
            status = next;
            broadcast.Publish(new MachineEvent.RunStateChanged(at ?? context.Clock.GetUtcNow(), next.State, next.Reason));
        }

        Log.Became(context.Log, Spec.DisplayName, next.State, next.Reason);
    }

    /// <summary>A guest that had shut down stays so; every other end is one that should not have been.</summary>
    private void RecordEnd(ProcessExit exit)
    {
        if (status.State is not (MachineRunState.Shutdown or MachineRunState.Crashed))
        {
            Become(new RunStatus(MachineRunState.Gone, EndReason.Describe(exit, parts.Files, parts.Group)));
        }

        records.Write(new MachineEnd(status.State, status.Reason));
        broadcast.End();
    }
}
