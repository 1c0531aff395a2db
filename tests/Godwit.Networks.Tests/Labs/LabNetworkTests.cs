using System.Net;
using System.Net.NetworkInformation;
using Godwit.Linux.Netlink;
using Godwit.Linux.Networking;
using Godwit.Networks.Labs;

namespace Godwit.Networks.Tests.Labs;

[Trait("Needs", "root")]
public sealed class LabNetworkTests : IDisposable
{
    private readonly LabNetwork lab;

    public LabNetworkTests()
    {
        Assert.SkipUnless(Environment.UserName == "root", "needs root to make network namespaces: run ./test as root");
        var instance = $"l{Environment.ProcessId % 1_000_000}";
        lab = new LabNetwork(instance, LabNetwork.ChooseSubnet(instance));
    }

    [Fact]
    public async Task Nodes_reach_each_other_until_a_link_is_cut_and_again_when_it_is_restored()
    {
        lab.Ensure(2, LinkRate.Unlimited);
        lab.Ensure(2, new LinkRate(100_000_000)); // Again, with a rate: nothing is made twice.

        Assert.True(await PingAsync(1, lab.NodeAddress(2)));
        lab.SetConnected(2, false);
        Assert.False(await PingAsync(1, lab.NodeAddress(2)));
        lab.SetConnected(2, true);
        Assert.True(await PingAsync(1, lab.NodeAddress(2)));
    }

    [Fact]
    public void Nothing_is_left_when_it_is_removed()
    {
        lab.Ensure(2, new LinkRate(1_000_000_000));
        lab.Remove();
        lab.Remove();
        using var host = RouteSocket.Open(NetworkNamespace.Own);
        Assert.Null(host.FindLink(lab.BridgeName));
        Assert.DoesNotContain(lab.NamespaceName(1), NetworkNamespace.List());
        Assert.DoesNotContain(lab.NamespaceName(2), NetworkNamespace.List());
    }

    public void Dispose() => lab?.Remove();

    // A few tries: a bridge port needs a moment after its link came back.
    private async Task<bool> PingAsync(int from, IPAddress to)
    {
        var place = lab.Place(from);
        for (var attempt = 0; attempt < 8; attempt++)
        {
            using var ping = place.Run(() => new Ping());
            var reply = await Task.Run(() => place.Run(() => ping.Send(to, 250)), TestContext.Current.CancellationToken);
            if (reply.Status == IPStatus.Success)
            {
                return true;
            }
        }

        return false;
    }
}
