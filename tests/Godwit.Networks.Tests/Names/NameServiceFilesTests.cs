using System.Net;
using Godwit.Linux.Networking;
using Godwit.Networks.Addressing;
using Godwit.Networks.Names;

namespace Godwit.Networks.Tests.Names;

public sealed class NameServiceFilesTests
{
    private static readonly NameServiceSettings Settings = new()
    {
        Folder = "/run/godwit/names",
        BridgeName = "gw-br",
        Network = Ipv4Network.Parse("10.244.0.0/16"),
        Gateway = IPAddress.Parse("10.244.0.1"),
        MtuBytes = 1450,
        Resolvers = [IPAddress.Parse("192.0.2.53")],
    };

    [Fact]
    public void The_configuration_is_this() => Assert.Equal(
        """
        user=dnsmasq
        interface=gw-br
        bind-dynamic
        except-interface=lo
        no-hosts
        addn-hosts=/run/godwit/names/names
        addn-hosts=/run/godwit/names/services
        dhcp-hostsfile=/run/godwit/names/leases
        domain=vm.cluster.local
        local=/vm.cluster.local/
        local=/cluster.local/
        servers-file=/run/godwit/names/servers
        local-ttl=1
        domain-needed
        bogus-priv
        cache-size=1000
        dns-forward-max=150
        dhcp-range=10.244.0.0,static,255.255.0.0,12h
        dhcp-ignore=tag:!known
        dhcp-authoritative
        no-ping
        leasefile-ro
        dhcp-option=option:router,10.244.0.1
        dhcp-option=option:dns-server,10.244.0.1
        dhcp-option=option:mtu,1450
        dhcp-option=option:domain-search,vm.cluster.local
        no-resolv
        server=192.0.2.53

        """,
        NameServiceFiles.BuildConfiguration(Settings, "dnsmasq"));

    [Fact]
    public void Tables_are_the_same_in_whatever_order_they_come()
    {
        var (first, second) = (new GuestLease(MacAddress.Parse("02:00:00:00:00:01"), IPAddress.Parse("10.244.0.5"), "web"), new GuestLease(MacAddress.Parse("02:00:00:00:00:02"), IPAddress.Parse("10.244.0.6"), "db"));
        GuestName[] names = [new("web.default", first.Address), new("db.default", second.Address)];
        const string Leases = "02:00:00:00:00:01,10.244.0.5,web\n02:00:00:00:00:02,10.244.0.6,db\n";
        Assert.Equal(Leases, NameServiceFiles.BuildLeases(new NameTable([first, second], names)));
        Assert.Equal(Leases, NameServiceFiles.BuildLeases(new NameTable([second, first], names)));
        Assert.Equal("10.244.0.6 db.default.vm.cluster.local\n10.244.0.5 web.default.vm.cluster.local\n", NameServiceFiles.BuildNames(Settings, new NameTable([], names)));
    }

    [Theory]
    [InlineData("")]
    [InlineData("web\n10.0.0.1 evil")]
    [InlineData("web,set:x")]
    [InlineData("Web")]
    [InlineData("-web")]
    [InlineData("web..default")]
    [InlineData("web default")]
    [InlineData("wéb")]
    [InlineData("a-label-that-is-longer-than-the-sixty-three-letters-that-it-may-have")]
    public void A_name_that_is_more_than_a_name_is_refused(string name)
    {
        Assert.Throws<ArgumentException>(() => NameServiceFiles.BuildNames(Settings, new NameTable([], [new GuestName(name, IPAddress.Loopback)])));
        Assert.Throws<ArgumentException>(() => NameServiceFiles.BuildServices(new ServiceNames { Hosts = [new HostName(name, IPAddress.Loopback)] }));
        Assert.Throws<ArgumentException>(() => NameServiceFiles.BuildLeases(new NameTable([new GuestLease(default, IPAddress.Loopback, name)], [])));
    }

    [Theory]
    [InlineData("relative")]
    [InlineData("/run/a\nuser=root")]
    public void A_folder_that_is_more_than_a_folder_is_refused(string folder) =>
        Assert.Throws<ArgumentException>(() => NameServiceFiles.BuildConfiguration(Settings with { Folder = folder }, "dnsmasq"));
}
