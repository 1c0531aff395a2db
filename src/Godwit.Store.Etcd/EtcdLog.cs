using System.Runtime.CompilerServices;
using Google.Protobuf;
using Grpc.Core;
using Godwit.Store.Etcd.Wire;

namespace Godwit.Store.Etcd;

/// <summary>
/// A stretch of the log: the events of ours in it, and how far it reaches. Where <see cref="BrokenAt"/> is not 0, history
/// cannot be told past that revision, which follows on this stretch: somebody else changed several of our keys in one
/// transaction, or compaction took away what was there before.
/// </summary>
internal sealed record LogStretch(long Revision, IReadOnlyList<StoreEvent> Events, long BrokenAt = 0);

/// <summary>
/// etcd's watch, as a log to read. Two of its properties are worked around here:
/// <list type="bullet">
/// <item>It tells of no progress that can be trusted on every version: before 3.4.25 the answer to a request for progress may
/// overtake events. So all keys are watched, not ours alone. Every revision of etcd changed some key; so every revision
/// is heard of, and what concerns us is picked out here. An etcd of Godwit's own carries nothing else anyway.</item>
/// <item>A watch from a compacted revision on is let in by its first revision, whose deletions compaction has removed already.
/// So a watch after r begins at r: then it is refused exactly when the contract says so, and the event of r is passed over.</item>
/// </list>
/// </summary>
internal sealed class EtcdLog(EtcdMembers members, EtcdKeys keys)
{
    /// <summary>With it a member that has lost its leader ends the watch, rather than keep it in silence.</summary>
    private static readonly Metadata RequiresLeader = new() { { "hasleader", "true" } };

    /// <summary>Reads the log after a revision, without end, from one member.</summary>
    /// <exception cref="StoreCompactedException">The log no longer reaches back that far.</exception>
    /// <exception cref="RpcException">The watch broke; the member may be gone.</exception>
    public async IAsyncEnumerable<LogStretch> ReadAsync(EtcdMember member, long afterRevision, [EnumeratorCancellation] CancellationToken stopping)
    {
        var cursor = afterRevision;
        var pending = new List<Event>(); // Of one revision that may go on in the next fragment.
        var create = new WatchCreateRequest { Key = EtcdKeys.Everything, RangeEnd = EtcdKeys.Everything, StartRevision = Math.Max(1, afterRevision), PrevKv = true, Fragment = true };
        await foreach (var answer in WatchAsync(member, create, afterRevision, stopping))
        {
            pending.AddRange(answer.Events);
            var whole = answer.Fragment ? pending.FindLastIndex(change => change.Kv.ModRevision != pending[^1].Kv.ModRevision) + 1 : pending.Count;
            if (whole == 0)
            {
                continue;
            }

            foreach (var stretch in Stretches(pending.GetRange(0, whole), cursor))
            {
                cursor = Math.Max(stretch.Revision, stretch.BrokenAt);
                yield return stretch;
            }

            pending.RemoveRange(0, whole);
        }
    }

    /// <summary>What happened to one key after a revision, from the first change on, without end.</summary>
    /// <inheritdoc cref="ReadAsync" path="/exception"/>
    public async IAsyncEnumerable<KeyValue> ReadKeyAsync(EtcdMember member, ByteString key, long afterRevision, [EnumeratorCancellation] CancellationToken stopping)
    {
        var create = new WatchCreateRequest { Key = key, StartRevision = Math.Max(1, afterRevision) };
        await foreach (var answer in WatchAsync(member, create, afterRevision, stopping))
        {
            foreach (var change in answer.Events.Where(change => change.Kv.ModRevision > afterRevision))
            {
                yield return change.Kv;
            }
        }
    }

    /// <summary>Where history begins, as etcd says it to a watch that comes too late; 0 when it does not.</summary>
    public async Task<long> FindCompactedAsync(EtcdMember member, long revision, CancellationToken stopping)
    {
        try
        {
            await foreach (var _ in ReadAsync(member, revision, stopping))
            {
                return 0;
            }
        }
        catch (StoreCompactedException error)
        {
            return error.CompactedRevision;
        }

        return 0;
    }

    private async IAsyncEnumerable<WatchResponse> WatchAsync(EtcdMember member, WatchCreateRequest create, long afterRevision, [EnumeratorCancellation] CancellationToken stopping)
    {
        using var bound = CancellationTokenSource.CreateLinkedTokenSource(stopping, members.Closing);
        using var stream = members.Begin(() => member.Watches.Watch(new CallOptions(RequiresLeader, cancellationToken: bound.Token)));
        await BeginAsync(stream.RequestStream, create, bound.Token);
        while (await stream.ResponseStream.MoveNext(bound.Token))
        {
            var answer = stream.ResponseStream.Current;
            members.CheckCluster(answer.Header);
            if (answer.CompactRevision > 0)
            {
                throw new StoreCompactedException(afterRevision, answer.CompactRevision);
            }

            if (answer.Canceled)
            {
                throw new RpcException(new Status(StatusCode.Unavailable, $"etcd ended the watch: {answer.CancelReason}"));
            }

            yield return answer;
        }

        throw new RpcException(new Status(StatusCode.Unavailable, "etcd ended the stream of the watch"));
    }

    /// <summary>Sending the first message may fail in the transport's own words, where everything else is told in gRPC's.</summary>
    private static async Task BeginAsync(IClientStreamWriter<WatchRequest> requests, WatchCreateRequest create, CancellationToken stopping)
    {
        try
        {
            await requests.WriteAsync(new WatchRequest { CreateRequest = create }, stopping);
        }
        catch (Exception error) when (error is IOException or HttpRequestException or InvalidOperationException)
        {
            throw new RpcException(new Status(StatusCode.Unavailable, "the connection broke when the watch began", error));
        }
    }

    private IEnumerable<LogStretch> Stretches(List<Event> changes, long afterRevision)
    {
        var events = new List<StoreEvent>();
        var reached = afterRevision;
        foreach (var revision in changes.Where(change => change.Kv.ModRevision > afterRevision).GroupBy(change => change.Kv.ModRevision))
        {
            var own = revision.Where(change => keys.Own(change.Kv.Key) is not null).ToList();
            if (own.Count > 1 || (own.Count == 1 && !TryTell(own[0], out _)))
            {
                yield return new LogStretch(reached, events, revision.Key);
                events = [];
            }
            else if (own.Count == 1 && TryTell(own[0], out var told))
            {
                events.Add(told!);
            }

            reached = revision.Key;
        }

        if (reached > afterRevision)
        {
            yield return new LogStretch(reached, events);
        }
    }

    /// <summary>False when what was there before is gone.</summary>
    private bool TryTell(Event change, out StoreEvent? told)
    {
        var isDeletion = change.Type == Event.Types.EventType.Delete;
        var isCreation = !isDeletion && change.Kv.CreateRevision == change.Kv.ModRevision;
        var previous = change.PrevKv is { } before ? keys.Item(before) : null;
        told = null;
        if (previous is null && !isCreation)
        {
            return false;
        }

        told = isDeletion
            ? new StoreEvent(StoreEventKind.Deleted, change.Kv.ModRevision, previous!, previous)
            : new StoreEvent(isCreation ? StoreEventKind.Created : StoreEventKind.Updated, change.Kv.ModRevision, keys.Item(change.Kv)!, isCreation ? null : previous);
        return true;
    }
}
