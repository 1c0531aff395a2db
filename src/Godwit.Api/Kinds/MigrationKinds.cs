using System.Globalization;
using System.Text.Json.Nodes;
using Godwit.Api.Machinery;
using Godwit.Api.Machinery.Schemas;

namespace Godwit.Api.Kinds;

/// <summary>How guests are moved, and what a move would take.</summary>
internal static class MigrationKinds
{
    public static ResourceDefinition MigrationPolicyDefinition { get; } = new()
    {
        Group = GroupName.Migrations,
        Version = "v1alpha1",
        Kind = "MigrationPolicy",
        Plural = "migrationpolicies",
        Singular = "migrationpolicy",
        Namespaced = false,
        RefusesUnknownFields = true,
        Schema = ForecastSchemas.MigrationPolicy,
        Strategy = new MigrationPolicyStrategy(),
        Columns = Columns.Standard,
    };

    public static ResourceDefinition ForecastDefinition { get; } = new()
    {
        Group = GroupName.Godwit,
        Version = "v1alpha1",
        Kind = "Forecast",
        Plural = "forecasts",
        Singular = "forecast",
        Namespaced = true,
        HasStatus = true,
        RefusesUnknownFields = true,
        Schema = ForecastSchemas.Forecast,
        Strategy = new ForecastStrategy(),
        Columns =
        [
            Columns.Text("Phase", "Where it stands.", "status", "phase"),
            Columns.Text("VMI", "The machine that would move.", "spec", "vmiName"),
            Columns.Text("Target", "Where to.", "status", "targetNode"),
            Columns.Text("Mode", "The way that serves the guest best.", "status", "recommendedMode"),
            Columns.Computed("Total", "How long that would take.", resource => Range(resource, "totalMs")),
            Columns.Computed("Downtime", "How long the guest would stand still.", resource => Range(resource, "downtimeMs")),
            Columns.Age(),
        ],
        SelectableFields = Fields.Of(("spec.vmiName", ["spec", "vmiName"]), ("status.phase", ["status", "phase"])),
    };

    private static string? Range(JsonObject resource, string name)
    {
        var mode = resource.TextAt("status", "recommendedMode");
        var forecast = resource.ArrayAt("status", "modes")?.FirstOrDefault(entry => entry.TextAt("mode") == mode).At("forecast", name);
        return JsonAccess.AsInt64(forecast.At("low")) is { } low && JsonAccess.AsInt64(forecast.At("high")) is { } high
            ? string.Create(CultureInfo.InvariantCulture, $"{low}-{high}ms")
            : null;
    }
}

internal sealed class ForecastStrategy() : FixedSpecStrategy("a forecast answers one question; make another one")
{
    public override IEnumerable<FieldError> Validate(JsonObject resource)
    {
        if (Names.CheckDnsLabel(resource.TextAt("spec", "vmiName") ?? "") is { } wrong)
        {
            yield return FieldError.Invalid("spec.vmiName", resource.At("spec", "vmiName"), wrong);
        }

        if (resource.TextAt("spec", "targetNode") is { Length: > 0 } node && Names.CheckDnsSubdomain(node) is { } wrongNode)
        {
            yield return FieldError.Invalid("spec.targetNode", node, wrongNode);
        }
    }
}

internal sealed class MigrationPolicyStrategy : ResourceStrategy
{
    public override IEnumerable<FieldError> Validate(JsonObject resource)
    {
        var bandwidth = resource.At("spec", "bandwidthPerMigration");
        if (bandwidth is not null && Base.Quantity.TryParse(JsonAccess.AsText(bandwidth) ?? bandwidth.ToJsonString(), out var rate) && rate.Value < 0)
        {
            yield return FieldError.Invalid("spec.bandwidthPerMigration", bandwidth, "must not be negative");
        }

        string[][] positives =
        [
            ["spec", "completionTimeoutPerGiB"], ["spec", "godwit", "downtimeLimitMs"], ["spec", "godwit", "roundsMax"],
            ["spec", "godwit", "copiedMemoryFactorMax"], ["spec", "godwit", "thresholdBytes"],
        ];
        foreach (var path in positives)
        {
            if (JsonAccess.AsDouble(resource.At(path)) is <= 0)
            {
                yield return FieldError.Invalid(string.Join('.', path), resource.At(path), "must be greater than 0");
            }
        }

        foreach (var selector in new[] { "namespaceSelector", "virtualMachineInstanceSelector" })
        {
            foreach (var error in MetadataRules.ValidateLabels(resource.ObjectAt("spec", "selectors", selector), $"spec.selectors.{selector}"))
            {
                yield return error;
            }
        }
    }
}
