using System.Text.Json.Nodes;
using Godwit.Api;
using Godwit.Api.Core.V1;
using Godwit.Api.Machinery;
using Godwit.Api.Policy.V1;
using Godwit.ApiServer.Requests;
using LabelSelector = Godwit.Api.Machinery.Selectors.LabelSelector;

namespace Godwit.ApiServer.Resources;

/// <summary>
/// Whether a pod may be evicted, by the disruption budget that picks it. What is let go is written into the budget's status before the pod is deleted, in a write
/// that loses against any other: two evictions at once cannot both have the last one that is allowed. How many are to stay, and how many may go, the budget's controller says; but it
/// may be behind, and pods fail and are deleted meanwhile, so a pod that is ready goes only if as many as are to stay are ready beside it as stored now.
/// </summary>
internal sealed class DisruptionGuard(ListHandler lists, ServedResources resources, ObjectWriter writer, TimeProvider clock)
{
    /// <summary>Pods that are let go and not gone: beyond so many the controller does not keep up.</summary>
    private const int DisruptedMax = 2000;

    /// <summary>None is named: clients would wait for it without a word, where kubectl says why and asks again every five seconds.</summary>
    private const int RetryAfterSeconds = 0;

    private readonly ServedResource? pods = resources.Find(Pod.Type.Group, Pod.Type.Version, Pod.Type.Plural);
    private readonly ServedResource? budgets = resources.Find(PodDisruptionBudget.Type.Group, PodDisruptionBudget.Type.Version, PodDisruptionBudget.Type.Plural);

    /// <summary>Takes one of the disruptions that are allowed, where the pod is under a budget.</summary>
    /// <param name="eviction">The write that the pod goes by.</param>
    /// <param name="pod">The pod as stored.</param>
    /// <exception cref="StatusException">429: not now. 500: several budgets pick the pod, and none can be kept.</exception>
    public async Task TakeAsync(WriteContext eviction, Pod pod)
    {
        if (budgets is null || pod.Metadata.DeletionTimestamp is not null || pod.Status.Phase is "Pending" or "Succeeded" or "Failed")
        {
            return; // It serves nobody, so nobody misses it.
        }

        var found = new List<PodDisruptionBudget>();
        await foreach (var page in lists.ReadAllAsync(new ObjectFilter(budgets, eviction.Namespace, ""), default, eviction.Stopping))
        {
            found.AddRange(page.Items.Select(item => GodwitJson.FromNode<PodDisruptionBudget>(budgets.Form.Decode(item.Value.Span, item.Revision)))
                .Where(budget => budget.Spec.Selector is { } selector && LabelSelector.FromSpec(selector).Matches(pod.Metadata.Labels)));
        }

        if (found.Count > 1)
        {
            throw StatusException.Internal("This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.");
        }

        if (found.Count == 1)
        {
            var others = await HealthyBesideAsync(eviction, pod, LabelSelector.FromSpec(found[0].Spec.Selector!));
            var write = eviction with { Resource = budgets, Name = found[0].Metadata.Name, Subresource = "status", FieldManager = "godwit" };
            await writer.UpdateAsync(write, stored => Decrement(stored, pod.Metadata.Name, IsReady(pod), others));
        }
    }

    /// <summary>The names of the pods under the budget that are ready and not going, but this one.</summary>
    private async Task<HashSet<string>> HealthyBesideAsync(WriteContext eviction, Pod pod, LabelSelector selector)
    {
        var names = new HashSet<string>(StringComparer.Ordinal);
        await foreach (var page in lists.ReadAllAsync(new ObjectFilter(pods!, eviction.Namespace, ""), default, eviction.Stopping))
        {
            names.UnionWith(page.Items.Select(item => GodwitJson.FromNode<Pod>(pods!.Form.Decode(item.Value.Span, item.Revision)))
                .Where(each => each.Metadata.DeletionTimestamp is null && each.Metadata.Uid != pod.Metadata.Uid && each.Status.Phase is not ("Succeeded" or "Failed") && IsReady(each) && selector.Matches(each.Metadata.Labels))
                .Select(each => each.Metadata.Name));
        }

        return names;
    }

    private static bool IsReady(Pod pod) => pod.Status.Conditions.Any(condition => condition is { Type: "Ready", Status: "True" });

    private JsonObject Decrement(JsonObject stored, string pod, bool isReady, HashSet<string> others)
    {
        var budget = GodwitJson.FromNode<PodDisruptionBudget>(stored);
        var status = budget.Status;
        if (!isReady && (budget.Spec.UnhealthyPodEvictionPolicy == "AlwaysAllow" || (status.CurrentHealthy >= status.DesiredHealthy && status.DesiredHealthy > 0)))
        {
            return stored; // It counts for nothing in the budget.
        }

        if (status.ObservedGeneration < budget.Metadata.Generation)
        {
            throw Refused($"The disruption budget {budget.Metadata.Name} is still being processed by the server.");
        }

        if (status.DisruptionsAllowed <= 0 || status.DisruptedPods.Count >= DisruptedMax)
        {
            throw Refused($"The disruption budget {budget.Metadata.Name} needs {status.DesiredHealthy} healthy pods and has {status.CurrentHealthy} currently");
        }

        var healthy = others.Count(name => !status.DisruptedPods.ContainsKey(name));
        if (isReady && healthy < status.DesiredHealthy)
        {
            throw Refused($"The disruption budget {budget.Metadata.Name} needs {status.DesiredHealthy} healthy pods, and {healthy} would be left");
        }

        var changed = stored.GetOrAddObject("status");
        changed["disruptionsAllowed"] = status.DisruptionsAllowed - 1;
        changed.GetOrAddObject("disruptedPods")[pod] = Meta.Time(clock.GetUtcNow());
        return stored;
    }

    private static StatusException Refused(string why) =>
        StatusException.TooManyRequests("Cannot evict pod as it would violate the pod's disruption budget.", RetryAfterSeconds, new StatusCause("DisruptionBudget", why, ""));
}
