using System.Net;
using Godwit.Api.Core.V1;
using Godwit.Api.Kinds;
using Godwit.Api.Machinery;
using Godwit.ApiServer;
using Godwit.App.Clusters;
using Godwit.App.Roles;
using Godwit.Cli;
using Godwit.Client;
using Godwit.Store;
using Microsoft.Extensions.Logging.Abstractions;

namespace Godwit.App.Tests.Roles;

public sealed class ClusterNetworkSettingsTests
{
    private static readonly ResourceKey Key = new("kube-system", "godwit-network");

    private static CancellationToken Stopping => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(null, "10.77.0.1", "10.77.255.254")]
    [InlineData("10.5.6.16/28", "10.5.6.17", "10.5.6.30")]
    [InlineData("10.0.0.0/8", "10.0.0.1", "10.255.255.254")]
    public void Gateway_and_observer_have_the_ends_of_the_guests_network_from_the_start(string? cidr, string gateway, string observer)
    {
        var data = ClusterNetworkSettings.For(cidr, 77, IPAddress.Parse("192.0.2.7")).Fresh();

        Assert.Equal((gateway, observer), (data["gateway"], data["observer"]));
        Assert.Equal((cidr ?? "10.77.0.0/16", "192.0.2.7"), (data["cidr"], data["members"]));
    }

    [Theory]
    [InlineData("10.77.0.0/29", 77)]
    [InlineData("10.0.0.0/7", 77)]
    [InlineData("10.77.0.1/16", 77)]
    [InlineData("fd00::/64", 77)]
    [InlineData("guests", 77)]
    [InlineData(null, 0)]
    [InlineData(null, 0x100_0000)]
    public void What_makes_no_network_is_a_wrong_command_line(string? cidr, int networkId) =>
        Assert.Equal(ExitCodes.Usage, Assert.Throws<CliException>(() => ClusterNetworkSettings.For(cidr, networkId, null)).ExitCode);

    [Fact]
    public void Of_several_servers_one_is_the_networks_member()
    {
        var member = ClusterNetworkSettings.For(null, 77, IPAddress.Parse("192.0.2.7"));
        var other = ClusterNetworkSettings.For(null, 77, null);
        Assert.Equal(("192.0.2.7", "192.0.2.7"), (member.Members("", hasOtherServers: true), member.Members("192.0.2.7", hasOtherServers: true)));
        Assert.Equal(("192.0.2.7", ""), (other.Members("192.0.2.7", hasOtherServers: true), other.Members("192.0.2.7", hasOtherServers: false)));
        var refusal = Assert.Throws<ClusterException>(() => member.Members("192.0.2.8", hasOtherServers: true));
        Assert.Contains("192.0.2.8 joins the guests' network already", refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_network_is_decided_once_and_only_the_servers_membership_changes_later()
    {
        var folder = Directory.CreateTempSubdirectory($"godwit-app-{Environment.ProcessId}-");
        await using var server = await ApiServerHost.StartAsync(
            new ApiServerOptions
            {
                DataFolder = folder.FullName,
                Store = new MemoryRevisionStore(),
                Registry = new ResourceRegistry(BuiltInKinds.All),
                Listen = [new IPEndPoint(IPAddress.Loopback, 0)],
                Loggers = NullLoggerFactory.Instance,
            },
            Stopping);
        using var cluster = new ClusterClient(Kubeconfig.Parse(server.AdminKubeconfig, folder.FullName, "the test's"), TimeProvider.System, NullLogger<ClusterClient>.Instance);

        await ClusterNetworkSettings.For("10.80.0.0/16", 80, null).EnsureAsync(cluster, hasOtherServers: false, Stopping);
        await ClusterNetworkSettings.For("10.81.0.0/16", 81, IPAddress.Parse("192.0.2.7")).EnsureAsync(cluster, hasOtherServers: false, Stopping);

        var data = (await cluster.For<ConfigMap>().FindAsync(Key, Stopping))!.Data;
        Assert.Equal(("10.80.0.0/16", "10.80.255.254", "80", "192.0.2.7"), (data["cidr"], data["observer"], data["vni"], data["members"]));
        folder.Delete(recursive: true);
    }
}
