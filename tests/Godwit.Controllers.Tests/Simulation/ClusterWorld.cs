using System.Globalization;
using System.Security.Cryptography;
using Godwit.Api.Coordination.V1;
using Godwit.Controllers.Nodes;
using Godwit.Controllers.Storage;
using Godwit.Controllers.Workloads;
using Godwit.Store;

namespace Godwit.Controllers.Tests.Simulation;

/// <summary>
/// One run's time, chance and story, and what must never be. The invariants, by the names that a failure prints:
/// <list type="bullet">
/// <item><b>NeverTwoRunning</b>: no two pods of one name run at the same time, on whatever nodes.</item>
/// <item><b>NeverGoneWhileRunning</b>: a pod's object does not go while its node still runs it.</item>
/// <item><b>NeverMoved</b>: a pod that has a node keeps it.</item>
/// <item><b>NeverOvercommitted</b>: no node is promised more memory than it has.</item>
/// <item><b>AddressOnce</b>: no two pods that have not ended have the same address.</item>
/// <item><b>WithItsData</b>: a pod of a stateful set is on the node where its volume lies.</item>
/// <item><b>NeverSilentWhileHeard</b>: no node is called silent whose agent has renewed its lease not long before.</item>
/// <item><b>NeverBelowBudget</b>: no eviction leaves fewer pods healthy than its disruption budget says; and <b>DrainEnds</b>: they go on.</item>
/// <item><b>AsAsked</b>: once faults stop, everything becomes what was asked for, and is said to be.</item>
/// <item><b>NothingStrays</b>: no controller leaves the simulation's thread or ends.</item>
/// </list>
/// What must never be of guests, and of what follows the clock, <see cref="GuestWitness"/> and <see cref="ClockWitness"/> say.
/// </summary>
internal sealed class ClusterWorld(Random random, SimulatedClock clock)
{
    /// <summary>A run goes on for so long after a violation, for what else comes of it.</summary>
    private static readonly TimeSpan Aftermath = TimeSpan.FromMinutes(3);

    /// <summary>And for so long when another was sought: what is broken may never become as it was asked.</summary>
    private static readonly TimeSpan SoughtAftermath = TimeSpan.FromMinutes(30);

    /// <summary>A lease may be renewed between the look at it and the word.</summary>
    private static readonly TimeSpan JustNow = TimeSpan.FromSeconds(0.5);

    private readonly List<string> story = [];
    private readonly DateTimeOffset start = clock.TrueNow;
    private readonly IncrementalHash digest = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private readonly List<string> violations = [];

    private readonly HashSet<string> calledSilent = new(StringComparer.Ordinal);
    private DateTimeOffset firstViolation;
    private long observed;

    public Random Random { get; } = random;

    public SimulatedClock Clock { get; } = clock;

    /// <summary>The true time, whatever the clock of the server and of the processes says.</summary>
    public DateTimeOffset Now => Clock.TrueNow;

    /// <summary>No faults happen.</summary>
    public bool IsCalm { get; set; } = true;

    /// <summary>What is broken on purpose.</summary>
    public ClusterMutation Mutation { get; init; }

    /// <summary>What it has written before its first request, keys among it that are made anew for each, is not of the run.</summary>
    public required SimulatedServer Server
    {
        get;
        init
        {
            field = value;
            observed = value.Revision;
        }
    }

    public List<SimulatedNode> Nodes { get; } = [];

    /// <summary>Who else looks at what is written.</summary>
    public List<IClusterWitness> Witnesses { get; } = [];

    /// <summary>All pods as the server has them now.</summary>
    public SortedDictionary<ResourceKey, Pod> Pods { get; } = [];

    /// <summary>What has happened, for the counts of those that must have.</summary>
    public HashSet<string> Seen { get; } = new(StringComparer.Ordinal);

    /// <summary>The broken invariants, by name, each once; null when there is none.</summary>
    public string? Violation => violations.Count == 0 ? null : string.Join('\n', violations);

    /// <summary>So many web are to be healthy: evictions alone happen.</summary>
    public int HealthyMin { get; set; }

    /// <summary>The invariant that is to be seen broken, of a run for that alone.</summary>
    public string? Sought { get; init; }

    /// <summary>Whether all has been seen that a violation was to show.</summary>
    public bool IsOver => (Sought is not null && IsBroken(Sought)) || (violations.Count > 0 && Now - firstViolation > (Sought is null ? Aftermath : SoughtAftermath));

    public bool IsBroken(string invariant) => violations.Exists(known => known.StartsWith(invariant + ":", StringComparison.Ordinal));

    public string Story => string.Join('\n', story);

    /// <summary>Of everything that was ever written, byte for byte, but for events, whose names are drawn outside the seed.</summary>
    public string Digest => Convert.ToHexString(digest.GetCurrentHash());

    public bool Chance(double probability) => Random.NextDouble() < probability;

    public TimeSpan Between(double lowSeconds, double highSeconds) => TimeSpan.FromSeconds(lowSeconds + (Random.NextDouble() * (highSeconds - lowSeconds)));

    public void Log(string text) => story.Add(string.Create(CultureInfo.InvariantCulture, $"{(Now - start).TotalSeconds,8:0.0} s  {text}"));

    public void Tell(string kind, string what)
    {
        Seen.Add(kind);
        Log(what);
    }

