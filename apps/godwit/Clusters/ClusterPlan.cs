using System.Globalization;
using Godwit.Networks.Labs;

namespace Godwit.App.Clusters;

/// <summary>One process to run: its name, the command line after the program, and the namespace it runs in (null: this host).</summary>
internal sealed record PlannedProcess(string Name, IReadOnlyList<string> Arguments, string? NamespaceName);

/// <summary>
/// What <c>up</c> will start, worked out before anything is touched. The lab is made of exactly the separate parts that a
/// cluster of hosts is made of: one <c>godwit server</c>, and one <c>godwit agent</c> a node.
/// </summary>
internal static class ClusterPlan
{
    public const string ServerName = "server";

    /// <summary>Control plane and agent in one process on this host.</summary>
    public static IReadOnlyList<PlannedProcess> ForOneHost(Places places, int port, string nodeName) =>
    [
        new(ServerName, ["up", "--foreground", "--instance", places.Instance, "--data", places.DataFolder, "--images", places.ImagesFolder, "--port", Text(port), "--node-name", nodeName], null),
    ];

    public static IReadOnlyList<PlannedProcess> ForLab(Places places, LabNetwork lab, int nodes, int port) =>
    [
        new(ServerName,
        [
            "server", "--instance", places.Instance, "--data", places.DataFolder, "--listen", $"127.0.0.1:{Text(port)}", "--listen", $"{lab.HostAddress}:{Text(port)}",
            "--advertise", "127.0.0.1", "--advertise", lab.HostAddress.ToString(), "--underlay-address", lab.HostAddress.ToString(),
            "--guest-network", ClusterNumber.GuestNetwork(lab.Subnet).ToString(), "--service-network", ClusterNumber.ServiceNetwork(lab.Subnet).ToString(), "--guest-network-id", Text(ClusterNumber.GuestNetworkId(lab.Subnet)),
        ], null),
        .. Enumerable.Range(1, nodes).Select(number => ForNode(places, lab, number, port)),
    ];

    private static PlannedProcess ForNode(Places places, LabNetwork lab, int number, int port) => new(
        LabNetwork.NodeName(number),
        [
            "agent", "--node-name", LabNetwork.NodeName(number), "--instance", $"{places.Instance}", "--data", places.AgentFolder(LabNetwork.NodeName(number)),
            "--images", places.ImagesFolder, "--server", $"https://{lab.HostAddress}:{Text(port)}",
            "--token-file", places.BootstrapTokenPath, "--ca-file", places.AuthorityPath, "--underlay-address", lab.NodeAddress(number).ToString(),
        ],
        lab.NamespaceName(number));

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
