using System.Text.Json.Nodes;
using Godwit.Api;
using Godwit.Api.Core.V1;
using Godwit.Api.Kinds;
using Godwit.Api.Kinds.Pods;
using Godwit.Api.Machinery;
using Godwit.ApiServer.Requests;
using Godwit.ApiServer.Resources;
using Godwit.Store;
using DeleteOptions = Godwit.Api.Meta.V1.DeleteOptions;

namespace Godwit.ApiServer.Proxying;

/// <summary>
/// Verbs of a pod. Log, exec, attach and portforward go on to the agent of its node, as <c>/pod/UID/VERB</c>; binding and
/// eviction change the pod. A binding names the node and, in the same write, puts the agent's finalizer on the pod: from
/// then on it cannot vanish before its agent has ended its containers.
/// </summary>
internal sealed class PodSubresources(IRevisionStore store, ServedResources resources, ObjectWriter writer, DisruptionGuard disruptions, AgentRelay agents)
{
    /// <summary>Kubernetes' streams of an execution, one byte of channel before each message; the newer can end an input.</summary>
    private static readonly string[] ExecutionProtocols = ["v5.channel.k8s.io", "v4.channel.k8s.io"];

    /// <summary>A SPDY connection in a WebSocket's messages, as <c>kubectl port-forward</c> asks for.</summary>
    private const string ForwardProtocol = "portforward.k8s.io";

    private const string DefaultContainer = "kubectl.kubernetes.io/default-container";

    private static readonly string[] ContainerFields = ["containers", "initContainers", "ephemeralContainers"];

    private readonly ServedResource? pods = resources.Find("", "v1", "pods");

    public static bool Handles(RequestInfo info) =>
        info is { Group: "", Version: "v1", Resource: "pods", Namespace.Length: > 0, Subresource: "log" or "exec" or "attach" or "portforward" or "binding" or "eviction" };

    /// <summary>True for what stays open as long as its client wants.</summary>
    public static bool IsStream(RequestInfo info) => Handles(info) && info.Subresource is not ("binding" or "eviction");

    public Task HandleAsync(ApiRequest request)
    {
        var resource = pods ?? throw StatusException.UnknownPath();
        return (request.Info.Subresource, request.Http.Request.Method) switch
        {
            ("log", "GET") => ReadLogAsync(request, resource),
            ("exec" or "attach", "GET" or "POST" or "CONNECT") => JoinAsync(request, resource, ExecutionProtocols),
            ("portforward", "GET" or "POST" or "CONNECT") => ForwardAsync(request, resource),
            ("binding", "POST") => BindAsync(request, resource),
            ("eviction", "POST") => EvictAsync(request, resource),
            var (_, method) => throw StatusException.MethodNotAllowed(method),
        };
    }

    private async Task ReadLogAsync(ApiRequest request, ServedResource resource)
    {
        var (agent, path) = await FindAsync(request, resource);
        await agents.PassOnAsync(request, HttpMethod.Get, agent, path);
    }

    private async Task JoinAsync(ApiRequest request, ServedResource resource, string[] protocols)
    {
        var (agent, path) = await FindAsync(request, resource);
        await (SpdyTunnel.IsAskedFor(request) ? agents.TunnelAsync(request, agent, path) : agents.JoinAsync(request, agent, path, protocols));
    }

    private async Task ForwardAsync(ApiRequest request, ServedResource resource)
    {
        var (agent, path) = await FindAsync(request, resource);
        await (SpdyTunnel.IsAskedFor(request) ? agents.TunnelAsync(request, agent, path) : agents.TunnelSocketAsync(request, agent, path, $"SPDY/3.1+{ForwardProtocol}", ForwardProtocol));
    }

    /// <summary>The agent of the pod's node, and where it is asked: with the client's query and the container that it means.</summary>
    private async Task<(AgentAddress Agent, string PathAndQuery)> FindAsync(ApiRequest request, ServedResource resource)
    {
        var item = await store.GetAsync(resource.Key(request.Info.Namespace, request.Info.Name), request.Stopping) ?? throw StatusException.NotFound(request.Info.Subject);
        var pod = resource.Form.Decode(item.Value.Span, item.ModRevision);
        if (pod.TextAt("spec", "nodeName") is not { Length: > 0 } node)
        {
            throw StatusException.BadRequest($"pod {request.Info.Name} does not have a host assigned");
        }

        var query = request.Http.Request.QueryString;
        if (request.Info.Subresource != "portforward" && request.Query("container").Length == 0)
        {
            query = query.Add("container", DefaultContainerOf(request, pod));
        }
        else if (request.Query("container") is { Length: > 0 } named && !NamesOf(pod, ContainerFields).Contains(named))
        {
            throw StatusException.BadRequest($"container {named} is not valid for pod {request.Info.Name}");
        }

        return (await agents.FindAsync(request, node), $"/pod/{Meta.Of(pod).Uid}/{request.Info.Subresource}{query}");
    }

