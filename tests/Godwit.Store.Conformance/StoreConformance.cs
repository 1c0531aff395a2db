using System.Text;
using Xunit;

namespace Godwit.Store.Conformance;

/// <summary>
/// The base of the kit: one class per promise, each run by every store through a one-line subclass. Every wait has a
/// bound, <see cref="WaitMax"/>, that only a store that hangs will reach.
/// </summary>
public abstract class StoreConformance<TFixture> : IAsyncLifetime
    where TFixture : StoreFixture, new()
{
    public static readonly TimeSpan WaitMax = TimeSpan.FromMinutes(5);

    private readonly CancellationTokenSource bound = new(WaitMax);
    private IRevisionStore? store;

    protected TFixture Fixture { get; } = new();

    protected IRevisionStore Store => store ?? throw new InvalidOperationException("The store is not open yet.");

    /// <summary>Ends every wait of a test.</summary>
    protected CancellationToken Stopping => bound.Token;

    public async ValueTask InitializeAsync() => store = await Fixture.CreateAsync();

    public async ValueTask DisposeAsync()
    {
        await Store.DisposeAsync();
        await Fixture.DisposeAsync();
        bound.Dispose();
        GC.SuppressFinalize(this);
    }

    protected static ReadOnlyMemory<byte> Bytes(string text) => Encoding.UTF8.GetBytes(text);

    protected static string Text(StoreItem? item) => item is null ? "nothing" : Encoding.UTF8.GetString(item.Value.Span);

    /// <summary>Closes the store and opens it again.</summary>
    protected async Task ReopenAsync()
    {
        await Store.DisposeAsync();
        store = await Fixture.ReopenAsync();
    }

    /// <summary>Writes that must succeed; each answers its revision.</summary>
    protected async Task<long> Create(string key, string value) => Revision(await Store.CreateAsync(key, Bytes(value), Stopping));

    protected async Task<long> Update(string key, string value, long expected) => Revision(await Store.UpdateAsync(key, Bytes(value), expected, Stopping));

    protected async Task<long> Delete(string key, long expected) => Revision(await Store.DeleteAsync(key, expected, Stopping));

    /// <summary>Everything that a watch says until it has seen <paramref name="until"/>.</summary>
    protected async Task<List<StoreEvent>> Watched(string prefix, long after, long until)
    {
        var events = new List<StoreEvent>();
        var seen = after;
        await foreach (var batch in Store.WatchAsync(prefix, after, Stopping))
        {
            WatchCheck.Batch(prefix, seen, batch);
            events.AddRange(batch.Events);
            seen = batch.Revision;
            if (seen >= until)
            {
                break;
            }
        }

        return events;
    }

    private static long Revision(StoreWrite write)
    {
        Assert.True(write.Succeeded, $"A write met something it did not expect: {Text(write.Existing)}.");
        return write.Revision;
    }
}
