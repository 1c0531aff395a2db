using System.Buffers;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Godwit.Api;
using Godwit.Api.Machinery;
using Godwit.Api.Machinery.Selectors;
using Godwit.ApiServer.Requests;
using Godwit.Store;

namespace Godwit.ApiServer.Resources;

/// <summary>
/// Guests as the pods that Kubernetes' tools expect on a node: one for each VirtualMachineInstance, named
/// <c>virt-launcher-NAME</c> as in KubeVirt, read only, and not in discovery, since nothing here runs pods. With them
/// <c>kubectl describe node</c> shows what runs on a node, and <c>kubectl drain</c> stops before guests that it cannot
/// move, rather than calling a node drained on which they still run.
/// </summary>
internal sealed class GuestPods(ListHandler lists, ServedResources resources)
{
    private const string NamePrefix = "virt-launcher-";

    private static readonly Dictionary<string, Func<JsonObject, string>> SelectableFields = new(StringComparer.Ordinal)
    {
        ["spec.nodeName"] = pod => pod.TextAt("spec", "nodeName") ?? "",
        ["status.phase"] = pod => pod.TextAt("status", "phase") ?? "",
    };

    public static bool Handles(RequestInfo info) => info is { Group: "", Version: "v1", Resource: "pods" };

    public async Task HandleAsync(ApiRequest request)
    {
        var guests = resources.Find(GroupName.KubeVirt, "v1", "virtualmachineinstances") ?? throw StatusException.UnknownPath();
        if (request.Info.Subresource.Length > 0 || request.Info.Verb is not ("get" or "list"))
        {
            throw StatusException.Forbidden(request.Info.Subject, "this pod stands for a virtual machine and can only be looked at: move it with 'godwit migrate', stop it with 'godwit vm stop'");
        }

        var options = ListOptions.Read(request);
        var filter = new ObjectFilter(guests, request.Info.Namespace, request.Info.Verb == "get" ? GuestNameOf(request.Info.Name) : "");
        var (pods, revision) = (new JsonArray(), 0L);
        var matches = ReadSelectors(options, guests.Definition);
        await foreach (var page in lists.ReadAllAsync(filter, default, request.Stopping))
        {
            revision = page.Revision;
            foreach (var guest in page.Items)
            {
                var pod = PodOf(guest.Resource.Form.Decode(guest.Value.Span, guest.Revision));
                if (matches(pod))
                {
                    pods.Add((JsonNode)pod);
                }
            }
        }

        var accepted = Negotiation.Choose(request.Http.Request.Headers.Accept.ToString());
        JsonNode answer = request.Info.Verb == "list" ? ListOf(pods, revision) : pods.Count > 0 ? pods[0]! : throw StatusException.NotFound(request.Info.Subject);
        await Answer.WriteAsync(request, 200, accepted.Format, output => Write(output, answer));
    }

    private static string GuestNameOf(string pod) => pod.StartsWith(NamePrefix, StringComparison.Ordinal) && pod.Length > NamePrefix.Length ? pod[NamePrefix.Length..] : pod + "/";

    private static Func<JsonObject, bool> ReadSelectors(ListOptions options, ResourceDefinition guest)
    {
        try
        {
            var labels = LabelSelector.Parse(options.LabelSelector);
            var fields = FieldSelector.Parse(options.FieldSelector).For(guest with { Plural = "pods", SelectableFields = SelectableFields });
            return pod => labels.Matches(pod.ObjectAt("metadata", "labels")) && fields(pod);
        }
        catch (FormatException error)
        {
            throw StatusException.BadRequest($"unable to parse the selector: {error.Message}", error);
        }
    }

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

    private static JsonObject ListOf(JsonArray pods, long revision) => new()
    {
        ["kind"] = "PodList",
        ["apiVersion"] = "v1",
        ["metadata"] = new JsonObject { ["resourceVersion"] = revision.ToString(CultureInfo.InvariantCulture) },
        ["items"] = pods,
    };

    private static void Write(IBufferWriter<byte> output, JsonNode answer)
    {
        using var writer = new Utf8JsonWriter(output, StoredForm.WriterOptions);
        answer.WriteTo(writer);
    }
}
