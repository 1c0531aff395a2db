using Godwit.DockerApi.Serving;

namespace Godwit.DockerApi.Endpoints;

/// <summary>All that is served.</summary>
internal static class EndpointList
{
    public static IReadOnlyList<Endpoint> Of(EngineServices services) =>
    [
        .. new SystemEndpoints(services).List(),
        .. new EventEndpoints(services).List(),
        .. new ContainerEndpoints(services).List(),
        .. new ContainerReportEndpoints(services).List(),
        .. new ContainerStreamEndpoints(services).List(),
        .. new ContainerFileEndpoints(services).List(),
        .. new ExecutionEndpoints(services).List(),
        .. new ImageEndpoints(services).List(),
        .. new ImageTransferEndpoints(services).List(),
        .. new BuildEndpoints(services).List(),
        .. new NetworkEndpoints(services).List(),
        .. new VolumeEndpoints(services).List(),
        .. MissingEndpoints.List(),
    ];
}

/// <summary>Parts of Docker that are not here: each says so by its name.</summary>
internal static class MissingEndpoints
{
    private const string BuildKit = "BuildKit (docker buildx): build with DOCKER_BUILDKIT=0 in the environment, or with 'godwit build'; its protocol";

    private static readonly (string Path, string What)[] Missing =
    [
        ("swarm", "a swarm"), ("swarm/{rest*}", "a swarm"), ("nodes", "a swarm"), ("nodes/{rest*}", "a swarm"), ("services", "a swarm"), ("services/{rest*}", "a swarm"), ("tasks", "a swarm"),
        ("tasks/{rest*}", "a swarm"), ("secrets", "a swarm"), ("secrets/{rest*}", "a swarm"), ("configs", "a swarm"), ("configs/{rest*}", "a swarm"),
        ("plugins/{rest*}", "a plugin"), ("session", BuildKit), ("grpc", BuildKit), ("build/cancel", "cancelling a build by its id (BuildKit): ending the client ends its build; this"),
        ("images/search", "searching a registry"), ("distribution/{name*}/json", "describing an image at its registry"), ("volumes/{id}", "changing a volume (of a swarm)"),
        ("containers/{id}/checkpoints", "a checkpoint"), ("containers/{id}/checkpoints/{rest*}", "a checkpoint"),
        ("containers/{id}/attach/ws", "attaching by WebSocket"),
    ];

    private static readonly string[] Methods = ["GET", "HEAD", "POST", "PUT", "DELETE"];

    public static IEnumerable<Endpoint> List() =>
    [
        new Endpoint("GET", "plugins", exchange => exchange.WriteTextAsync("[]", Exchange.JsonType)),
        .. from missing in Missing
           from method in Methods
           select new Endpoint(method, missing.Path, _ => throw DockerException.NotSupported(missing.What)),
    ];
}
