using System.Text.Json.Nodes;
using Godwit.Api;
using Godwit.Api.KubeVirt.V1;
using Godwit.Api.Meta.V1;
using Godwit.ApiServer.Requests;
using Godwit.ApiServer.Resources;
using Godwit.Store;
using Microsoft.AspNetCore.Http;

namespace Godwit.ApiServer.Proxying;

/// <summary>
/// KubeVirt's <c>subresources.kubevirt.io/v1</c>: verbs of a virtual machine. Start, stop and restart change objects, and
/// controllers do the rest. Pause, unpause, console and log are about a running guest: they go on to the agent of its
/// node, as <c>/vm/UID/pause|unpause|console|log</c>. Suspend is Godwit's own: an annotation of the guest, which its agent
/// heeds; unpause takes it away again.
/// </summary>
internal sealed class MachineSubresources(IRevisionStore store, ServedResources resources, ObjectWriter writer, AgentRelay agents)
{
    /// <summary>KubeVirt's console protocol: the bytes of the serial line, in binary messages.</summary>
    public const string ConsoleProtocol = "plain.kubevirt.io";

    private readonly ServedResource? machines = resources.Find(GroupName.KubeVirt, "v1", "virtualmachines");
    private readonly ServedResource? guests = resources.Find(GroupName.KubeVirt, "v1", "virtualmachineinstances");

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
            case ("virtualmachineinstances", "suspend", "PUT"):
                await SuspendAsync(request, guests);
                break;
            case ("virtualmachineinstances", "unpause", "PUT") when await EndSuspensionAsync(request, guests):
                break;
            case ("virtualmachineinstances", "pause" or "unpause", "PUT"):
                await PassOnAsync(request, HttpMethod.Put, guests);
                break;
            case ("virtualmachineinstances", "log", "GET"):
                await PassOnAsync(request, HttpMethod.Get, guests);
                break;
            case ("virtualmachineinstances", "console", "GET" or "CONNECT"):
                await OpenConsoleAsync(request, guests);
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

    private async Task SuspendAsync(ApiRequest request, ServedResource guest)
    {
        await writer.UpdateAsync(WriteContext.Of(request, guest) with { Subresource = "" }, found =>
        {
            var status = found["status"];
            if ((string?)status?["phase"] != "Running")
            {
                throw StatusException.Conflict(request.Info.Subject, "VMI is not running: there is nothing to suspend");
            }

            if (IsMoving(status))
            {
                throw StatusException.Conflict(request.Info.Subject, "VMI is being moved; suspend it when the move has ended");
            }

            AnnotationsOf(found)[AnnotationNames.Suspend] = Suspensions.Always;
            return found;
        });
        request.PrepareAnswer(StatusCodes.Status202Accepted, "application/json");
    }

    /// <summary>True: the guest was to be suspended, and is no more.</summary>
    private async Task<bool> EndSuspensionAsync(ApiRequest request, ServedResource guest)
    {
        var item = await store.GetAsync(guest.Key(request.Info.Namespace, request.Info.Name), request.Stopping) ?? throw StatusException.NotFound(request.Info.Subject);
        if (guest.Form.Decode(item.Value.Span, item.ModRevision)["metadata"]?["annotations"]?[AnnotationNames.Suspend] is null)
        {
            return false;
        }

        await writer.UpdateAsync(WriteContext.Of(request, guest) with { Subresource = "" }, found =>
        {
            if (IsMoving(found["status"]))
            {
                throw StatusException.Conflict(request.Info.Subject, "VMI is being moved; resume it when the move has ended");
            }

            AnnotationsOf(found).Remove(AnnotationNames.Suspend);
            return found;
        });
        request.PrepareAnswer(StatusCodes.Status202Accepted, "application/json");
        return true;
    }

    private static JsonObject AnnotationsOf(JsonObject found)
    {
        var metadata = found["metadata"]!.AsObject();
        if (metadata["annotations"] is not JsonObject annotations)
        {
            metadata["annotations"] = annotations = [];
        }

        return annotations;
    }

    private static bool IsMoving(JsonNode? status) =>
        status?["migrationState"] is { } move && (bool?)move["completed"] != true && (bool?)move["failed"] != true;

    private async Task PassOnAsync(ApiRequest request, HttpMethod method, ServedResource guest)
    {
        var found = await FindGuestAsync(request, guest);
        var path = $"/vm/{found.Uid}/{request.Info.Subresource}{request.Http.Request.QueryString}";
        if (request.Info.Subresource == "log" && request.Http.Request.Query["follow"].ToString() is "true" or "1")
        {
            await agents.FollowAsync(request, found, () => FindAgainAsync(request, guest), path);
        }
        else
        {
            await agents.PassOnAsync(request, method, found.Agent, path);
        }
    }

    private async Task OpenConsoleAsync(ApiRequest request, ServedResource guest) =>
        await agents.JoinGuestAsync(request, await FindGuestAsync(request, guest), () => FindAgainAsync(request, guest), ConsoleProtocol);

    /// <summary>As <see cref="FindGuestAsync"/>; null when it has ended, or nobody knows where it is.</summary>
    private async Task<GuestAddress?> FindAgainAsync(ApiRequest request, ServedResource resource)
    {
        try
        {
            return await FindGuestAsync(request, resource, living: true);
        }
        catch (StatusException)
        {
            return null;
        }
    }

    /// <summary>The guest and its node's agent.</summary>
    private async Task<GuestAddress> FindGuestAsync(ApiRequest request, ServedResource resource, bool living = false)
    {
        var item = await store.GetAsync(resource.Key(request.Info.Namespace, request.Info.Name), request.Stopping) ?? throw StatusException.NotFound(request.Info.Subject);
        var guest = resource.Form.Decode(item.Value.Span, item.ModRevision);
        var status = guest["status"];
        if (living && (string?)status?["phase"] is "Succeeded" or "Failed")
        {
            throw StatusException.Conflict(request.Info.Subject, "VMI has ended");
        }

        var isMoving = IsMoving(status);
        return (string?)status?["nodeName"] is { Length: > 0 } node
            ? new GuestAddress(Meta.Of(guest).Uid, await agents.FindAsync(request, node), isMoving)
            : throw StatusException.Conflict(request.Info.Subject, "VMI is not running: no node has it yet");
    }
}
