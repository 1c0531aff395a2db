using Godwit.Containers;
using Godwit.DockerApi.Mapping;
using Godwit.DockerApi.Serving;
using Godwit.DockerApi.Wire;
using Godwit.Networks.Containers;

namespace Godwit.DockerApi.Endpoints;

/// <summary>The networks that containers join.</summary>
internal sealed class NetworkEndpoints(EngineServices services)
{
    private readonly NetworkEngine networks = services.Containers.Networks;

    public IEnumerable<Endpoint> List() =>
    [
        new("GET", "networks", ListAsync),
        new("GET", "networks/{id}", exchange => exchange.WriteJsonAsync(Find(exchange.Name), DockerJson.Default.NetworkBody)),
        new("POST", "networks/create", CreateAsync),
        new("POST", "networks/prune", PruneAsync),
        new("POST", "networks/{id}/connect", ConnectAsync),
        new("POST", "networks/{id}/disconnect", DisconnectAsync),
        new("DELETE", "networks/{id}", RemoveAsync),
    ];

    private NetworkBody Find(string name) => BuiltInNetworks.Find(name) ?? Write(networks.Get(name));

    private NetworkBody Write(ContainerNetwork network) => NetworkWriter.Write(network, networks.ListMembers(network.Id));

    private async Task ListAsync(Exchange exchange)
    {
        var filters = exchange.Filters().Allow("driver", "id", "label", "name", "scope", "type", "dangling");
        var dangling = filters.Flag("dangling");
        var used = services.Containers.List().SelectMany(container => container.Endpoints.Values.Select(endpoint => endpoint.NetworkId)).ToHashSet(StringComparer.Ordinal);
        var all = networks.List().Select(Write).Concat(BuiltInNetworks.All).Where(network =>
            filters.Fits("driver", driver => network.Driver == driver)
            && filters.Fits("id", id => network.Id.StartsWith(id, StringComparison.Ordinal))
            && filters.Fits("name", name => network.Name.Contains(name.Trim('^', '$'), StringComparison.Ordinal))
            && filters.Fits("scope", scope => scope is "local")
            && filters.Fits("type", type => type == (IsMade(network) ? "custom" : "builtin"))
            && filters.FitsLabels(network.Labels)
            && (dangling is null || dangling == (IsMade(network) && !used.Contains(network.Id))));
        await exchange.WriteJsonAsync([.. all], DockerJson.Default.IReadOnlyListNetworkBody);
    }

    private bool IsMade(NetworkBody network) => BuiltInNetworks.Find(network.Id) is null && !networks.List().Any(one => one.Id == network.Id && one.IsDefault);

    private async Task CreateAsync(Exchange exchange)
    {
        var request = NetworkWriter.Read(await exchange.RequireJsonAsync(DockerJson.Default.CreateNetworkBody));
        var made = await networks.CreateAsync(request, exchange.Stopping);
        Tell("create", made);
        await exchange.WriteJsonAsync(201, new CreateNetworkAnswer(made.Id, ""), DockerJson.Default.CreateNetworkAnswer);
    }

    private async Task RemoveAsync(Exchange exchange)
    {
        RefuseBuiltIn(exchange.Name, "removed");
        var network = networks.Get(exchange.Name);
        await networks.RemoveAsync(network.Id, CancellationToken.None);
        Tell("destroy", network);
        await exchange.EndAsync(204);
    }

    private async Task ConnectAsync(Exchange exchange)
    {
        var body = await exchange.RequireJsonAsync(DockerJson.Default.ConnectBody);
        RefuseBuiltIn(exchange.Name, "connected to");
        await services.Containers.ConnectAsync(body.Container ?? "", NetworkReader.ReadEndpoint(networks.Get(exchange.Name).Name, body.EndpointConfig), exchange.Stopping);
        await exchange.EndAsync(200);
    }

    private async Task DisconnectAsync(Exchange exchange)
    {
        var body = await exchange.RequireJsonAsync(DockerJson.Default.DisconnectBody);
        RefuseBuiltIn(exchange.Name, "disconnected from");
        await services.Containers.DisconnectAsync(body.Container ?? "", networks.Get(exchange.Name).Name, body.Force, exchange.Stopping);
        await exchange.EndAsync(200);
    }

    private async Task PruneAsync(Exchange exchange)
    {
        var filters = exchange.Filters().Allow("until", "label", "label!");
        var before = filters["until"] is [var until, ..] ? Moments.ParseAgo("until", until, services.Time.GetUtcNow()) : (DateTimeOffset?)null;
        var wanted = services.Containers.List().SelectMany(container => container.Endpoints.Values.Select(endpoint => endpoint.NetworkId)).ToHashSet(StringComparer.Ordinal);
        var removed = await networks.PruneAsync(network => !network.IsDefault && !wanted.Contains(network.Id) && (before is null || network.CreatedAt < before) && filters.FitsLabels(network.Labels), exchange.Stopping);
        await exchange.WriteJsonAsync(new PruneNetworksAnswer(removed), DockerJson.Default.PruneNetworksAnswer);
    }

    private static void RefuseBuiltIn(string name, string what)
    {
        if (BuiltInNetworks.Find(name) is { } network)
        {
            throw new DockerException(403, $"{network.Name} is a pre-defined network and cannot be {what}");
        }
    }

    private void Tell(string action, ContainerNetwork network) =>
        services.Containers.Events.Add("network", action, network.Id, new Dictionary<string, string>(StringComparer.Ordinal) { ["name"] = network.Name, ["type"] = "bridge" });
}
