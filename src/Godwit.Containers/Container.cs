using Godwit.Linux.Processes;
using Microsoft.Extensions.Logging;

namespace Godwit.Containers;

/// <summary>
/// One container, as an actor: requests and the end of its processes take their turns at one gate, and each leaves behind one record, on disk
/// first where it can still be refused. Whoever only looks reads the last record without waiting.
/// <code>
///   start   mount root ∥ join networks → config.json → monitor creates → write Running → crun start
///   end     monitor has ended → read exit code, OOM → write Exited → tell waiters → delete, leave networks, unmount
/// </code>
/// If the engine dies within a start, its successor finds Running (and lets the program run, if it waits) or not (and removes what is there);
/// within an end, it finds Running with a monitor that has ended, or the run folder of a container that is at rest, and goes on from there.
/// </summary>
internal sealed partial class Container : IDisposable
{
    private readonly EngineParts parts;
    private readonly SemaphoreSlim gate = new(1, 1);
    private readonly TaskCompletionSource<ContainerExit> removed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile ContainerRecord record;
    private TaskCompletionSource<ContainerExit> nextExit = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int restartStreak;
    private volatile bool unsaved;

    internal Container(ContainerRecord record, EngineParts parts)
    {
        this.record = record;
        this.parts = parts;
        Folder = ContainerFolder.Of(parts.Options, record.Id);
        Sessions = new SessionList();
        Executions = new ExecutionList(this, parts);
        Health = new HealthWatch(this, parts);
    }

    internal ContainerId Id => record.Id;

    internal string Name => record.Name;

    internal ContainerRecord Record => record;

    internal ContainerState State => record.State;

    internal ContainerFolder Folder { get; }

    /// <summary>Who is attached.</summary>
    internal SessionList Sessions { get; }

    internal ExecutionList Executions { get; }

    internal HealthWatch Health { get; }

    internal ContainerSnapshot Snapshot()
    {
        var now = record;
        return new ContainerSnapshot
        {
            Id = now.Id,
            Name = now.Name,
            CreatedAt = now.CreatedAt,
            Spec = now.Spec,
            State = now.State,
            RestartCount = now.RestartCount,
            Health = now.State.IsAlive ? Health.Current : null,
            Endpoints = now.Endpoints,
            Ports = now.State.IsAlive ? now.Ports : [],
            Mounts = now.Mounts,
            Executions = Executions.Ids,
            Folder = Folder.Data,
        };
    }

    /// <summary>The container's run, or a refusal in words.</summary>
    internal Incarnation RequireAlive(string attempt) => record.State is ContainerState.Alive alive
        ? alive.Now
        : throw new ConflictException($"cannot {attempt}: container {Name} is not running");

    internal async Task<ContainerExit> WaitAsync(WaitCondition condition, CancellationToken stopping)
    {
        Task<ContainerExit> ended;
        lock (removed)
        {
            ended = condition switch
            {
                WaitCondition.Removed => removed.Task,
                WaitCondition.NotRunning when !record.State.IsAlive && record.State is not ContainerState.Restarting => Task.FromResult(LastExit(record)),
                _ => nextExit.Task,
            };
        }

        return await ended.WaitAsync(stopping);
    }

    internal Task RenameAsync(string name, CancellationToken stopping) => InTurnAsync(
        () =>
        {
            var before = record.Name;
            Save(record with { Name = name });
            Tell("rename", ("oldName", before));
            return Task.CompletedTask;
        },
        stopping);

    /// <summary>The engine ends: what is being done to it now is finished, nothing new begins.</summary>
    internal async Task CloseAsync()
    {
        await gate.WaitAsync();
        await Executions.Spare.EndAsync(CancellationToken.None);
        Dispose();
    }

    public void Dispose()
    {
        gate.Dispose();
        Health.Dispose();
    }

    /// <summary>Writes, then believes: what is only wanted may be refused by a full disk.</summary>
    internal void Save(ContainerRecord next)
    {
        next.Write(Folder.Record);
        unsaved = false;
        Believe(next);
    }

