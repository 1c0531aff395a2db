namespace Godwit.Simulation;

/// <summary>
/// One agent's journal: a record is durable some time after it is written, in order. A crash keeps or loses each write
/// that was under way, from the first lost one on all of them. A failing write may be on disk none the less.
/// </summary>
internal sealed class SimulatedDisk<TRecord>(World world)
    where TRecord : struct
{
    private readonly Queue<(TRecord? Record, Action<bool> Done)> writes = new();
    private bool busy;
    private int epoch;

    public TRecord? Durable { get; private set; }

    public bool FailsNext { get; set; }

    /// <summary>A broken engine's disk: says "durable" at once, and forgets the record in a crash.</summary>
    public Func<TRecord?, bool> Lies { get; init; } = _ => false;

    public void Write(TRecord? record, Action<bool> done)
    {
        if (Lies(record))
        {
            world.After(TimeSpan.Zero, () => done(true));
            return;
        }

        writes.Enqueue((record, done));
        Next();
    }

    public void Crash()
    {
        epoch++;
        busy = false;
        while (writes.TryDequeue(out var write) && world.Chance(0.5))
        {
            Durable = write.Record;
        }

        writes.Clear();
    }

    private void Next()
    {
        if (busy || writes.Count == 0)
        {
            return;
        }

        busy = true;
        var current = epoch;
        world.After(world.Chance(0.05) ? world.Between(5, 200) : world.Between(0.3, 5), () =>
        {
            if (current != epoch)
            {
                return;
            }

            busy = false;
            var (record, done) = writes.Dequeue();
            var fails = FailsNext;
            FailsNext = false;
            if (!fails || world.Chance(0.3))
            {
                Durable = record;
            }

            done(!fails);
            Next();
        });
    }
}
