using System.Text.Json.Nodes;

namespace Godwit.Api.Machinery.Apply;

/// <summary>What an apply came to: the object without its managed fields, and these (null: there are none).</summary>
public sealed record Applied(JsonObject Resource, JsonArray? ManagedFields);

/// <summary>
/// Server-side apply: a client says the fields that it cares for, and the server keeps who cares for what.
/// <code>
///   live object ───┐                       what this manager applied before, applies no longer,
///                  ├─ merge by schema ──▶  and nobody else set, goes ──▶ new object
///   configuration ─┘                                                        │
///                       what differs from live and somebody else set: a conflict, or taken over by force
///
///   managed fields    an applier's      exactly what its last configuration says
///                     an updater's      what it changed, until somebody else changes or removes it
/// </code>
/// Every write is tracked, from the creation on. A client that gives up the managed fields (an update that sends an empty
/// list) ends that; the next apply then leaves what is there to the manager <c>before-first-apply</c>.
/// Source: Kubernetes' documentation "Server-Side Apply" and its enhancement proposal 555.
/// </summary>
public static class ServerSideApply
{
    public const string BeforeFirstApply = "before-first-apply";

    // The identity and bookkeeping of an object belong to nobody.
    private static readonly FieldSet Unmanaged = Parse(
        """
        {"f:apiVersion":{},"f:kind":{},"f:metadata":{"f:name":{},"f:namespace":{},"f:uid":{},"f:resourceVersion":{},"f:generation":{},
        "f:creationTimestamp":{},"f:deletionTimestamp":{},"f:deletionGracePeriodSeconds":{},"f:selfLink":{},"f:managedFields":{}}}
        """);

    // A place on the way to the unmanaged fields is no more anybody's than they are.
    private static readonly FieldSet Metadata = Parse("""{"f:metadata":{}}""");

    private static readonly FieldSet Status = Parse("""{"f:status":{}}""");

    /// <summary>The object after an apply, with its managed fields. Nothing given is changed.</summary>
    /// <param name="live">What is there, or null: the apply creates it.</param>
    /// <param name="config">The configuration: it names its object, was checked against the schema, and has no managed fields.</param>
    /// <param name="definition">The kind.</param>
    /// <param name="writer">Who applies.</param>
    /// <param name="force">True: take over fields that others set.</param>
    /// <exception cref="ApplyConflictException">The apply would change fields of others.</exception>
    /// <exception cref="FormatException">The managed fields that are there cannot be read.</exception>
    public static Applied Apply(JsonObject? live, JsonObject config, ResourceDefinition definition, FieldWriter writer, bool force)
    {
        var before = live ?? [];
        var wanted = Restrict(config, definition, writer.Subresource);
        var configured = FieldWalk.FieldsOf(wanted, definition.Schema);
        var entries = EntriesBeforeApply(live, definition, writer);
        var mine = entries.Find(entry => entry.IsOf(writer, isApply: true));
        var others = entries.Where(entry => entry != mine).ToList();

        var merged = FieldWalk.Merge(before.DeepClone(), wanted, definition.Schema)!.AsObject();
        var owned = others.Aggregate(configured, (fields, entry) => fields.Union(entry.Fields));
        var result = Prune(merged, mine?.Fields ?? FieldSet.Empty, owned, definition.Schema);
        var (changed, removed) = FieldWalk.Compare(before, result, definition.Schema);
        CheckConflicts(others, changed, force ? changed : LastApplied.OwnFields(before, definition, writer));

        var lost = changed.Union(removed);
        var applied = Managed(configured, definition, writer.Subresource);
        var same = mine is not null && mine.Fields.SameAs(applied) && lost.IsEmpty;
        var own = same ? mine! : new ManagedEntry(writer.Manager, IsApply: true, writer.ApiVersion, writer.Subresource, Rfc3339.Format(writer.Now), applied);
        LastApplied.Renew(result, config, writer);
        result.ObjectAt("metadata")?.Remove("managedFields");
        return new Applied(result, ManagedFields.Write(others.Select(entry => entry.Losing(lost)).Append(own)));
    }

