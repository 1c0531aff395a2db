using System.Runtime.CompilerServices;
using Godwit.Containers.Attaching;
using Godwit.Containers.Logs;

namespace Godwit.Containers;

/// <summary>
/// Somebody attached to a container: output is the log, followed from the moment of attaching; input goes to the monitor. May begin before the
/// container does: its input is connected between the program's creation and its start, so that not a byte of either is missed.
/// </summary>
internal sealed class AttachSession(Container container, AttachOptions options, LogCursor? start, Task ended) : IProcessSession
{
    private readonly TaskCompletionSource<MonitorConnection?> connected = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Output can be read once.</summary>
    private LogCursor? cursor = start;

    internal bool WantsInput => options.StandardInput;

    public async IAsyncEnumerable<OutputChunk> ReadOutputAsync([EnumeratorCancellation] CancellationToken stopping)
    {
        if (Interlocked.Exchange(ref cursor, null) is not { } from)
        {
            await ended.WaitAsync(stopping);
            yield break;
        }

        var query = new LogQuery { StandardOutput = options.StandardOutput, StandardError = options.StandardError };
        await foreach (var chunk in LogReader.ReadAsync(new LogFiles(container.Folder.Log), from, query, options.Stream ? ended : null, stopping))
        {
            yield return chunk;
        }
    }

    public async ValueTask WriteInputAsync(ReadOnlyMemory<byte> bytes, CancellationToken stopping)
    {
        var connection = await ConnectionAsync(stopping) ?? throw new IOException($"container {container.Name} takes no input: it has ended, or was made without an open standard input");
        await connection.WriteAsync(bytes, stopping);
    }

    public async ValueTask EndInputAsync(CancellationToken stopping) => (await ConnectionAsync(stopping))?.EndInput();

    public async ValueTask DisposeAsync()
    {
        container.Sessions.Remove(this);
        Interlocked.Exchange(ref cursor, null)?.Dispose();
        connected.TrySetResult(null);
        if (await connected.Task is { } connection)
        {
            await connection.DisposeAsync();
        }
    }

    internal async Task ConnectAsync(ContainerFolder folder, CancellationToken stopping)
    {
        var connection = await MonitorConnection.OpenForInputAsync(folder.Monitor, stopping);
        if (!connected.TrySetResult(connection))
        {
            await connection.DisposeAsync();
        }
    }

    private async Task<MonitorConnection?> ConnectionAsync(CancellationToken stopping)
    {
        await Task.WhenAny(connected.Task, ended).WaitAsync(stopping);
        return connected.Task.IsCompletedSuccessfully ? await connected.Task : null;
    }
}

/// <summary>Who is attached to a container, or waits for its start.</summary>
internal sealed class SessionList
{
    private const int SessionsMax = 256;

    private readonly Lock gate = new();
    private readonly List<AttachSession> sessions = [];

    internal void Add(AttachSession session)
    {
        lock (gate)
        {
            if (sessions.Count >= SessionsMax)
            {
                throw new ConflictException($"{SessionsMax} are attached already");
            }

            sessions.Add(session);
        }
    }

    internal void Remove(AttachSession session)
    {
        lock (gate)
        {
            sessions.Remove(session);
        }
    }

    /// <summary>The program is there and waits: its input is connected to those who wait for it.</summary>
    internal async Task ConnectAsync(ContainerFolder folder, ProcessSpec process, CancellationToken stopping)
    {
        AttachSession[] waiting;
        lock (gate)
        {
            waiting = [.. sessions.Where(session => session.WantsInput && process.OpenStandardInput)];
        }

        foreach (var session in waiting)
        {
            await session.ConnectAsync(folder, stopping);
        }
    }
}
