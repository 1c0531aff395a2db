using System.Text.Json.Nodes;
using Godwit.Api;
using Godwit.ApiServer.Requests;

namespace Godwit.ApiServer.Resources;

/// <summary>
/// Holds a node to what is its own, where the fixed rules cannot know it because it stands in the objects: its Node and
/// Lease; pods that are bound to it; volumes that were made on it; guests that run on it or move from or to it; their migrations and forecasts; events about these. So a host
/// that fell into wrong hands cannot touch the guests of the others.
/// </summary>
internal static class NodeRestriction
{
    /// <summary>Labels that say for what a node is trusted; not for the node to say.</summary>
    private const string RestrictedLabel = "node-restriction.kubernetes.io/";

    /// <summary>Whether the node may write the object, judged by what is stored (an update) or by what is to be (a create).</summary>
    /// <param name="node">The node that writes.</param>
    /// <param name="write">What is written.</param>
    /// <param name="judged">The object as stored; for a create, the new one.</param>
    /// <param name="findGuest">Finds the stored VirtualMachineInstance of a namespace and name.</param>
    /// <exception cref="StatusException">403 with the reason.</exception>
    public static async Task CheckAsync(string node, WriteContext write, JsonObject judged, Func<string, string, Task<JsonObject?>> findGuest)
    {
        var own = write.Resource.Definition.Plural switch
        {
            "nodes" => write.Name == node,
            "leases" => write.Namespace == NamespaceNames.KubeNodeLease && write.Name == node,
            "pods" => Text(judged["spec"]?["nodeName"]) == node,
            "persistentvolumes" => Text(judged["metadata"]?["annotations"]?[AnnotationNames.VolumeNode]) == node,
            "virtualmachineinstances" => IsGuestOf(node, judged),
            "virtualmachineinstancemigrations" => TakesPart(node, judged["status"]?["migrationState"]),
            "forecasts" => await findGuest(write.Namespace, Text(judged["spec"]?["vmiName"])) is { } guest && IsGuestOf(node, guest),
            "events" => write.Resource.Definition.Conversion is null && IsAboutItsOwn(node, judged),
            "certificatesigningrequests" => true, // The signer looks at the name asked for.
            _ => false,
        };
        if (!own)
        {
            throw StatusException.Forbidden(write.Subject, $"node \"{node}\" may write only its own Node, Lease, Pods, volumes made on it and Events, and guests, migrations and forecasts that it takes part in");
        }
    }

    /// <summary>
    /// Whether a node changes of its own no more than an agent has to. What it runs is what it may read: one that could change
    /// that, or where it is sent, would give itself rights.
    /// </summary>
    /// <exception cref="StatusException">403 with the reason.</exception>
    public static void CheckChange(WriteContext write, JsonObject updated, JsonObject existing)
    {
        if (write.Subresource.Length > 0 || write.Resource.Definition.Plural is "leases" or "events")
        {
            return;
        }

        var wrong = !JsonNode.DeepEquals(updated["spec"], existing["spec"]) ? "spec"
            : Changed("ownerReferences") ? "metadata.ownerReferences"
            : write.Resource.Definition.Plural is "pods" or "persistentvolumes" && Changed("labels") ? "metadata.labels"
            : write.Resource.Definition.Plural is "pods" or "persistentvolumes" && Changed("annotations") ? "metadata.annotations"
            : write.Resource.Definition.Plural == "nodes" && !RestrictedLabels(updated).SequenceEqual(RestrictedLabels(existing)) ? $"metadata.labels[{RestrictedLabel}]"
            : null;
        if (wrong is not null)
        {
            throw StatusException.Forbidden(write.Subject, $"a node may not change {wrong} of its {write.Resource.Definition.Plural}");
        }

        bool Changed(string field) => !JsonNode.DeepEquals(updated["metadata"]?[field], existing["metadata"]?[field]);
    }

    private static IEnumerable<string> RestrictedLabels(JsonObject node) =>
        (node["metadata"]?["labels"] as JsonObject ?? []).Where(label => label.Key.Contains(RestrictedLabel, StringComparison.Ordinal)).Select(label => $"{label.Key}={label.Value}").Order(StringComparer.Ordinal);

    private static bool IsGuestOf(string node, JsonObject guest) =>
        Text(guest["status"]?["nodeName"]) == node || TakesPart(node, guest["status"]?["migrationState"]);

    private static bool TakesPart(string node, JsonNode? state) => Text(state?["sourceNode"]) == node || Text(state?["targetNode"]) == node;

    private static bool IsAboutItsOwn(string node, JsonObject recorded)
    {
        var about = recorded["involvedObject"];
        return (Text(about?["kind"]) != "Node" || Text(about?["name"]) == node)
            && IsEmptyOr(node, recorded["source"]?["host"])
            && IsEmptyOr(node, recorded["reportingInstance"]);
    }

    private static bool IsEmptyOr(string node, JsonNode? writer) => Text(writer) is var name && (name.Length == 0 || name == node);

    private static string Text(JsonNode? node) => node is JsonValue value && value.TryGetValue<string>(out var text) ? text : "";
}
