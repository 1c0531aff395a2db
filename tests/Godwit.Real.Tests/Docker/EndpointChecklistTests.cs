using System.Net.Sockets;
using System.Text;
using System.Text.Json.Nodes;

namespace Godwit.Real.Tests.Docker;

/// <summary>Every endpoint of the Docker Engine API 1.48: served, or refused by its name.</summary>
[Trait("Needs", "root")]
public sealed class EndpointChecklistTests
{
    private const string NoContainer = "No such container: nobody";
    private const string Swarm = "a swarm is not supported by godwit";
    private const string Plugin = "a plugin is not supported by godwit";

    /// <summary>Each with the status that it must answer and a part of what it must say.</summary>
    private static readonly (string Method, string Path, int Status, string Says)[] Served =
    [
        ("GET", "_ping", 200, "OK"), ("HEAD", "_ping", 200, ""), ("GET", "version", 200, "MinAPIVersion"), ("GET", "info", 200, "OSType"), ("GET", "system/df", 200, "LayersSize"),
        ("GET", "events?since=1&until=2", 200, ""), ("POST", "auth", 404, "no default registry"),
        ("GET", "containers/json?all=1", 200, "["), ("POST", "containers/create", 400, "no image"), ("POST", "containers/prune", 200, "SpaceReclaimed"),
        ("GET", "containers/nobody/json", 404, NoContainer), ("GET", "containers/nobody/top", 404, NoContainer), ("GET", "containers/nobody/logs?stdout=1", 404, NoContainer),
        ("GET", "containers/nobody/changes", 404, NoContainer), ("GET", "containers/nobody/export", 404, NoContainer), ("GET", "containers/nobody/stats?stream=0", 404, NoContainer),
        ("POST", "containers/nobody/resize?h=1&w=1", 404, NoContainer), ("POST", "containers/nobody/start", 404, NoContainer), ("POST", "containers/nobody/stop", 404, NoContainer),
        ("POST", "containers/nobody/restart", 404, NoContainer), ("POST", "containers/nobody/kill", 404, NoContainer), ("POST", "containers/nobody/update", 404, NoContainer),
        ("POST", "containers/nobody/rename?name=x", 404, NoContainer), ("POST", "containers/nobody/pause", 404, NoContainer), ("POST", "containers/nobody/unpause", 404, NoContainer),
        ("POST", "containers/nobody/attach?stream=1", 404, NoContainer), ("POST", "containers/nobody/wait", 404, NoContainer), ("DELETE", "containers/nobody", 404, NoContainer),
        ("HEAD", "containers/nobody/archive?path=/", 404, ""), ("GET", "containers/nobody/archive?path=/", 404, NoContainer), ("PUT", "containers/nobody/archive?path=/", 404, NoContainer),
        ("POST", "containers/nobody/exec", 400, "No exec command"), ("POST", "exec/nobody/start", 404, "nobody"), ("POST", "exec/nobody/resize?h=1&w=1", 404, "nobody"), ("GET", "exec/nobody/json", 404, "nobody"),
        ("GET", "images/json", 200, "["), ("POST", "build", 400, ""), ("POST", "build/prune", 200, "SpaceReclaimed"), ("POST", "images/create?fromImage=unnamed&tag=1", 404, "no default registry"),
        ("GET", "images/nobody/json", 404, "No such image"), ("GET", "images/nobody/history", 404, "No such image"), ("POST", "images/nobody/push?tag=1", 404, "No such image"),
        ("POST", "images/nobody/tag?repo=x", 404, "No such image"), ("DELETE", "images/nobody", 404, "No such image"), ("POST", "images/prune", 200, "SpaceReclaimed"), ("POST", "commit?container=nobody", 404, NoContainer),
        ("GET", "images/nobody/get", 404, "No such image"), ("GET", "images/get?names=nobody", 404, "No such image"), ("POST", "images/load", 400, ""),
        ("GET", "networks", 200, "bridge"), ("GET", "networks/nobody", 404, "network nobody not found"), ("DELETE", "networks/nobody", 404, "network nobody not found"), ("POST", "networks/create", 400, "name"),
        ("POST", "networks/nobody/connect", 404, "network nobody not found"), ("POST", "networks/nobody/disconnect", 404, "network nobody not found"), ("POST", "networks/prune", 200, ""),
        ("GET", "volumes", 200, "Volumes"), ("POST", "volumes/create", 201, "local"), ("GET", "volumes/nobody", 404, "no such volume"), ("PUT", "volumes/nobody", 501, "not supported"),
        ("DELETE", "volumes/nobody", 404, "no such volume"), ("POST", "volumes/prune", 200, "SpaceReclaimed"), ("GET", "plugins", 200, "[]"),
    ];