    /// <summary>
    /// Believes, and writes if the disk takes it: what has happened has happened, and a container can be stopped and removed though no byte has room. What was not written is
    /// when there is room again (<see cref="SaveAgainAsync"/>); an engine that comes before that finds the last record and looks at what runs:
    /// that a container has ended, but neither its exit code nor that somebody stopped it by hand.
    /// </summary>
    private void Note(ContainerRecord next)
    {
        Believe(next);
        try
        {
            next.Write(Folder.Record);
            unsaved = false;
        }
        catch (Exception full) when (full is Linux.LinuxException or IOException)
        {
            if (!unsaved)
            {
                Log.NotSaved(parts.Log, Name, full);
            }

            unsaved = true;
        }
    }

    /// <summary>Whether the disk is behind.</summary>
    internal bool IsUnsaved => unsaved;

    internal Task SaveAgainAsync(CancellationToken stopping) => InTurnAsync(
        () =>
        {
            if (unsaved && Directory.Exists(Folder.Data))
            {
                Note(record);
            }

            return Task.CompletedTask;
        },
        stopping);

    private void Believe(ContainerRecord next)
    {
        lock (removed)
        {
            record = next;
        }
    }

    internal void Tell(string action, params IEnumerable<(string Name, string Value)> more)
    {
        var attributes = new Dictionary<string, string>(record.Spec.Labels, StringComparer.Ordinal) { ["name"] = Name, ["image"] = record.Spec.Image };
        foreach (var (name, value) in more)
        {
            attributes[name] = value;
        }

        parts.Events.Add("container", action, Id.Value, attributes);
    }

    internal async Task InTurnAsync(Func<Task> work, CancellationToken stopping)
    {
        await gate.WaitAsync(stopping);
        try
        {
            await work();
        }
        finally
        {
            gate.Release();
        }
    }

    /// <summary>Work that nobody waits for: what fails is logged, and the next look at the container finds it.</summary>
    internal async Task InBackgroundAsync(Func<Task> work, string what)
    {
        try
        {
            await work();
        }
        catch (OperationCanceledException) when (parts.Closing.IsCancellationRequested)
        {
            // The engine ends.
        }
        catch (Exception failure)
        {
            Log.BackgroundFailed(parts.Log, what, Name, failure);
        }
    }

    private static ContainerExit LastExit(ContainerRecord record) => record.State switch
    {
        ContainerState.Exited exited => exited.Exit,
        ContainerState.Restarting restarting => restarting.Exit,
        _ => new ContainerExit(0, OutOfMemory: false, record.CreatedAt, record.CreatedAt),
    };

    private void TellRemoved()
    {
        lock (removed)
        {
            removed.TrySetResult(LastExit(record));
            nextExit.TrySetResult(LastExit(record));
        }
    }

    private void TellExit(ContainerExit exit)
    {
        TaskCompletionSource<ContainerExit> told;
        lock (removed)
        {
            told = nextExit;
            nextExit = new TaskCompletionSource<ContainerExit>(TaskCreationOptions.RunContinuationsAsynchronously);
        }

        told.TrySetResult(exit);
    }

    private static partial class Log
    {
        [LoggerMessage(EventId = 4001, Level = LogLevel.Error, Message = "{What} of container {Name} failed")]
        internal static partial void BackgroundFailed(ILogger log, string what, string name, Exception failure);

        [LoggerMessage(EventId = 4002, Level = LogLevel.Information, Message = "Container {Name} runs as process {ProcessId}")]
        internal static partial void Started(ILogger log, string name, int processId);

        [LoggerMessage(EventId = 4003, Level = LogLevel.Information, Message = "Container {Name} ended with code {Code}")]
        internal static partial void Ended(ILogger log, string name, int code);

        [LoggerMessage(EventId = 4004, Level = LogLevel.Information, Message = "Adopted container {Name}, process {ProcessId}")]
        internal static partial void Adopted(ILogger log, string name, int processId);

        [LoggerMessage(EventId = 4007, Level = LogLevel.Warning, Message = "This host has no scheduler of disks that knows weights (bfq): the block I/O weight {Weight} of container {Name} decides nothing")]
        internal static partial void NoWeights(ILogger log, string name, int weight);

        [LoggerMessage(EventId = 4006, Level = LogLevel.Error, Message = "The state of container {Name} cannot be written to disk; it is tried again")]
        internal static partial void NotSaved(ILogger log, string name, Exception failure);
    }
}
