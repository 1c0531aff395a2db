using Godwit.Networks.Containers;

namespace Godwit.Networks.Tests.Containers;

public sealed class BridgeOptionTests
{
    private static readonly NetworkEngineOptions Options = new() { Folder = "/nowhere", RunFolder = "/nowhere", DevicePrefix = "gt", FilterTable = "gt", AddressPools = ["10.90.0.0/22,24"] };

    [Theory]
    [InlineData("com.docker.network.bridge.gateway_mode_ipv4", "routed")]
    [InlineData("com.docker.network.bridge.default_bridge", "true")]
    [InlineData("parent", "eth0")]
    public void An_option_without_a_meaning_here_is_refused_by_its_name(string name, string value) =>
        Assert.Contains($"'{name}'", Assert.Throws<NetworkException>(() => Plan((name, value))).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData("com.docker.network.bridge.enable_icc", "perhaps")]
    [InlineData("com.docker.network.bridge.enable_ip_masquerade", "")]
    [InlineData("com.docker.network.bridge.host_binding_ipv4", "nowhere")]
    [InlineData("com.docker.network.driver.mtu", "12")]
    [InlineData("com.docker.network.bridge.name", "a/b")]
    public void A_value_that_makes_no_sense_is_refused(string name, string value) => Assert.Throws<NetworkException>(() => Plan((name, value)));

    [Fact]
    public void Containers_that_are_not_to_meet_are_kept_apart_by_the_filter_too()
    {
        var rules = Rules(Plan(("com.docker.network.bridge.enable_icc", "false"), ("com.docker.network.bridge.name", "apart")));
        Assert.Contains("iifname \"apart\" oifname \"apart\" ct state new drop", rules, StringComparison.Ordinal);
        Assert.Contains("iifname \"apart\" oifname \"apart\" accept", Rules(Plan(("com.docker.network.bridge.name", "apart"))), StringComparison.Ordinal);
    }

    [Fact]
    public void Without_masquerading_they_go_out_under_their_own_addresses()
    {
        Assert.Contains("ip saddr 10.90.0.0/24 oifname != \"out\" masquerade", Rules(Plan(("com.docker.network.bridge.name", "out"))), StringComparison.Ordinal);
        Assert.DoesNotContain("oifname != \"out\" masquerade", Rules(Plan(("com.docker.network.bridge.name", "out"), ("com.docker.network.bridge.enable_ip_masquerade", "false"))), StringComparison.Ordinal);
    }

    [Fact]
    public void Six_is_turned_on_by_the_option_as_by_the_flag() => Assert.NotNull(Plan(("com.docker.network.enable_ipv6", "true")).RangeV6);

    [Fact]
    public void Pools_are_cut_without_clashes_with_networks_or_with_what_the_host_reaches()
    {
        var first = Plan();
        var second = NetworkPlanner.Plan(new ContainerNetworkRequest { Name = "b" }, Options, [first], [IpRange.Parse("10.90.1.128/25")], DateTimeOffset.UnixEpoch);
        Assert.Equal(("10.90.0.0/24", "10.90.2.0/24"), (first.Range.Subnet, second.Range.Subnet));
        var full = Assert.Throws<NetworkException>(() => NetworkPlanner.Plan(new ContainerNetworkRequest { Name = "c" }, Options, [first], [IpRange.Parse("10.90.0.0/16")], DateTimeOffset.UnixEpoch));
        Assert.Contains("all address pools have been used", full.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Ports_are_led_to_the_address_of_their_family_by_their_protocol()
    {
        var network = Plan(("com.docker.network.bridge.name", "out"));
        var rules = ContainerRules.Build("table", [network],
        [
            new PublishedTarget(new PortBinding(53, "udp", "::", 5353), "10.90.0.2", "fd00::2"),
            new PublishedTarget(new PortBinding(80, "tcp", "127.0.0.1", 8080), "10.90.0.2", "fd00::2"),
            new PublishedTarget(new PortBinding(80, "tcp", "::", 8081), "10.90.0.3", AddressV6: null),
        ]);
        Assert.Contains("meta nfproto ipv6 udp dport 5353 dnat ip6 to [fd00::2]:53", rules, StringComparison.Ordinal);
        Assert.Contains("ip daddr 127.0.0.1 tcp dport 8080 dnat ip to 10.90.0.2:80", rules, StringComparison.Ordinal);
        Assert.DoesNotContain("8081", rules, StringComparison.Ordinal);
    }

    private static ContainerNetwork Plan(params (string Name, string Value)[] options) => NetworkPlanner.Plan(
        new ContainerNetworkRequest { Name = "net", Options = options.ToDictionary(option => option.Name, option => option.Value, StringComparer.Ordinal) }, Options, [], [], DateTimeOffset.UnixEpoch);

    private static string Rules(ContainerNetwork network) => ContainerRules.Build("table", [network], []);
}
