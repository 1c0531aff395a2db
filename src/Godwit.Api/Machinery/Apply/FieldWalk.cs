using System.Text.Json.Nodes;

namespace Godwit.Api.Machinery.Apply;

/// <summary>
/// Objects and field sets by their schema: what fields an object has, how two differ, how one is laid over another, and
/// how fields are taken away. What is one value (a scalar, an atomic list or object, anything free of form) is a leaf; items
/// of other lists are told apart by their keys, or as scalars of a set.
/// Source: the merge rules of Kubernetes' <c>structured-merge-diff</c>, version 4.
/// </summary>
internal static class FieldWalk
{
    /// <summary>
    /// The fields that a value sets: leaves, empty objects, items of lists and entries of maps. What only leads to them is
    /// no member, so that several can share it.
    /// </summary>
    public static FieldSet FieldsOf(JsonNode? value, Schema? schema) => SetOf(value, schema, allPlaces: false);

    /// <summary>What is new or other in <paramref name="after"/>, and what is no longer there; here with every place on the way.</summary>
    public static (FieldSet Changed, FieldSet Removed) Compare(JsonNode? before, JsonNode? after, Schema? schema)
    {
        switch (before, after)
        {
            case (null, null):
                return (FieldSet.Empty, FieldSet.Empty);
            case (null, _):
                return (SetOf(after, schema, allPlaces: true), FieldSet.Empty);
            case (_, null):
                return (FieldSet.Empty, SetOf(before, schema, allPlaces: true));
            case (JsonObject old, JsonObject now) when IsOpenObject(schema):
                return CompareAll(
                    old.Select(field => field.Key).Union(now.Select(field => field.Key), StringComparer.Ordinal)
                        .Select(name => (FieldStep(name), old[name], now[name], SchemaOf(schema, name))));
            case (JsonArray old, JsonArray now) when IsOpenList(schema) is { } list:
                var (oldByStep, nowByStep) = (ByStep(list, old), ByStep(list, now));
                return CompareAll(
                    oldByStep.Keys.Union(nowByStep.Keys, StringComparer.Ordinal)
                        .Select(step => (step, oldByStep.GetValueOrDefault(step), nowByStep.GetValueOrDefault(step), (Schema?)list.Items)));
            default:
                return (JsonNode.DeepEquals(before, after) ? FieldSet.Empty : FieldSet.Leaf, FieldSet.Empty);
        }
    }

    /// <summary>Lays a configuration over a value, in place where it can; answers what the value is now.</summary>
    public static JsonNode? Merge(JsonNode? target, JsonNode? config, Schema? schema)
    {
        switch (target, config)
        {
            case (JsonObject there, JsonObject wanted) when IsOpenObject(schema):
                foreach (var (name, value) in wanted)
                {
                    var merged = Merge(there[name], value, SchemaOf(schema, name));
                    if (!ReferenceEquals(merged, there[name]))
                    {
                        there[name] = merged;
                    }
                }

                return there;
            case (JsonArray there, JsonArray wanted) when IsOpenList(schema) is { } list:
                return MergeList(there, wanted, list);
            default:
                return config?.DeepClone();
        }
    }

    /// <summary>A copy of a value without the members of a set. Null when nothing is left of it.</summary>
    public static JsonNode? Without(JsonNode? value, FieldSet set, Schema? schema)
    {
        switch (value)
        {
            case JsonObject known when IsOpenObject(schema):
                var fields = new JsonObject();
                foreach (var (name, field) in known)
                {
                    var below = set.At(FieldStep(name));
                    if (!below.IsMember && (below.IsEmpty ? field?.DeepClone() : Without(field, below, SchemaOf(schema, name))) is { } left)
                    {
                        fields[name] = left;
                    }
                }

                return fields.Count > 0 || known.Count == 0 ? fields : null;
            case JsonArray items when IsOpenList(schema) is { } list:
                var kept = new JsonArray();
                foreach (var item in items)
                {
                    var below = set.At(ItemStep(list, item));
                    if (!below.IsMember && (below.IsEmpty ? item?.DeepClone() : Without(item, below, list.Items)) is { } left)
                    {
                        kept.Add(left);
                    }
                }

                return kept.Count > 0 || items.Count == 0 ? kept : null;
            default:
                return value?.DeepClone();
        }
    }

    /// <summary>
    /// The set with every known field that leads to a member as a member itself: who set something in a structure had a
    /// part in its being there at all. Entries of maps and items of lists are left as they are.
    /// </summary>
    public static FieldSet WithNamedFields(FieldSet set, Schema? schema)
    {
        var branches = new List<FieldSet.Branch>(set.Branches.Length);
        foreach (var (step, below) in set.Branches)
        {
            var isField = step.StartsWith("f:", StringComparison.Ordinal);
            var inner = isField ? SchemaOf(schema, step[2..]) : (schema as ArraySchema)?.Items;
            var named = WithNamedFields(below, inner);
            branches.Add(new FieldSet.Branch(step, isField && schema is ObjectSchema && inner is not null ? named.WithSelf() : named));
        }

        return FieldSet.Of(set.IsMember, branches);
    }

