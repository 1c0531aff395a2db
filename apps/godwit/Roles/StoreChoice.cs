using Godwit.Store;
using Godwit.Store.Caching;
using Godwit.Store.Etcd;
using Godwit.Store.Sqlite;
using Microsoft.Extensions.Logging;

namespace Godwit.App.Roles;

/// <summary>Where a server's state lies: in a file of its own, or in an etcd that several servers share.</summary>
internal abstract record StoreChoice
{
    private StoreChoice()
    {
    }

    /// <summary>Opens it behind a cache of its newest state.</summary>
    public abstract Task<CachingRevisionStore> OpenAsync(TimeProvider time, ILoggerFactory loggers, CancellationToken stopping);

    /// <summary>A SQLite file, which one server holds.</summary>
    public sealed record InFile(string Path) : StoreChoice
    {
        public override Task<CachingRevisionStore> OpenAsync(TimeProvider time, ILoggerFactory loggers, CancellationToken stopping)
        {
            var options = new SqliteStoreOptions(Path) { Logger = loggers.CreateLogger<SqliteRevisionStore>() };
            return Task.FromResult(Cached(SqliteRevisionStore.Open(options), knowsRevision: true, time, loggers));
        }
    }

    public sealed record InEtcd(EtcdStoreOptions Options) : StoreChoice
    {
        public override async Task<CachingRevisionStore> OpenAsync(TimeProvider time, ILoggerFactory loggers, CancellationToken stopping)
        {
            var options = Options with { Time = time, Logger = loggers.CreateLogger<EtcdRevisionStore>() };
            return Cached(await EtcdRevisionStore.OpenAsync(options, stopping), knowsRevision: false, time, loggers);
        }
    }

    private static CachingRevisionStore Cached(IRevisionStore store, bool knowsRevision, TimeProvider time, ILoggerFactory loggers) =>
        new(store, new CacheOptions { KnowsRevision = knowsRevision, Time = time, Logger = loggers.CreateLogger<CachingRevisionStore>() });
}
