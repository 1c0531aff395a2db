using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text.Json;
using Godwit.Containers.Monitoring;
using Godwit.Containers.Runtime;
using Godwit.Oci.Runtime;

namespace Godwit.Containers;

/// <summary>
/// More programs in a running container. An execution is known from its making until some time after its end; the engine forgets it when it ends itself, the
/// program runs on to its own.
/// </summary>
internal sealed class ExecutionList(Container container, EngineParts parts)
{
    private const int ExecutionsMax = 1000;

    private readonly ConcurrentDictionary<string, Execution> executions = new(StringComparer.Ordinal);

    /// <summary>The monitor of the next.</summary>
    internal SpareMonitor Spare { get; } = new(container, parts);

    internal IReadOnlyList<string> Ids => [.. executions.Values.Where(one => one.Snapshot().ExitCode is null).Select(one => one.Id)];

    internal Execution Create(ExecutionSpec spec)
    {
        container.RequireAlive("execute a program in it");
        if (container.State is ContainerState.Paused)
        {
            throw new ConflictException($"container {container.Name} is paused: unpause it before executing a program in it");
        }

        if (spec.Process.Arguments.Count == 0)
        {
            throw new InvalidRequestException("no program is given to execute");
        }

        Forget();
        var execution = new Execution(Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(ContainerId.Length / 2)), spec, container, parts);
        executions[execution.Id] = execution;
        Monitors.PrepareToJoin(); // Its start is most often a few milliseconds away.
        Spare.Ready(spec.Process);
        container.Tell("exec_create: " + string.Join(' ', spec.Process.Arguments), ("execID", execution.Id));
        return execution;
    }

    internal Execution? Find(string id) => executions.TryGetValue(id, out var found) ? found : null;

    /// <summary>Their monitors wait no longer for clients that do not read.</summary>
    internal void LetGo()
    {
        foreach (var execution in executions.Values.Where(one => one.Snapshot().ExitCode is null))
        {
            execution.LetGo();
        }
    }

    /// <summary>Those that have ended make room, the oldest first.</summary>
    private void Forget()
    {
        if (executions.Count < ExecutionsMax)
        {
            return;
        }

        foreach (var old in executions.Values.Where(one => one.Snapshot().ExitCode is not null).OrderBy(one => one.CreatedAt).Take(ExecutionsMax / 2).ToList())
        {
            executions.TryRemove(old.Id, out _);
        }

        if (executions.Count >= ExecutionsMax)
        {
            throw new ConflictException($"{ExecutionsMax} programs are being executed in container {container.Name} already");
        }
    }
}

/// <summary>One program executed in a container.</summary>
internal sealed class Execution(string id, ExecutionSpec spec, Container container, EngineParts parts)
{
    private int started;
    private volatile Attaching.MonitorConnection? line;
    private volatile MonitorFolder? folder;
    private volatile ExecutionSnapshot snapshot = new(id, container.Id, spec, null, null);

    internal string Id => id;

    internal DateTimeOffset CreatedAt { get; } = parts.Time.GetUtcNow();

    internal ExecutionSnapshot Snapshot() => snapshot;

    /// <summary>Runs it. The session must be read, or disposed: until then the program waits when it prints much.</summary>
    internal async Task<ExecutionSession> StartAsync(TerminalSize? size, CancellationToken stopping)
    {
        container.RequireAlive("execute a program in it");
        if (Interlocked.Exchange(ref started, 1) != 0)
        {
            throw new ConflictException($"the execution {id} was started before");
        }

        Attaching.MonitorConnection? connection = null;
        try
        {
            var process = BuildProcess(size);
            var form = spec.Process with { StandardInputOnce = true };
            var monitor = await container.Executions.Spare.TakeAsync(form) ?? await parts.Monitors.PrepareAsync(folder = container.Folder.Execution(id), form, id, stopping);
            folder = monitor.Folder;
            await WriteAsync(process, monitor, stopping);
            var running = await parts.Monitors.ExecuteAsync(
                monitor, form.Terminal, async token => line = connection = await Attaching.MonitorConnection.OpenAsync(monitor.Folder, token), stopping);
            snapshot = snapshot with { ProcessId = running.ProcessId };
            container.Tell("exec_start: " + string.Join(' ', spec.Process.Arguments), ("execID", id));
            return new ExecutionSession(connection!, EndAsync(running.Ended));
        }
        catch (Exception failure)
        {
            snapshot = snapshot with { ProcessId = snapshot.ProcessId ?? 0, ExitCode = (failure as ContainerStartException)?.Code ?? 126 };
            if (connection is not null)
            {
                await connection.DisposeAsync();
            }

            folder?.Remove();
            throw;
        }
    }

