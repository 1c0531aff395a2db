using Godwit.Store.Caching;
using Godwit.Store.Conformance;
using Godwit.Store.Etcd;

namespace Godwit.Store.Tests.Etcd;

/// <summary>A real etcd for each test; reopening kills it and starts it again on its data.</summary>
public class EtcdFixture : StoreFixture
{
    private readonly TemporaryFolder folder = new();
    private EtcdMemberProcess? member;

    protected virtual EventFeedLimits Limits => EventFeedLimits.Default;

    public override async ValueTask<IRevisionStore> CreateAsync()
    {
        member = EtcdMemberProcess.Alone(folder.FullPath);
        member.Start();
        return await OpenAsync();
    }

    public override async ValueTask<IRevisionStore> ReopenAsync()
    {
        await member!.KillAsync();
        member.Start();
        return await OpenAsync();
    }

    public override async ValueTask DisposeAsync()
    {
        if (member is not null)
        {
            await member.DisposeAsync();
        }

        folder.Dispose();
        GC.SuppressFinalize(this);
    }

    protected virtual async ValueTask<IRevisionStore> OpenAsync() =>
        await EtcdRevisionStore.OpenAsync(new EtcdStoreOptions(EtcdAddress.Parse($"etcd://{member}")) { FeedLimits = Limits }, CancellationToken.None);
}

/// <summary>A feed that remembers two events: nearly everything that a watch is told comes from etcd's own history.</summary>
public sealed class EtcdForgetfulFixture : EtcdFixture
{
    protected override EventFeedLimits Limits => Forgetful.Limits;
}

/// <summary>As a server uses it.</summary>
public sealed class CachedEtcdFixture : EtcdFixture
{
    protected override async ValueTask<IRevisionStore> OpenAsync() =>
        new CachingRevisionStore(await base.OpenAsync(), new CacheOptions { GroupSegments = 0, KnowsRevision = false });
}
