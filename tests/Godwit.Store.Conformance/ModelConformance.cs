using System.Globalization;
using CsCheck;
using Xunit;

namespace Godwit.Store.Conformance;

/// <summary>The whole contract at once: random calls against the store and against a model that is a list of events.</summary>
public abstract class ModelConformance<TFixture> : StoreConformance<TFixture>
    where TFixture : StoreFixture, new()
{
    private static readonly Gen<string> Key = Gen.OneOf("a", "a/1", "a/2", "b", "b/1");
    private static readonly Gen<string> Prefix = Gen.OneOf("", "a", "a/", "b", "c");

    private static readonly Gen<Call> AnyCall = Gen.Frequency(
        (4, Key.Select(Gen.Int[0, 999], (key, value) => (Call)new Call.Put(key, Text(value), Created: true))),
        (6, Key.Select(Gen.Int[0, 999], Gen.Int[0, 9], (key, value, luck) => (Call)new Call.Put(key, Text(value), Created: false, Stale: luck == 0))),
        (3, Key.Select(Gen.Int[0, 9], (key, luck) => (Call)new Call.Put(key, null, Created: false, Stale: luck == 0))),
        (4, Prefix.Select(Gen.Int[0, 3], Gen.Int[0, 100], (prefix, limit, percent) => (Call)new Call.List(prefix, limit, percent))),
        (3, Prefix.Select(Gen.Int[0, 100], (prefix, percent) => (Call)new Call.Watch(prefix, percent))),
        (1, Gen.Int[0, 100].Select(percent => (Call)new Call.Compact(percent))));

    /// <summary>How many random histories are tried; each has up to 60 calls.</summary>
    protected virtual int Histories => 60;

    [Fact]
    public void Every_history_of_calls_ends_as_in_the_model() => AnyCall.List[1, 60].Sample(
        calls => Task.Run(async () =>
        {
            await using var fixture = new TFixture();
            await using var store = await fixture.CreateAsync();
            var model = new StoreModel();
            foreach (var call in calls)
            {
                await call.RunAsync(store, model, Stopping);
            }
        }).GetAwaiter().GetResult(),
        iter: Histories,
        threads: 1);

    private static string Text(int value) => value.ToString(CultureInfo.InvariantCulture);

    /// <summary>One call, made to both; it throws where they differ.</summary>
    private abstract record Call
    {
        public abstract Task RunAsync(IRevisionStore store, StoreModel model, CancellationToken stopping);

        private static async Task<string> Outcome(Func<Task<string>> attempt)
        {
            try
            {
                return await attempt();
            }
            catch (StoreCompactedException gone)
            {
                return $"{gone.RequestedRevision} is before {gone.CompactedRevision}";
            }
        }

        public sealed record Put(string Key, string? Value, bool Created, bool Stale = false) : Call
        {
            public override async Task RunAsync(IRevisionStore store, StoreModel model, CancellationToken stopping)
            {
                var expected = Created ? 0 : Math.Max(1, (model.At(Key, model.Current)?.ModRevision ?? 1) - (Stale ? 1 : 0));
                var write = (Created, Value) switch
                {
                    (true, _) => await store.CreateAsync(Key, Bytes(Value!), stopping),
                    (_, not null) => await store.UpdateAsync(Key, Bytes(Value), expected, stopping),
                    _ => await store.DeleteAsync(Key, expected, stopping),
                };
                var (succeeded, existing) = model.Put(Key, Value, expected);
                Promise.Check(Promise.Atomic, write.Succeeded == succeeded && write.Revision == model.Current, $"{this} expecting {expected} ended {write}.");
                Promise.Check(Promise.Atomic, succeeded || WatchCheck.Same(write.Existing, existing), $"{this} says that {write.Existing} exists.");
            }
        }

        public sealed record List(string Prefix, int Limit, int Percent) : Call
        {
            public override async Task RunAsync(IRevisionStore store, StoreModel model, CancellationToken stopping)
            {
                var revision = Percent == 100 ? 0 : model.RevisionAt(Percent);
                var told = await Outcome(async () => Print(await store.ListAsync(new StoreListQuery(Prefix, Limit: Limit, Revision: revision), stopping)));
                var meant = await Outcome(() => Task.FromResult(Print(model.List(Prefix, Limit, revision))));
                Promise.Check(Promise.Snapshot, told == meant, $"{this} shows {told}; the model {meant}.");
            }

            private static string Print(StoreList list) =>
                $"at {list.Revision}: {string.Join(' ', list.Items.Select(item => $"{item.Key}={Text(item)}@{item.CreateRevision}/{item.ModRevision}"))} and {list.RemainingCount} more";
        }

        public sealed record Watch(string Prefix, int Percent) : Call
        {
            public override async Task RunAsync(IRevisionStore store, StoreModel model, CancellationToken stopping)
            {
                var after = model.RevisionAt(Percent);
                var told = await Outcome(async () => Print(await ReadAsync(store, after, model.Current, stopping)));
                var meant = await Outcome(() => Task.FromResult(Print(model.EventsAfter(after, Prefix))));
                Promise.Check(Promise.Reliable, told == meant, $"{this} after {after} tells {told}; the model {meant}.");
            }

            private static string Print(IEnumerable<StoreEvent> events) => string.Join(
                ' ', events.Select(change => $"{change.Kind}@{change.Revision}:{change.Item.Key}={Text(change.Item)}<{Text(change.Previous)}"));

            private async Task<List<StoreEvent>> ReadAsync(IRevisionStore store, long after, long until, CancellationToken stopping)
            {
                var events = new List<StoreEvent>();
                await foreach (var batch in store.WatchAsync(Prefix, after, stopping))
                {
                    WatchCheck.Batch(Prefix, after, batch);
                    events.AddRange(batch.Events);
                    if (batch.Revision >= until)
                    {
                        break;
                    }
                }

                return events;
            }
        }

        public sealed record Compact(int Percent) : Call
        {
            public override async Task RunAsync(IRevisionStore store, StoreModel model, CancellationToken stopping)
            {
                var revision = model.RevisionAt(Percent);
                await store.CompactAsync(revision, stopping);
                model.Compact(revision);
            }
        }
    }
}