    /// <summary>The managed fields of an object after a write that is no apply; null: there are none.</summary>
    /// <param name="live">The object before the write; null: it is being created.</param>
    /// <param name="updated">The object after it. Its managed fields are what the client sent: none, to leave them as they are; others, to set them.</param>
    /// <param name="definition">The kind.</param>
    /// <param name="writer">Who writes.</param>
    /// <exception cref="FormatException">The client set managed fields that cannot be read.</exception>
    public static JsonArray? Track(JsonObject? live, JsonObject updated, ResourceDefinition definition, FieldWriter writer)
    {
        var given = updated.ArrayAt("metadata", "managedFields");
        if (given is { Count: 0 } or [JsonObject { Count: 0 }])
        {
            return null; // Given up.
        }

        var entries = ManagedFields.Read(given is null ? live : updated);
        if (live is not null && entries.Count == 0)
        {
            return null;
        }

        var (changed, removed) = FieldWalk.Compare(live ?? [], updated, definition.Schema);
        (changed, removed) = (Managed(changed, definition, writer.Subresource), Managed(removed, definition, writer.Subresource));
        var lost = changed.Union(removed);
        if (lost.IsEmpty)
        {
            return ManagedFields.Write(entries);
        }

        var mine = entries.Find(entry => entry.IsOf(writer, isApply: false));
        var fields = (mine?.Fields ?? FieldSet.Empty).Except(removed).Union(changed);
        var own = new ManagedEntry(writer.Manager, IsApply: false, writer.ApiVersion, writer.Subresource, Rfc3339.Format(writer.Now), fields);
        return ManagedFields.Write(entries.Where(entry => entry != mine).Select(entry => entry.Losing(lost)).Append(own));
    }

    /// <summary>Takes away what was applied before and nobody sets any more, with what the server filled in below it.</summary>
    private static JsonObject Prune(JsonObject merged, FieldSet last, FieldSet owned, ObjectSchema schema)
    {
        if (last.Except(owned).IsEmpty)
        {
            return merged;
        }

        FieldSet All(JsonNode value) => FieldWalk.WithNamedFields(FieldWalk.FieldsOf(value, schema), schema);
        JsonObject Cut(FieldSet set) => FieldWalk.Without(merged, set, schema)?.AsObject() ?? [];

        var applied = FieldWalk.WithNamedFields(last, schema);
        var there = All(merged);
        // First all that was applied goes, then comes back what has an owner, and what was never applied.
        var withOwned = Cut(there.Except(All(Cut(applied)).Union(FieldWalk.WithNamedFields(owned, schema))));
        return Cut(there.Except(All(withOwned)).Intersect(applied));
    }

    private static void CheckConflicts(List<ManagedEntry> others, FieldSet changed, FieldSet allowed)
    {
        var conflicts = others.SelectMany(entry => ApplyConflict.Of(entry, entry.Fields.Intersect(changed).Except(allowed))).ToList();
        if (conflicts.Count > 0)
        {
            throw new ApplyConflictException(conflicts);
        }
    }

    private static List<ManagedEntry> EntriesBeforeApply(JsonObject? live, ResourceDefinition definition, FieldWriter writer)
    {
        var entries = ManagedFields.Read(live);
        if (live is null || entries.Count > 0)
        {
            return entries;
        }

        return [new ManagedEntry(BeforeFirstApply, IsApply: false, writer.ApiVersion, "", Rfc3339.Format(writer.Now), Managed(FieldWalk.FieldsOf(live, definition.Schema), definition, ""))];
    }

    /// <summary>Of a set, what may have a manager; a status only through its own subresource.</summary>
    private static FieldSet Managed(FieldSet fields, ResourceDefinition definition, string subresource)
    {
        var managed = fields.ExceptBelow(Unmanaged).Except(Metadata);
        return subresource.Length == 0 && definition.HasStatus ? managed.ExceptBelow(Status) : managed;
    }

    /// <summary>What this way of writing may set: the object without its status, or the status alone.</summary>
    private static JsonObject Restrict(JsonObject config, ResourceDefinition definition, string subresource)
    {
        var foreign = subresource.Length > 0
            ? FieldWalk.FieldsOf(config, definition.Schema).ExceptBelow(Unmanaged).ExceptBelow(Status)
            : definition.HasStatus ? Status : FieldSet.Empty;
        return FieldWalk.Without(config, foreign, definition.Schema)?.AsObject() ?? [];
    }

    private static FieldSet Parse(string json) => FieldSet.FromJson(JsonNode.Parse(json)!.AsObject());
}
