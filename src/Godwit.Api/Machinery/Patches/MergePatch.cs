using System.Text.Json.Nodes;

namespace Godwit.Api.Machinery.Patches;

/// <summary>JSON merge patch: objects merge, null removes, everything else replaces. Source: RFC 7386.</summary>
public static class MergePatch
{
    /// <summary>The patched value; <paramref name="target"/> is not changed.</summary>
    public static JsonNode? Apply(JsonNode? target, JsonNode? patch) => Merge(target?.DeepClone(), patch);

    /// <summary>The smallest patch that makes <paramref name="after"/> of <paramref name="before"/>. Nulls in either count as absent.</summary>
    public static JsonObject Create(JsonObject before, JsonObject after)
    {
        var patch = new JsonObject();
        foreach (var (name, value) in after)
        {
            var old = before[name];
            if (value is null || JsonNode.DeepEquals(old, value))
            {
                continue;
            }

            // An object that becomes another must be merged: a patch cannot say "replace this object".
            patch[name] = old is JsonObject inner && value is JsonObject outer ? Create(inner, outer) : Prune(value.DeepClone());
        }

        foreach (var (name, value) in before)
        {
            if (value is not null && after[name] is null)
            {
                patch[name] = null;
            }
        }

        return patch;
    }

    private static JsonNode? Merge(JsonNode? target, JsonNode? patch)
    {
        if (patch is not JsonObject changes)
        {
            return patch?.DeepClone();
        }

        var merged = target as JsonObject ?? [];
        foreach (var (name, change) in changes)
        {
            if (change is null)
            {
                merged.Remove(name);
            }
            else if (change is JsonObject && merged[name] is JsonObject there)
            {
                Merge(there, change);
            }
            else
            {
                merged[name] = Merge(null, change);
            }
        }

        return merged;
    }

    private static JsonNode Prune(JsonNode value)
    {
        if (value is JsonObject known)
        {
            foreach (var name in known.Where(field => field.Value is null).Select(field => field.Key).ToArray())
            {
                known.Remove(name);
            }

            foreach (var (_, inner) in known)
            {
                Prune(inner!);
            }
        }

        return value;
    }
}
