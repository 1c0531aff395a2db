using System.Globalization;
using System.Text.Json.Nodes;
using Godwit.Api.KubeVirt.V1;
using Godwit.Api.Machinery;
using Godwit.Api.Machinery.Schemas;

namespace Godwit.Api.Kinds;

/// <summary>Machines, their incarnations and their moves.</summary>
internal static class KubeVirtKinds
{
    public static ResourceDefinition VirtualMachineDefinition { get; } = new()
    {
        Group = GroupName.KubeVirt,
        Version = "v1",
        Kind = "VirtualMachine",
        Plural = "virtualmachines",
        Singular = "virtualmachine",
        ShortNames = ["vm", "vms"],
        Categories = ["all"],
        Namespaced = true,
        HasStatus = true,
        RefusesUnknownFields = true,
        Schema = KubeVirtSchemas.VirtualMachine,
        Strategy = new VirtualMachineStrategy(),
        Columns =
        [
            Columns.Age(),
            Columns.Text("Status", "The state in one word.", "status", "printableStatus"),
            Columns.Condition("Ready", "Whether the incarnation runs and is ready.", "Ready"),
        ],
    };

    public static ResourceDefinition VirtualMachineInstanceDefinition { get; } = new()
    {
        Group = GroupName.KubeVirt,
        Version = "v1",
        Kind = "VirtualMachineInstance",
        Plural = "virtualmachineinstances",
        Singular = "virtualmachineinstance",
        ShortNames = ["vmi", "vmis"],
        Categories = ["all"],
        Namespaced = true,
        HasStatus = true,
        RefusesUnknownFields = true,
        Schema = KubeVirtSchemas.VirtualMachineInstance,
        Strategy = new VirtualMachineInstanceStrategy(),
        Columns =
        [
            Columns.Age(),
            Columns.Text("Phase", "Where it stands.", "status", "phase"),
            Columns.Computed("IP", "The guest's first address.", FirstAddress),
            Columns.Text("NodeName", "The node that owns the guest.", "status", "nodeName"),
            Columns.Condition("Ready", "Whether it runs and is ready.", "Ready"),
            Columns.Condition("Live-Migratable", "Whether it can move while it runs.", "LiveMigratable", priority: 1),
            Columns.Condition("Paused", "Whether it is paused.", "Paused", priority: 1),
        ],
        SelectableFields = Fields.Of(("status.phase", ["status", "phase"]), ("status.nodeName", ["status", "nodeName"])),
    };

    public static ResourceDefinition MigrationDefinition { get; } = new()
    {
        Group = GroupName.KubeVirt,
        Version = "v1",
        Kind = "VirtualMachineInstanceMigration",
        Plural = "virtualmachineinstancemigrations",
        Singular = "virtualmachineinstancemigration",
        ShortNames = ["vmim", "vmims"],
        Categories = ["all"],
        Namespaced = true,
        HasStatus = true,
        RefusesUnknownFields = true,
        Schema = KubeVirtSchemas.VirtualMachineInstanceMigration,
        Strategy = new MigrationStrategy(),
        Columns =
        [
            Columns.Text("Phase", "Where it stands.", "status", "phase"),
            Columns.Text("VMI", "The machine that moves.", "spec", "vmiName"),
            Columns.Age(priority: 1),
            Columns.WideText("Source", "Where the guest comes from.", "status", "migrationState", "sourceNode"),
            Columns.WideText("Target", "Where it goes.", "status", "migrationState", "targetNode"),
            Columns.WideText("Mode", "The way it moves.", "status", "forecast", "mode"),
            Columns.Computed("Percent", "How far it is.", Percent, priority: 1),
            Columns.Computed("Downtime", "How long the guest stood still.", Downtime, priority: 1),
        ],
        SelectableFields = Fields.Of(("spec.vmiName", ["spec", "vmiName"]), ("status.phase", ["status", "phase"])),
    };

    private static string? FirstAddress(JsonObject machine) =>
        machine.ArrayAt("status", "interfaces")?.FirstOrDefault().TextAt("ipAddress");

    private static string? Percent(JsonObject migration) =>
        JsonAccess.AsInt64(migration.At("status", "progress", "percent")) is { } percent ? string.Create(CultureInfo.InvariantCulture, $"{percent}%") : null;

