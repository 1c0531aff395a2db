namespace Godwit.Store.Conformance;

/// <summary>What a store's tests provide: an empty store, and where its data outlives it, the same store opened again.</summary>
public abstract class StoreFixture : IAsyncDisposable
{
    /// <summary>An empty store. The kit disposes it.</summary>
    public abstract ValueTask<IRevisionStore> CreateAsync();

    /// <summary>The store that was just closed, opened again on the same data.</summary>
    public abstract ValueTask<IRevisionStore> ReopenAsync();

    public abstract ValueTask DisposeAsync();
}

/// <summary>A promise of <see cref="IRevisionStore"/> that a store did not keep. The message begins with the promise's name.</summary>
public sealed class BrokenPromiseException(string promise, string finding) : Exception($"{promise} is broken: {finding}")
{
    public string Promise { get; } = promise;
}

/// <summary>The promises by name; a check that fails says which one it was.</summary>
public static class Promise
{
    public const string Durable = nameof(Durable);
    public const string Ordered = nameof(Ordered);
    public const string Reliable = nameof(Reliable);
    public const string Atomic = nameof(Atomic);
    public const string Snapshot = nameof(Snapshot);
    public const string Compaction = nameof(Compaction);
    public const string Progress = nameof(Progress);

    public static void Check(string promise, bool kept, string finding)
    {
        if (!kept)
        {
            throw new BrokenPromiseException(promise, finding);
        }
    }
}
