using Godwit.Store.Etcd;
using Godwit.Store.Etcd.Wire;
using Google.Protobuf;

namespace Godwit.Store.Tests.Etcd;

/// <summary>An etcd that others write to as well.</summary>
[Trait("Needs", "etcd")]
public sealed class EtcdForeignTests : IAsyncLifetime
{
    private readonly TemporaryFolder folder = new();
    private readonly CancellationTokenSource bound = new(TimeSpan.FromMinutes(2));
    private EtcdMemberProcess member = null!;
    private EtcdRevisionStore store = null!;

    public async ValueTask InitializeAsync()
    {
        member = EtcdMemberProcess.Alone(folder.FullPath);
        member.Start();
        store = await EtcdRevisionStore.OpenAsync(new EtcdStoreOptions(EtcdAddress.Parse($"etcd://{member}")), bound.Token);
    }

    public async ValueTask DisposeAsync()
    {
        if (store is not null)
        {
            await store.DisposeAsync();
            await member.DisposeAsync();
        }

        bound.Dispose();
        folder.Dispose();
    }

    [Fact]
    public async Task What_others_write_takes_revisions_and_nothing_else()
    {
        await using var others = await EtcdRevisionStore.OpenAsync(new EtcdStoreOptions(EtcdAddress.Parse($"etcd://{member}/others")), bound.Token);
        await using var batches = store.WatchAsync("", 1, bound.Token).GetAsyncEnumerator(bound.Token);
        Assert.Equal(2, (await others.CreateAsync("a", new byte[1], bound.Token)).Revision);
        Assert.Equal(3, (await store.CreateAsync("a", new byte[1], bound.Token)).Revision);
        var last = (await others.CreateAsync("b", new byte[1], bound.Token)).Revision;
        var (told, seen) = (new List<StoreEvent>(), 0L);
        while (seen < last && await batches.MoveNextAsync())
        {
            told.AddRange(batches.Current.Events);
            seen = batches.Current.Revision;
        }

        Assert.Equal([(3L, "a")], told.Select(change => (change.Revision, change.Item.Key)));
        var list = await store.ListAsync(new StoreListQuery(""), bound.Token);
        Assert.Equal((last, 1), (list.Revision, list.Items.Count));
    }

    [Fact]
    public async Task Several_keys_of_ours_changed_at_once_by_somebody_else_send_watchers_to_list_again()
    {
        var before = (await store.CreateAsync("a", new byte[1], bound.Token)).Revision;
        await using var batches = store.WatchAsync("", before, bound.Token).GetAsyncEnumerator(bound.Token);
        Assert.True(await batches.MoveNextAsync());
        var next = batches.MoveNextAsync().AsTask();

        using var members = new EtcdMembers(new EtcdStoreOptions(EtcdAddress.Parse($"etcd://{member}")));
        var both = new TxnRequest();
        foreach (var key in (string[])["/godwit/x", "/godwit/y"])
        {
            both.Success.Add(new RequestOp { RequestPut = new PutRequest { Key = ByteString.CopyFromUtf8(key), Value = ByteString.CopyFromUtf8("by hand") } });
        }

        await members.Current.Keys.TxnAsync(both, cancellationToken: bound.Token);
        await Assert.ThrowsAsync<StoreCompactedException>(() => next);
        var list = await store.ListAsync(new StoreListQuery(""), bound.Token);
        Assert.Equal(["a", "x", "y"], list.Items.Select(item => item.Key));
        Assert.Equal("by hand", System.Text.Encoding.ASCII.GetString(list.Items[1].Value.Span));
        await using var again = store.WatchAsync("", list.Revision, bound.Token).GetAsyncEnumerator(bound.Token);
        Assert.True(await again.MoveNextAsync());
        await store.DeleteAsync("x", list.Items[1].ModRevision, bound.Token);
        Assert.True(await again.MoveNextAsync());
        Assert.Equal("x", Assert.Single(again.Current.Events).Item.Key);
    }
}
