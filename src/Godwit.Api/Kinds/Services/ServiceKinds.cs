using System.Globalization;
using System.Text.Json.Nodes;
using Godwit.Api.Machinery;
using Godwit.Api.Machinery.Schemas;

namespace Godwit.Api.Kinds.Services;

/// <summary>Services, and the places behind them.</summary>
internal static class ServiceKinds
{
    private const string None = "<none>";
    private const int EndpointsShownMax = 3;

    public static ResourceDefinition ServiceDefinition { get; } = new()
    {
        Group = "",
        Version = "v1",
        Kind = "Service",
        Plural = "services",
        Singular = "service",
        ShortNames = ["svc"],
        Categories = ["all"],
        Namespaced = true,
        HasStatus = true,
        RefusesUnknownFields = true,
        Schema = ServiceSchemas.Service,
        Strategy = new ServiceStrategy(),
        Columns =
        [
            Columns.Text("Type", "Where it can be reached.", "spec", "type"),
            Columns.Computed("Cluster-IP", "Its address in the cluster.", service => service.TextAt("spec", "clusterIP") ?? None),
            Columns.Computed("External-IP", "Its addresses outside.", ExternalAddresses),
            Columns.Computed("Port(s)", "Its ports, and those of the nodes.", Ports),
            Columns.Age(),
            Columns.Computed("Selector", "What is behind it.", service => LabelsOf(service.ObjectAt("spec", "selector")), priority: 1),
        ],
        SelectableFields = Fields.Of(("spec.clusterIP", ["spec", "clusterIP"]), ("spec.type", ["spec", "type"])),
    };

    public static ResourceDefinition EndpointsDefinition { get; } = new()
    {
        Group = "",
        Version = "v1",
        Kind = "Endpoints",
        Plural = "endpoints",
        Singular = "endpoints",
        ShortNames = ["ep"],
        Namespaced = true,
        Schema = ServiceSchemas.Endpoints,
        Strategy = new EndpointsStrategy(),
        Columns = [Columns.Computed("Endpoints", "The places that are ready.", ReadyPlaces), Columns.Age()],
    };

    public static ResourceDefinition EndpointSliceDefinition { get; } = new()
    {
        Group = "discovery.k8s.io",
        Version = "v1",
        Kind = "EndpointSlice",
        Plural = "endpointslices",
        Singular = "endpointslice",
        Namespaced = true,
        Schema = DiscoverySchemas.EndpointSlice,
        Strategy = new EndpointSliceStrategy(),
        Columns =
        [
            Columns.Text("AddressType", "The family of the addresses.", "addressType"),
            Columns.Computed("Ports", "The ports.", slice => Some((slice.ArrayAt("ports") ?? []).Select(port => JsonAccess.AsInt64(port.At("port"))?.ToString(CultureInfo.InvariantCulture) ?? "*"), "<unset>")),
            Columns.Computed("Endpoints", "The places.", slice => Some((slice.ArrayAt("endpoints") ?? []).SelectMany(place => (place.ArrayAt("addresses") ?? []).Select(address => JsonAccess.AsText(address) ?? "")), "<unset>")),
            Columns.Age(),
        ],
    };

    /// <summary>Labels as <c>a=b,c=d</c>.</summary>
    public static string LabelsOf(JsonObject? labels) =>
        labels is null or { Count: 0 } ? None : string.Join(',', labels.OrderBy(label => label.Key, StringComparer.Ordinal).Select(label => $"{label.Key}={JsonAccess.AsText(label.Value)}"));

    private static string ExternalAddresses(JsonObject service)
    {
        var given = (service.ArrayAt("spec", "externalIPs") ?? []).Select(JsonAccess.AsText);
        switch (service.TextAt("spec", "type"))
        {
            case "ExternalName":
                return service.TextAt("spec", "externalName") ?? None;
            case "LoadBalancer":
                var all = string.Join(',', (service.ArrayAt("status", "loadBalancer", "ingress") ?? []).Select(place => place.TextAt("ip") ?? place.TextAt("hostname")).Concat(given));
                return all.Length == 0 ? "<pending>" : all;
            default:
                var text = string.Join(',', given);
                return text.Length == 0 ? None : text;
        }
    }

    private static string Ports(JsonObject service)
    {
        var ports = (service.ArrayAt("spec", "ports") ?? []).Select(port =>
        {
            var node = JsonAccess.AsInt64(port.At("nodePort")) is { } number and not 0 ? string.Create(CultureInfo.InvariantCulture, $":{number}") : "";
            return string.Create(CultureInfo.InvariantCulture, $"{JsonAccess.AsInt64(port.At("port"))}{node}/{port.TextAt("protocol") ?? "TCP"}");
        });
        var text = string.Join(',', ports);
        return text.Length == 0 ? None : text;
    }

    private static string ReadyPlaces(JsonObject endpoints) => Some(
        from subset in endpoints.ArrayAt("subsets") ?? []
        from port in subset.ArrayAt("ports") is { Count: > 0 } ports ? ports.Select(port => string.Create(CultureInfo.InvariantCulture, $":{JsonAccess.AsInt64(port.At("port"))}")) : [""]
        from address in subset.ArrayAt("addresses") ?? []
        select address.TextAt("ip") + port,
        None);

    private static string Some(IEnumerable<string> items, string nothing)
    {
        var all = items.ToList();
        return all.Count == 0 ? nothing
            : all.Count <= EndpointsShownMax ? string.Join(',', all)
            : string.Create(CultureInfo.InvariantCulture, $"{string.Join(',', all.Take(EndpointsShownMax))} + {all.Count - EndpointsShownMax} more...");
    }
}
