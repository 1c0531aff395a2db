using System.Collections.Concurrent;
using Godwit.Scheduling;
using Godwit.Scheduling.Pods;
using Godwit.Scheduling.Volumes;

namespace Godwit.Controllers.Placements;

/// <summary>
/// Carries out a round's decisions. A binding is the server's own verb: it refuses a second one, and in the same write puts
/// the agent's finalizer on the pod. Its answer is not the pod, so until the cache shows the pod with its node the binding
/// is remembered here; otherwise the next round would give the same room away again. One without an answer is asked about before the next round (<see cref="SettleAsync"/>).
/// <para>A pod whose claims wait for it is bound in two steps: its node is written on the claims, and when these have their volumes it is bound. In between the room is promised to it
/// (<see cref="PromisedNodes"/>): a local volume is of use on its own node alone, so a pod that lost the room there would wait for ever.</para>
/// </summary>
internal sealed partial class PodBinder(ClusterView cluster, TimeProvider clock, ILogger logger)
{
    /// <summary>So many writes are under way at a time: the store flushes those that wait together, so more of them cost fewer flushes. A backlog went a third faster with 64 than with 16.</summary>
    private const int WritesMax = 64;

    private readonly ResourceClient<Pod> pods = cluster.ClientOf<Pod>();
    private readonly ResourceClient<PersistentVolumeClaim> claims = cluster.ClientOf<PersistentVolumeClaim>();
    private readonly WritesInDoubt<Pod> inDoubt = new(cluster.ClientOf<Pod>(), cluster.Pods);
    private readonly ConcurrentDictionary<string, string> boundByUid = new(StringComparer.Ordinal);

    /// <summary>Where pods are to run that wait for their volumes.</summary>
    public PromisedNodes Promised { get; } = new(clock);

    /// <summary>The same as <see cref="Pods"/>, with pods that wait for their volumes where they are to run: for who is placed beside them.</summary>
    public IReadOnlyList<Pod> PodsAndPromises() =>
        [.. Pods().Select(pod => string.IsNullOrEmpty(pod.Spec.NodeName) && Promised.NodeOf(pod) is { } node ? pod with { Spec = pod.Spec with { NodeName = node } } : pod)];

    /// <summary>All pods as far as is known, bindings included that the cache does not show yet.</summary>
    public IReadOnlyList<Pod> Pods()
    {
        var known = cluster.Pods.Current.Items.ToList();
        Promised.Keep(known);
        if (boundByUid.IsEmpty)
        {
            return known;
        }

        var unseen = new HashSet<string>(StringComparer.Ordinal);
        for (var i = 0; i < known.Count; i++)
        {
            if (string.IsNullOrEmpty(known[i].Spec.NodeName) && boundByUid.TryGetValue(known[i].Metadata.Uid, out var nodeName))
            {
                unseen.Add(known[i].Metadata.Uid);
                known[i] = known[i] with { Spec = known[i].Spec with { NodeName = nodeName } };
            }
        }

        foreach (var uid in boundByUid.Keys.Where(uid => !unseen.Contains(uid)))
        {
            boundByUid.TryRemove(uid, out _); // Seen with its node, or gone.
        }

        return known;
    }

    /// <summary>Before anything is decided: looks what came of bindings without an answer.</summary>
    public Task SettleAsync(CancellationToken stopping) => inDoubt.SettleAsync(stopping);

    public Task CarryOutAsync(IEnumerable<PodDecision> decisions, CancellationToken stopping) => Parallel.ForEachAsync(
        decisions,
        new ParallelOptions { MaxDegreeOfParallelism = WritesMax, TaskScheduler = TaskScheduler.Current, CancellationToken = stopping }, // The caller's scheduler, and not always the thread pool's.
        async (decision, cancelled) =>
        {
            try
            {
                await CarryOutAsync(decision, cancelled);
            }
            catch (ApiException error) when (error.IsConflict || error.IsNotFound)
            {
                // Changed, bound or deleted meanwhile: the watch tells, and the next round sees it.
            }
        });

    private Task CarryOutAsync(PodDecision decision, CancellationToken stopping) => decision.Placement switch
    {
        PodPlacement.Chosen chosen when decision.Pending.Count > 0 => SelectAsync(decision.Pod, decision.Pending, chosen.NodeName, stopping),
        PodPlacement.Chosen chosen => BindAsync(decision.Pod, chosen.NodeName, stopping),
        PodPlacement.Nowhere nowhere => RefuseAsync(decision.Pod, nowhere, stopping),
        _ => Task.CompletedTask,
    };

