using System.Text.Json.Nodes;
using Godwit.Api;
using Godwit.Api.Core.V1;
using Godwit.Api.Kinds.Quotas;
using Godwit.ApiServer.Requests;
using Godwit.Base;
using Godwit.Store;

namespace Godwit.ApiServer.Resources;

/// <summary>
/// Lets an object into a namespace while it fits every quota. Creates that a quota bounds take turns, a namespace at a time:
/// <code>
///   turn ─▶ count what is stored ─▶ fits? ─▶ store ─▶ turn ends
/// </code>
/// So what is counted holds everything that was let in before, and of many creates at once no more are let in than fit. The quota's status is
/// for people: nothing is decided by it.
/// </summary>
internal sealed class QuotaGate(IRevisionStore store, ServedResources resources, QuotaUses uses, WriteTurns turns)
{
    private const string TurnPrefix = "quotas/";

    private readonly ServedResource? quotas = resources.Find("", "v1", ResourceQuota.Type.Plural);

    /// <summary>Waits for the namespace's turn where a quota bounds the object; it is kept until the result is disposed of.</summary>
    /// <exception cref="StatusException">403: it does not fit, or does not say how much it needs.</exception>
    public async Task<WriteRoom> EnterAsync(WriteContext write, JsonObject resource)
    {
        if (quotas is null || !write.Resource.Definition.Namespaced || (await BoundingAsync(write)).Count == 0)
        {
            return new WriteRoom(write.Stopping);
        }

        var turn = await turns.TakeAsync(TurnPrefix + write.Namespace, new WriteRoom(write.Stopping));
        try
        {
            var pod = write.Resource.Definition is { Group: "", Plural: "pods" } ? GodwitJson.FromNode<Pod>(resource) : null;
            foreach (var quota in await BoundingAsync(write))
            {
                await CheckAsync(write, resource, quota, pod);
            }

            return turn;
        }
        catch
        {
            await turn.DisposeAsync();
            throw;
        }
    }

    private async Task<List<ResourceQuota>> BoundingAsync(WriteContext write)
    {
        var list = await store.ListAsync(new StoreListQuery(quotas!.ListPrefix(write.Namespace)), write.Stopping);
        return [.. list.Items.Select(item => GodwitJson.FromNode<ResourceQuota>(quotas.Form.Decode(item.Value.Span, item.ModRevision))).Where(quota => quota.Spec.Hard.Keys.Any(name => Counts(write, name)))];
    }

    private bool Counts(WriteContext write, string name) =>
        QuotaUses.IsOfPods(name) ? write.Resource.Definition is { Group: "", Plural: "pods" } : uses.KindOf(name)?.KeyPrefix == write.Resource.KeyPrefix;

    private async Task CheckAsync(WriteContext write, JsonObject resource, ResourceQuota quota, Pod? pod)
    {
        var use = pod is null ? null : PodUse.Of(pod);
        if (use is not null && !QuotaNames.Picks(quota.Spec.Scopes, use))
        {
            return;
        }

        if (pod is not null)
        {
            CheckSaid(write, quota, pod);
        }

        var wanted = quota.Spec.Hard.Keys.Where(name => Counts(write, name))
            .ToDictionary(name => name, name => use is null ? QuotaUses.TakenBy(resource, name) : QuotaNames.TakenBy(use, name, quota.Spec.Scopes), StringComparer.Ordinal);
        var used = await uses.CountAsync(write.Namespace, quota.Spec, write.Stopping);
        var exceeded = wanted.Where(each => each.Value > 0 && used[each.Key].Value + each.Value > quota.Spec.Hard[each.Key].Value).Select(each => each.Key).Order(StringComparer.Ordinal).ToList();
        if (exceeded.Count > 0)
        {
            throw StatusException.Forbidden(write.Subject, $"exceeded quota: {quota.Metadata.Name}, requested: {Show(name => new Quantity(wanted[name], quota.Spec.Hard[name].Format))}, used: {Show(name => used[name])}, limited: {Show(name => quota.Spec.Hard[name])}");
        }

        string Show(Func<string, Quantity> amount) => string.Join(',', exceeded.Select(name => $"{name}={amount(name)}"));
    }

    /// <exception cref="StatusException">403: a container does not say what a quota counts.</exception>
    private static void CheckSaid(WriteContext write, ResourceQuota quota, Pod pod)
    {
        var missing = new List<string>();
        foreach (var name in quota.Spec.Hard.Keys.Where(name => QuotaNames.AmountOf(name) is not null).Order(StringComparer.Ordinal))
        {
            var amount = QuotaNames.AmountOf(name)!;
            var isLimit = amount.StartsWith(QuotaNames.Limits, StringComparison.Ordinal);
            var key = amount[(isLimit ? QuotaNames.Limits : QuotaNames.Requests).Length..];
            var silent = pod.Spec.Containers.Concat(pod.Spec.InitContainers).Where(container => !((isLimit ? container.Resources?.Limits : container.Resources?.Requests) ?? Quantities.None).ContainsKey(key)).Select(container => container.Name).ToList();
            if (silent.Count > 0)
            {
                missing.Add($"{name} for: {string.Join(',', silent)}");
            }
        }

        if (missing.Count > 0)
        {
            throw StatusException.Forbidden(write.Subject, $"failed quota: {quota.Metadata.Name}: must specify {string.Join("; ", missing)}");
        }
    }
}
