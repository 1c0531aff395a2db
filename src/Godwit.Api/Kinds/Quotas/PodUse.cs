using Godwit.Api.Core.V1;
using Godwit.Api.Kinds.Pods;

namespace Godwit.Api.Kinds.Quotas;

/// <summary>What a pod asks for, as far as quotas and limit ranges count it.</summary>
/// <param name="IsOver">It has ended, and counts for nothing but as an object.</param>
/// <param name="IsBestEffort">It asks for nothing.</param>
/// <param name="HasDeadline">It says how long it runs.</param>
/// <param name="Amounts">By <c>requests.</c> or <c>limits.</c> and the resource: the sum of its containers, or what one of its init containers needs if that is more.</param>
public sealed record PodUse(bool IsOver, bool IsBestEffort, bool HasDeadline, IReadOnlyDictionary<string, decimal> Amounts)
{
    public static PodUse Of(Pod pod) => new(
        PodPhases.IsFinal(pod.Status.Phase),
        QualityOfService.Of(pod.Spec) == QualityOfService.BestEffort,
        pod.Spec.ActiveDeadlineSeconds is not null,
        Sum(pod.Spec));

    /// <summary>
    /// Init containers run one after the other, beside the sidecars that were started before them; so the pod needs the most of
    /// these at any time, or the sum of what runs later. Source: Kubernetes documentation, "Sidecar Containers: resource sharing within containers".
    /// </summary>
    public static IReadOnlyDictionary<string, decimal> Sum(PodSpec spec)
    {
        var sidecars = new Dictionary<string, decimal>(StringComparer.Ordinal);
        var most = new Dictionary<string, decimal>(StringComparer.Ordinal);
        foreach (var container in spec.InitContainers)
        {
            var own = AmountsOf(container);
            if (container.RestartPolicy == "Always")
            {
                Add(sidecars, own);
                own = [];
            }

            foreach (var name in own.Keys.Union(sidecars.Keys, StringComparer.Ordinal))
            {
                most[name] = Math.Max(most.GetValueOrDefault(name), sidecars.GetValueOrDefault(name) + own.GetValueOrDefault(name));
            }
        }

        foreach (var container in spec.Containers)
        {
            Add(sidecars, AmountsOf(container));
        }

        foreach (var (name, amount) in sidecars)
        {
            most[name] = Math.Max(most.GetValueOrDefault(name), amount);
        }

        return most;
    }

    private static Dictionary<string, decimal> AmountsOf(Container container)
    {
        var found = new Dictionary<string, decimal>(StringComparer.Ordinal);
        foreach (var (name, amount) in container.Resources?.Requests ?? Quantities.None)
        {
            found[QuotaNames.Requests + name] = amount.Value;
        }

        foreach (var (name, amount) in container.Resources?.Limits ?? Quantities.None)
        {
            found[QuotaNames.Limits + name] = amount.Value;
        }

        return found;
    }

    private static void Add(Dictionary<string, decimal> sum, Dictionary<string, decimal> more)
    {
        foreach (var (name, amount) in more)
        {
            sum[name] = sum.GetValueOrDefault(name) + amount;
        }
    }
}
