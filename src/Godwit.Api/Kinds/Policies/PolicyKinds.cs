using System.Text.Json.Nodes;
using Godwit.Api.Kinds.Workloads;
using Godwit.Api.Machinery;
using Godwit.Api.Machinery.Schemas;
using Godwit.Api.Policy.V1;

namespace Godwit.Api.Kinds.Policies;

/// <summary>What holds evictions back.</summary>
internal static class PolicyKinds
{
    private const string NotAvailable = "N/A";

    public static ResourceDefinition PodDisruptionBudgetDefinition { get; } = new()
    {
        Group = "policy",
        Version = "v1",
        Kind = "PodDisruptionBudget",
        Plural = "poddisruptionbudgets",
        Singular = "poddisruptionbudget",
        ShortNames = ["pdb"],
        Namespaced = true,
        HasStatus = true,
        RefusesUnknownFields = true,
        Schema = PolicySchemas.PodDisruptionBudget,
        Strategy = new PodDisruptionBudgetRules(),
        Columns =
        [
            Columns.Computed("Min Available", "How many must be ready.", budget => ShareOf(budget, "minAvailable")),
            Columns.Computed("Max Unavailable", "How many may be missing.", budget => ShareOf(budget, "maxUnavailable")),
            WorkloadColumns.Count("Allowed Disruptions", "How many may go now.", "status", "disruptionsAllowed"),
            Columns.Age(),
        ],
    };

    private static string ShareOf(JsonObject budget, string field) => budget.At("spec", field) is { } share ? JsonAccess.AsText(share) ?? JsonAccess.Show(share) : NotAvailable;
}

internal sealed class PodDisruptionBudgetRules : ResourceStrategy
{
    public override void PrepareForCreate(JsonObject resource) => resource.Remove("status");

    public override IEnumerable<FieldError> Validate(JsonObject resource)
    {
        var spec = GodwitJson.FromNode<PodDisruptionBudget>(resource).Spec;
        if (spec is { MinAvailable: not null, MaxUnavailable: not null })
        {
            yield return FieldError.Invalid("spec", null, "minAvailable and maxUnavailable cannot be both set");
        }

        var errors = WorkloadRules.ValidateShare(spec.MinAvailable, "spec.minAvailable")
            .Concat(WorkloadRules.ValidateShare(spec.MaxUnavailable, "spec.maxUnavailable"))
            .Concat(spec.Selector is null ? [] : WorkloadRules.ValidateSelector(spec.Selector, "spec.selector", mayBeEmpty: true));
        foreach (var error in errors)
        {
            yield return error;
        }
    }
}
