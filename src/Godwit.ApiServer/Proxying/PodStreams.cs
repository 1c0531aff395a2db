using System.Net;
using System.Net.WebSockets;
using System.Text;
using System.Text.Json.Nodes;
using Godwit.Api;
using Godwit.ApiServer.Requests;
using Godwit.ApiServer.Resources;
using Godwit.Store;
using Microsoft.AspNetCore.Http;

namespace Godwit.ApiServer.Proxying;

/// <summary>
/// A pod's <c>log</c>, <c>exec</c>, <c>attach</c> and <c>portforward</c>: they go on to the agent of its node as <c>/pod/UID/…</c>, with the client's query and the container that it means. What is a
/// WebSocket stays one, message by message, in the subprotocol that the agent chose.
/// </summary>
internal sealed class PodStreams(IRevisionStore store, ServedResources resources, AgentClient agents, TimeProvider clock)
{
    private const int RefusalBytesMax = 2048;
    private const string DefaultContainer = "kubectl.kubernetes.io/default-container";

    private static readonly string[] ContainerFields = ["containers", "initContainers", "ephemeralContainers"];
    private static readonly string[] Protocols = ["v5.channel.k8s.io", "v4.channel.k8s.io", "SPDY/3.1+portforward.k8s.io"];

    private readonly ServedResource? pods = resources.Find("", "v1", "pods");
    private readonly ServedResource? nodes = resources.Find("", "v1", "nodes");

    /// <summary>True for what stays open as long as its client wants.</summary>
    public static bool Handles(RequestInfo info) => info is { Group: "", Version: "v1", Resource: "pods", Subresource: "log" or "exec" or "attach" or "portforward" };

    public async Task HandleAsync(ApiRequest request)
    {
        if (pods is null || nodes is null)
        {
            throw StatusException.UnknownPath();
        }

        var (agent, uid, container) = await FindAsync(request, pods, nodes);
        var query = request.Http.Request.QueryString;
        if (request.Info.Subresource != "portforward" && request.Http.Request.Query["container"].Count == 0)
        {
            query = query.Add("container", container);
        }

        var path = $"/pod/{uid}/{request.Info.Subresource}{query}";
        if (request.Info.Subresource == "log")
        {
            await SendLogAsync(request, agent, path);
        }
        else
        {
            await JoinAsync(request, agent, path);
        }
    }

    private async Task SendLogAsync(ApiRequest request, AgentAddress agent, string path)
    {
        using var response = await AskAsync(request, agent, () => agents.SendAsync(agent, HttpMethod.Get, path, request.Stopping));
        await using var body = await response.Content.ReadAsStreamAsync(request.Stopping);
        var buffer = new byte[16 * 1024];
        if (!response.IsSuccessStatusCode)
        {
            var words = Encoding.UTF8.GetString(buffer, 0, await body.ReadAtLeastAsync(buffer.AsMemory(0, RefusalBytesMax), RefusalBytesMax, throwOnEndOfStream: false, request.Stopping)).Trim();
            throw response.StatusCode is HttpStatusCode.BadRequest or HttpStatusCode.Conflict
                ? StatusException.BadRequest(words)
                : StatusException.BadGateway($"the agent of node {agent.Node} answered with HTTP {(int)response.StatusCode}: {words}");
        }

        request.PrepareAnswer(StatusCodes.Status200OK, "text/plain");
        await request.Http.Response.StartAsync(request.Stopping);
        while (await body.ReadAsync(buffer, request.Stopping) is var count and > 0)
        {
            await request.Http.Response.Body.WriteAsync(buffer.AsMemory(0, count), request.Stopping);
            await request.Http.Response.Body.FlushAsync(request.Stopping);
        }
    }

    private async Task JoinAsync(ApiRequest request, AgentAddress agent, string path)
    {
        var sockets = request.Http.WebSockets;
        if (!sockets.IsWebSocketRequest)
        {
            throw StatusException.BadRequest("this stream is a WebSocket (kubectl 1.31 and later): ask for the upgrade");
        }

        var protocol = Protocols.FirstOrDefault(sockets.WebSocketRequestedProtocols.Contains)
            ?? throw StatusException.BadRequest($"this stream speaks the WebSocket subprotocols {string.Join(", ", Protocols)}");
        using var line = await AskAsync(request, agent, () => agents.OpenAsync(agent, path, protocol, request.Stopping));
        using var client = await sockets.AcceptWebSocketAsync(protocol);
        await ConsoleRelay.RunAsync(client, line, clock, request.Stopping);
    }

    private static async Task<T> AskAsync<T>(ApiRequest request, AgentAddress agent, Func<Task<T>> ask)
    {
        try
        {
            return await ask();
        }
        catch (Exception error) when (error is HttpRequestException or WebSocketException)
        {
            throw StatusException.BadGateway($"the agent of node {agent.Node} at {agent.Endpoint.Host}:{agent.Endpoint.Port} did not do it for {request.Info.Namespace}/{request.Info.Name}: {Base.ErrorChain.Describe(error)}", error);
        }
    }

    private async Task<(AgentAddress Agent, string Uid, string Container)> FindAsync(ApiRequest request, ServedResource kind, ServedResource hosts)
    {
        var item = await store.GetAsync(kind.Key(request.Info.Namespace, request.Info.Name), request.Stopping) ?? throw StatusException.NotFound(request.Info.Subject);
        var pod = kind.Form.Decode(item.Value.Span, item.ModRevision);
        if ((string?)pod["spec"]?["nodeName"] is not { Length: > 0 } node)
        {
            throw StatusException.BadRequest($"pod {request.Info.Name} does not have a host assigned");
        }

        var found = await store.GetAsync(hosts.Key("", node), request.Stopping) ?? throw StatusException.Conflict(request.Info.Subject, $"there is no Node \"{node}\" any more, on which it ran");
        var endpoint = (string?)hosts.Form.Decode(found.Value.Span, found.ModRevision)["metadata"]?["annotations"]?[AnnotationNames.AgentEndpoint];
        var address = Uri.TryCreate("tcp://" + endpoint, UriKind.Absolute, out var uri) && uri.Port > 0
            ? new DnsEndPoint(uri.DnsSafeHost, uri.Port)
            : throw StatusException.ServiceUnavailable($"Node \"{node}\" does not say where its agent listens (annotation {AnnotationNames.AgentEndpoint})");
        return (new AgentAddress(node, address), Meta.Of(pod).Uid, ContainerOf(request, pod));
    }

    /// <summary>The one that is meant when none is named: what the pod says, or the only one.</summary>
    private static string ContainerOf(ApiRequest request, JsonObject pod)
    {
        string[] names =
        [
            .. ContainerFields.SelectMany(field => (pod["spec"]?[field] as JsonArray ?? []).Select(container => (string?)container?["name"] ?? "")),
        ];
        if (request.Http.Request.Query["container"].ToString() is { Length: > 0 } named)
        {
            return names.Contains(named) ? named : throw StatusException.BadRequest($"container {named} is not valid for pod {request.Info.Name}");
        }

        if ((string?)pod["metadata"]?["annotations"]?[DefaultContainer] is { Length: > 0 } chosen && names.Contains(chosen))
        {
            return chosen;
        }

        var main = pod["spec"]?["containers"] as JsonArray ?? [];
        return main.Count == 1 || request.Info.Subresource == "portforward"
            ? names.FirstOrDefault() ?? ""
            : throw StatusException.BadRequest($"a container name must be specified for pod {request.Info.Name}, choose one of: [{string.Join(' ', names)}]");
    }
}
