using static Godwit.Api.Machinery.Schema;
using static Godwit.Api.Machinery.Schemas.SchemaTable;

namespace Godwit.Api.Machinery.Schemas;

/// <summary>Shapes of disruption budgets. Numbers: Kubernetes' <c>api/policy/v1/generated.proto</c>.</summary>
internal static class PolicySchemas
{
    private const string Prefix = "io.k8s.api.policy.v1.";

    public static ObjectSchema PodDisruptionBudgetSpec { get; } = new(
        Prefix + "PodDisruptionBudgetSpec",
        "How many pods must stay.",
        Field(1, "minAvailable", IntOrText, "How many must be ready: a number or a percentage."),
        Field(2, "selector", SelectorSchemas.LabelSelector, "Labels of the pods; none picks none, an empty one all."),
        Field(3, "maxUnavailable", IntOrText, "How many may be missing: a number or a percentage."),
        Field(4, "unhealthyPodEvictionPolicy", OneOf("IfHealthyBudget", "AlwaysAllow"), "Whether pods that are not ready may always go; IfHealthyBudget when not said."));

    public static ObjectSchema PodDisruptionBudgetStatus { get; } = new(
        Prefix + "PodDisruptionBudgetStatus",
        "How many pods may go now.",
        Field(1, "observedGeneration", Integer64, "The generation that was acted on."),
        Field(2, "disruptedPods", MapOf(Time), "Pods that were let go and are not gone yet, by name."),
        Field(3, "disruptionsAllowed", Integer32, "How many may go now.").Required().ZeroIsAValue(),
        Field(4, "currentHealthy", Integer32, "How many are ready.").Required().ZeroIsAValue(),
        Field(5, "desiredHealthy", Integer32, "How many must be.").Required().ZeroIsAValue(),
        Field(6, "expectedPods", Integer32, "How many there are to be.").Required().ZeroIsAValue(),
        Field(7, "conditions", ListByKey(MetaSchemas.Condition, "type"), "Observed facts.").Merged("type"));

    public static ObjectSchema PodDisruptionBudget { get; } = Kind(
        Prefix + "PodDisruptionBudget",
        "Holds evictions back so that enough pods stay.",
        Field(2, "spec", PodDisruptionBudgetSpec, "How many must stay."),
        Field(3, "status", PodDisruptionBudgetStatus, "How many may go now."));
}
