using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Godwit.Api.Core.V1;
using Godwit.Client;
using Godwit.Networks.Addressing;

namespace Godwit.Node.Networking;

/// <summary>The guests' network as the ConfigMap <c>kube-system/godwit-network</c> states it for the whole cluster.</summary>
internal sealed record ClusterNetwork
{
    public static readonly ResourceKey SettingsKey = new(Api.NamespaceNames.KubeSystem, "godwit-network");

    /// <summary>Where the settings say nothing; the controllers give addresses from there too.</summary>
    private const string ServiceRangeDefault = "10.96.0.0/16";

    public required Ipv4Network Network { get; init; }

    public required IPAddress Gateway { get; init; }

    /// <summary>The VXLAN network identifier.</summary>
    public required int NetworkId { get; init; }

    public required int MtuBytes { get; init; }

    /// <summary>Of guests' names.</summary>
    public required string Domain { get; init; }

    /// <summary>Of services' and pods' names.</summary>
    public required string ClusterDomain { get; init; }

    /// <summary>Underlay addresses of members that are no nodes.</summary>
    public required IReadOnlyList<IPAddress> Members { get; init; }

    /// <summary>The address from which the observer probes guests; given out to no guest.</summary>
    public required IPAddress ObserverAddress { get; init; }

    /// <summary>Where virtual addresses of services lie, those for load balancers too.</summary>
    public required IReadOnlyList<Ipv4Network> ServiceRanges { get; init; }

    /// <summary>Where those for load balancers lie; null when there are none.</summary>
    public required Ipv4Network? LoadBalancerRange { get; init; }

    /// <exception cref="FormatException">A value is missing or wrong; the message names its key.</exception>
    public static ClusterNetwork Parse(ConfigMap settings)
    {
        var network = Ipv4Network.TryParse(settings.Data.GetValueOrDefault("cidr"), out var parsed)
            ? parsed
            : throw Wrong(settings, "cidr", "is no IPv4 network such as 10.77.0.0/16");
        var (services, loadBalancers) = (Range(settings, "serviceCidr", ServiceRangeDefault), Range(settings, "loadBalancerCidr", ""));
        return new ClusterNetwork
        {
            Network = network,
            Gateway = Address(settings, "gateway") ?? network.FirstUsable,
            NetworkId = Number(settings, "vni", 77, 1, 16_777_215),
            MtuBytes = Number(settings, "mtu", 1450, 576, 65_000),
            Domain = settings.Data.GetValueOrDefault("domain") is { Length: > 0 } domain ? domain : "vm.cluster.local",
            ClusterDomain = settings.Data.GetValueOrDefault("clusterDomain") is { Length: > 0 } cluster ? cluster : "cluster.local",
            Members = ParseMembers(settings),
            ServiceRanges = [.. new[] { services, loadBalancers }.OfType<Ipv4Network>()],
            LoadBalancerRange = loadBalancers,
            ObserverAddress = Address(settings, "observer") ?? network.LastUsable,
        };
    }

    private static List<IPAddress> ParseMembers(ConfigMap settings)
    {
        var members = new List<IPAddress>();
        foreach (var text in (settings.Data.GetValueOrDefault("members") ?? "").Split([',', ' ', '\n'], StringSplitOptions.RemoveEmptyEntries))
        {
            members.Add(ParseAddress(text) ?? throw Wrong(settings, "members", $"has '{text}', which is no IPv4 address"));
        }

        return members;
    }

    private static Ipv4Network? Range(ConfigMap settings, string key, string otherwise)
    {
        var text = settings.Data.GetValueOrDefault(key) is { Length: > 0 } given ? given : otherwise;
        return text.Length == 0 ? null : Ipv4Network.TryParse(text, out var range) ? range : throw Wrong(settings, key, $"is no IPv4 network such as {ServiceRangeDefault}");
    }

    private static IPAddress? Address(ConfigMap settings, string key) =>
        settings.Data.GetValueOrDefault(key) is { Length: > 0 } text
            ? ParseAddress(text) ?? throw Wrong(settings, key, "is no IPv4 address")
            : null;

    private static IPAddress? ParseAddress(string text) =>
        IPAddress.TryParse(text, out var address) && address.AddressFamily == AddressFamily.InterNetwork ? address : null;

    private static int Number(ConfigMap settings, string key, int otherwise, int min, int max)
    {
        if (settings.Data.GetValueOrDefault(key) is not { Length: > 0 } text)
        {
            return otherwise;
        }

        return int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number >= min && number <= max
            ? number
            : throw Wrong(settings, key, $"is no number from {min} to {max}");
    }

    private static FormatException Wrong(ConfigMap settings, string key, string why) =>
        new($"'{settings.Data.GetValueOrDefault(key)}' under {key} in the ConfigMap {SettingsKey} {why}.");
}
