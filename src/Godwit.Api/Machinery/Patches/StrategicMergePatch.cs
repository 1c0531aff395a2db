using System.Text.Json.Nodes;

namespace Godwit.Api.Machinery.Patches;

/// <summary>
/// Strategic merge patch: like a merge patch, except that lists whose schema says so are merged item by item, told apart
/// by a key. Source: the Kubernetes API conventions and <c>strategic-merge-patch.md</c>.
/// <code>
///   in an object   $patch: replace            the patch is the new object       $patch: delete   nothing is left of it
///                  $retainKeys: [a, b]        only these keys stay
///                  $setElementOrder/x: [...]  the order of list x after the merge (keys, or scalars)
///                  $deleteFromPrimitiveList/x: [...]   scalars that leave list x
///   in a list      - $patch: replace          the other items of the patch are the new list
///                  - $patch: delete, key: v   the item with that key goes
///   anywhere       null                       the field goes
/// </code>
/// </summary>
public static class StrategicMergePatch
{
    private const string PatchDirective = "$patch";
    private const string RetainKeys = "$retainKeys";
    private const string SetOrderPrefix = "$setElementOrder/";
    private const string DeletePrefix = "$deleteFromPrimitiveList/";

    /// <summary>The patched object; <paramref name="target"/> is not changed.</summary>
    /// <exception cref="PatchException">The patch has a directive that is unknown or of the wrong shape.</exception>
    public static JsonObject Apply(JsonObject target, JsonObject patch, ObjectSchema schema) =>
        MergeObject(target.DeepClone().AsObject(), patch, schema);

    /// <summary>Merges in place and answers what the object is now.</summary>
    private static JsonObject MergeObject(JsonObject target, JsonObject patch, Schema? schema)
    {
        if (patch.TryGetPropertyValue(PatchDirective, out var directive))
        {
            switch (JsonAccess.AsText(directive))
            {
                case "replace":
                    return WithoutDirectives(patch);
                case "delete":
                    return [];
                case "merge":
                    break;
                default:
                    throw UnknownDirective(directive);
            }
        }

        if (patch[RetainKeys] is { } retain)
        {
            var kept = Texts(retain, RetainKeys).ToHashSet(StringComparer.Ordinal);
            RemoveWhere(target, name => !kept.Contains(name));
        }

        foreach (var (name, change) in patch)
        {
            if (!name.StartsWith('$'))
            {
                MergeField(target, name, change, patch, FieldOf(schema, name));
            }
        }

        foreach (var (name, _) in patch)
        {
            if (name.StartsWith(SetOrderPrefix, StringComparison.Ordinal) || name.StartsWith(DeletePrefix, StringComparison.Ordinal))
            {
                var list = name[(name.IndexOf('/', StringComparison.Ordinal) + 1)..];
                if (!patch.ContainsKey(list) && target[list] is JsonArray there)
                {
                    target[list] = MergeList(there, [], ListPlan.For(patch, list, FieldOf(schema, list)));
                }
            }
            else if (name.StartsWith('$') && name is not (PatchDirective or RetainKeys))
            {
                throw new PatchException($"{name} is no directive of a strategic merge patch");
            }
        }

        return target;
    }

    private static void MergeField(JsonObject target, string name, JsonNode? change, JsonObject patch, SchemaField? field)
    {
        switch (change, target[name])
        {
            case (null, _):
                target.Remove(name);
                break;
            case (JsonObject changes, JsonObject there):
                var merged = MergeObject(there, changes, field?.Schema);
                if (!ReferenceEquals(merged, there))
                {
                    target[name] = merged;
                }

                break;
            case (JsonArray changes, var there) when field is { Schema: ArraySchema } && field.PatchStrategy.HasFlag(PatchStrategies.Merge):
                target[name] = MergeList(there as JsonArray ?? [], changes, ListPlan.For(patch, name, field));
                break;
            default:
                target[name] = change is JsonObject { } made && made.TryGetPropertyValue(PatchDirective, out _)
                    ? MergeObject([], made, field?.Schema)
                    : WithoutDirectives(change);
                break;
        }
    }

    private static JsonArray MergeList(JsonArray target, JsonArray patch, ListPlan plan)
    {
        var before = target.Select(item => plan.KeyOf(item)).ToList();
        var items = plan.MergeKey is null ? MergeScalars(target, patch, plan) : MergeItems(target, patch, plan);
        var merged = plan.Order is null ? items : Reorder(items, plan, before);
        return new JsonArray([.. merged]);
    }

    private static List<JsonNode?> MergeScalars(JsonArray target, JsonArray patch, ListPlan plan)
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        var result = new List<JsonNode?>();
        foreach (var item in target.Concat(patch))
        {
            var key = plan.KeyOf(item);
            if (!plan.Deleted.Contains(key) && seen.Add(key))
            {
                result.Add(item?.DeepClone());
            }
        }

