using System.Net;
using System.Net.WebSockets;
using System.Text;
using System.Text.Json.Nodes;
using Godwit.Api;
using Godwit.Api.Meta.V1;
using Godwit.ApiServer.Requests;
using Godwit.ApiServer.Resources;
using Godwit.Store;
using Microsoft.AspNetCore.Http;

namespace Godwit.ApiServer.Proxying;

/// <summary>
/// KubeVirt's <c>subresources.kubevirt.io/v1</c>: verbs of a virtual machine. Start, stop and restart change objects, and
/// controllers do the rest. Pause, unpause, console and log are about a running guest: they go on to the agent of its
/// node, as <c>/vm/UID/pause|unpause|console|log</c>.
/// </summary>
internal sealed class MachineSubresources(IRevisionStore store, ServedResources resources, ObjectWriter writer, AgentClient agents, TimeProvider clock)
{
    /// <summary>KubeVirt's console protocol: the bytes of the serial line, in binary messages.</summary>
    public const string ConsoleProtocol = "plain.kubevirt.io";

    /// <summary>As much of an agent's reason as is passed on.</summary>
    private const int RefusalBytesMax = 2048;

    private readonly ServedResource? machines = resources.Find(GroupName.KubeVirt, "v1", "virtualmachines");
    private readonly ServedResource? guests = resources.Find(GroupName.KubeVirt, "v1", "virtualmachineinstances");
    private readonly ServedResource? nodes = resources.Find("", "v1", "nodes");

    public static bool Handles(RequestInfo info) => info is { Group: GroupName.KubeVirtSubresources, Version: "v1" };

    /// <summary>True for what stays open as long as its client wants.</summary>
    public static bool IsStream(RequestInfo info) => Handles(info) && info.Subresource is "console" or "log";

    public async Task HandleAsync(ApiRequest request)
    {
        var info = request.Info;
        if (machines is null || guests is null || info.Namespace.Length == 0 || info.Name.Length == 0)
        {
            throw StatusException.UnknownPath();
        }

        switch (info.Resource, info.Subresource, request.Http.Request.Method)
        {
            case ("virtualmachines", "start", "PUT"):
                await SetRunningAsync(request, machines, running: true);
                break;
            case ("virtualmachines", "stop", "PUT"):
                await SetRunningAsync(request, machines, running: false);
                break;
            case ("virtualmachines", "restart", "PUT"):
                await RestartAsync(request, machines, guests);
                break;
            case ("virtualmachineinstances", "pause" or "unpause", "PUT"):
                await PassOnAsync(request, HttpMethod.Put, await FindGuestAsync(request, guests));
                break;
            case ("virtualmachineinstances", "log", "GET"):
                await PassOnAsync(request, HttpMethod.Get, await FindGuestAsync(request, guests));
                break;
            case ("virtualmachineinstances", "console", "GET" or "CONNECT"):
                await OpenConsoleAsync(request, await FindGuestAsync(request, guests));
                break;
            default:
                throw StatusException.UnknownPath();
        }
    }

    private async Task SetRunningAsync(ApiRequest request, ServedResource resource, bool running)
    {
        await writer.UpdateAsync(WriteContext.Of(request, resource) with { Subresource = "" }, found =>
        {
            var spec = found["spec"] as JsonObject ?? [];
            var already = spec["runStrategy"] is { } strategy ? (string?)strategy is "Always" or "RerunOnFailure" : (bool?)spec["running"] ?? false;
            if (already == running)
            {
                throw StatusException.Conflict(request.Info.Subject, running ? "VM is already running" : "VM is not running");
            }

            if (spec["runStrategy"] is null)
            {
                spec["running"] = running;
            }
            else
            {
                spec["runStrategy"] = running ? "Always" : "Halted";
            }

            return found;
        });
        request.PrepareAnswer(StatusCodes.Status202Accepted, "application/json");
    }

    /// <summary>Deletes the running incarnation; the controller makes the next one, since the machine still wants to run.</summary>
    private async Task RestartAsync(ApiRequest request, ServedResource machine, ServedResource guest)
    {
        var found = await store.GetAsync(machine.Key(request.Info.Namespace, request.Info.Name), request.Stopping) ?? throw StatusException.NotFound(request.Info.Subject);
        var spec = machine.Form.Decode(found.Value.Span, found.ModRevision)["spec"];
        if (((string?)spec?["runStrategy"]) == "Halted" || (spec?["runStrategy"] is null && (bool?)spec?["running"] != true))
        {
            throw StatusException.Conflict(request.Info.Subject, "VM is not running: start it instead");
        }

        try
        {
            await writer.DeleteAsync(WriteContext.Of(request, guest) with { Subresource = "" }, new DeleteOptions());
        }
        catch (StatusException error) when (error.Reason == "NotFound")
        {
            throw StatusException.Conflict(request.Info.Subject, "VM is not running yet: there is nothing to restart");
        }

        request.PrepareAnswer(StatusCodes.Status202Accepted, "application/json");
    }

