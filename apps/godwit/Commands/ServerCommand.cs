using System.CommandLine;
using System.Net;
using Godwit.App.Roles;

namespace Godwit.App.Commands;

/// <summary><c>godwit server</c>: the control plane of a cluster of hosts.</summary>
internal static class ServerCommand
{
    public const int PortDefault = 6443;

    public static Command Create()
    {
        var shared = new HostOptions();
        var listen = new Option<string[]>("--listen") { Description = $"ADDRESS:PORT or PORT to serve the API on; may be repeated (default {PortDefault})." };
        var advertise = new Option<string[]>("--advertise") { Description = "Name or address that clients and agents use; may be repeated, the first goes into kubeconfigs (default this host's name)." };
        var underlay = new Option<string?>("--underlay-address") { Description = "This host's address among the nodes: then the server joins the guests' network and watches moves from outside." };
        var cidr = new Option<string?>("--guest-network") { Description = $"Addresses for guests, decided at first start (default {ClusterNetworkSettings.CidrDefault})." };
        var networkId = new Option<int>("--guest-network-id") { Description = "VXLAN network identifier of the guests' network, decided at first start.", DefaultValueFactory = _ => ClusterNetworkSettings.NetworkIdDefault };
        var command = new Command("server", """
            Runs the control plane: Kubernetes-style API, controllers, store.

            The first start makes a certificate authority, the admin's kubeconfig and a token with which nodes join, all below --data.
              godwit server --advertise 192.0.2.10
              godwit agent --server https://192.0.2.10:6443 --token-file bootstrap-token --ca-file ca.crt   (on each node)
            """)
        { shared.Data, listen, advertise, underlay, cidr, networkId, shared.LogFormat, shared.LogLevel };
        command.SetAction(async (parsed, stopping) =>
        {
            var places = shared.PlacesFrom(parsed);
            using var loggers = shared.LoggersFrom(parsed);
            var listenTexts = parsed.GetValue(listen) is { Length: > 0 } given ? given : [PortDefault.ToString(System.Globalization.CultureInfo.InvariantCulture)];
            var options = new ServerRoleOptions
            {
                DataFolder = places.ServerFolder,
                KubeconfigPath = places.KubeconfigPath,
                Listen = [.. listenTexts.Select(text => HostOptions.EndPoint("--listen", text))],
                AdvertisedNames = parsed.GetValue(advertise) is { Length: > 0 } names ? names : [Dns.GetHostName()],
                UnderlayAddress = HostOptions.Address("--underlay-address", parsed.GetValue(underlay)),
                Network = ClusterNetworkSettings.For(parsed.GetValue(cidr), parsed.GetValue(networkId), HostOptions.Address("--underlay-address", parsed.GetValue(underlay))),
                LinkPrefix = places.LinkPrefix,
            };
            await ServerRole.RunAsync(options, loggers, stopping);
            return 0;
        });
        return command;
    }
}
