using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;
using System.Text.Json.Nodes;
using Godwit.Api.Core.V1;
using Godwit.Api.Machinery;
using Godwit.ApiServer;
using Godwit.Client;
using Godwit.Networks.Addressing;
using Godwit.Store;

namespace Godwit.App.Roles;

/// <summary>
/// Where pods reach a server: at the service <c>kubernetes</c>, whose address is the first of the services', and behind it at an address of the server's own.
/// <para>A server that listens on the loopback alone, as on one host, listens besides at the guests' gateway, which is on that host and which its agent makes later. Addresses are
/// those that the cluster was made with, which the options of a later start need not name: they are read from the store.</para>
/// </summary>
/// <param name="ServiceAddress">The first of the services': what the server's certificate has to cover.</param>
/// <param name="Endpoint">Where pods reach this server itself; null: nowhere.</param>
/// <param name="IsLater">Whether this host gets that address only when its agent runs.</param>
internal sealed record ServerPlace(IPAddress ServiceAddress, IPEndPoint? Endpoint, bool IsLater)
{
    private static readonly ResourceKey SettingsKey = new("kube-system", "godwit-network");

    public static async Task<ServerPlace> FindAsync(ServerRoleOptions options, IRevisionStore store, ResourceRegistry registry, CancellationToken stopping)
    {
        var stored = await StoredObjects.FindAsync(store, registry, ConfigMap.Type, SettingsKey.Namespace, SettingsKey.Name, stopping);
        return For(options, stored?.ObjectAt("data"), HostAddresses());
    }

    /// <param name="options">What the server is told.</param>
    /// <param name="stored">The network as the cluster was made with it; null at its first start.</param>
    /// <param name="host">Addresses of this host, best first.</param>
    internal static ServerPlace For(ServerRoleOptions options, JsonObject? stored, IEnumerable<IPAddress> host)
    {
        var guests = Ipv4Network.TryParse(stored?.TextAt("cidr"), out var made) ? made : options.Network.Network;
        var services = Ipv4Network.TryParse(stored?.TextAt("serviceCidr"), out var given) ? given : stored is null ? options.Network.ServiceNetwork : Ipv4Network.Parse(ClusterNetworkSettings.ServiceNetworkDefault);
        if (options.IsWithAgent)
        {
            var gateway = IPAddress.TryParse(stored?.TextAt("gateway"), out var named) && named.AddressFamily == AddressFamily.InterNetwork ? named : guests.FirstUsable;
            return new ServerPlace(services.FirstUsable, new IPEndPoint(gateway, options.Listen[0].Port), IsLater: true);
        }

        var wishes = options.AdvertisedNames.Select(name => IPAddress.TryParse(name, out var address) ? address : null).Append(options.UnderlayAddress)
            .Concat(options.Listen.Select(endpoint => endpoint.Address)).Concat(host.Where(address => !guests.Contains(address)));
        return new ServerPlace(services.FirstUsable, wishes.OfType<IPAddress>().Where(IsReachable).Select(address => EndpointAt(options.Listen, address)).OfType<IPEndPoint>().FirstOrDefault(), IsLater: false);
    }

    private static bool IsReachable(IPAddress address) => address.AddressFamily == AddressFamily.InterNetwork && !IPAddress.IsLoopback(address) && !address.Equals(IPAddress.Any);

    /// <summary>The port at which this address is listened at; null when it is not.</summary>
    private static IPEndPoint? EndpointAt(IReadOnlyList<IPEndPoint> listening, IPAddress address) =>
        listening.FirstOrDefault(each => each.Address.Equals(address) || each.Address.Equals(IPAddress.Any) || each.Address.Equals(IPAddress.IPv6Any)) is { } found ? new IPEndPoint(address, found.Port) : null;

    private static List<IPAddress> HostAddresses() =>
    [
        .. NetworkInterface.GetAllNetworkInterfaces()
            .Where(link => link.OperationalStatus == OperationalStatus.Up)
            .OrderByDescending(link => link.GetIPProperties().GatewayAddresses.Count > 0)
            .SelectMany(link => link.GetIPProperties().UnicastAddresses)
            .Select(address => address.Address),
    ];
}
