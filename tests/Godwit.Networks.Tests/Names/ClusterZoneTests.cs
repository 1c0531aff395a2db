using System.Net;
using Godwit.Networks.Addressing;
using Godwit.Networks.Names;

namespace Godwit.Networks.Tests.Names;

public sealed class ClusterZoneTests
{
    private static readonly ClusterZone Zone = new(
        new ServiceNames
        {
            Targets = new Dictionary<string, IReadOnlyList<ServiceTarget>> { ["_http._tcp.web.shop.svc.cluster.local"] = [new(80, "web.shop.svc.cluster.local")] },
            Aliases = new Dictionary<string, string>
            {
                ["one.shop.svc.cluster.local"] = "two.shop.svc.cluster.local",
                ["two.shop.svc.cluster.local"] = "db.example.com",
                ["here.shop.svc.cluster.local"] = "there.shop.svc.cluster.local",
                ["there.shop.svc.cluster.local"] = "here.shop.svc.cluster.local",
            },
        },
        "cluster.local",
        Ipv4Network.Parse("10.77.0.0/16"));

    [Fact]
    public void A_named_port_is_found_with_its_type_and_its_parent_is_there()
    {
        var record = Assert.Single(Found("_http._tcp.web.shop.svc.cluster.local", DnsType.Srv));
        Assert.Equal(new ServiceTarget(80, "web.shop.svc.cluster.local"), Assert.IsType<DnsRecord.Service>(record).Target);
        Assert.Empty(Found("_http._tcp.web.shop.svc.cluster.local", DnsType.A));
        Assert.Empty(Found("_tcp.web.shop.svc.cluster.local", DnsType.Srv));
        Assert.IsType<ZoneAnswer.NoSuchName>(Zone.Answer("_https._tcp.web.shop.svc.cluster.local", DnsType.Srv));
    }

    [Fact]
    public void An_alias_is_followed_inside_and_then_outside_and_a_circle_ends()
    {
        var elsewhere = Assert.IsType<ZoneAnswer.Elsewhere>(Zone.Answer("one.shop.svc.cluster.local", DnsType.A));
        Assert.Equal((2, "db.example.com"), (elsewhere.Records.Count, elsewhere.Target));
        Assert.Single(Found("one.shop.svc.cluster.local", DnsType.Cname));
        Assert.Equal(8, Found("here.shop.svc.cluster.local", DnsType.A).Count);
    }

    [Theory]
    [InlineData("10-77-0-5.shop.pod.cluster.local", "10.77.0.5")]
    [InlineData("10-78-0-5.shop.pod.cluster.local", null)]
    [InlineData("10-77-0-256.shop.pod.cluster.local", null)]
    [InlineData("10-77-0.shop.pod.cluster.local", null)]
    [InlineData("10-77-0-5.pod.cluster.local", null)]
    [InlineData("a.10-77-0-5.shop.pod.cluster.local", null)]
    [InlineData("", null)]
    public void A_pod_is_called_by_its_address(string name, string? address)
    {
        if (address is null)
        {
            Assert.IsType<ZoneAnswer.NoSuchName>(Zone.Answer(name, DnsType.A));
        }
        else
        {
            Assert.Equal(IPAddress.Parse(address), Assert.IsType<DnsRecord.Host>(Assert.Single(Found(name, DnsType.A))).Address);
            Assert.Empty(Found(name, DnsType.Aaaa));
        }
    }

    private static IReadOnlyList<DnsRecord> Found(string name, DnsType type) => Assert.IsType<ZoneAnswer.Found>(Zone.Answer(name, type)).Records;
}