    private static string? Downtime(JsonObject migration) =>
        JsonAccess.AsInt64(migration.At("status", "measurement", "networkDowntimeMs") ?? migration.At("status", "measurement", "downtimeMs")) is { } ms
            ? string.Create(CultureInfo.InvariantCulture, $"{ms}ms")
            : null;
}

/// <summary>Common to the kinds whose status is Godwit's alone and whose spec, once accepted, stays as it is.</summary>
internal abstract class FixedSpecStrategy(string advice) : ResourceStrategy
{
    public override void PrepareForCreate(JsonObject resource) => resource.Remove("status");

    public override IEnumerable<FieldError> ValidateUpdate(JsonObject updated, JsonObject existing)
    {
        if (!JsonNode.DeepEquals(updated["spec"], existing["spec"]))
        {
            yield return FieldError.Forbidden("spec", $"cannot be changed: {advice}");
        }
    }
}

internal sealed class VirtualMachineStrategy : ResourceStrategy
{
    public override NameRule NameRule => NameRule.DnsLabel;

    public override void ApplyDefaults(JsonObject resource)
    {
        if (resource.ObjectAt("spec", "template", "spec") is { } spec)
        {
            DomainDefaults.Apply(spec);
        }
    }

    public override void PrepareForCreate(JsonObject resource) => resource.Remove("status");

    public override IEnumerable<FieldError> Validate(JsonObject resource)
    {
        var (running, strategy) = (resource.At("spec", "running"), resource.TextAt("spec", "runStrategy"));
        if (running is not null && !string.IsNullOrEmpty(strategy))
        {
            yield return FieldError.Invalid("spec.running", running, "running and runStrategy are mutually exclusive: use runStrategy");
        }
        else if (running is null && string.IsNullOrEmpty(strategy))
        {
            yield return FieldError.Required("spec.runStrategy", "one of running or runStrategy must be specified");
        }

        var template = resource.ObjectAt("spec", "template") ?? [];
        var metadata = MetadataRules.ValidateLabels(template.ObjectAt("metadata", "labels"), "spec.template.metadata.labels")
            .Concat(MetadataRules.ValidateAnnotations(template.ObjectAt("metadata", "annotations"), "spec.template.metadata.annotations"));
        foreach (var error in metadata.Concat(DomainRules.Validate(template.ObjectAt("spec"), "spec.template.spec")))
        {
            yield return error;
        }
    }
}

internal sealed class VirtualMachineInstanceStrategy() : FixedSpecStrategy("change its VirtualMachine and restart it, or make another machine")
{
    public override NameRule NameRule => NameRule.DnsLabel;

    public override void ApplyDefaults(JsonObject resource)
    {
        if (resource.ObjectAt("spec") is { } spec)
        {
            DomainDefaults.Apply(spec);
        }
    }

    public override IEnumerable<FieldError> Validate(JsonObject resource) => DomainRules.Validate(resource.ObjectAt("spec"), "spec");
}

internal sealed class MigrationStrategy() : FixedSpecStrategy("a move in progress cannot be redirected; delete it to cancel, then make another one")
{
    private static readonly string[] Modes = ["auto", "cold", "precopy", "postcopy", "hybrid"];

    public override IEnumerable<FieldError> Validate(JsonObject resource)
    {
        if (Names.CheckDnsLabel(resource.TextAt("spec", "vmiName") ?? "") is { } wrong)
        {
            yield return FieldError.Invalid("spec.vmiName", resource.At("spec", "vmiName"), wrong);
        }

        if (resource.TextAt("metadata", "annotations", AnnotationNames.Mode) is { } mode && !Modes.Contains(mode))
        {
            yield return FieldError.NotSupported($"metadata.annotations[{AnnotationNames.Mode}]", mode, Modes);
        }

        if (resource.TextAt("metadata", "annotations", AnnotationNames.HoldAt) is { } point && !MoveHoldPoints.All.Contains(point))
        {
            yield return FieldError.NotSupported($"metadata.annotations[{AnnotationNames.HoldAt}]", point, MoveHoldPoints.All);
        }

        foreach (var error in MetadataRules.ValidateLabels(resource.ObjectAt("spec", "addedNodeSelector"), "spec.addedNodeSelector"))
        {
            yield return error;
        }
    }
}
