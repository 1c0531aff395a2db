using Godwit.Store.Etcd;

namespace Godwit.Store.Tests.Etcd;

public sealed class EtcdAddressTests
{
    [Theory]
    [InlineData("etcd://localhost", "localhost:2379", "/godwit/")]
    [InlineData("etcd://a:1,b,192.0.2.1:3", "a:1 b:2379 192.0.2.1:3", "/godwit/")]
    [InlineData("etcd://[::1]:5,[2001:db8::1]/x/y/", "[::1]:5 [2001:db8::1]:2379", "/x/y/")]
    public void Members_and_prefix_are_read(string text, string members, string prefix)
    {
        var address = EtcdAddress.Parse(text);
        Assert.Equal((members, prefix), (string.Join(' ', address.Members.Select(EtcdAddress.Text)), address.Prefix));
        Assert.Equal(address.Prefix, EtcdAddress.Parse(address.ToString()).Prefix);
    }

    [Theory]
    [InlineData("http://a")]
    [InlineData("etcd://")]
    [InlineData("etcd://a,,b")]
    [InlineData("etcd://a:port")]
    [InlineData("etcd://a:99999")]
    [InlineData("etcd://user@a")]
    [InlineData("etcd://a?b")]
    [InlineData("etcd://a/pre fix")]
    public void What_is_no_address_is_refused(string text) => Assert.Throws<FormatException>(() => EtcdAddress.Parse(text));

    [Fact]
    public async Task Nothing_leaves_the_host_unencrypted_unless_that_was_asked_for()
    {
        var refusal = await Assert.ThrowsAsync<StoreUnavailableException>(() => EtcdRevisionStore.OpenAsync(new EtcdStoreOptions(EtcdAddress.Parse("etcd://127.0.0.1,192.0.2.1")), CancellationToken.None));
        Assert.Equal(StoreFault.AccessDenied, refusal.Fault);
        Assert.Contains("secrets would cross the network in the open", refusal.Message, StringComparison.Ordinal);
        Assert.True(EtcdAddress.Parse("etcd://127.0.0.1,localhost,[::1]").IsLoopback);
    }
}
