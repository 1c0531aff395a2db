using System.Buffers;
using System.Globalization;
using System.Text.Json.Nodes;
using Godwit.Api;
using Godwit.Api.Machinery;
using Godwit.ApiServer.Requests;
using Godwit.ApiServer.Security;

namespace Godwit.ApiServer.Resources;

/// <summary>
/// Guests as the pods that Kubernetes' tools expect on a node: one for each VirtualMachineInstance, named
/// <c>virt-launcher-NAME</c> as in KubeVirt, and read only. They are not stored and no watch tells of them: they are
/// shown by name, and to people who ask for the pods of a node. So <c>kubectl describe node</c> shows all that runs on a
/// node, and <c>kubectl drain</c>, which evicts pods, moves guests away (<see cref="GuestEvictions"/>), rather than calling a node
/// drained on which they still run. Agents and controllers, which watch pods, see those that are stored and no others.
/// </summary>
internal sealed class GuestPods(ListHandler lists, ObjectViews views, ServedResources resources, GuestEvictions evictions)
{
    private const string NamePrefix = "virt-launcher-";
    private const string NodeField = "spec.nodeName";

    public static bool Handles(ApiRequest request) =>
        request.Info is { Group: "", Version: "v1", Resource: "pods" } info
        && (info.Name.StartsWith(NamePrefix, StringComparison.Ordinal) || (info.Verb == "list" && IsPerson(request.User) && request.Query("fieldSelector").Contains(NodeField, StringComparison.Ordinal)));

    public async Task HandleAsync(ApiRequest request)
    {
        if (request.Info.Subresource == "eviction" && request.Http.Request.Method == "POST")
        {
            await evictions.HandleAsync(request);
            return;
        }

        var pods = resources.Find("", "v1", "pods") ?? throw StatusException.UnknownPath();
        var guests = resources.Find(GroupName.KubeVirt, "v1", "virtualmachineinstances") ?? throw StatusException.UnknownPath();
        if (request.Info.Subresource.Length > 0 || request.Info.Verb is not ("get" or "list"))
        {
            throw StatusException.Forbidden(request.Info.Subject, "this pod stands for a virtual machine and can only be looked at: move it with 'godwit migrate', stop it with 'godwit vm stop', empty its node with 'godwit drain'");
        }

        var wanted = ObjectFilter.Read(pods, request.Info, ListOptions.Read(request));
        var (found, revision) = (new List<StoredObject>(), 0L);
        await foreach (var page in lists.ReadAllAsync(wanted, default, request.Stopping))
        {
            revision = page.Revision;
            found.AddRange(page.Items);
        }

        var filter = new ObjectFilter(guests, request.Info.Namespace, wanted.Name.Length > 0 ? GuestNameOf(wanted.Name) : "");
        await foreach (var page in lists.ReadAllAsync(filter, new ListStart(revision, null), request.Stopping))
        {
            found.AddRange(page.Items.Select(guest => Shown(pods, guest)).Where(wanted.Matches));
        }

        var accepted = Negotiation.Choose(request.Http.Request.Headers.Accept.ToString());
        var view = views.For(accepted.View, pods, request);
        if (request.Info.Verb == "list")
        {
            await Answer.WriteAsync(request, 200, accepted.Format, output => WriteList(output, view, found, revision));
        }
        else
        {
            var one = found.Count > 0 ? found[0] : throw StatusException.NotFound(request.Info.Subject);
            await Answer.WriteAsync(request, 200, accepted.Format, output => view.WriteObject(output, one));
        }
    }

    private static bool IsPerson(User user) => user.NodeName is null && user.Name != User.ControllersName;

    private static StoredObject Shown(ServedResource pods, StoredObject guest)
    {
        var pod = PodOf(guest.Resource.Form.Decode(guest.Value.Span, guest.Revision));
        var meta = Meta.Of(pod);
        return new StoredObject(pods, pods.Key(meta.Namespace, meta.Name), pods.Form.Encode(pod), guest.Revision);
    }

    internal static void WriteList(IBufferWriter<byte> output, ObjectView view, List<StoredObject> found, long revision)
    {
        view.WriteListHead(output, new ListHead(revision, "", 0));
        for (var index = 0; index < found.Count; index++)
        {
            if (index > 0)
            {
                output.Write(","u8);
            }

            view.WriteListItem(output, found[index]);
        }

        ObjectView.WriteListTail(output);
    }

    /// <summary>The pod that stands for a guest.</summary>
    internal static string NameOf(string guest) => NamePrefix + guest;

    /// <summary>The guest that a pod stands for; a name that no guest has when it stands for none.</summary>
    internal static string GuestNameOf(string pod) => pod.StartsWith(NamePrefix, StringComparison.Ordinal) && pod.Length > NamePrefix.Length ? pod[NamePrefix.Length..] : pod + "/";

    private static JsonObject PodOf(JsonObject guest)
    {
        var labels = guest.ObjectAt("metadata", "labels")?.DeepClone().AsObject() ?? [];
        labels["kubevirt.io"] = "virt-launcher";
        var domain = guest.At("spec", "domain");
        var requests = new JsonObject
        {
            ["cpu"] = ((JsonAccess.AsInt64(domain.At("cpu", "cores")) ?? 1) * (JsonAccess.AsInt64(domain.At("cpu", "sockets")) ?? 1) * (JsonAccess.AsInt64(domain.At("cpu", "threads")) ?? 1)).ToString(CultureInfo.InvariantCulture),
            ["memory"] = (domain.At("memory", "guest") ?? domain.At("resources", "requests", "memory"))?.DeepClone(),
        };
        var name = guest.TextAt("metadata", "name")!;
        return new JsonObject
        {
            ["kind"] = "Pod",
            ["apiVersion"] = "v1",
            ["metadata"] = new JsonObject
            {
                ["name"] = NamePrefix + name,
                ["namespace"] = guest.TextAt("metadata", "namespace"),
                ["uid"] = guest.TextAt("metadata", "uid"),
                ["resourceVersion"] = guest.TextAt("metadata", "resourceVersion"),
                ["creationTimestamp"] = guest.TextAt("metadata", "creationTimestamp"),
                ["labels"] = labels,
                ["ownerReferences"] = new JsonArray(new JsonObject
                {
                    ["apiVersion"] = guest.TextAt("apiVersion"),
                    ["kind"] = guest.TextAt("kind"),
                    ["name"] = name,
                    ["uid"] = guest.TextAt("metadata", "uid"),
                    ["controller"] = true,
                }),
            },
            ["spec"] = new JsonObject
            {
                ["nodeName"] = guest.TextAt("status", "nodeName"),
                ["containers"] = new JsonArray(new JsonObject { ["name"] = "compute", ["image"] = "", ["resources"] = new JsonObject { ["requests"] = requests } }),
            },
            ["status"] = new JsonObject { ["phase"] = PhaseOf(guest.TextAt("status", "phase")) },
        };
    }

    private static string PhaseOf(string? guestPhase) => guestPhase is "Running" or "Succeeded" or "Failed" ? guestPhase : "Pending";
}