    private async Task PassOnAsync(ApiRequest request, HttpMethod method, GuestAddress guest)
    {
        using var response = await AskAsync(request, guest, () =>
            agents.SendAsync(guest.Agent, method, $"/vm/{guest.Uid}/{request.Info.Subresource}{request.Http.Request.QueryString}", request.Stopping));
        if (!response.IsSuccessStatusCode)
        {
            throw await RefusalOfAsync(request, guest, response);
        }

        request.PrepareAnswer((int)response.StatusCode, response.Content.Headers.ContentType?.ToString() ?? "text/plain");
        await request.Http.Response.StartAsync(request.Stopping);
        await using var body = await response.Content.ReadAsStreamAsync(request.Stopping);
        var buffer = new byte[16 * 1024];
        while (await body.ReadAsync(buffer, request.Stopping) is var count and > 0)
        {
            // Each piece goes on at once: a followed log is read as it is written.
            await request.Http.Response.Body.WriteAsync(buffer.AsMemory(0, count), request.Stopping);
            await request.Http.Response.Body.FlushAsync(request.Stopping);
        }
    }

    /// <summary>An agent says in plain words why it does not: they become the answer's. That it has no such guest is a matter of time (it moved, or ended), so no "not found".</summary>
    private static async Task<StatusException> RefusalOfAsync(ApiRequest request, GuestAddress guest, HttpResponseMessage response)
    {
        await using var body = await response.Content.ReadAsStreamAsync(request.Stopping);
        var buffer = new byte[RefusalBytesMax];
        var words = Encoding.UTF8.GetString(buffer, 0, await body.ReadAtLeastAsync(buffer, buffer.Length, throwOnEndOfStream: false, request.Stopping)).Trim();
        return response.StatusCode is HttpStatusCode.Conflict or HttpStatusCode.NotFound && words.Length > 0
            ? StatusException.Conflict(request.Info.Subject, words)
            : StatusException.BadGateway($"the agent of node {guest.Agent.Node} answered for {request.Info.Namespace}/{request.Info.Name} with HTTP {(int)response.StatusCode}: {words}");
    }

    private async Task OpenConsoleAsync(ApiRequest request, GuestAddress guest)
    {
        var sockets = request.Http.WebSockets;
        if (!sockets.IsWebSocketRequest)
        {
            throw StatusException.BadRequest("the console is a WebSocket: ask for the upgrade");
        }

        if (sockets.WebSocketRequestedProtocols.Count > 0 && !sockets.WebSocketRequestedProtocols.Contains(ConsoleProtocol))
        {
            throw StatusException.BadRequest($"the console speaks the WebSocket subprotocol {ConsoleProtocol}");
        }

        using var agent = await AskAsync(request, guest, () =>
            agents.OpenAsync(guest.Agent, $"/vm/{guest.Uid}/console{request.Http.Request.QueryString}", ConsoleProtocol, request.Stopping));
        using var client = await sockets.AcceptWebSocketAsync(sockets.WebSocketRequestedProtocols.Count > 0 ? ConsoleProtocol : null);
        await ConsoleRelay.RunAsync(client, agent, clock, request.Stopping);
    }

    private static async Task<T> AskAsync<T>(ApiRequest request, GuestAddress guest, Func<Task<T>> ask)
    {
        try
        {
            return await ask();
        }
        catch (Exception error) when (error is HttpRequestException or WebSocketException)
        {
            throw StatusException.BadGateway($"the agent of node {guest.Agent.Node} at {guest.Agent.Endpoint.Host}:{guest.Agent.Endpoint.Port} did not answer for {request.Info.Namespace}/{request.Info.Name}: {Base.ErrorChain.Describe(error)}", error);
        }
    }

    /// <summary>The running guest and its node's agent.</summary>
    private async Task<GuestAddress> FindGuestAsync(ApiRequest request, ServedResource resource)
    {
        var item = await store.GetAsync(resource.Key(request.Info.Namespace, request.Info.Name), request.Stopping) ?? throw StatusException.NotFound(request.Info.Subject);
        var guest = resource.Form.Decode(item.Value.Span, item.ModRevision);
        if ((string?)guest["status"]?["nodeName"] is not { Length: > 0 } node || nodes is null)
        {
            throw StatusException.Conflict(request.Info.Subject, "VMI is not running: no node has it yet");
        }

        var found = await store.GetAsync(nodes.Key("", node), request.Stopping)
            ?? throw StatusException.Conflict(request.Info.Subject, $"there is no Node \"{node}\" any more, on which it ran");
        var endpoint = (string?)nodes.Form.Decode(found.Value.Span, found.ModRevision)["metadata"]?["annotations"]?[AnnotationNames.AgentEndpoint];
        return new GuestAddress(Meta.Of(guest).Uid, new AgentAddress(node, ParseEndpoint(endpoint)
            ?? throw StatusException.ServiceUnavailable($"Node \"{node}\" does not say where its agent listens (annotation {AnnotationNames.AgentEndpoint})")));
    }

    private static DnsEndPoint? ParseEndpoint(string? text) =>
        Uri.TryCreate("tcp://" + text, UriKind.Absolute, out var uri) && uri.Port > 0 ? new DnsEndPoint(uri.DnsSafeHost, uri.Port) : null;

    private readonly record struct GuestAddress(string Uid, AgentAddress Agent);
}
