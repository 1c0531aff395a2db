using System.Net;
using System.Text.Json.Nodes;
using Godwit.App.Roles;

namespace Godwit.App.Tests.Roles;

public sealed class ServerPlaceTests
{
    private static readonly IPAddress[] Host = [IPAddress.Loopback, IPAddress.IPv6Loopback, IPAddress.Parse("10.77.0.1"), IPAddress.Parse("198.51.100.4")];

    [Theory]
    [InlineData("127.0.0.1:6443", "127.0.0.1", null, null)]
    [InlineData("127.0.0.1:6443 10.66.0.254:6444", "127.0.0.1 10.66.0.254", null, "10.66.0.254:6444")]
    [InlineData("[::]:6443", "control.example", null, "198.51.100.4:6443")]
    [InlineData("[::]:6443", "192.0.2.10", null, "192.0.2.10:6443")]
    [InlineData("0.0.0.0:6443", "control.example", "192.0.2.7", "192.0.2.7:6443")]
    [InlineData("192.0.2.9:6443", "192.0.2.10", null, "192.0.2.9:6443")]
    public void Pods_reach_a_server_at_an_address_that_it_listens_at_and_that_is_not_the_loopback(string listen, string advertised, string? underlay, string? expected)
    {
        var place = ServerPlace.For(Options(listen, advertised, underlay), stored: null, Host);

        Assert.Equal(("10.96.0.1", expected, false), (place.ServiceAddress.ToString(), place.Endpoint?.ToString(), place.IsLater));
    }

    [Fact]
    public void On_one_host_it_is_the_guests_gateway_of_the_network_that_the_cluster_was_made_with()
    {
        var options = Options("127.0.0.1:7443", "127.0.0.1", null) with { IsWithAgent = true };
        var first = ServerPlace.For(options, stored: null, Host);
        var later = ServerPlace.For(options, new JsonObject { ["cidr"] = "10.80.0.0/16", ["gateway"] = "10.80.0.1", ["serviceCidr"] = "10.177.48.0/20" }, Host);

        Assert.Equal(("10.96.0.1", "10.77.0.1:7443", true), (first.ServiceAddress.ToString(), first.Endpoint?.ToString(), first.IsLater));
        Assert.Equal(("10.177.48.1", "10.80.0.1:7443", true), (later.ServiceAddress.ToString(), later.Endpoint?.ToString(), later.IsLater));
    }

    private static ServerRoleOptions Options(string listen, string advertised, string? underlay) => new()
    {
        DataFolder = "/data",
        Store = new StoreChoice.InFile("/data/store.db"),
        KubeconfigPath = "/data/kubeconfig",
        Listen = [.. listen.Split(' ').Select(text => IPEndPoint.Parse(text))],
        AdvertisedNames = advertised.Split(' '),
        UnderlayAddress = underlay is null ? null : IPAddress.Parse(underlay),
        Network = ClusterNetworkSettings.For(null, ClusterNetworkSettings.NetworkIdDefault, null),
        LinkPrefix = "gw",
    };
}
