using System.Text.Json.Nodes;
using Godwit.Api;
using Godwit.Api.Core.V1;
using Godwit.Api.Kinds.Pods;
using Godwit.Api.Kinds.Quotas;
using Godwit.ApiServer.Requests;
using Godwit.Api.Machinery;
using Godwit.Store;

namespace Godwit.ApiServer.Resources;

/// <summary>Gives a new pod what the limit ranges of its namespace say for containers that say nothing, and refuses one that is out of their bounds.</summary>
internal sealed class LimitAdmission(IRevisionStore store, ServedResources resources)
{
    private const string Annotation = "kubernetes.io/limit-ranger";
    private static readonly string[] ContainerFields = ["containers", "initContainers"];

    private readonly ServedResource? ranges = resources.Find("", "v1", LimitRange.Type.Plural);

    /// <exception cref="StatusException">403 with everything that is out of bounds.</exception>
    public async Task ApplyAsync(WriteContext write, JsonObject resource)
    {
        if (ranges is null || write.Resource.Definition is not { Group: "", Plural: "pods" })
        {
            return;
        }

        var list = await store.ListAsync(new StoreListQuery(ranges.ListPrefix(write.Namespace)), write.Stopping);
        List<LimitRangeItem> items = [.. list.Items.SelectMany(item => GodwitJson.FromNode<LimitRange>(ranges.Form.Decode(item.Value.Span, item.ModRevision)).Spec.Limits)];
        if (items.Count == 0)
        {
            return;
        }

        Complete(resource, items);
        var spec = GodwitJson.FromNode<Pod>(resource).Spec;
        resource.GetOrAddObject("status")["qosClass"] = QualityOfService.Of(spec);
        if (LimitPlan.Violations(spec, items) is { Count: > 0 } wrong)
        {
            throw StatusException.Forbidden(write.Subject, wrong.Count == 1 ? wrong[0] : $"[{string.Join(", ", wrong)}]");
        }
    }

    private static void Complete(JsonObject pod, IReadOnlyList<LimitRangeItem> items)
    {
        var told = new List<string>();
        foreach (var container in ContainerFields.SelectMany(field => pod.ArrayAt("spec", field) ?? []).OfType<JsonObject>())
        {
            var (completed, given) = LimitPlan.Complete(GodwitJson.FromNode<Container>(container), items);
            if (given.Count > 0)
            {
                container["resources"] = GodwitJson.ToObject(completed);
                told.AddRange(given);
            }
        }

        if (told.Count > 0)
        {
            pod.GetOrAddObject("metadata").GetOrAddObject("annotations")[Annotation] = $"LimitRanger plugin set: {string.Join("; ", told)}";
        }
    }
}
