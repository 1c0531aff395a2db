using Godwit.Scheduling;
using Godwit.Scheduling.Pods;
using Godwit.Api.Apps.V1;
using Godwit.Controllers.Workloads.Revisions;

namespace Godwit.Controllers.Workloads.DaemonSets;

/// <summary>
/// The pod of a daemon set on a node. It names its node by affinity, and the scheduler binds it like any other; it tolerates what is wrong with a node for a
/// time, since there is no other node for it. Source: Kubernetes documentation, "DaemonSet", of taints and tolerations.
/// </summary>
internal static class DaemonPods
{
    private const string NameField = "metadata.name";

    private static readonly IReadOnlyList<Toleration> Always =
    [
        Tolerate(TaintKeys.NotReady, TaintEffects.NoExecute),
        Tolerate(TaintKeys.Unreachable, TaintEffects.NoExecute),
        Tolerate(TaintKeys.DiskPressure, TaintEffects.NoSchedule),
        Tolerate(TaintKeys.MemoryPressure, TaintEffects.NoSchedule),
        Tolerate("node.kubernetes.io/pid-pressure", TaintEffects.NoSchedule),
        Tolerate(TaintKeys.Unschedulable, TaintEffects.NoSchedule),
    ];

    public static Pod Make(DaemonSet set, string hash, string nodeName)
    {
        var pod = PodTemplates.PodOf(set.Spec.Template, set, moreLabels: new Dictionary<string, string> { [RevisionPlanner.HashLabel] = hash });
        var needed = Tolerations(pod.Spec).Where(each => !pod.Spec.Tolerations.Contains(each));
        var affinity = pod.Spec.Affinity ?? new Affinity();
        var node = affinity.NodeAffinity ?? new NodeAffinity();
        return pod with
        {
            Spec = pod.Spec with
            {
                Tolerations = [.. pod.Spec.Tolerations, .. needed],
                Affinity = affinity with { NodeAffinity = node with { RequiredDuringSchedulingIgnoredDuringExecution = new NodeSelector { NodeSelectorTerms = [OnNode(nodeName)] } } },
            },
        };
    }

    /// <summary>The node that a pod is on, or is meant for; null when it says neither.</summary>
    public static string? NodeOf(Pod pod) => pod.Spec.NodeName is { Length: > 0 } bound ? bound
        : pod.Spec.Affinity?.NodeAffinity?.RequiredDuringSchedulingIgnoredDuringExecution?.NodeSelectorTerms
            .SelectMany(term => term.MatchFields).FirstOrDefault(field => field is { Key: NameField, Values.Count: 1 })?.Values[0];

    /// <summary>Whether a node is to have a pod of the set, and whether one that is there may stay.</summary>
    public static (bool ShouldRun, bool MayStay) Fits(DaemonSet set, NodeFacts node)
    {
        var template = new Pod { Metadata = new ObjectMeta { Namespace = set.Metadata.Namespace }, Spec = set.Spec.Template.Spec ?? new PodSpec() };
        IReadOnlyList<Toleration> tolerations = [.. template.Spec.Tolerations, .. Tolerations(template.Spec)];
        if (!PodCheck.MatchesNodeAffinity(PodNeeds.Of(template), node) || (template.Spec.NodeName is { Length: > 0 } only && only != node.Name))
        {
            return (false, false);
        }

        var untolerated = node.Taints.Where(taint => !TolerationCheck.Tolerates(tolerations, taint)).Select(taint => taint.Effect).ToList();
        var mayStay = !untolerated.Contains(TaintEffects.NoExecute);
        return (mayStay && node.IsReady && !untolerated.Contains(TaintEffects.NoSchedule), mayStay);
    }

    private static IEnumerable<Toleration> Tolerations(PodSpec spec) =>
        spec.HostNetwork == true ? Always.Append(Tolerate("node.kubernetes.io/network-unavailable", TaintEffects.NoSchedule)) : Always;

    /// <summary>The template's own node affinity was held to the node before; now it is this node.</summary>
    private static NodeSelectorTerm OnNode(string nodeName) => new() { MatchFields = [new NodeSelectorRequirement { Key = NameField, Operator = "In", Values = [nodeName] }] };

    private static Toleration Tolerate(string key, string effect) => new() { Key = key, Operator = "Exists", Effect = effect };
}