        return result;
    }

    private static List<JsonNode?> MergeItems(JsonArray target, JsonArray patch, ListPlan plan)
    {
        var replaces = patch.Any(item => item.TextAt(PatchDirective) == "replace");
        var result = replaces ? [] : target.Select(item => item?.DeepClone()).ToList();
        var places = new Dictionary<string, int>(StringComparer.Ordinal);
        for (var index = 0; index < result.Count; index++)
        {
            places.TryAdd(plan.KeyOf(result[index]), index);
        }

        foreach (var item in patch)
        {
            var change = item as JsonObject ?? throw new PatchException($"an item of a list that merges by {plan.MergeKey} must be an object");
            var directive = change[PatchDirective];
            if (JsonAccess.AsText(directive) == "replace")
            {
                continue;
            }

            if (change[plan.MergeKey!] is null)
            {
                throw new PatchException($"an item of a list that merges by {plan.MergeKey} must have {plan.MergeKey}");
            }

            if (directive is not null && JsonAccess.AsText(directive) is not ("merge" or "delete"))
            {
                throw UnknownDirective(directive);
            }

            var key = plan.KeyOf(change);
            if (JsonAccess.AsText(directive) == "delete")
            {
                // A list may hold a key twice (schemas do not forbid it everywhere): all of them go.
                for (var index = 0; index < result.Count; index++)
                {
                    result[index] = result[index] is { } there && plan.KeyOf(there) == key ? null : result[index];
                }
            }
            else if (places.TryGetValue(key, out var place) && result[place] is JsonObject there)
            {
                result[place] = MergeObject(there, change, plan.ItemSchema);
            }
            else
            {
                places[key] = result.Count;
                result.Add(WithoutDirectives(change));
            }
        }

        result.RemoveAll(item => item is null);
        return result;
    }

    /// <summary>
    /// Items that the client named come in its order; the others keep their places among each other and, where it can be
    /// told, relative to the named ones.
    /// </summary>
    private static List<JsonNode?> Reorder(List<JsonNode?> items, ListPlan plan, List<string> before)
    {
        var wanted = Positions(plan.Order!);
        var old = Positions(before);
        var named = items.Where(item => wanted.ContainsKey(plan.KeyOf(item))).OrderBy(item => wanted[plan.KeyOf(item)]).ToList();
        var others = items.Where(item => !wanted.ContainsKey(plan.KeyOf(item))).ToList();
        var result = new List<JsonNode?>(items.Count);
        var (next, other) = (0, 0);
        while (result.Count < items.Count)
        {
            var takeOther = next == named.Count || (other < others.Count
                && old.TryGetValue(plan.KeyOf(others[other]), out var left)
                && old.TryGetValue(plan.KeyOf(named[next]), out var right)
                && left < right);
            result.Add(takeOther ? others[other++] : named[next++]);
        }

        return result;
    }

    private static Dictionary<string, int> Positions(IEnumerable<string> keys)
    {
        var positions = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (var key in keys)
        {
            positions.TryAdd(key, positions.Count);
        }

        return positions;
    }

    private static SchemaField? FieldOf(Schema? schema, string name) => schema switch
    {
        ObjectSchema known => known.Find(name),
        MapSchema map => new SchemaField(name, map.Values, ""),
        _ => null,
    };

    private static JsonObject WithoutDirectives(JsonObject value) => (JsonObject)WithoutDirectives((JsonNode)value)!;

    /// <summary>A copy of a value that is new to the object: directives and nulls have nothing to act on.</summary>
    private static JsonNode? WithoutDirectives(JsonNode? value)
    {
        switch (value)
        {
            case JsonObject known:
                return new JsonObject(known
                    .Where(field => field.Value is not null && !field.Key.StartsWith('$'))
                    .Select(field => KeyValuePair.Create(field.Key, WithoutDirectives(field.Value))));
            case JsonArray list:
                return new JsonArray([.. list.Where(item => item is not JsonObject inner || !inner.ContainsKey(PatchDirective)).Select(WithoutDirectives)]);
            default:
                return value?.DeepClone();
        }
    }

    private static void RemoveWhere(JsonObject target, Func<string, bool> goes)
    {
        foreach (var name in target.Select(field => field.Key).Where(goes).ToArray())
        {
            target.Remove(name);
        }
    }

    private static IEnumerable<string> Texts(JsonNode node, string directive) =>
        (node as JsonArray ?? throw new PatchException($"{directive} must be a list"))
            .Select(item => JsonAccess.AsText(item) ?? throw new PatchException($"{directive} must be a list of texts"));

    private static PatchException UnknownDirective(JsonNode? directive) =>
        new($"$patch {JsonAccess.Show(directive)} is not one of merge, replace, delete");

    /// <summary>How one list is to be merged: by which key, what leaves it, in which order.</summary>
    private sealed record ListPlan(string? MergeKey, Schema? ItemSchema, IReadOnlySet<string> Deleted, IReadOnlyList<string>? Order)
    {
        public static ListPlan For(JsonObject patch, string list, SchemaField? field)
        {
            var plan = new ListPlan(field?.PatchMergeKey, (field?.Schema as ArraySchema)?.Items, new HashSet<string>(StringComparer.Ordinal), null);
            return plan with
            {
                Deleted = Keys(patch, DeletePrefix + list, plan)?.ToHashSet(StringComparer.Ordinal) ?? plan.Deleted,
                Order = Keys(patch, SetOrderPrefix + list, plan),
            };
        }

        /// <summary>What tells an item apart, as JSON: numbers and texts never meet.</summary>
        public string KeyOf(JsonNode? item) => (MergeKey is null ? item : item.At(MergeKey))?.ToJsonString() ?? "";

        private static List<string>? Keys(JsonObject patch, string directive, ListPlan plan) =>
            patch[directive] switch
            {
                null => null,
                JsonArray list => [.. list.Select(plan.KeyOf)],
                _ => throw new PatchException($"{directive} must be a list"),
            };
    }
}