    /// <summary>Tells the claims of a pod where it is to run. The pod is bound when they have their volumes, which brings another round.</summary>
    private async Task SelectAsync(Pod pod, IReadOnlyList<PendingClaim> pending, string nodeName, CancellationToken stopping)
    {
        Promised.Promise(pod, nodeName);
        foreach (var claim in pending.Where(each => each.SelectedNode != nodeName).Select(each => each.Claim))
        {
            var annotations = new Dictionary<string, string>(claim.Metadata.Annotations, StringComparer.Ordinal) { [AnnotationNames.SelectedNode] = nodeName };
            cluster.Claims.Observe(await claims.ChangeAsync(claim, claim with { Metadata = claim.Metadata with { Annotations = annotations } }, stopping));
        }
    }

    private async Task BindAsync(Pod pod, string nodeName, CancellationToken stopping)
    {
        var binding = new JsonObject
        {
            ["apiVersion"] = "v1",
            ["kind"] = "Binding",
            ["metadata"] = new JsonObject { ["name"] = pod.Metadata.Name, ["namespace"] = pod.Metadata.Namespace, ["uid"] = pod.Metadata.Uid },
            ["target"] = new JsonObject { ["apiVersion"] = "v1", ["kind"] = "Node", ["name"] = nodeName },
        };
        await inDoubt.RunAsync(ResourceKey.Of(pod), () => pods.PostAsync(ResourceKey.Of(pod), "binding", binding, stopping));
        boundByUid[pod.Metadata.Uid] = nodeName;
        Promised.TakeBack(pod);
        cluster.Events.Record(pod, EventTypes.Normal, "Scheduled", $"Successfully assigned {pod.Metadata.Namespace}/{pod.Metadata.Name} to {nodeName}");
        Log.Bound(logger, ResourceKey.Of(pod), nodeName);
    }

    /// <summary>First the pod says where room is made for it, then those in the way are taken down: whoever looks in between plans the same again.</summary>
    private async Task RefuseAsync(Pod pod, PodPlacement.Nowhere nowhere, CancellationToken stopping)
    {
        Promised.TakeBack(pod);
        await TellAsync(pod, nowhere.Explain(), nowhere.Preemption?.NodeName, stopping);
        foreach (var victim in nowhere.Preemption?.Victims ?? [])
        {
            var key = new ResourceKey(victim.Namespace, victim.Name[(victim.Namespace.Length + 1)..]);
            if (cluster.Pods.Current.Find(key) is { } there && there.Metadata.Uid == victim.Uid)
            {
                cluster.Events.Record(there, EventTypes.Normal, "Preempted", $"Preempted by pod {pod.Metadata.Namespace}/{pod.Metadata.Name} on node {nowhere.Preemption!.NodeName}");
                await pods.TryDeleteAsync(key, new DeleteOptions { Preconditions = new Preconditions { Uid = victim.Uid } }, stopping);
                Log.Preempted(logger, key, ResourceKey.Of(pod), nowhere.Preemption.NodeName);
            }
        }
    }

    /// <summary>Said once for each reason: a condition for programs, an event for people.</summary>
    private async Task TellAsync(Pod pod, string why, string? nominated, CancellationToken stopping)
    {
        var known = pod.Status.Conditions.FirstOrDefault(condition => condition.Type == PodConditionTypes.PodScheduled);
        if (known is { Status: ConditionStatuses.False, Reason: PlacementController.Unschedulable } && known.Message == why && (pod.Status.NominatedNodeName ?? "") == (nominated ?? ""))
        {
            return;
        }

        var condition = new PodCondition
        {
            Type = PodConditionTypes.PodScheduled,
            Status = ConditionStatuses.False,
            Reason = PlacementController.Unschedulable,
            Message = why,
            LastTransitionTime = known?.Status == ConditionStatuses.False ? known.LastTransitionTime : clock.GetUtcNow(),
        };
        var status = pod.Status with
        {
            Phase = pod.Status.Phase ?? PodPhases.Pending,
            NominatedNodeName = nominated,
            Conditions = [.. pod.Status.Conditions.Where(each => each.Type != PodConditionTypes.PodScheduled), condition],
        };
        cluster.Pods.Observe(await pods.ChangeStatusAsync(pod, pod with { Status = status }, stopping));
        cluster.Events.Record(pod, EventTypes.Warning, "FailedScheduling", why);
    }

    private static partial class Log
    {
        [LoggerMessage(1, LogLevel.Information, "{Pod} is to run on {NodeName}")]
        public static partial void Bound(ILogger logger, ResourceKey pod, string nodeName);

        [LoggerMessage(2, LogLevel.Information, "{Victim} is taken down to make room for {Pod} on {NodeName}")]
        public static partial void Preempted(ILogger logger, ResourceKey victim, ResourceKey pod, string nodeName);
    }
}
