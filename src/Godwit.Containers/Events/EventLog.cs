using System.Collections.Immutable;
using System.Runtime.CompilerServices;
using System.Threading.Channels;

namespace Godwit.Containers;

/// <summary>
/// What happened lately, and who wants to hear of what happens next. A subscriber that does not keep up loses the oldest events that it has not
/// taken, never the newest, and never holds anybody up.
/// </summary>
public sealed class EventLog(TimeProvider time)
{
    /// <summary>Events kept for those who ask for the past.</summary>
    public const int KeptMax = 1024;

    private const int BehindMax = 4096;

    private readonly Lock gate = new();
    private readonly Queue<ContainerEvent> kept = new();
    private ImmutableArray<Channel<ContainerEvent>> subscribers = [];

    /// <summary>Tells everybody, now.</summary>
    public void Add(string kind, string action, string id, IReadOnlyDictionary<string, string> attributes)
    {
        lock (gate)
        {
            var added = new ContainerEvent(time.GetUtcNow(), kind, action, id, attributes);
            kept.Enqueue(added);
            if (kept.Count > KeptMax)
            {
                kept.Dequeue();
            }

            foreach (var subscriber in subscribers)
            {
                subscriber.Writer.TryWrite(added);
            }
        }
    }

    /// <summary>First those kept since that time, then those to come, in order and without a gap between.</summary>
    /// <param name="since">Null: only those to come.</param>
    /// <param name="until">Ends when this time has come; null: with the token.</param>
    /// <param name="stopping">Ends it.</param>
    public async IAsyncEnumerable<ContainerEvent> ReadAsync(DateTimeOffset? since, DateTimeOffset? until, [EnumeratorCancellation] CancellationToken stopping)
    {
        var channel = Channel.CreateBounded<ContainerEvent>(new BoundedChannelOptions(BehindMax) { FullMode = BoundedChannelFullMode.DropOldest, SingleReader = true });
        ContainerEvent[] past;
        lock (gate)
        {
            past = since is null ? [] : [.. kept.Where(one => one.At >= since && (until is null || one.At <= until))];
            subscribers = subscribers.Add(channel);
        }

        var left = until is null ? Timeout.InfiniteTimeSpan : until.Value - time.GetUtcNow();
        using var bound = left > TimeSpan.Zero || left == Timeout.InfiniteTimeSpan ? new CancellationTokenSource(left, time) : new CancellationTokenSource(TimeSpan.Zero, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(bound.Token, stopping);
        try
        {
            foreach (var one in past)
            {
                yield return one;
            }

            while (await MayReadAsync(channel.Reader, bound, either.Token))
            {
                while (channel.Reader.TryRead(out var one))
                {
                    yield return one;
                }
            }
        }
        finally
        {
            lock (gate)
            {
                subscribers = subscribers.Remove(channel);
            }
        }
    }

    private static async Task<bool> MayReadAsync(ChannelReader<ContainerEvent> reader, CancellationTokenSource bound, CancellationToken either)
    {
        try
        {
            return await reader.WaitToReadAsync(either);
        }
        catch (OperationCanceledException) when (bound.IsCancellationRequested)
        {
            return false;
        }
    }
}
