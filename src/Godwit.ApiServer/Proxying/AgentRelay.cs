using System.Net;
using System.Net.WebSockets;
using System.Text;
using System.Text.Json.Nodes;
using Godwit.Api;
using Godwit.Api.Machinery;
using Godwit.ApiServer.Requests;
using Godwit.ApiServer.Resources;
using Godwit.Store;

namespace Godwit.ApiServer.Proxying;

/// <summary>Passes a client's request on to the agent of a node, as a request with an answer or as a WebSocket both ways.</summary>
internal sealed class AgentRelay(IRevisionStore store, ServedResources resources, AgentClient agents, TimeProvider clock)
{
    /// <summary>As much of an agent's reason as is passed on.</summary>
    private const int RefusalBytesMax = 2048;

    private static readonly TimeSpan CloseTimeout = TimeSpan.FromSeconds(2);

    private readonly ServedResource? nodes = resources.Find("", "v1", "nodes");

    /// <summary>Where a node's agent listens.</summary>
    /// <exception cref="StatusException">There is no such node, or it does not say.</exception>
    public async Task<AgentAddress> FindAsync(ApiRequest request, string node)
    {
        var found = nodes is null ? null : await store.GetAsync(nodes.Key("", node), request.Stopping);
        if (found is not { } item)
        {
            throw StatusException.Conflict(request.Info.Subject, $"there is no Node \"{node}\" any more, on which it ran");
        }

        return AddressOf(nodes!.Form.Decode(item.Value.Span, item.ModRevision))
            ?? throw StatusException.ServiceUnavailable($"Node \"{node}\" does not say where its agent listens (annotation {AnnotationNames.AgentEndpoint})");
    }

    /// <summary>Where a Node says that its agent listens; null when it does not.</summary>
    public static AgentAddress? AddressOf(JsonObject node) =>
        node.TextAt("metadata", "name") is { } name && ParseEndpoint(node.TextAt("metadata", "annotations", AnnotationNames.AgentEndpoint)) is { } endpoint ? new AgentAddress(name, endpoint) : null;

    /// <summary>Sends a request without a body, and the answer to the client as it comes.</summary>
    public async Task PassOnAsync(ApiRequest request, HttpMethod method, AgentAddress agent, string pathAndQuery)
    {
        using var response = await AskAsync(request, agent, () => agents.SendAsync(agent, method, pathAndQuery, request.Stopping));
        if (!response.IsSuccessStatusCode)
        {
            throw await RefusalOfAsync(request, agent, response);
        }

        request.PrepareAnswer((int)response.StatusCode, response.Content.Headers.ContentType?.ToString() ?? "text/plain");
        await request.Http.Response.StartAsync(request.Stopping);
        await CopyAsync(request, response);
    }

    /// <summary>A guest's log that is followed: when the guest has moved it goes on with what the guest printed since it arrived.</summary>
    public async Task FollowAsync(ApiRequest request, GuestAddress guest, Func<Task<GuestAddress?>> find, string pathAndQuery)
    {
        await PassOnAsync(request, HttpMethod.Get, guest.Agent, pathAndQuery);
        var follower = new GuestFollower(find, guest, clock);
        while (await follower.NextAsync(mayStay: false, OpenAsync, request.Stopping) is { } response)
        {
            using (response)
            {
                await CopyAsync(request, response);
            }
        }

        async Task<HttpResponseMessage?> OpenAsync(GuestAddress there, bool moved)
        {
            var opened = await agents.SendAsync(there.Agent, HttpMethod.Get, $"/vm/{there.Uid}/log?follow=true", request.Stopping);
            if (opened.IsSuccessStatusCode)
            {
                return opened;
            }

            opened.Dispose();
            return null;
        }
    }

    private static async Task CopyAsync(ApiRequest request, HttpResponseMessage response)
    {
        await using var body = await response.Content.ReadAsStreamAsync(request.Stopping);
        var buffer = new byte[16 * 1024];
        while (await body.ReadAsync(buffer, request.Stopping) is var count and > 0)
        {
            // Each piece goes on at once: a followed log is read as it is written.
            await request.Http.Response.Body.WriteAsync(buffer.AsMemory(0, count), request.Stopping);
            await request.Http.Response.Body.FlushAsync(request.Stopping);
        }
    }

    /// <summary>Joins the client's WebSocket to one of the agent's. The agent's is opened first, so that its refusal is still an answer.</summary>
    /// <param name="request">The client's request for an upgrade.</param>
    /// <param name="agent">The agent.</param>
    /// <param name="pathAndQuery">The path there, and its query.</param>
    /// <param name="protocols">The subprotocols that may be spoken, best first; a client that names none speaks the first.</param>
    public Task JoinAsync(ApiRequest request, AgentAddress agent, string pathAndQuery, params IReadOnlyList<string> protocols) =>
        JoinAsync(request, agent, pathAndQuery, null, protocols);

    /// <summary>The same for a guest's console, which goes along when the guest moves, and survives the restart of an agent.</summary>
    public Task JoinGuestAsync(ApiRequest request, GuestAddress guest, Func<Task<GuestAddress?>> find, string protocol)
    {
        var follower = new GuestFollower(find, guest, clock);

        // On the node that the guest moved to its log begins with its arrival, so from there nothing is missed or told twice.
        Task<WebSocket?> NextAsync(bool broke, CancellationToken stopping) => follower.NextAsync<WebSocket>(
            broke, async (there, moved) => await agents.OpenAsync(there.Agent, $"/vm/{there.Uid}/console{(moved ? "?from=start" : "")}", protocol, stopping), stopping);
        return JoinAsync(request, guest.Agent, $"/vm/{guest.Uid}/console{request.Http.Request.QueryString}", NextAsync, [protocol]);
    }

