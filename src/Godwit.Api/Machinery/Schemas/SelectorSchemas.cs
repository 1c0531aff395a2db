using static Godwit.Api.Machinery.Schema;
using static Godwit.Api.Machinery.Schemas.SchemaTable;

namespace Godwit.Api.Machinery.Schemas;

/// <summary>Shapes of label selectors. Numbers: Kubernetes' <c>apimachinery/pkg/apis/meta/v1/generated.proto</c>.</summary>
internal static class SelectorSchemas
{
    private const string Prefix = "io.k8s.apimachinery.pkg.apis.meta.v1.";

    public static ObjectSchema LabelSelectorRequirement { get; } = new(
        Prefix + "LabelSelectorRequirement",
        "One condition on a label.",
        Field(1, "key", Text, "The label's key.").Required(),
        Field(2, "operator", OneOf("In", "NotIn", "Exists", "DoesNotExist"), "How the value is compared.").Required(),
        Field(3, "values", ListOf(Text), "What In and NotIn compare with."));

    public static ObjectSchema LabelSelector { get; } = new(
        Prefix + "LabelSelector",
        "Picks objects by their labels; all conditions must hold, and none picks everything.",
        Field(1, "matchLabels", TextMap, "Values that labels must have."),
        Field(2, "matchExpressions", ListOf(LabelSelectorRequirement), "Further conditions."));
}
