using System.Globalization;
using System.Text.Json.Nodes;
using Godwit.Api.Forecasts.V1Alpha1;
using Godwit.Api.Groups.V1Alpha1;
using Godwit.Api.Machinery;
using Godwit.Api.Machinery.Schemas;

namespace Godwit.Api.Kinds;

/// <summary>Several guests that move by one plan.</summary>
internal static class GroupKinds
{
    public static ResourceDefinition GroupMigrationDefinition { get; } = new()
    {
        Group = GroupName.Godwit,
        Version = "v1alpha1",
        Kind = "GroupMigration",
        Plural = "groupmigrations",
        Singular = "groupmigration",
        ShortNames = ["gm"],
        Namespaced = false,
        HasStatus = true,
        RefusesUnknownFields = true,
        Schema = GroupSchemas.GroupMigration,
        Strategy = new GroupMigrationStrategy(),
        Columns =
        [
            Columns.Text("Phase", "Where it stands.", "status", "phase"),
            Columns.Text("Strategy", "In which order, and how many at a time.", "status", "strategy"),
            Columns.Computed("Moved", "How many of its guests have moved.", Moved),
            Columns.WideText("Ends", "When it is expected to end at the latest.", "status", "endLatestTimestamp"),
            Columns.Age(),
        ],
        SelectableFields = Fields.Of(("status.phase", ["status", "phase"])),
    };

    private static string? Moved(JsonObject group) => group.ArrayAt("status", "members") is { } members
        ? string.Create(CultureInfo.InvariantCulture, $"{members.Count(member => member.TextAt("phase") == GroupMemberPhases.Moved)}/{members.Count}")
        : null;
}

internal sealed class GroupMigrationStrategy() : FixedSpecStrategy("delete the group to cancel it, then make another one")
{
    /// <summary>More than this are several groups.</summary>
    public const int MembersMax = 256;

    public const int AttemptsMax = 10;

    /// <summary>It is a label's value on the group's moves.</summary>
    public override NameRule NameRule => NameRule.DnsLabel;

    public override IEnumerable<FieldError> Validate(JsonObject resource)
    {
        var spec = resource.ObjectAt("spec");
        var members = spec.ArrayAt("members");
        var selector = spec.ObjectAt("selector");
        if (members is not { Count: > 0 } && selector is not { Count: > 0 })
        {
            yield return FieldError.Required("spec.members", "say which guests: members by name, or a selector");
        }

        if (members?.Count > MembersMax)
        {
            yield return FieldError.Invalid("spec.members", members.Count, $"at most {MembersMax} can move as one group");
        }

        foreach (var (member, index) in (members ?? []).Select((member, index) => (member, index)))
        {
            if (Names.CheckDnsLabel(member.TextAt("name") ?? "") is { } wrong)
            {
                yield return FieldError.Invalid($"spec.members[{index}].name", member.At("name"), wrong);
            }
        }

        foreach (var path in (string[][])[["targetNode"], ["selector", "nodeName"], ["selector", "homeNode"]])
        {
            if (spec.TextAt(path) is { Length: > 0 } node && Names.CheckDnsSubdomain(node) is { } wrongNode)
            {
                yield return FieldError.Invalid($"spec.{string.Join('.', path)}", node, wrongNode);
            }
        }

        foreach (var (field, most) in new[] { ("parallelMax", MembersMax), ("attemptsMax", AttemptsMax) })
        {
            if (JsonAccess.AsInt64(spec.At(field)) is { } value && (value < 1 || value > most))
            {
                yield return FieldError.Invalid($"spec.{field}", value, $"must be from 1 to {most}");
            }
        }

        foreach (var error in spec.TextAt("promise") == GroupPromises.OneService ? ValidateService(spec) : [])
        {
            yield return error;
        }

        foreach (var error in MetadataRules.ValidateLabels(selector.ObjectAt("matchLabels"), "spec.selector.matchLabels"))
        {
            yield return error;
        }
    }

    /// <summary>Guests of a service keep step, and none may arrive before all do: that leaves one order and one way to move.</summary>
    private static IEnumerable<FieldError> ValidateService(JsonObject? spec)
    {
        if (spec.TextAt("strategy") is { } strategy and not (GroupStrategies.Auto or GroupStrategies.Parallel))
        {
            yield return FieldError.Invalid("spec.strategy", strategy, "guests that are one service move in parallel");
        }

        if (spec.TextAt("mode") is { } mode and not (MigrationModes.Auto or MigrationModes.Precopy))
        {
            yield return FieldError.Invalid("spec.mode", mode, "guests that are one service move by pre-copy: one that runs at its target before the others are there cannot return");
        }

        if (JsonAccess.AsInt64(spec.At("parallelMax")) is { } parallel)
        {
            yield return FieldError.Invalid("spec.parallelMax", parallel, "guests that are one service all move at a time");
        }
    }
}