    private static readonly (string Method, string Path, string Says)[] Refused =
    [
        ("POST", "session", "DOCKER_BUILDKIT=0"), ("POST", "grpc", "DOCKER_BUILDKIT=0"), ("POST", "build/cancel?id=x", "BuildKit"), ("GET", "distribution/nobody/json", "describing an image at its registry"), ("GET", "images/search?term=x", "searching a registry"),
        ("GET", "containers/nobody/attach/ws", "WebSocket"), ("GET", "containers/nobody/checkpoints", "a checkpoint"), ("POST", "containers/nobody/checkpoints", "a checkpoint"),
        ("DELETE", "containers/nobody/checkpoints/x", "a checkpoint"), ("GET", "swarm", Swarm), ("POST", "swarm/init", Swarm), ("POST", "swarm/join", Swarm), ("POST", "swarm/leave", Swarm),
        ("POST", "swarm/update", Swarm), ("GET", "swarm/unlockkey", Swarm), ("POST", "swarm/unlock", Swarm), ("GET", "nodes", Swarm), ("GET", "nodes/x", Swarm), ("DELETE", "nodes/x", Swarm), ("POST", "nodes/x/update", Swarm),
        ("GET", "services", Swarm), ("POST", "services/create", Swarm), ("GET", "services/x", Swarm), ("DELETE", "services/x", Swarm), ("POST", "services/x/update", Swarm), ("GET", "services/x/logs", Swarm),
        ("GET", "tasks", Swarm), ("GET", "tasks/x", Swarm), ("GET", "tasks/x/logs", Swarm), ("GET", "secrets", Swarm), ("POST", "secrets/create", Swarm), ("GET", "secrets/x", Swarm), ("DELETE", "secrets/x", Swarm),
        ("POST", "secrets/x/update", Swarm), ("GET", "configs", Swarm), ("POST", "configs/create", Swarm), ("GET", "configs/x", Swarm), ("DELETE", "configs/x", Swarm), ("POST", "configs/x/update", Swarm),
        ("GET", "plugins/privileges?remote=x", Plugin), ("POST", "plugins/pull", Plugin), ("GET", "plugins/x/json", Plugin), ("DELETE", "plugins/x", Plugin), ("POST", "plugins/x/enable", Plugin),
        ("POST", "plugins/x/disable", Plugin), ("POST", "plugins/x/upgrade", Plugin), ("POST", "plugins/create", Plugin), ("POST", "plugins/x/push", Plugin), ("POST", "plugins/x/set", Plugin),
    ];

    [Fact]
    public async Task Every_endpoint_is_served_or_refused_by_its_name()
    {
        await using var lab = await DockerLab.OpenAsync();
        using var http = Connect(lab.Socket);
        foreach (var (method, path, status, says) in Served.Concat(Refused.Select(row => (row.Method, row.Path, 501, row.Says))))
        {
            foreach (var version in new[] { "", "v1.24/", "v1.48/" })
            {
                using var request = new HttpRequestMessage(new HttpMethod(method), version + path);
                if (method is "POST" or "PUT")
                {
                    request.Content = new StringContent("{}", Encoding.UTF8, "application/json");
                }

                using var answer = await http.SendAsync(request, TestContext.Current.CancellationToken);
                var text = await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
                Assert.True((int)answer.StatusCode == status && text.Contains(says, StringComparison.OrdinalIgnoreCase), $"{method} /{version}{path}: {(int)answer.StatusCode} {text}");
                if (status >= 400 && method is not "HEAD")
                {
                    Assert.NotEmpty(JsonNode.Parse(text)!["message"]!.GetValue<string>());
                }
            }
        }
    }

    /// <summary>HTTP over the engine's socket.</summary>
    internal static HttpClient Connect(string socket) => new(new SocketsHttpHandler
    {
        ConnectCallback = async (_, stopping) =>
        {
            var line = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            await line.ConnectAsync(new UnixDomainSocketEndPoint(socket), stopping);
            return new NetworkStream(line, ownsSocket: true);
        },
    })
    {
        BaseAddress = new Uri("http://docker/"),
        Timeout = TimeSpan.FromMinutes(1),
    };
}
