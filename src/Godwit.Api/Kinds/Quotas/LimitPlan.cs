using System.Globalization;
using Godwit.Api.Core.V1;
using Godwit.Base;

namespace Godwit.Api.Kinds.Quotas;

/// <summary>What limit ranges make of a pod: a function of both.</summary>
public static class LimitPlan
{
    /// <summary>The resources of a container with what the ranges give where it says nothing, and which these are, in Kubernetes' words.</summary>
    public static (ContainerResources Resources, IReadOnlyList<string> Given) Complete(Container container, IEnumerable<LimitRangeItem> ranges)
    {
        var limits = new Dictionary<string, Quantity>(container.Resources?.Limits ?? Quantities.None, StringComparer.Ordinal);
        var requests = new Dictionary<string, Quantity>(container.Resources?.Requests ?? Quantities.None, StringComparer.Ordinal);
        var (newRequests, newLimits) = (new List<string>(), new List<string>());
        foreach (var range in ranges.Where(range => range.Type == "Container"))
        {
            newRequests.AddRange(range.DefaultRequest.Where(given => requests.TryAdd(given.Key, given.Value)).Select(given => given.Key));
            newLimits.AddRange(range.Default.Where(given => limits.TryAdd(given.Key, given.Value)).Select(given => given.Key));
        }

        List<string> told = [];
        foreach (var (names, what) in new[] { (newRequests, "request"), (newLimits, "limit") })
        {
            if (names.Count > 0)
            {
                told.Add($"{string.Join(", ", names.Order(StringComparer.Ordinal))} {what} for container {container.Name}");
            }
        }

        return (new ContainerResources { Limits = limits, Requests = requests }, told);
    }

    /// <summary>All that is wrong with a pod whose containers are completed, in Kubernetes' words.</summary>
    public static IReadOnlyList<string> Violations(PodSpec spec, IReadOnlyList<LimitRangeItem> ranges)
    {
        var found = new List<string>();
        foreach (var range in ranges)
        {
            if (range.Type == "Container")
            {
                foreach (var resources in spec.Containers.Concat(spec.InitContainers).Select(container => container.Resources ?? new ContainerResources()))
                {
                    Check(range, name => Value(resources.Requests, name), name => Value(resources.Limits, name), found);
                }
            }
            else
            {
                var sum = PodUse.Sum(spec);
                Check(range, name => sum.TryGetValue(QuotaNames.Requests + name, out var request) ? request : null, name => sum.TryGetValue(QuotaNames.Limits + name, out var limit) ? limit : null, found);
            }
        }

        return found;
    }

    private static decimal? Value(IReadOnlyDictionary<string, Quantity> amounts, string name) => amounts.TryGetValue(name, out var amount) ? amount.Value : null;

    private static void Check(LimitRangeItem range, Func<string, decimal?> requestOf, Func<string, decimal?> limitOf, List<string> found)
    {
        foreach (var (name, least) in range.Min.OrderBy(bound => bound.Key, StringComparer.Ordinal))
        {
            var (request, limit, rule) = (requestOf(name), limitOf(name), $"minimum {name} usage per {range.Type} is {least}");
            if (request is null || request < least.Value || limit < least.Value)
            {
                found.Add(request is null ? $"{rule}.  No request is specified" : request < least.Value ? $"{rule}, but request is {Show(request, least)}" : $"{rule}, but limit is {Show(limit, least)}");
            }
        }

        foreach (var (name, most) in range.Max.OrderBy(bound => bound.Key, StringComparer.Ordinal))
        {
            var (request, limit, rule) = (requestOf(name), limitOf(name), $"maximum {name} usage per {range.Type} is {most}");
            if (limit is null || limit > most.Value || request > most.Value)
            {
                found.Add(limit is null ? $"{rule}.  No limit is specified" : limit > most.Value ? $"{rule}, but limit is {Show(limit, most)}" : $"{rule}, but request is {Show(request, most)}");
            }
        }

        foreach (var (name, ratio) in range.MaxLimitRequestRatio.OrderBy(bound => bound.Key, StringComparer.Ordinal))
        {
            var (request, limit, rule) = (requestOf(name), limitOf(name), $"{name} max limit to request ratio per {range.Type} is {ratio}");
            if (request is null or 0 || limit is null or 0 || limit / request > ratio.Value)
            {
                found.Add(request is null or 0 ? $"{rule}, but no request is specified or request is 0"
                    : limit is null or 0 ? $"{rule}, but no limit is specified or limit is 0"
                    : string.Create(CultureInfo.InvariantCulture, $"{rule}, but provided ratio is {limit / request:F6}"));
            }
        }
    }

    private static string Show(decimal? amount, Quantity like) => new Quantity(amount ?? 0, like.Format).ToString();
}
