namespace Godwit.ApiServer.Resources;

/// <summary>
/// Turns for writes that must see all that was written before them. They are of this process; where several servers share the store, whoever has the turn here
/// waits for the one among the servers as well (<see cref="SharedTurns"/>).
/// </summary>
internal sealed class WriteTurns(SharedTurns? amongServers)
{
    private readonly Lock gate = new();
    private readonly Dictionary<string, Queue> queues = new(StringComparer.Ordinal);

    /// <summary>Waits for the turn of a name; it is kept until the result is disposed of.</summary>
    /// <param name="name">What the turn is for.</param>
    /// <param name="within">What else is held already, and is given back after it.</param>
    public async Task<WriteRoom> TakeAsync(string name, WriteRoom within)
    {
        Queue? queue;
        lock (gate)
        {
            if (!queues.TryGetValue(name, out queue))
            {
                queues[name] = queue = new Queue(name);
            }

            queue.Users++;
        }

        try
        {
            await queue.Turn.WaitAsync(within.Stopping); // Bounded by the request's own time, and by how many one user may have under way.
        }
        catch
        {
            Leave(queue, hadTurn: false);
            throw;
        }

        try
        {
            return new WriteRoom(within, () => Leave(queue, hadTurn: true), amongServers is null ? null : await amongServers.TakeAsync(name, within.Stopping));
        }
        catch
        {
            Leave(queue, hadTurn: true);
            throw;
        }
    }

    private void Leave(Queue queue, bool hadTurn)
    {
        if (hadTurn)
        {
            queue.Turn.Release();
        }

        lock (gate)
        {
            if (--queue.Users == 0)
            {
                queues.Remove(queue.Name);
                queue.Turn.Dispose();
            }
        }
    }

    private sealed class Queue(string name)
    {
        public string Name { get; } = name;

        public SemaphoreSlim Turn { get; } = new(1, 1);

        public int Users { get; set; }
    }
}

/// <summary>What a write holds until it is disposed of: after the object is stored.</summary>
internal sealed class WriteRoom : IAsyncDisposable
{
    private readonly WriteRoom? within;
    private readonly SharedTurns.Held? shared;
    private readonly CancellationToken stopping;
    private Action? leaving;

    /// <summary>Holds nothing.</summary>
    public WriteRoom(CancellationToken stopping) => this.stopping = stopping;

    public WriteRoom(WriteRoom within, Action leave, SharedTurns.Held? shared) => (this.within, leaving, this.shared, stopping) = (within, leave, shared, within.Stopping);

    /// <summary>Ends the wait for the object to be stored: no turn is kept for ever.</summary>
    public CancellationToken Stopping => shared?.Stopping ?? stopping;

    /// <summary>True when it was a turn's time that ended, not the request.</summary>
    public bool IsOver => within is { IsOver: true } || (shared is { IsOver: true } && !stopping.IsCancellationRequested);

    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref leaving, null) is not { } left)
        {
            return;
        }

        if (shared is not null)
        {
            await shared.DisposeAsync();
        }

        left();
        if (within is not null)
        {
            await within.DisposeAsync();
        }
    }
}
