using Godwit.Store.Caching;
using Godwit.Store.Conformance;
using Godwit.Store.Sqlite;

namespace Godwit.Store.Tests;

/// <summary>A feed that remembers two events: nearly everything that a watch is told comes from the log.</summary>
internal static class Forgetful
{
    public static EventFeedLimits Limits { get; } = new(EventsMax: 2, BytesMax: 1024, BatchEventsMax: 2);
}

public class MemoryFixture : StoreFixture
{
    protected virtual EventFeedLimits Limits => EventFeedLimits.Default;

    public override ValueTask<IRevisionStore> CreateAsync() => ValueTask.FromResult<IRevisionStore>(new MemoryRevisionStore(Limits));

    public override ValueTask<IRevisionStore> ReopenAsync() => throw new NotSupportedException("A store in memory does not outlive its object.");

    public override ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        return ValueTask.CompletedTask;
    }
}

public sealed class MemoryForgetfulFixture : MemoryFixture
{
    protected override EventFeedLimits Limits => Forgetful.Limits;
}

public class SqliteFixture : StoreFixture
{
    private readonly TemporaryFolder folder = new();

    protected virtual SqliteStoreOptions Options => new(folder.File("store.db"));

    public override ValueTask<IRevisionStore> CreateAsync() => ValueTask.FromResult<IRevisionStore>(SqliteRevisionStore.Open(Options));

    public override ValueTask<IRevisionStore> ReopenAsync() => CreateAsync();

    public override ValueTask DisposeAsync()
    {
        folder.Dispose();
        GC.SuppressFinalize(this);
        return ValueTask.CompletedTask;
    }
}

public sealed class SqliteForgetfulFixture : SqliteFixture
{
    protected override SqliteStoreOptions Options => base.Options with { FeedLimits = Forgetful.Limits, CompactionStepRevisions = 3, ReadersMax = 1 };
}

/// <summary>A cache over the store in memory; all keys are one group, so that every list may come from the image.</summary>
public sealed class CachedMemoryFixture : MemoryFixture
{
    public override async ValueTask<IRevisionStore> CreateAsync() =>
        new CachingRevisionStore(await base.CreateAsync(), new CacheOptions { GroupSegments = 0 });
}

/// <summary>A cache over a store that forgets, with groups: most lists of the kit go past it, and the rest must not notice.</summary>
public sealed class CachedSqliteFixture : SqliteFixture
{
    protected override SqliteStoreOptions Options => base.Options with { FeedLimits = Forgetful.Limits, CompactionStepRevisions = 3 };

    public override async ValueTask<IRevisionStore> CreateAsync() =>
        new CachingRevisionStore(await base.CreateAsync(), new CacheOptions { GroupSegments = 1 });
}

internal sealed class TemporaryFolder : IDisposable
{
    public string FullPath { get; } = Directory.CreateTempSubdirectory($"godwit-store-{Environment.ProcessId}-").FullName;

    public string File(string name) => Path.Combine(FullPath, name);

    public void Dispose() => Directory.Delete(FullPath, recursive: true);
}
