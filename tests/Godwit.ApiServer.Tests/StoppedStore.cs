using Godwit.Store;

namespace Godwit.ApiServer.Tests;

/// <summary>A store whose reads can be made to wait, or to fail.</summary>
internal sealed class StoppedStore : IRevisionStore
{
    private readonly MemoryRevisionStore inner = new();
    private volatile TaskCompletionSource? gate;
    private volatile bool broken;

    public Exception Fault { get; init; } = StoreUnavailableException.ForClosed("The test's store");

    public void Stop() => gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);

    public void Go()
    {
        var waiting = gate;
        gate = null;
        waiting?.SetResult();
    }

    public void Break() => broken = true;

    public void Mend() => broken = false;

    public async ValueTask<long> GetCurrentRevisionAsync(CancellationToken stopping) => await inner.GetCurrentRevisionAsync(stopping);

    public async ValueTask<StoreItem?> GetAsync(string key, CancellationToken stopping)
    {
        if (gate is { } waiting)
        {
            await waiting.Task.WaitAsync(stopping);
        }

        return broken ? throw Fault : await inner.GetAsync(key, stopping);
    }

    public ValueTask<StoreList> ListAsync(StoreListQuery query, CancellationToken stopping) => inner.ListAsync(query, stopping);

    public ValueTask<StoreWrite> CreateAsync(string key, ReadOnlyMemory<byte> value, CancellationToken stopping) => inner.CreateAsync(key, value, stopping);

    public ValueTask<StoreWrite> UpdateAsync(string key, ReadOnlyMemory<byte> value, long expectedRevision, CancellationToken stopping) => inner.UpdateAsync(key, value, expectedRevision, stopping);

    public ValueTask<StoreWrite> DeleteAsync(string key, long expectedRevision, CancellationToken stopping) => inner.DeleteAsync(key, expectedRevision, stopping);

    public IAsyncEnumerable<StoreEventBatch> WatchAsync(string prefix, long afterRevision, CancellationToken stopping) => inner.WatchAsync(prefix, afterRevision, stopping);

    public ValueTask CompactAsync(long revision, CancellationToken stopping) => inner.CompactAsync(revision, stopping);

    public ValueTask DisposeAsync() => inner.DisposeAsync();
}
