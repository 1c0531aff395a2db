using System.Net;
using Godwit.Api.Discovery.V1;

namespace Godwit.Controllers.Services;

/// <summary>The service <c>kubernetes</c> in <c>default</c>, by which programs in pods reach the servers, and the places behind it.</summary>
internal sealed record ServerServicePlan(Service Service, Endpoints Endpoints, EndpointSlice? Slice);

/// <summary>
/// Makes it of the servers that are there. Servers that listen on another port than the first are told in the Endpoints alone: a slice has one set of ports,
/// and all servers of a cluster are meant to have one.
/// </summary>
internal static class ServerServicePlanner
{
    public const string Name = "kubernetes";
    public const int Port = 443;
    private const string PortName = "https";

    /// <param name="address">The service's: the first of its range.</param>
    /// <param name="servers">Where pods reach them.</param>
    public static ServerServicePlan For(string address, IEnumerable<IPEndPoint> servers)
    {
        var groups = servers.Distinct().GroupBy(server => server.Port).OrderByDescending(group => group.Count()).ThenBy(group => group.Key).Select(group => (Port: group.Key, Addresses: AddressesOf(group))).ToList();
        return new ServerServicePlan(
            ServiceAt(address, groups.Count > 0 ? groups[0].Port : null),
            new Endpoints
            {
                Metadata = MetadataOf(Name, new Dictionary<string, string>(StringComparer.Ordinal)),
                Subsets = [.. groups.Select(group => new EndpointSubset { Addresses = [.. group.Addresses.Select(ip => new EndpointAddress { Ip = ip })], Ports = [new EndpointPort { Name = PortName, Port = group.Port, Protocol = "TCP" }] })],
            },
            groups.Count == 0 ? null : SliceOf(groups[0].Port, groups[0].Addresses));
    }

    private static Service ServiceAt(string address, int? target) => new()
    {
        Metadata = MetadataOf(Name, new Dictionary<string, string>(StringComparer.Ordinal) { ["component"] = "apiserver", ["provider"] = "kubernetes" }),
        Spec = new ServiceSpec
        {
            Type = "ClusterIP",
            ClusterIP = address,
            ClusterIPs = [address],
            Ports = [new ServicePort { Name = PortName, Protocol = "TCP", Port = Port, TargetPort = new IntOrText(target ?? Port, null) }],
        },
    };

    private static EndpointSlice SliceOf(int port, IEnumerable<string> addresses) => new()
    {
        Metadata = MetadataOf(Name, new Dictionary<string, string>(StringComparer.Ordinal) { [EndpointPlanner.ServiceLabel] = Name, [EndpointPlanner.ManagerLabel] = EndpointPlanner.Manager }),
        AddressType = "IPv4",
        Endpoints = [.. addresses.Select(ip => new Endpoint { Addresses = [ip], Conditions = new EndpointConditions { Ready = true } })],
        Ports = [new SlicePort { Name = PortName, Protocol = "TCP", Port = port }],
    };

    private static ObjectMeta MetadataOf(string name, Dictionary<string, string> labels) => new() { Namespace = NamespaceNames.Default, Name = name, Labels = labels };

    private static List<string> AddressesOf(IEnumerable<IPEndPoint> servers) => [.. servers.Select(server => server.Address.ToString()).Order(StringComparer.Ordinal)];
}
