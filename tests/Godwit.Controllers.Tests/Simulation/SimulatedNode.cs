using System.Text.Json.Nodes;
using Godwit.Api.Coordination.V1;
using Godwit.Controllers.Workloads;

namespace Godwit.Controllers.Tests.Simulation;

/// <summary>
/// One node as the cluster knows it: its agent takes what is bound to it, runs it, and lets go of what is deleted. While its agent is silent what runs here runs on, and that is what makes a silent node
/// dangerous; a host that lost its power runs nothing.
/// </summary>
internal sealed class SimulatedNode(string name, SimulatedServer server, ClusterWorld world)
{
    /// <summary>Three hold all that can be asked for, and two do not.</summary>
    public const int Mebibytes = 600;

    public static readonly TimeSpan BeatInterval = TimeSpan.FromSeconds(5);

    /// <summary>A pod of a job ends after its agent has looked at it so often.</summary>
    private const int LooksToEnd = 6;

    private static readonly TimeSpan WordAfterBeat = TimeSpan.FromSeconds(1);

    private readonly SortedDictionary<string, (ResourceKey Pod, int Looks)> running = new(StringComparer.Ordinal);
    private DateTimeOffset beat;

    public string Name { get; } = name;

    /// <summary>Nothing is heard of its agent.</summary>
    public bool IsSilent { get; set; }

    /// <summary>Who runs virtual machines here, where the run has any.</summary>
    public GuestAgent? Guests { get; set; }

    /// <summary>By the uid of their pods: what really runs here.</summary>
    public IReadOnlyDictionary<string, (ResourceKey Pod, int Looks)> Running => running;

    public void Join()
    {
        var made = server.Create(new Node
        {
            Metadata = new ObjectMeta
            {
                Name = Name,
                Labels = new Dictionary<string, string> { [LabelNames.Hostname] = Name },
                Annotations = new Dictionary<string, string> { [AnnotationNames.UnderlayAddress] = "10.0.0.1", [AnnotationNames.PeerEndpoint] = $"{Name}:10260", [AnnotationNames.VolumesFolder] = $"/data/{Name}/volumes" },
            },
        });
        var resources = new JsonObject { ["cpu"] = "4", ["memory"] = $"{Mebibytes}Mi", ["pods"] = "110" };
        server.TryPatch<Node>("", made.Metadata.Name, new JsonObject { ["status"] = new JsonObject { ["capacity"] = resources.DeepClone(), ["allocatable"] = resources, ["conditions"] = new JsonArray(Ready()) } }, "status");
        Beat();
    }

    /// <summary>Renews the lease. That the node is ready, where somebody doubts it, it says a little later (<see cref="Look"/>), as a request takes its time.</summary>
    public void Beat()
    {
        var spec = new LeaseSpec { HolderIdentity = Name, LeaseDurationSeconds = 40, RenewTime = world.Now };
        if (!server.TryPatch<Lease>(NamespaceNames.KubeNodeLease, Name, new JsonObject { ["spec"] = GodwitJson.ToObject(spec) }))
        {
            server.Create(new Lease { Metadata = new ObjectMeta { Namespace = NamespaceNames.KubeNodeLease, Name = Name }, Spec = spec });
        }

        if (server.Find<Node>("", Name) is null)
        {
            Join();
        }

        beat = world.Now;
    }

    /// <summary>Its host loses its power, and everything that ran on it with it.</summary>
    public void LosePower()
    {
        IsSilent = true;
        running.Clear();
        Guests?.LosePower();
    }

    /// <summary>The agent looks at what is bound to it.</summary>
    public void Look()
    {
        SayReady();
        foreach (var pod in world.Pods.Values.Where(pod => pod.Spec.NodeName == Name).ToList())
        {
            Tend(pod);
        }

        foreach (var uid in running.Keys.Except(world.Pods.Values.Select(pod => pod.Metadata.Uid), StringComparer.Ordinal).ToList())
        {
            running.Remove(uid);
        }

        Guests?.Look();
    }

    /// <summary>A pod that runs here is not ready, until its agent has looked at it.</summary>
    public void FallIll(Pod pod) => Say(pod, PodPhases.Running, isReady: false);

    private void SayReady()
    {
        var sinceBeat = world.Now - beat;
        if (sinceBeat >= WordAfterBeat && sinceBeat <= BeatInterval && server.Find<Node>("", Name) is { } node && !node.Status.Conditions.Any(condition => condition is { Type: NodeConditionTypes.Ready, Status: ConditionStatuses.True }))
        {
            server.TryPatch<Node>("", Name, new JsonObject { ["status"] = new JsonObject { ["conditions"] = new JsonArray(Ready()) } }, "status");
        }
    }

    private void Tend(Pod pod)
    {
        var isRunning = running.TryGetValue(pod.Metadata.Uid, out var run);
        if (pod.Metadata.DeletionTimestamp is not null)
        {
            if (isRunning)
            {
                running.Remove(pod.Metadata.Uid); // It has ended by the next look.
            }
            else
            {
                var rest = pod.Metadata.Finalizers.Where(finalizer => finalizer != FinalizerNames.Agent).Select(finalizer => (JsonNode?)finalizer).ToArray();
                Patch(pod, new JsonObject { ["metadata"] = new JsonObject { ["resourceVersion"] = pod.Metadata.ResourceVersion, ["finalizers"] = new JsonArray(rest) } }, null);
            }
        }
        else if (PodPhases.IsFinal(pod.Status.Phase))
        {
            running.Remove(pod.Metadata.Uid);
        }
        else if (!isRunning && !string.IsNullOrEmpty(pod.Status.PodIP))
        {
            running[pod.Metadata.Uid] = (ResourceKey.Of(pod), 0);
            world.CheckRunning(this, pod);
            Say(pod, PodPhases.Running, isReady: false);
        }
        else if (isRunning)
        {
            running[pod.Metadata.Uid] = (run.Pod, run.Looks + 1);
            var isWork = PodFacts.ControllerOf(pod)?.Kind == "Job";
            if (isWork && run.Looks >= LooksToEnd)
            {
                running.Remove(pod.Metadata.Uid);
                Say(pod, world.Chance(0.2) ? PodPhases.Failed : PodPhases.Succeeded, isReady: false);
            }
            else if (!PodFacts.IsReady(pod) || pod.Status.Phase != PodPhases.Running)
            {
                Say(pod, PodPhases.Running, isReady: true);
            }
        }
    }

    private void Say(Pod pod, string phase, bool isReady)
    {
        var conditions = pod.Status.Conditions.Where(each => each.Type != PodConditionTypes.Ready)
            .Append(new PodCondition { Type = PodConditionTypes.Ready, Status = isReady ? ConditionStatuses.True : ConditionStatuses.False, LastTransitionTime = world.Now }).Select(condition => (JsonNode?)GodwitJson.ToObject(condition)).ToArray();
        Patch(pod, new JsonObject { ["metadata"] = new JsonObject { ["resourceVersion"] = pod.Metadata.ResourceVersion }, ["status"] = new JsonObject { ["phase"] = phase, ["conditions"] = new JsonArray(conditions) } }, "status");
    }

    private void Patch(Pod pod, JsonObject patch, string? subresource)
    {
        server.TryPatch<Pod>(pod.Metadata.Namespace!, pod.Metadata.Name, patch, subresource);
        world.Observe();
    }

    private static JsonObject Ready() => GodwitJson.ToObject(new NodeCondition { Type = NodeConditionTypes.Ready, Status = ConditionStatuses.True, Reason = "AgentReady" });
}
