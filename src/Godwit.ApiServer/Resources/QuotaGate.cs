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
/// for people: nothing is decided by it. Turns are of this process; where several servers share the store, whoever has the turn here
/// waits for the one among the servers as well (<see cref="SharedTurns"/>).
/// </summary>
internal sealed class QuotaGate(IRevisionStore store, ServedResources resources, QuotaUses uses, SharedTurns? amongServers)
{
    private const string TurnPrefix = "quotas/";

    private readonly ServedResource? quotas = resources.Find("", "v1", ResourceQuota.Type.Plural);
    private readonly Lock gate = new();
    private readonly Dictionary<string, Queue> queues = new(StringComparer.Ordinal);

    /// <summary>Waits for the namespace's turn where a quota bounds the object; it is kept until the result is disposed of.</summary>
    /// <exception cref="StatusException">403: it does not fit, or does not say how much it needs.</exception>
    public async Task<QuotaRoom> EnterAsync(WriteContext write, JsonObject resource)
    {
        if (quotas is null || !write.Resource.Definition.Namespaced || (await BoundingAsync(write)).Count == 0)
        {
            return new QuotaRoom(leave: null, shared: null, write.Stopping);
        }

        var turn = await TakeTurnAsync(write);
        try
        {
            var pod = write.Resource.Definition is { Group: "", Plural: "pods" } ? GodwitJson.FromNode<Pod>(resource) : null;
            foreach (var quota in await BoundingAsync(write))
            {
                await CheckAsync(write, quota, pod);
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
        QuotaUses.IsOfPods(name) ? write.Resource.Definition is { Group: "", Plural: "pods" } : uses.KindOf(name) == write.Resource;

    private async Task CheckAsync(WriteContext write, ResourceQuota quota, Pod? pod)
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
            .ToDictionary(name => name, name => use is null ? 1 : QuotaNames.TakenBy(use, name, quota.Spec.Scopes), StringComparer.Ordinal);
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

    private async Task<QuotaRoom> TakeTurnAsync(WriteContext write)
    {
        Queue? queue;
        lock (gate)
        {
            if (!queues.TryGetValue(write.Namespace, out queue))
            {
                queues[write.Namespace] = queue = new Queue(write.Namespace);
            }

            queue.Users++;
        }

        try
        {
            await queue.Turn.WaitAsync(write.Stopping); // Bounded by the request's own time, and by how many one user may have under way.
        }
        catch
        {
            Leave(queue, hadTurn: false);
            throw;
        }

        try
        {
            var shared = amongServers is null ? null : await amongServers.TakeAsync(TurnPrefix + write.Namespace, write.Stopping);
            return new QuotaRoom(() => Leave(queue, hadTurn: true), shared, write.Stopping);
        }
        catch
        {
            Leave(queue, hadTurn: true);
            throw;
        }
    }

    private void Leave(Queue queue, bool hadTurn)
    {
        if (hadTurn)
        {
            queue.Turn.Release();
        }

        lock (gate)
        {
            if (--queue.Users == 0)
            {
                queues.Remove(queue.Namespace);
                queue.Turn.Dispose();
            }
        }
    }

    private sealed class Queue(string ns)
    {
        public string Namespace { get; } = ns;

        public SemaphoreSlim Turn { get; } = new(1, 1);

        public int Users { get; set; }
    }
}

/// <summary>Room in a namespace for one object, until it is disposed of: after the object is stored.</summary>
internal sealed class QuotaRoom(Action? leave, SharedTurns.Held? shared, CancellationToken stopping) : IAsyncDisposable
{
    private Action? leaving = leave;

    /// <summary>Ends the wait for the object to be stored: the room is not kept for ever.</summary>
    public CancellationToken Stopping => shared?.Stopping ?? stopping;

    /// <summary>True when it was the room's time that ended, not the request.</summary>
    public bool IsOver => shared is { IsOver: true } && !stopping.IsCancellationRequested;

    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref leaving, null) is not { } left)
        {
            return;
        }

        if (shared is not null)
        {
            await shared.DisposeAsync();
        }

        left();
    }
}
