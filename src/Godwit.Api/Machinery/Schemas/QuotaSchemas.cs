using static Godwit.Api.Machinery.Schema;
using static Godwit.Api.Machinery.Schemas.SchemaTable;

namespace Godwit.Api.Machinery.Schemas;

/// <summary>Shapes of quotas and limit ranges. Numbers: Kubernetes' <c>api/core/v1/generated.proto</c>.</summary>
internal static class QuotaSchemas
{
    private const string Prefix = "io.k8s.api.core.v1.";

    public static ObjectSchema ResourceQuota { get; } = Kind(
        Prefix + "ResourceQuota",
        "Bounds what a namespace may hold and ask for, in sum.",
        Field(2, "spec", new ObjectSchema(
            Prefix + "ResourceQuotaSpec",
            "How much there may be.",
            Field(1, "hard", QuantityMap, "At most so much of each."),
            Field(2, "scopes", ListOf(Text), "Which pods count: Terminating, NotTerminating, BestEffort, NotBestEffort.")), "How much there may be."),
        Field(3, "status", new ObjectSchema(
            Prefix + "ResourceQuotaStatus",
            "How much there is.",
            Field(1, "hard", QuantityMap, "The bounds that were counted against."),
            Field(2, "used", QuantityMap, "How much there is of each.")), "How much there is."));

    public static ObjectSchema LimitRange { get; } = Kind(
        Prefix + "LimitRange",
        "Bounds what each pod and container of a namespace may ask for.",
        Field(2, "spec", new ObjectSchema(
            Prefix + "LimitRangeSpec",
            "The bounds.",
            Field(1, "limits", ListOf(new ObjectSchema(
                Prefix + "LimitRangeItem",
                "Bounds and defaults for one type of thing.",
                Field(1, "type", Text, "Container or Pod.").Required(),
                Field(2, "max", QuantityMap, "A limit is at most so much."),
                Field(3, "min", QuantityMap, "A request is at least so much."),
                Field(4, "default", QuantityMap, "The limit of a container that has none."),
                Field(5, "defaultRequest", QuantityMap, "The request of a container that has none."),
                Field(6, "maxLimitRequestRatio", QuantityMap, "A limit is at most so many times its request."))), "One for each type.").Required()), "The bounds."));
}
