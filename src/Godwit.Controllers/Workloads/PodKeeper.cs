using System.Collections.Concurrent;

namespace Godwit.Controllers.Workloads;

/// <summary>
/// The writes that all keepers of pods need. A pod whose deletion was asked for counts as being deleted at once, although the
/// cache does not show it yet: otherwise the next look might choose another victim beside it.
/// </summary>
internal sealed class PodKeeper(ClusterView cluster, TimeProvider clock)
{
    private readonly ResourceClient<Pod> pods = cluster.ClientOf<Pod>();
    private readonly ConcurrentDictionary<string, (DateTimeOffset At, long Timestamp)> askedByUid = new(StringComparer.Ordinal);

    /// <summary>Remembered for so long at most; by then the watch has told, or the deletion was undone by nobody.</summary>
    private static readonly TimeSpan RememberFor = TimeSpan.FromMinutes(1);

    /// <summary>The pods of a namespace as far as is known, our own writes included.</summary>
    public IReadOnlyList<Pod> PodsIn(string @namespace)
    {
        foreach (var (uid, asked) in askedByUid)
        {
            if (clock.GetElapsedTime(asked.Timestamp) > RememberFor)
            {
                askedByUid.TryRemove(uid, out _);
            }
        }

        return
        [
            .. cluster.Pods.Current.Items.Where(pod => pod.Metadata.Namespace == @namespace).Select(pod =>
                pod.Metadata.DeletionTimestamp is null && askedByUid.TryGetValue(pod.Metadata.Uid, out var asked)
                    ? pod with { Metadata = pod.Metadata with { DeletionTimestamp = asked.At } }
                    : pod),
        ];
    }

    public async Task<Pod> CreateAsync(Pod pod, Resource owner, CancellationToken stopping)
    {
        try
        {
            var made = cluster.Pods.Observe(await pods.CreateAsync(pod, stopping));
            cluster.Events.Record(owner, EventTypes.Normal, "SuccessfulCreate", $"Created pod: {made.Metadata.Name}");
            return made;
        }
        catch (ApiException error) when (!error.IsAlreadyExists)
        {
            cluster.Events.Record(owner, EventTypes.Warning, "FailedCreate", $"Error creating: {error.Message}");
            throw;
        }
    }

    /// <summary>
    /// So many alike, in groups that double: when the server refuses one (a quota, a rule), only a group was tried and not all.
    /// </summary>
    public async Task CreateManyAsync(int count, Func<Pod> make, Resource owner, CancellationToken stopping)
    {
        for (var group = 1; count > 0; group = Math.Min(group * 2, 16))
        {
            var now = Math.Min(group, count);
            await Task.WhenAll(Enumerable.Range(0, now).Select(_ => CreateAsync(make(), owner, stopping)));
            count -= now;
        }
    }

    public async Task DeleteAsync(Pod pod, Resource owner, CancellationToken stopping)
    {
        askedByUid[pod.Metadata.Uid] = (clock.GetUtcNow(), clock.GetTimestamp());
        if (await pods.TryDeleteAsync(ResourceKey.Of(pod), new DeleteOptions { Preconditions = new Preconditions { Uid = pod.Metadata.Uid } }, stopping))
        {
            cluster.Events.Record(owner, EventTypes.Normal, "SuccessfulDelete", $"Deleted pod: {pod.Metadata.Name}");
        }
    }

    public Task AdoptAsync(Pod pod, Resource owner, CancellationToken stopping) =>
        WriteOwnersAsync(pod, [.. pod.Metadata.OwnerReferences, PodTemplates.ReferenceTo(owner)], stopping);

    public Task ReleaseAsync(Pod pod, Resource owner, CancellationToken stopping) =>
        WriteOwnersAsync(pod, [.. pod.Metadata.OwnerReferences.Where(each => each.Uid != owner.Metadata.Uid)], stopping);

    private async Task WriteOwnersAsync(Pod pod, IReadOnlyList<OwnerReference> owners, CancellationToken stopping)
    {
        // PodsIn may have marked it as being deleted: what is compared is what the server has.
        var stored = cluster.Pods.Current.Find(ResourceKey.Of(pod)) ?? pod;
        cluster.Pods.Observe(await pods.ChangeAsync(stored, stored with { Metadata = stored.Metadata with { OwnerReferences = owners } }, stopping));
    }
}