    /// <summary>The container that is meant when none is named: what the pod says, or its only one.</summary>
    private static string DefaultContainerOf(ApiRequest request, JsonObject pod)
    {
        var all = NamesOf(pod, ContainerFields);
        if (pod.TextAt("metadata", "annotations", DefaultContainer) is { } chosen && all.Contains(chosen))
        {
            return chosen;
        }

        return NamesOf(pod, "containers") is [var only] ? only
            : throw StatusException.BadRequest($"a container name must be specified for pod {request.Info.Name}, choose one of: [{string.Join(' ', all)}]");
    }

    private static List<string> NamesOf(JsonObject pod, params IEnumerable<string> fields) =>
        [.. fields.SelectMany(field => pod.ArrayAt("spec", field) ?? []).Select(container => container.TextAt("name") ?? "")];

    private async Task BindAsync(ApiRequest request, ServedResource resource)
    {
        var body = (await BodyReader.ReadObjectAsync(request, BuiltInKinds.Binding.Type, BuiltInKinds.Binding.Schema)).Value;
        FieldErrors.ThrowIfAny(SchemaCheck.Run(BuiltInKinds.Binding.Schema, body).Errors, request.Info.Subject);
        if (body.TextAt("target", "name") is not { Length: > 0 } node || body.TextAt("target", "kind") is not (null or "" or "Node"))
        {
            throw StatusException.BadRequest("target: a binding must name a Node");
        }

        if (Names.CheckDnsSubdomain(node) is { } wrong)
        {
            FieldErrors.ThrowIfAny([FieldError.Invalid("target.name", node, wrong)], request.Info.Subject);
        }

        var named = body.TextAt("metadata", "name") ?? "";
        if (named.Length > 0 && named != request.Info.Name)
        {
            throw StatusException.BadRequest($"the name of the object ({named}) does not match the name on the URL ({request.Info.Name})");
        }

        await writer.AssignAsync(WriteContext.Of(request, resource), pod => Assign(pod, node, body.TextAt("metadata", "uid") ?? "", request.Info.Subject));
        await ResourceHandler.AnswerSuccessAsync(request, 201, new StatusDetails());
    }

    private void Assign(JsonObject pod, string node, string uid, StatusSubject subject)
    {
        var meta = Meta.Of(pod);
        if (uid.Length > 0 && uid != meta.Uid)
        {
            throw StatusException.Conflict(subject, $"Precondition failed: UID in precondition: {uid}, UID in object meta: {meta.Uid}");
        }

        if (meta.IsDeleting)
        {
            throw StatusException.Conflict(subject, $"pod {meta.Name} is being deleted, cannot be assigned to a host");
        }

        if (pod.TextAt("spec", "nodeName") is { Length: > 0 } there)
        {
            throw StatusException.Conflict(subject, $"pod {meta.Name} is already assigned to node \"{there}\"");
        }

        pod.GetOrAddObject("spec")["nodeName"] = node;
        meta.Generation++;
        SayThatItIsScheduled(pod);
        PodFinalizer.PutOn(pod);
    }

    /// <summary>In the same write: a pod with a node is scheduled, whatever was said while there was none for it.</summary>
    private void SayThatItIsScheduled(JsonObject pod)
    {
        var conditions = pod.GetOrAddObject("status")["conditions"] as JsonArray ?? [];
        var others = conditions.Where(condition => condition?.TextAt("type") != PodConditionTypes.PodScheduled).Select(condition => condition?.DeepClone());
        var now = Rfc3339.Format(writer.Now);
        pod["status"]!["conditions"] = new JsonArray(
            [.. others, new JsonObject { ["type"] = PodConditionTypes.PodScheduled, ["status"] = "True", ["lastTransitionTime"] = now }]);
    }

    /// <summary>Deletes the pod in its own time, unless a disruption budget holds it.</summary>
    private async Task EvictAsync(ApiRequest request, ServedResource resource)
    {
        var body = (await BodyReader.ReadObjectAsync(request, BuiltInKinds.Eviction.Type, BuiltInKinds.Eviction.Schema)).Value;
        FieldErrors.ThrowIfAny(SchemaCheck.Run(BuiltInKinds.Eviction.Schema, body).Errors, request.Info.Subject);
        var options = body["deleteOptions"] is JsonObject given ? GodwitJson.FromNode<DeleteOptions>(given) : new DeleteOptions();
        var write = WriteContext.Of(request, resource);
        write = write with { DryRun = write.DryRun || options.DryRun.Count > 0 };
        var item = await store.GetAsync(write.Key, request.Stopping) ?? throw StatusException.NotFound(request.Info.Subject);
        await disruptions.TakeAsync(write, GodwitJson.FromNode<Pod>(resource.Form.Decode(item.Value.Span, item.ModRevision)));
        await writer.DeleteAsync(write, options);
        await ResourceHandler.AnswerSuccessAsync(request, 201, new StatusDetails());
    }
}
