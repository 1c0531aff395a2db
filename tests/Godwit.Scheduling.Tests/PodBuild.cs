using Godwit.Api;
using Godwit.Api.Core.V1;
using Godwit.Api.Meta.V1;
using Godwit.Base;

namespace Godwit.Scheduling.Tests;

/// <summary>Pods with what a test is about, and sane values for the rest.</summary>
internal static class PodBuild
{
    public const string Zone = "topology.kubernetes.io/zone";

    public static Pod Pod(string name = "pod", string? cpu = null, string? memory = null, string? node = null, string? app = null) => new()
    {
        Metadata = new ObjectMeta { Namespace = "ns", Name = name, Uid = "uid-" + name, Labels = app is null ? [] : new Dictionary<string, string> { ["app"] = app } },
        Spec = new PodSpec { NodeName = node, Containers = [Container("main", cpu, memory)] },
    };

    public static Container Container(string name, string? cpu = null, string? memory = null) => new()
    {
        Name = name,
        Resources = new ContainerResources { Requests = Amounts(("cpu", cpu), ("memory", memory)) },
    };

    public static Dictionary<string, Quantity> Amounts(params (string Name, string? Text)[] amounts) =>
        amounts.Where(amount => amount.Text is not null).ToDictionary(amount => amount.Name, amount => Quantity.Parse(amount.Text!));

    public static NodeFacts Node(string name, string zone = "a", long memoryMiB = 4096, long millicores = 4000) =>
        Build.Node(name, memoryMiB, millicores) with { Labels = new Dictionary<string, string> { [LabelNames.Hostname] = name, [Zone] = zone } };

    public static PodAffinityTerm Term(string app, string key = LabelNames.Hostname) => new() { LabelSelector = App(app), TopologyKey = key };

    public static LabelSelectorSpec App(string app) => new() { MatchLabels = new Dictionary<string, string> { ["app"] = app } };

    public static Pod With(this Pod pod, Func<PodSpec, PodSpec> change) => pod with { Spec = change(pod.Spec) };

    public static Pod Away(this Pod pod, params PodAffinityTerm[] terms) =>
        pod.With(spec => spec with { Affinity = new Affinity { PodAntiAffinity = new PodAntiAffinity { RequiredDuringSchedulingIgnoredDuringExecution = terms } } });

    public static Pod Near(this Pod pod, params PodAffinityTerm[] terms) =>
        pod.With(spec => spec with { Affinity = new Affinity { PodAffinity = new PodAffinity { RequiredDuringSchedulingIgnoredDuringExecution = terms } } });

    public static Pod Spread(this Pod pod, string app, string key, int maxSkew = 1, string unsatisfiable = "DoNotSchedule", int? minDomains = null) => pod.With(spec => spec with
    {
        TopologySpreadConstraints =
            [new TopologySpreadConstraint { LabelSelector = App(app), TopologyKey = key, MaxSkew = maxSkew, WhenUnsatisfiable = unsatisfiable, MinDomains = minDomains }],
    });

    public static ClusterSnapshot Cluster(IEnumerable<NodeFacts> nodes, params Pod[] pods) =>
        new(nodes, pods.Select(pod => Reservation.Of(Pods.PodNeeds.Of(pod), pod.Spec.NodeName!)));
}
