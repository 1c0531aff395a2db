namespace Godwit.Controllers.Nodes;

/// <summary>
/// Carries out what <see cref="PodEvictionPlanner"/> decides, by the name of a node. Pods of a node whose object is gone and whose heartbeat is silent too are taken away for
/// good: removing the node was the operator's word that the host is off, the same as for guests (see <see cref="NodeLifecyclePlanner"/>).
/// <para>When every node is silent it is likelier that we are cut off than that all of them are: nothing is evicted then, and time counts anew from its end.</para>
/// </summary>
internal sealed class PodEvictionController(ClusterView cluster, TimeProvider clock, ILogger logger) : Controller("podeviction", clock, logger)
{
    private static readonly TimeSpan LookPeriod = TimeSpan.FromSeconds(5);

    private DateTimeOffset cutOff = DateTimeOffset.MinValue;

    private readonly HeartbeatMonitor heartbeats = new(clock);
    private readonly ResourceClient<Node> nodes = cluster.ClientOf<Node>();
    private readonly ResourceClient<Pod> pods = cluster.ClientOf<Pod>();

    protected override void Subscribe()
    {
        cluster.Nodes.Subscribe(change => Enqueue(new ResourceKey("", change.Key.Name)));
        cluster.Pods.Subscribe(change =>
        {
            if (change.After?.Spec.NodeName is { Length: > 0 } name && (change.Before?.Spec.NodeName != name || change.Before.Metadata.DeletionTimestamp != change.After.Metadata.DeletionTimestamp))
            {
                Enqueue(new ResourceKey("", name));
            }
        });
    }

    protected override IEnumerable<ResourceKey> AllKeys()
    {
        var names = cluster.Nodes.Current.Keys.Select(key => key.Name).Concat(cluster.Pods.Current.Groups).ToHashSet(StringComparer.Ordinal);
        heartbeats.Keep(names);
        return names.Select(name => new ResourceKey("", name));
    }

    protected override async Task<NextLook> ReconcileAsync(ResourceKey key, CancellationToken stopping)
    {
        var there = cluster.Pods.Current.InGroup(key.Name).ToList();
        if (cluster.Nodes.Current.Find(key) is { } node)
        {
            return await EvictAsync(node, there, stopping);
        }

        if (there.Count == 0)
        {
            return NextLook.OnChange;
        }

        var silence = heartbeats.Silence(key.Name, cluster.NodeLeases.Current.Find(NamespaceNames.KubeNodeLease, key.Name));
        if (silence >= NodeLifecyclePlanner.SilentAfter && await nodes.FindAsync(key, stopping) is null)
        {
            foreach (var pod in there)
            {
                await CollectAsync(pod, stopping);
            }
        }

        return NextLook.After(LookPeriod);
    }

    private async Task<NextLook> EvictAsync(Node node, List<Pod> there, CancellationToken stopping)
    {
        heartbeats.Silence(node.Metadata.Name, cluster.NodeLeases.Current.Find(NamespaceNames.KubeNodeLease, node.Metadata.Name));
        var (now, next) = (Clock.GetUtcNow(), NextLook.OnChange);
        if (cluster.Nodes.Current.Items.All(each => each.Spec.Taints.Any(taint => taint.Key == TaintKeys.Unreachable)))
        {
            cutOff = now;
            return NextLook.After(LookPeriod);
        }

        var taints = node.Spec.Taints.Select(taint => taint.Key == TaintKeys.Unreachable && taint.TimeAdded < cutOff ? taint with { TimeAdded = cutOff } : taint).ToList();
        foreach (var pod in there)
        {
            if (PodEvictionPlanner.Deadline(pod, taints, now) is not { } deadline)
            {
                continue;
            }

            if (deadline > now)
            {
                next = next.Or(NextLook.After(deadline - now));
            }
            else if (await pods.TryDeleteAsync(ResourceKey.Of(pod), new DeleteOptions { Preconditions = new Preconditions { Uid = pod.Metadata.Uid } }, stopping))
            {
                cluster.Events.Record(pod, EventTypes.Normal, "TaintManagerEviction", $"Marking for deletion Pod {ResourceKey.Of(pod)}: node {node.Metadata.Name} has a NoExecute taint that it tolerates no longer");
            }
        }

        return next;
    }

    private async Task CollectAsync(Pod pod, CancellationToken stopping)
    {
        var options = new DeleteOptions { GracePeriodSeconds = 0, Preconditions = new Preconditions { Uid = pod.Metadata.Uid } };
        if (!await pods.TryDeleteAsync(ResourceKey.Of(pod), options, stopping) || await pods.FindAsync(ResourceKey.Of(pod), stopping) is not { } left || left.Metadata.Uid != pod.Metadata.Uid)
        {
            return;
        }

        cluster.Events.Record(pod, EventTypes.Warning, "NodeRemoved", $"The pod is lost: node {pod.Spec.NodeName} was removed from the cluster while it was silent");
        var finalizers = left.Metadata.Finalizers.Where(name => name != FinalizerNames.Agent).ToList();
        cluster.Pods.Observe(await pods.ChangeAsync(left, left with { Metadata = left.Metadata with { Finalizers = finalizers } }, stopping));
    }
}
