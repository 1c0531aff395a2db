using System.Collections.Concurrent;
using System.Text.Json.Nodes;
using Godwit.Api;
using Godwit.Api.Core.V1;
using Godwit.Api.Kinds.Quotas;
using Godwit.Api.Machinery;
using Godwit.Base;
using Godwit.Store;

namespace Godwit.ApiServer.Resources;

/// <summary>Counts what a namespace holds, from the stored objects themselves. What a pod uses is read once for each of its versions.</summary>
internal sealed class QuotaUses(IRevisionStore store, ServedResources resources)
{
    private const int PageItems = 500;

    private readonly ServedResource? pods = resources.Find("", "v1", Pod.Type.Plural);

    // By namespace: the pods at its last count.
    private readonly ConcurrentDictionary<string, Dictionary<string, (long Revision, PodUse Use)>> known = new(StringComparer.Ordinal);

    /// <summary>How much of each resource that a quota bounds there is.</summary>
    public async Task<IReadOnlyDictionary<string, Quantity>> CountAsync(string ns, ResourceQuotaSpec spec, CancellationToken stopping)
    {
        var uses = spec.Hard.Keys.Any(IsOfPods) ? await PodsAsync(ns, stopping) : [];
        var used = new Dictionary<string, Quantity>(StringComparer.Ordinal);
        foreach (var (name, bound) in spec.Hard)
        {
            var sum = IsOfPods(name) ? uses.Sum(use => QuotaNames.TakenBy(use, name, spec.Scopes))
                : name == QuotaNames.ClaimStorage ? await ClaimedAsync(ns, stopping)
                : await CountAsync(KindOf(name), ns, stopping);
            used[name] = new Quantity(Math.Min(sum, long.MaxValue), bound.Format);
        }

        return used;
    }

    public static bool IsOfPods(string name) => name is Quantities.Pods or "count/pods" || QuotaNames.AmountOf(name) is not null;

    /// <summary>How much of a resource that is no pod's an object takes.</summary>
    public static decimal TakenBy(JsonObject resource, string name) =>
        name != QuotaNames.ClaimStorage ? 1 : resource.TextAt("spec", "resources", "requests", Quantities.Storage) is { } text && Quantity.TryParse(text, out var size) ? size.Value : 0;

    /// <summary>The kind whose objects are counted under a name; null when it is not served, and there are none.</summary>
    public ServedResource? KindOf(string name)
    {
        var counted = name == QuotaNames.ClaimStorage ? PersistentVolumeClaim.Type.Plural : name.StartsWith(QuotaNames.Count, StringComparison.Ordinal) ? name[QuotaNames.Count.Length..] : name;
        var dot = counted.IndexOf('.', StringComparison.Ordinal);
        var (plural, group) = dot < 0 ? (counted, "") : (counted[..dot], counted[(dot + 1)..]);
        return resources.All.FirstOrDefault(kind => kind.Definition.Plural == plural && kind.Definition.Group == group && kind.Definition.Namespaced);
    }

    private async Task<decimal> CountAsync(ServedResource? kind, string ns, CancellationToken stopping)
    {
        if (kind is null)
        {
            return 0;
        }

        var page = await store.ListAsync(new StoreListQuery(kind.ListPrefix(ns), null, 1, 0, CountsRemaining: true), stopping);
        return page.Items.Count + page.RemainingCount;
    }

    /// <summary>What the claims of a namespace ask for.</summary>
    private async Task<decimal> ClaimedAsync(string ns, CancellationToken stopping)
    {
        var sum = 0m;
        if (KindOf(QuotaNames.ClaimStorage) is not { } claims)
        {
            return sum;
        }

        for (string? after = null; ;)
        {
            var page = await store.ListAsync(new StoreListQuery(claims.ListPrefix(ns), after, PageItems, 0, CountsRemaining: false), stopping);
            sum += page.Items.Sum(item => TakenBy(claims.Form.Decode(item.Value.Span, item.ModRevision), QuotaNames.ClaimStorage));
            if (page.RemainingCount == 0)
            {
                return sum;
            }

            after = page.Items[^1].Key;
        }
    }

    private async Task<List<PodUse>> PodsAsync(string ns, CancellationToken stopping)
    {
        if (pods is null)
        {
            return [];
        }

        var before = known.GetValueOrDefault(ns);
        var now = new Dictionary<string, (long Revision, PodUse Use)>(StringComparer.Ordinal);
        for (string? after = null; ;)
        {
            var page = await store.ListAsync(new StoreListQuery(pods.ListPrefix(ns), after, PageItems, 0, CountsRemaining: false), stopping);
            foreach (var item in page.Items)
            {
                now[item.Key] = before is not null && before.TryGetValue(item.Key, out var there) && there.Revision == item.ModRevision
                    ? there
                    : (item.ModRevision, PodUse.Of(GodwitJson.FromNode<Pod>(pods.Form.Decode(item.Value.Span, item.ModRevision))));
            }

            if (page.RemainingCount == 0)
            {
                break;
            }

            after = page.Items[^1].Key;
        }

        if (now.Count == 0)
        {
            known.TryRemove(ns, out _);
        }
        else
        {
            known[ns] = now;
        }

        return [.. now.Values.Select(pod => pod.Use)];
    }
}