    private async Task JoinAsync(
        ApiRequest request, AgentAddress agent, string pathAndQuery, Func<bool, CancellationToken, Task<WebSocket?>>? next, IReadOnlyList<string> protocols)
    {
        var sockets = request.Http.WebSockets;
        if (!sockets.IsWebSocketRequest)
        {
            throw StatusException.BadRequest($"{request.Info.Subresource} is a stream: ask for the upgrade to a WebSocket");
        }

        var asked = sockets.WebSocketRequestedProtocols;
        var chosen = asked.Count == 0 ? protocols[0] : protocols.FirstOrDefault(asked.Contains)
            ?? throw StatusException.BadRequest($"{request.Info.Subresource} speaks the WebSocket subprotocol {string.Join(" or ", protocols)}");
        var far = await AskAsync(request, agent, () => agents.OpenAsync(agent, pathAndQuery, chosen, request.Stopping));
        using var near = await sockets.AcceptWebSocketAsync(asked.Count > 0 ? chosen : null);
        await ConsoleRelay.RunAsync(near, far, next, clock, request.Stopping);
    }

    /// <summary>Joins the client's SPDY connection to the agent, byte by byte: what is spoken above it they settle between them.</summary>
    public async Task TunnelAsync(ApiRequest request, AgentAddress agent, string pathAndQuery)
    {
        using var response = await AskAsync(request, agent, () => agents.UpgradeAsync(agent, pathAndQuery, SpdyTunnel.ProtocolsOf(request), request.Stopping));
        if (response.StatusCode != HttpStatusCode.SwitchingProtocols)
        {
            throw await RefusalOfAsync(request, agent, response);
        }

        await using var far = await response.Content.ReadAsStreamAsync(request.Stopping);
        await using var near = await SpdyTunnel.AcceptAsync(request, response.Headers.TryGetValues(AgentClient.StreamProtocolHeader, out var chosen) ? [.. chosen] : []);
        await SpdyTunnel.RunAsync(near, far, clock, request.Stopping);
    }

    /// <summary>
    /// Joins the bytes of the client's WebSocket to the agent's SPDY connection: kubectl carries that one inside of a WebSocket.
    /// </summary>
    public async Task TunnelSocketAsync(ApiRequest request, AgentAddress agent, string pathAndQuery, string tunnelProtocol, string protocol)
    {
        var sockets = request.Http.WebSockets;
        if (!sockets.IsWebSocketRequest || !sockets.WebSocketRequestedProtocols.Contains(tunnelProtocol))
        {
            throw StatusException.BadRequest($"{request.Info.Subresource} is a stream: ask for the upgrade to a WebSocket with the subprotocol {tunnelProtocol}");
        }

        using var response = await AskAsync(request, agent, () => agents.UpgradeAsync(agent, pathAndQuery, [protocol], request.Stopping));
        if (response.StatusCode != HttpStatusCode.SwitchingProtocols)
        {
            throw await RefusalOfAsync(request, agent, response);
        }

        await using var far = await response.Content.ReadAsStreamAsync(request.Stopping);
        using var socket = await SpdyTunnel.AcceptSocketAsync(request, tunnelProtocol);
        await using var near = WebSocketStream.Create(socket, WebSocketMessageType.Binary, CloseTimeout);
        await SpdyTunnel.RunAsync(near, far, clock, request.Stopping);
    }

    /// <summary>An agent says in plain words why it does not: they become the answer's. That it has no such guest is a matter of time (it moved, or ended), so no "not found".</summary>
    private static async Task<StatusException> RefusalOfAsync(ApiRequest request, AgentAddress agent, HttpResponseMessage response)
    {
        await using var body = await response.Content.ReadAsStreamAsync(request.Stopping);
        var buffer = new byte[RefusalBytesMax];
        var words = Encoding.UTF8.GetString(buffer, 0, await body.ReadAtLeastAsync(buffer, buffer.Length, throwOnEndOfStream: false, request.Stopping)).Trim();
        return response.StatusCode switch
        {
            HttpStatusCode.BadRequest when words.Length > 0 => StatusException.BadRequest(words),
            HttpStatusCode.Conflict or HttpStatusCode.NotFound when words.Length > 0 => StatusException.Conflict(request.Info.Subject, words),
            var code => StatusException.BadGateway($"the agent of node {agent.Node} answered for {request.Info.Namespace}/{request.Info.Name} with HTTP {(int)code}: {words}"),
        };
    }

    private static async Task<T> AskAsync<T>(ApiRequest request, AgentAddress agent, Func<Task<T>> ask)
    {
        try
        {
            return await ask();
        }
        catch (Exception error) when (error is HttpRequestException or WebSocketException)
        {
            throw StatusException.BadGateway($"the agent of node {agent.Node} at {agent.Endpoint.Host}:{agent.Endpoint.Port} did not answer for {request.Info.Namespace}/{request.Info.Name}: {Base.ErrorChain.Describe(error)}", error);
        }
    }

    private static DnsEndPoint? ParseEndpoint(string? text) =>
        Uri.TryCreate("tcp://" + text, UriKind.Absolute, out var uri) && uri.Port > 0 ? new DnsEndPoint(uri.DnsSafeHost, uri.Port) : null;
}
