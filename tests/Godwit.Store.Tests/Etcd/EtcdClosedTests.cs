using Godwit.Store.Etcd;
using Godwit.Store.Etcd.Wire;
using Grpc.Core;

namespace Godwit.Store.Tests.Etcd;

/// <summary>Calls that come when the store is closed already, and its connections are gone: a caller may be anywhere when that happens.</summary>
public sealed class EtcdClosedTests
{
    private static CancellationToken Stopping => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_call_that_comes_after_the_end_is_told_that_the_store_is_closed()
    {
        var members = Closed();

        var write = await Assert.ThrowsAsync<StoreUnavailableException>(
            () => members.WriteAsync("write to", (member, call) => member.Keys.TxnAsync(new TxnRequest(), call), Stopping));
        var read = await Assert.ThrowsAsync<StoreUnavailableException>(
            () => members.AskAsync("read", (member, call) => member.Keys.RangeAsync(new RangeRequest(), call), TimeSpan.FromSeconds(1), Stopping));

        Assert.Equal((StoreFault.Closed, StoreFault.Closed), (write.Fault, read.Fault));
    }

    [Fact]
    public async Task A_watch_that_begins_after_the_end_ends_in_the_words_of_a_call()
    {
        var members = Closed();
        var log = new EtcdLog(members, new EtcdKeys("/godwit"));

        await using var stretches = log.ReadAsync(members.Current, 1, Stopping).GetAsyncEnumerator(Stopping);

        Assert.Equal(StatusCode.Cancelled, (await Assert.ThrowsAsync<RpcException>(async () => await stretches.MoveNextAsync())).StatusCode);
    }

    private static EtcdMembers Closed()
    {
        var members = new EtcdMembers(new EtcdStoreOptions(EtcdAddress.Parse("etcd://127.0.0.1:9")));
        members.Close();
        members.Dispose();
        return members;
    }
}
