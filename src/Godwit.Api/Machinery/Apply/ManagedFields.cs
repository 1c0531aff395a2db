using System.Text.Json.Nodes;

namespace Godwit.Api.Machinery.Apply;

/// <summary>Who set which fields in which way: one entry of <c>metadata.managedFields</c>.</summary>
/// <param name="Manager">The name under which the fields were set.</param>
/// <param name="IsApply">True for server-side apply, which also takes away; false for any other write.</param>
/// <param name="ApiVersion">The version in which the fields are named.</param>
/// <param name="Subresource">The subresource through which they were set, or empty.</param>
/// <param name="Time">When the entry last changed, or null when nobody knows.</param>
/// <param name="Fields">The fields.</param>
internal sealed record ManagedEntry(string Manager, bool IsApply, string ApiVersion, string Subresource, string? Time, FieldSet Fields)
{
    public bool IsOf(FieldWriter writer, bool isApply) => Manager == writer.Manager && IsApply == isApply && Subresource == writer.Subresource;

    /// <summary>Without fields that others took over; unchanged when it had none of them.</summary>
    public ManagedEntry Losing(FieldSet lost) => Fields.Except(lost) is var left && left.SameAs(Fields) ? this : this with { Fields = left };
}

/// <summary><c>metadata.managedFields</c> as entries.</summary>
internal static class ManagedFields
{
    /// <summary>At most this many managers that update are told apart; the oldest beyond are taken together.</summary>
    public const int UpdatersMax = 10;

    /// <summary>At most this many managers that apply.</summary>
    public const int AppliersMax = 100;

    /// <summary>The name under which updates beyond <see cref="UpdatersMax"/> are kept. Kubernetes' word.</summary>
    public const string AncientManager = "ancient-changes";

    private const string Apply = "Apply";
    private const string Update = "Update";

    /// <summary>The entries that an object holds.</summary>
    /// <exception cref="FormatException">The list holds something that is no entry.</exception>
    public static List<ManagedEntry> Read(JsonObject? resource) =>
        [.. (resource.ArrayAt("metadata", "managedFields") ?? []).Select(ReadEntry)];

    /// <summary>The entries as they are kept: none that is empty, appliers first, then by age. Null when there are none.</summary>
    public static JsonArray? Write(IEnumerable<ManagedEntry> entries)
    {
        var written = Bound([.. entries.Where(entry => !entry.Fields.IsEmpty)])
            .OrderBy(entry => entry.IsApply ? 0 : 1)
            .ThenBy(entry => entry.Time, StringComparer.Ordinal)
            .ThenBy(entry => entry.Manager, StringComparer.Ordinal)
            .ThenBy(entry => entry.Subresource, StringComparer.Ordinal)
            .Select(WriteEntry).ToArray<JsonNode?>();
        return written.Length == 0 ? null : new JsonArray(written);
    }

    private static List<ManagedEntry> Bound(List<ManagedEntry> entries)
    {
        var updates = entries.Where(entry => !entry.IsApply).OrderBy(entry => entry.Time, StringComparer.Ordinal).ToList();
        if (updates.Count <= UpdatersMax)
        {
            return entries;
        }

        var ancient = updates.Take(updates.Count - UpdatersMax + 1).ToList();
        var together = ancient[^1] with { Manager = AncientManager, Subresource = "", Fields = ancient.Aggregate(FieldSet.Empty, (fields, entry) => fields.Union(entry.Fields)) };
        return [together, .. entries.Except(ancient)];
    }

    private static ManagedEntry ReadEntry(JsonNode? entry)
    {
        var fields = entry.ObjectAt("fieldsV1") ?? throw new FormatException("an entry has no fieldsV1");
        if (entry.TextAt("operation") is not (Apply or Update))
        {
            throw new FormatException($"operation must be Apply or Update, and is {JsonAccess.Show(entry.At("operation"))}");
        }

        if (entry.TextAt("fieldsType") is not (null or "FieldsV1"))
        {
            throw new FormatException($"fieldsType must be FieldsV1, and is {JsonAccess.Show(entry.At("fieldsType"))}");
        }

        var manager = entry.TextAt("manager") ?? "";
        return FieldWriter.CheckManager(manager) is { } wrong
            ? throw new FormatException($"manager {wrong}")
            : new ManagedEntry(
                manager,
                entry.TextAt("operation") == Apply,
                entry.TextAt("apiVersion") ?? "",
                entry.TextAt("subresource") ?? "",
                entry.TextAt("time"),
                FieldSet.FromJson(fields));
    }

    private static JsonObject WriteEntry(ManagedEntry entry)
    {
        var json = new JsonObject
        {
            ["manager"] = entry.Manager,
            ["operation"] = entry.IsApply ? Apply : Update,
            ["apiVersion"] = entry.ApiVersion,
        };
        if (entry.Time is not null)
        {
            json["time"] = entry.Time;
        }

        json["fieldsType"] = "FieldsV1";
        json["fieldsV1"] = entry.Fields.ToJson();
        if (entry.Subresource.Length > 0)
        {
            json["subresource"] = entry.Subresource;
        }

        return json;
    }
}