    private async Task WriteAsync(RuntimeProcess process, PreparedMonitor monitor, CancellationToken stopping)
    {
        try
        {
            await File.WriteAllBytesAsync(monitor.Folder.Configuration, JsonSerializer.SerializeToUtf8Bytes(process, RuntimeJson.Default.RuntimeProcess), stopping);
        }
        catch
        {
            await monitor.EndAsync(parts.Time, CancellationToken.None); // Its pipe must not end while there is something to execute.
            throw;
        }
    }

    internal void LetGo() => line?.RefuseOutput();

    internal void Resize(TerminalSize size)
    {
        if (!snapshot.Running)
        {
            throw new ConflictException($"the execution {id} is not running");
        }

        Container.Resize(folder!, size);
    }

    private RuntimeProcess BuildProcess(TerminalSize? size)
    {
        var whole = container.Record.Spec;
        var process = spec.Process with
        {
            Environment = [.. whole.Process.Environment, .. spec.Process.Environment],
            User = spec.Process.User.Length > 0 ? spec.Process.User : whole.Process.User,
            WorkingDirectory = spec.Process.WorkingDirectory is "" or "/" ? whole.Process.WorkingDirectory : spec.Process.WorkingDirectory,
            SupplementaryGroups = whole.Process.SupplementaryGroups,
            TerminalSize = size ?? spec.Process.TerminalSize,
        };
        var isolation = whole.Isolation with { Privileged = spec.Privileged || whole.Isolation.Privileged, InitProcess = false };
        var root = $"/proc/{container.RequireAlive("execute a program in it").ProcessId}/root/.";
        return RuntimeSpecBuilder.BuildProcess(
            whole with { Process = process, Isolation = isolation },
            container.Id,
            ContainerUsers.Find(root, process),
            Capabilities.Choose(isolation, parts.Host.Rights.BoundingCapabilities));
    }

    private async Task<int> EndAsync(Task<int?> ended)
    {
        var code = await ended ?? 137;
        snapshot = snapshot with { ExitCode = code };
        container.Tell("exec_die", ("execID", id), ("exitCode", code.ToString(System.Globalization.CultureInfo.InvariantCulture)));
        _ = container.InBackgroundAsync(() => Task.Run(CleanUp), "clearing up after an execution"); // Whoever waits for the code does not wait for this.
        return code;
    }

    private void CleanUp()
    {
        folder?.Remove();
        container.Executions.Spare.Ready(spec.Process);
    }
}

/// <summary>The line to a program executed in a container.</summary>
internal sealed class ExecutionSession(Attaching.MonitorConnection connection, Task<int> ended) : IProcessSession
{
    /// <summary>The exit code.</summary>
    internal Task<int> Ended => ended;

    public async IAsyncEnumerable<OutputChunk> ReadOutputAsync([System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken stopping)
    {
        await foreach (var chunk in connection.ReadAsync(stopping))
        {
            yield return chunk;
        }

        // Who asks for the exit code when the output is over finds it.
        await ended.WaitAsync(stopping);
    }

    public ValueTask WriteInputAsync(ReadOnlyMemory<byte> bytes, CancellationToken stopping) => connection.WriteAsync(bytes, stopping);

    public ValueTask EndInputAsync(CancellationToken stopping)
    {
        connection.EndInput();
        return ValueTask.CompletedTask;
    }

    public ValueTask DisposeAsync() => connection.DisposeAsync();
}
