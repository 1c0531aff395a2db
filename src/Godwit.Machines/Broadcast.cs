using System.Runtime.CompilerServices;
using System.Threading.Channels;

namespace Godwit.Machines;

/// <summary>Gives each event to everybody who listens. A listener that is too slow loses the oldest and is told how many.</summary>
internal sealed class Broadcast(TimeProvider clock)
{
    private const int WaitingMax = 512;

    private readonly Lock gate = new();
    private readonly List<Listener> listeners = [];
    private bool ended;

    public void Publish(MachineEvent happened)
    {
        lock (gate)
        {
            foreach (var listener in listeners)
            {
                listener.Channel.Writer.TryWrite(happened);
            }
        }
    }

    /// <summary>There will be no more: each listener gets what waits for it, then its end.</summary>
    public void End()
    {
        lock (gate)
        {
            ended = true;
            foreach (var listener in listeners)
            {
                listener.Channel.Writer.TryComplete();
            }
        }
    }

    /// <summary>Listens from this call on, not from the first read: what happens in between is not missed.</summary>
    public IAsyncEnumerable<MachineEvent> Listen(CancellationToken stopping)
    {
        var listener = new Listener();
        lock (gate)
        {
            listeners.Add(listener);
            if (ended)
            {
                listener.Channel.Writer.TryComplete();
            }
        }

        return ReadAsync(listener, stopping);
    }

    private async IAsyncEnumerable<MachineEvent> ReadAsync(Listener listener, [EnumeratorCancellation] CancellationToken stopping)
    {
        try
        {
            await foreach (var happened in listener.Channel.Reader.ReadAllAsync(stopping))
            {
                if (listener.TakeLost() is > 0 and var lost)
                {
                    yield return new MachineEvent.EventsLost(clock.GetUtcNow(), lost);
                }

                yield return happened;
            }
        }
        finally
        {
            lock (gate)
            {
                listeners.Remove(listener);
            }
        }
    }

    private sealed class Listener
    {
        private int lost;

        public Listener() => Channel = System.Threading.Channels.Channel.CreateBounded<MachineEvent>(
            new BoundedChannelOptions(WaitingMax) { FullMode = BoundedChannelFullMode.DropOldest, SingleReader = true },
            _ => Interlocked.Increment(ref lost));

        public Channel<MachineEvent> Channel { get; }

        public int TakeLost() => Interlocked.Exchange(ref lost, 0);
    }
}
