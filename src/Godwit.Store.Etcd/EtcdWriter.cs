using Google.Protobuf;
using Grpc.Core;
using Godwit.Store.Etcd.Wire;

namespace Godwit.Store.Etcd;

/// <summary>
/// Writes, each one transaction of etcd: compare the key's revision, then write, or read what is there instead.
/// <para>
/// The hard part is a write whose answer is lost with its connection, its member or the cluster's leader. It may have been
/// done, may never be done, or may be done a little later. What is known decides:
/// </para>
/// <code>
///   answer lost ─▶ read the key
///                   ├─ it bears our mark ───────────────────────▶ done: its revision is the answer
///                   ├─ still at the revision that was expected ─▶ send again: a revision is expected once and never
///                   │                                             comes back, so of all sends at most one is done
///                   ├─ moved on: the first change after the expected revision, from the log
///                   │         bears our mark ───────────────────▶ done
///                   │         another's write ──────────────────▶ not done, for ever
///                   └─ anything else (see below) ───────────────▶ "may have happened": the caller looks again
/// </code>
/// Anything else is: a creation of a key that is not there (a straggler could still make it, so sending it again could
/// bring back what was deleted meanwhile), a key that was deleted (deletions bear no mark), a log that is compacted.
/// </summary>
internal sealed class EtcdWriter(EtcdMembers members, EtcdKeys keys, EtcdReader reader, EtcdLog log, EtcdStoreOptions options)
{
    private const int SendsMax = 4;

    /// <param name="key">The store's key.</param>
    /// <param name="value">Null deletes.</param>
    /// <param name="expected">The key's revision; 0: it must not be there.</param>
    /// <param name="before">A revision that the store has reached before the call.</param>
    /// <param name="stopping">Ends the wait, not the write.</param>
    public async ValueTask<StoreWrite> WriteAsync(string key, ReadOnlyMemory<byte>? value, long expected, long before, CancellationToken stopping)
    {
        var write = new Write(key, keys.Of(key), value is { } content ? StoredValue.Wrap(content.Span) : null, expected, before);
        for (var sends = 1; ; sends++)
        {
            try
            {
                var answer = await members.WriteAsync("write to", (member, call) => member.Keys.TxnAsync(write.ToRequest(), call), stopping);
                members.CheckCluster(answer.Header);
                if (answer.Succeeded)
                {
                    return new StoreWrite(true, answer.Header.Revision, null);
                }

                var found = answer.Responses.Count > 0 && answer.Responses[0].ResponseRange is { Kvs.Count: > 0 } range ? range.Kvs[0] : null;
                return sends == 1
                    ? NotWritten(found, answer.Header.Revision)
                    : await SettleAsync(write, found, answer.Header.Revision, stopping) ?? throw MayHaveHappened(null);
            }
            catch (LostAnswerException lost)
            {
                if (await FindOutAsync(write, lost, stopping) is { } known)
                {
                    return known;
                }

                if (sends == SendsMax)
                {
                    throw MayHaveHappened(lost.Rpc);
                }
            }
        }
    }

    /// <summary>How the write ended; null when it has not happened yet and may be sent again.</summary>
    private async Task<StoreWrite?> FindOutAsync(Write write, LostAnswerException lost, CancellationToken stopping)
    {
        try
        {
            var (found, revision) = await reader.FindAsync(write.Key, stopping);
            return await SettleAsync(write, found, revision, stopping);
        }
        catch (StoreUnavailableException error) when (!error.MayHaveHappened)
        {
            throw new StoreUnavailableException(error.Fault, MayHaveHappened(lost.Rpc).Message, error, mayHaveHappened: true);
        }
    }

    private async Task<StoreWrite?> SettleAsync(Write write, KeyValue? found, long revision, CancellationToken stopping)
    {
        if (found is not null && write.Made(found))
        {
            return new StoreWrite(true, found.ModRevision, null);
        }

        if (write.Expected > 0 && found?.ModRevision == write.Expected)
        {
            return null;
        }

        // Of an update or a deletion the first change after what it expected tells; of a creation all up to what is there.
        var (after, until) = write.Expected > 0 ? (write.Expected, write.Expected + 1) : (write.Before, found?.ModRevision ?? 0);
        await foreach (var change in ChangesAsync(write.EtcdKey, after, until, stopping))
        {
            if (write.Made(change))
            {
                return new StoreWrite(true, change.ModRevision, null);
            }

            // Another's write stands where ours would have to; and none of ours can follow it. (A deletion has no revision of creation.)
            if (write.Expected > 0 && change.CreateRevision > 0)
            {
                return NotWritten(found, revision);
            }
        }

        throw MayHaveHappened(null);
    }

    /// <summary>The changes of a key after a revision, up to the first at or after another; as far as the log tells within its time.</summary>
    private async IAsyncEnumerable<KeyValue> ChangesAsync(ByteString key, long after, long until, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken stopping)
    {
        using var late = new CancellationTokenSource(options.ReadMax, options.Time);
        using var bound = CancellationTokenSource.CreateLinkedTokenSource(stopping, late.Token);
        await using var changes = log.ReadKeyAsync(members.Current, key, after, bound.Token).GetAsyncEnumerator(bound.Token);
        for (var reached = after; reached < until;)
        {
            try
            {
                if (!await changes.MoveNextAsync())
                {
                    yield break;
                }
            }
            catch (Exception error) when (error is RpcException or StoreCompactedException or OperationCanceledException)
            {
                stopping.ThrowIfCancellationRequested();
                yield break;
            }

            reached = changes.Current.ModRevision;
            yield return changes.Current;
        }
    }

    private StoreWrite NotWritten(KeyValue? found, long revision) => new(false, revision, found is null ? null : keys.Item(found));

    private StoreUnavailableException MayHaveHappened(RpcException? cause) => new(
        StoreFault.Unreachable,
        $"A write to {options.Address} was sent, and its answer was lost: it may have happened, or may still. Read the object again before you repeat it",
        cause,
        mayHaveHappened: true);

    private sealed record Write(string Key, ByteString EtcdKey, ByteString? Value, long Expected, long Before)
    {
        public bool Made(KeyValue found) => Value is not null && StoredValue.IsSameWrite(Value, found.Value);

        public TxnRequest ToRequest()
        {
            var request = new TxnRequest();
            request.Compare.Add(new Compare { Key = EtcdKey, Target = Compare.Types.CompareTarget.Mod, Result = Compare.Types.CompareResult.Equal, ModRevision = Expected });
            request.Success.Add(Value is null
                ? new RequestOp { RequestDeleteRange = new DeleteRangeRequest { Key = EtcdKey } }
                : new RequestOp { RequestPut = new PutRequest { Key = EtcdKey, Value = Value } });
            request.Failure.Add(new RequestOp { RequestRange = new RangeRequest { Key = EtcdKey } });
            return request;
        }
    }
}