    private static FieldSet SetOf(JsonNode? value, Schema? schema, bool allPlaces)
    {
        switch (value)
        {
            case JsonObject { Count: > 0 } known when IsOpenObject(schema):
                return FieldSet.Of(allPlaces, known.Select(field =>
                {
                    var inner = SetOf(field.Value, SchemaOf(schema, field.Key), allPlaces);
                    return new FieldSet.Branch(FieldStep(field.Key), schema is MapSchema ? inner.WithSelf() : inner);
                }));
            case JsonArray items when IsOpenList(schema) is { } list:
                return FieldSet.Of(allPlaces, ByStep(list, items).Select(item => new FieldSet.Branch(item.Key, SetOf(item.Value, list.Items, allPlaces).WithSelf())));
            default:
                return FieldSet.Leaf;
        }
    }

    private static (FieldSet Changed, FieldSet Removed) CompareAll(IEnumerable<(string Step, JsonNode? Before, JsonNode? After, Schema? Schema)> places)
    {
        var (changed, removed) = (new List<FieldSet.Branch>(), new List<FieldSet.Branch>());
        foreach (var (step, before, after, schema) in places)
        {
            var (more, less) = Compare(before, after, schema);
            changed.Add(new FieldSet.Branch(step, more));
            removed.Add(new FieldSet.Branch(step, less));
        }

        return (FieldSet.Of(isMember: false, changed), FieldSet.Of(isMember: false, removed));
    }

    /// <summary>Items that both have are merged.</summary>
    private static JsonArray MergeList(JsonArray target, JsonArray config, ArraySchema list)
    {
        var (there, wanted) = (ByStep(list, target), ByStep(list, config));
        return new JsonArray([.. Order([.. there.Keys], [.. wanted.Keys]).Select(step =>
            wanted.TryGetValue(step, out var change) ? Merge(there.GetValueOrDefault(step)?.DeepClone(), change, list.Items) : there[step]?.DeepClone())]);
    }

    /// <summary>
    /// The order of a merged list: the configuration's items in its order, the others where they were. A new item comes as
    /// late as that allows.
    /// </summary>
    private static List<string> Order(List<string> there, List<string> wanted)
    {
        var (known, isWanted) = (there.ToHashSet(StringComparer.Ordinal), wanted.ToHashSet(StringComparer.Ordinal));
        var shared = new Queue<string>(wanted.Where(known.Contains));
        var result = new List<string>(there.Count + wanted.Count);
        var next = 0;
        foreach (var step in there)
        {
            if (!isWanted.Contains(step))
            {
                result.Add(step);
            }
            else if (shared.TryPeek(out var due) && due == step)
            {
                TakeUpTo(step);
            }
        }

        result.AddRange(wanted.Skip(next));
        return result;

        void TakeUpTo(string step)
        {
            do
            {
                result.Add(wanted[next]);
                if (known.Contains(wanted[next]))
                {
                    shared.Dequeue();
                }
            }
            while (wanted[next++] != step);
        }
    }

    private static Dictionary<string, JsonNode?> ByStep(ArraySchema schema, JsonArray items)
    {
        var byStep = new Dictionary<string, JsonNode?>(items.Count, StringComparer.Ordinal);
        foreach (var item in items)
        {
            byStep.TryAdd(ItemStep(schema, item), item);
        }

        return byStep;
    }

    private static string FieldStep(string name) => "f:" + name;

    private static string ItemStep(ArraySchema schema, JsonNode? item)
    {
        if (schema.ListType == ListType.Set)
        {
            return "v:" + FieldSet.StepText(item);
        }

        var keys = new JsonObject();
        foreach (var key in schema.MapKeys.Order(StringComparer.Ordinal))
        {
            var value = item.At(key)?.DeepClone() ?? ((schema.Items as ObjectSchema)?.Find(key)?.Default is { } absent ? JsonNode.Parse(absent) : null);
            if (value is not null)
            {
                keys[key] = value;
            }
        }

        return "k:" + FieldSet.StepText(keys);
    }

    /// <summary>An object whose fields have owners of their own. What the schema does not know is open.</summary>
    private static bool IsOpenObject(Schema? schema) => schema is null or ObjectSchema { IsAtomic: false } or MapSchema { IsAtomic: false };

    private static ArraySchema? IsOpenList(Schema? schema) => schema is ArraySchema { ListType: not ListType.Atomic } list ? list : null;

    private static Schema? SchemaOf(Schema? schema, string field) => schema switch
    {
        ObjectSchema known => known.Find(field)?.Schema,
        MapSchema map => map.Values,
        _ => null,
    };
}
