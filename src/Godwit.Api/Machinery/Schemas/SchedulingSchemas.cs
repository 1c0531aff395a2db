using static Godwit.Api.Machinery.Schema;
using static Godwit.Api.Machinery.Schemas.SchemaTable;

namespace Godwit.Api.Machinery.Schemas;

/// <summary>Shapes of what decides where a pod runs. Numbers: Kubernetes' <c>api/core/v1/generated.proto</c>.</summary>
internal static class SchedulingSchemas
{
    private const string Prefix = "io.k8s.api.core.v1.";

    public static ObjectSchema NodeSelectorRequirement { get; } = new(
        Prefix + "NodeSelectorRequirement",
        "One condition on a node.",
        Field(1, "key", Text, "The label's key, or metadata.name.").Required(),
        Field(2, "operator", OneOf("In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"), "How the value is compared.").Required(),
        Field(3, "values", ListOf(Text), "What it is compared with."));

    public static ObjectSchema NodeSelectorTerm { get; } = new(
        Prefix + "NodeSelectorTerm",
        "Conditions on a node that must all hold.",
        Field(1, "matchExpressions", ListOf(NodeSelectorRequirement), "Conditions on labels."),
        Field(2, "matchFields", ListOf(NodeSelectorRequirement), "Conditions on metadata.name."));

    public static ObjectSchema NodeSelector { get; } = new(
        Prefix + "NodeSelector",
        "Terms of which one must hold.",
        Field(1, "nodeSelectorTerms", ListOf(NodeSelectorTerm), "The terms.").Required());

    public static ObjectSchema PreferredSchedulingTerm { get; } = new(
        Prefix + "PreferredSchedulingTerm",
        "A term that counts in favour of a node.",
        Field(1, "weight", Integer32, "How much it counts, 1 to 100.").Required(),
        Field(2, "preference", NodeSelectorTerm, "The term.").Required());

    public static ObjectSchema NodeAffinity { get; } = new(
        Prefix + "NodeAffinity",
        "Which nodes a pod may and would rather run on.",
        Field(1, "requiredDuringSchedulingIgnoredDuringExecution", NodeSelector, "What must hold when the pod is placed."),
        Field(2, "preferredDuringSchedulingIgnoredDuringExecution", ListOf(PreferredSchedulingTerm), "What is better."));

    public static ObjectSchema PodAffinityTerm { get; } = new(
        Prefix + "PodAffinityTerm",
        "Pods, and how near to them.",
        Field(1, "labelSelector", SelectorSchemas.LabelSelector, "Which pods."),
        Field(2, "namespaces", ListOf(Text), "In which namespaces; the pod's own when neither this nor namespaceSelector is said."),
        Field(3, "topologyKey", Text, "The node label whose equal values mean the same place.").Required(),
        Field(4, "namespaceSelector", SelectorSchemas.LabelSelector, "In namespaces with these labels."));

    public static ObjectSchema WeightedPodAffinityTerm { get; } = new(
        Prefix + "WeightedPodAffinityTerm",
        "A term that counts in favour of a node.",
        Field(1, "weight", Integer32, "How much it counts, 1 to 100.").Required(),
        Field(2, "podAffinityTerm", PodAffinityTerm, "The term.").Required());

    public static ObjectSchema PodAffinity { get; } = new(
        Prefix + "PodAffinity",
        "Which other pods a pod is to be near to.",
        Field(1, "requiredDuringSchedulingIgnoredDuringExecution", ListOf(PodAffinityTerm), "What must hold when the pod is placed."),
        Field(2, "preferredDuringSchedulingIgnoredDuringExecution", ListOf(WeightedPodAffinityTerm), "What is better."));

    public static ObjectSchema PodAntiAffinity { get; } = new(
        Prefix + "PodAntiAffinity",
        "Which other pods a pod is to be away from.",
        Field(1, "requiredDuringSchedulingIgnoredDuringExecution", ListOf(PodAffinityTerm), "What must hold when the pod is placed."),
        Field(2, "preferredDuringSchedulingIgnoredDuringExecution", ListOf(WeightedPodAffinityTerm), "What is better."));

    public static ObjectSchema Affinity { get; } = new(
        Prefix + "Affinity",
        "What draws a pod to nodes and to other pods.",
        Field(1, "nodeAffinity", NodeAffinity, "By node."),
        Field(2, "podAffinity", PodAffinity, "Near to pods."),
        Field(3, "podAntiAffinity", PodAntiAffinity, "Away from pods."));

    public static ObjectSchema TopologySpreadConstraint { get; } = new(
        Prefix + "TopologySpreadConstraint",
        "How evenly pods are to be spread over places.",
        Field(1, "maxSkew", Integer32, "By how many pods two places may differ at most.").Required(),
        Field(2, "topologyKey", Text, "The node label whose values are the places.").Required(),
        Field(3, "whenUnsatisfiable", OneOf("DoNotSchedule", "ScheduleAnyway"), "What to do when it cannot be kept.").Required(),
        Field(4, "labelSelector", SelectorSchemas.LabelSelector, "Which pods are counted."),
        Field(5, "minDomains", Integer32, "Fewer places than this count as if one more were empty."),
        Field(6, "nodeAffinityPolicy", OneOf("Honor", "Ignore"), "Whether nodes count that the pod's affinity rules out."),
        Field(7, "nodeTaintsPolicy", OneOf("Honor", "Ignore"), "Whether nodes count whose taints the pod does not bear."),
        Field(8, "matchLabelKeys", ListOf(Text), "Labels of the pod whose values are added to the selector."));
}
