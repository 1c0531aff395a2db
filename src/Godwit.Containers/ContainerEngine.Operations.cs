namespace Godwit.Containers;

/// <summary>What can be done to containers.</summary>
public sealed partial class ContainerEngine
{
    /// <summary>Takes a sandbox away, with the containers that were in it and have ended. Idempotent.</summary>
    /// <exception cref="ConflictException">A container runs in it.</exception>
    public async Task RemoveSandboxAsync(string id, CancellationToken stopping)
    {
        var inside = containers.Values.Where(container => container.Record.Spec.Network is { Mode: NetworkMode.Sandbox } network && network.Sandbox == id).ToList();
        foreach (var container in inside)
        {
            await container.RemoveAsync(new RemoveOptions(Volumes: true), stopping);
        }

        await parts.Sandboxes.RemoveAsync(id, stopping);
    }

    /// <exception cref="NothingToDoException">It runs.</exception>
    /// <exception cref="ContainerStartException">Its program cannot be started; the code is the one to exit with.</exception>
    public Task StartAsync(string container, CancellationToken stopping) => Find(container).StartAsync(stopping);

    /// <summary>Sends its stop signal, and SIGKILL when patience is over; returns when it has ended.</summary>
    /// <param name="container">Which.</param>
    /// <param name="patience">Null: its own; negative: without end.</param>
    /// <param name="stopping">Ends the waiting, not the stop.</param>
    /// <exception cref="NothingToDoException">It does not run.</exception>
    public Task StopAsync(string container, TimeSpan? patience, CancellationToken stopping) => Find(container).StopAsync(patience, stopping);

    /// <param name="container">Which.</param>
    /// <param name="signal">Name or number (signal(7)).</param>
    /// <param name="stopping">Cancels before the signal.</param>
    public Task KillAsync(string container, string signal, CancellationToken stopping) => Find(container).KillAsync(signal, stopping);

    /// <summary>Stops it if it runs, and starts it.</summary>
    public async Task RestartAsync(string container, TimeSpan? patience, CancellationToken stopping)
    {
        var found = Find(container);
        if (found.State.IsAlive || found.State is ContainerState.Restarting)
        {
            try
            {
                await found.StopAsync(patience, stopping);
            }
            catch (NothingToDoException)
            {
                // It ended meanwhile.
            }
        }

        await found.StartAsync(stopping);
        found.Tell("restart");
    }

    public Task PauseAsync(string container, CancellationToken stopping) => Find(container).PauseAsync(stopping);

    public Task UnpauseAsync(string container, CancellationToken stopping) => Find(container).UnpauseAsync(stopping);

    /// <summary>Begins to wait at once: what happens after this call returns its task is not missed.</summary>
    public Task<ContainerExit> WaitAsync(string container, WaitCondition condition, CancellationToken stopping) => Find(container).WaitAsync(condition, stopping);

    public async Task RenameAsync(string container, string name, CancellationToken stopping)
    {
        var found = Find(container);
        var before = found.Name;
        var taken = TakeName(name, found.Id);
        try
        {
            await found.RenameAsync(taken, stopping);
        }
        catch
        {
            names.TryRemove(taken, out _);
            throw;
        }

        names.TryRemove(before, out _);
        await parts.Networks.RenameAsync(found.Id.Value, [taken, found.Id.Short], stopping);
    }

    public Task UpdateAsync(string container, ContainerUpdate update, CancellationToken stopping) => Find(container).UpdateAsync(update, stopping);

    /// <exception cref="ConflictException">It runs, and is not to be ended by force.</exception>
    public Task RemoveAsync(string container, RemoveOptions options, CancellationToken stopping) => Find(container).RemoveAsync(options, stopping);

    /// <summary>Removes the containers at rest that the filter takes.</summary>
    public async Task<PruneReport> PruneAsync(Func<ContainerSnapshot, bool> filter, CancellationToken stopping)
    {
        var removed = new List<string>();
        var bytes = 0L;
        foreach (var container in containers.Values.Where(one => one.State is ContainerState.Created or ContainerState.Exited or ContainerState.Dead && filter(one.Snapshot())).ToList())
        {
            try
            {
                var size = await parts.Roots.MeasureAsync(container.Id, stopping);
                await container.RemoveAsync(default, stopping);
                removed.Add(container.Id.Value);
                bytes += size;
            }
            catch (ConflictException)
            {
                // Started meanwhile.
            }
        }

        return new PruneReport(removed, bytes);
    }

    /// <summary>May be called before the start: then nothing of what it prints is missed.</summary>
    public Task<IProcessSession> AttachAsync(string container, AttachOptions options, CancellationToken stopping) => Find(container).AttachAsync(options, stopping);

    public void Resize(string container, TerminalSize size) => Find(container).Resize(size);

    /// <exception cref="InvalidRequestException">It keeps no log.</exception>
    public IAsyncEnumerable<OutputChunk> ReadLogAsync(string container, LogQuery query, CancellationToken stopping) => Find(container).ReadLogAsync(query, stopping);

    /// <summary>Prepares a program to be executed in it; returns the execution's id.</summary>
    public string CreateExecution(string container, ExecutionSpec spec) => Find(container).Executions.Create(spec).Id;

    /// <summary>Runs it. Read its output, or dispose of the session: until then it waits when it prints much. Disposed, it runs on and its output is dropped.</summary>
    /// <exception cref="ContainerStartException">The program cannot be started; the code is the one to exit with.</exception>
    public async Task<IProcessSession> StartExecutionAsync(string execution, TerminalSize? size, CancellationToken stopping) => await FindExecution(execution).StartAsync(size, stopping);

    public void ResizeExecution(string execution, TerminalSize size) => FindExecution(execution).Resize(size);

    public ExecutionSnapshot GetExecution(string execution) => FindExecution(execution).Snapshot();

    /// <summary>Joins a network, at once if it runs, else from its next start on.</summary>
    public Task ConnectAsync(string container, EndpointSpec endpoint, CancellationToken stopping) => Find(container).ConnectAsync(endpoint, stopping);

    public Task DisconnectAsync(string container, string network, bool force, CancellationToken stopping) => Find(container).DisconnectAsync(network, force, stopping);

    private Execution FindExecution(string id) =>
        containers.Values.Select(container => container.Executions.Find(id)).FirstOrDefault(found => found is not null) ?? throw new NotThereException($"No such exec instance: {id}");
}
