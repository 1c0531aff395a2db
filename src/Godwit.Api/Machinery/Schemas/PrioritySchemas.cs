using static Godwit.Api.Machinery.Schema;
using static Godwit.Api.Machinery.Schemas.SchemaTable;

namespace Godwit.Api.Machinery.Schemas;

/// <summary>Shapes of priorities. Numbers: Kubernetes' <c>api/scheduling/v1/generated.proto</c>.</summary>
internal static class PrioritySchemas
{
    public static ObjectSchema PriorityClass { get; } = Kind(
        "io.k8s.api.scheduling.v1.PriorityClass",
        "A name for how important pods are.",
        Field(2, "value", Integer32, "Higher goes first. Cannot be changed.").Required().ZeroIsAValue(),
        Field(3, "globalDefault", Flag, "True for the class of pods that name none."),
        Field(4, "description", Text, "What it is for."),
        Field(5, "preemptionPolicy", OneOf("PreemptLowerPriority", "Never"), "Whether pods of lower priority are taken down to make room. Cannot be changed."));
}
