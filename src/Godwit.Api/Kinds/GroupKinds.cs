using System.Globalization;
using System.Text.Json.Nodes;
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

        foreach (var error in MetadataRules.ValidateLabels(selector.ObjectAt("matchLabels"), "spec.selector.matchLabels"))
        {
            yield return error;
        }
    }
}