    public void Check(bool holds, string invariant, Func<string> detail)
    {
        if (holds || IsBroken(invariant))
        {
            return;
        }

        firstViolation = violations.Count == 0 ? Now : firstViolation;
        violations.Add($"{invariant}: {detail()}");
        Log(violations[^1]);
    }

    /// <summary>A node has begun to run a pod.</summary>
    public void CheckRunning(SimulatedNode node, Pod pod)
    {
        var others = Nodes.SelectMany(each => each.Running.Where(run => run.Value.Pod == ResourceKey.Of(pod) && (each != node || run.Key != pod.Metadata.Uid)).Select(_ => each.Name)).ToList();
        Check(others.Count == 0, "NeverTwoRunning", () => $"{ResourceKey.Of(pod)} begins on {node.Name} and runs on {string.Join(", ", others)}");
    }

    /// <summary>Looks at everything that was written since.</summary>
    public void Observe()
    {
        for (; observed < Server.Revision; observed++)
        {
            var change = Server.Changes[(int)(observed - 1)];
            if (!Server.IsOf<Event>(change))
            {
                digest.AppendData(System.Text.Encoding.UTF8.GetBytes(change.Item.Key));
                digest.AppendData(change.Item.Value.Span);
            }

            if (Server.IsOf<Pod>(change))
            {
                Take(change, Server.Decode<Pod>(change));
            }
            else if (Server.IsOf<Node>(change) && change.Kind != StoreEventKind.Deleted)
            {
                CheckSilence(Server.Decode<Node>(change));
            }

            foreach (var witness in Witnesses)
            {
                witness.See(change);
            }
        }
    }

    private void Take(StoreEvent change, Pod pod)
    {
        var key = ResourceKey.Of(pod);
        var before = Pods.GetValueOrDefault(key);
        if (change.Kind == StoreEventKind.Deleted)
        {
            Pods.Remove(key);
            var running = Nodes.FirstOrDefault(node => node.Running.ContainsKey(pod.Metadata.Uid));
            Check(running is null, "NeverGoneWhileRunning", () => $"{key} is gone and runs on {running!.Name}");
            return;
        }

        Pods[key] = pod;
        var healthy = Pods.Values.Count(each => each.Metadata.Labels.GetValueOrDefault("app") == "web" && each.Metadata.DeletionTimestamp is null && PodFacts.IsReady(each));
        Check(healthy >= HealthyMin, "NeverBelowBudget", () => $"{healthy} web are healthy, and {HealthyMin} are to be whoever is evicted");
        Check(string.IsNullOrEmpty(before?.Spec.NodeName) || before.Spec.NodeName == pod.Spec.NodeName, "NeverMoved", () => $"{key} went from {before!.Spec.NodeName} to {pod.Spec.NodeName}");
        if (!string.IsNullOrEmpty(pod.Spec.NodeName) && string.IsNullOrEmpty(before?.Spec.NodeName))
        {
            Seen.Add("bound");
            CheckRoom(pod.Spec.NodeName);
            CheckData(pod);
        }

        if (!string.IsNullOrEmpty(pod.Status.PodIP) && string.IsNullOrEmpty(before?.Status.PodIP))
        {
            var other = Pods.Values.FirstOrDefault(each => each.Status.PodIP == pod.Status.PodIP && !PodPhases.IsFinal(each.Status.Phase) && each.Metadata.Uid != pod.Metadata.Uid);
            Check(other is null, "AddressOnce", () => $"{key} and {ResourceKey.Of(other!)} have {pod.Status.PodIP}");
        }
    }

    private void CheckSilence(Node node)
    {
        var isSilent = NodeLifecyclePlanner.IsCalledSilent(node);
        if (isSilent && !calledSilent.Contains(node.Metadata.Name))
        {
            var silence = Now - (Server.Find<Lease>(NamespaceNames.KubeNodeLease, node.Metadata.Name)?.Spec.RenewTime ?? DateTimeOffset.MinValue);
            Check(silence < JustNow || silence > NodeLifecyclePlanner.SilentAfter - SimulatedNode.BeatInterval, "NeverSilentWhileHeard", () => $"{node.Metadata.Name} is called silent {silence.TotalSeconds:0.#} s after it was heard of");
        }

        _ = isSilent ? calledSilent.Add(node.Metadata.Name) : calledSilent.Remove(node.Metadata.Name);
    }

    private void CheckRoom(string node)
    {
        var bytes = Pods.Values.Where(pod => pod.Spec.NodeName == node && !PodPhases.IsFinal(pod.Status.Phase)).Sum(pod => pod.Spec.Containers.Sum(container => container.Resources!.Requests["memory"].ToInt64()));
        Check(bytes <= (long)SimulatedNode.Mebibytes << 20, "NeverOvercommitted", () => $"{bytes >> 20} MiB are promised on {node}");
    }

    private void CheckData(Pod pod)
    {
        if (pod.Spec.Volumes.Select(volume => volume.PersistentVolumeClaim?.ClaimName).FirstOrDefault(name => name is not null) is not { } claim)
        {
            return;
        }

        var volume = Server.Find<PersistentVolumeClaim>(pod.Metadata.Namespace!, claim)?.Spec.VolumeName is { Length: > 0 } name ? Server.Find<PersistentVolume>("", name) : null;
        var node = volume is null ? null : LocalVolumes.NodeOf(volume);
        Check(node == pod.Spec.NodeName, "WithItsData", () => $"{ResourceKey.Of(pod)} is on {pod.Spec.NodeName} and its volume on {node ?? "no node"}");
    }
}
