using System.Text.Json.Nodes;
using Godwit.Api.Core.V1;
using Godwit.Api.Machinery;
using Godwit.Api.Machinery.Schemas;
using Godwit.Base;

namespace Godwit.Api.Kinds.Quotas;

/// <summary>What bounds a namespace, and what bounds each pod in it.</summary>
internal static class QuotaKinds
{
    public static ResourceDefinition ResourceQuotaDefinition { get; } = new()
    {
        Group = "",
        Version = "v1",
        Kind = "ResourceQuota",
        Plural = "resourcequotas",
        Singular = "resourcequota",
        ShortNames = ["quota"],
        Namespaced = true,
        HasStatus = true,
        RefusesUnknownFields = true,
        Schema = QuotaSchemas.ResourceQuota,
        Strategy = new ResourceQuotaRules(),
        Columns =
        [
            Columns.Computed("Request", "What is used of what there may be.", quota => Uses(quota, isLimit: false)),
            Columns.Computed("Limit", "The same of limits.", quota => Uses(quota, isLimit: true)),
            Columns.Age(),
        ],
    };

    public static ResourceDefinition LimitRangeDefinition { get; } = new()
    {
        Group = "",
        Version = "v1",
        Kind = "LimitRange",
        Plural = "limitranges",
        Singular = "limitrange",
        ShortNames = ["limits"],
        Namespaced = true,
        RefusesUnknownFields = true,
        Schema = QuotaSchemas.LimitRange,
        Strategy = new LimitRangeRules(),
        Columns = [Columns.Text("Created At", "When it was made.", "metadata", "creationTimestamp")],
    };

    private static string Uses(JsonObject quota, bool isLimit) => string.Join(", ", (quota.ObjectAt("status", "hard") ?? [])
        .Where(bound => bound.Key.StartsWith("limits", StringComparison.Ordinal) == isLimit)
        .OrderBy(bound => bound.Key, StringComparer.Ordinal)
        .Select(bound => $"{bound.Key}: {quota.TextAt("status", "used", bound.Key) ?? "0"}/{JsonAccess.AsText(bound.Value)}"));
}

internal sealed class ResourceQuotaRules : ResourceStrategy
{
    public override bool TracksGeneration => false;

    public override void PrepareForCreate(JsonObject resource) => resource.Remove("status");

    public override IEnumerable<FieldError> Validate(JsonObject resource)
    {
        var spec = GodwitJson.FromNode<ResourceQuota>(resource).Spec;
        foreach (var (name, bound) in spec.Hard)
        {
            var path = $"spec.hard[{name}]";
            if (name != QuotaNames.ClaimStorage && !QuotaNames.Compute.Contains(name) && !QuotaNames.Plurals.Contains(name) && !IsCount(name))
            {
                yield return FieldError.NotSupported(path, name, [.. QuotaNames.Compute, QuotaNames.ClaimStorage, .. QuotaNames.Plurals, "count/PLURAL.GROUP"]);
            }
            else if (bound.Value < 0)
            {
                yield return FieldError.Invalid(path, bound.ToString(), "must be greater than or equal to 0");
            }
            else if (name != QuotaNames.ClaimStorage && !QuotaNames.Compute.Contains(name) && !decimal.IsInteger(bound.Value))
            {
                yield return FieldError.Invalid(path, bound.ToString(), "must be an integer");
            }
        }

        foreach (var error in ValidateScopes(spec))
        {
            yield return error;
        }
    }

    public override IEnumerable<FieldError> ValidateUpdate(JsonObject updated, JsonObject existing)
    {
        var (now, before) = (updated.ArrayAt("spec", "scopes") ?? [], existing.ArrayAt("spec", "scopes") ?? []);
        if (!JsonNode.DeepEquals(now, before))
        {
            yield return FieldError.Invalid("spec.scopes", now, "field is immutable");
        }
    }

    private static IEnumerable<FieldError> ValidateScopes(ResourceQuotaSpec spec)
    {
        for (var index = 0; index < spec.Scopes.Count; index++)
        {
            var scope = spec.Scopes[index];
            if (!QuotaNames.Scopes.TryGetValue(scope, out var opposite))
            {
                yield return FieldError.NotSupported($"spec.scopes[{index}]", scope, [.. QuotaNames.Scopes.Keys]);
            }
            else if (spec.Scopes.Contains(opposite))
            {
                yield return FieldError.Invalid($"spec.scopes[{index}]", scope, $"conflicts with {opposite}");
            }
        }

        var allowed = spec.Scopes.Contains(QuotaNames.BestEffort) ? [Quantities.Pods] : QuotaNames.Compute.Append(Quantities.Pods).ToList();
        foreach (var name in spec.Scopes.Count == 0 ? [] : spec.Hard.Keys.Where(name => !allowed.Contains(name)))
        {
            yield return FieldError.Invalid($"spec.hard[{name}]", name, $"the scopes {string.Join(", ", spec.Scopes)} apply to {string.Join(", ", allowed)} only");
        }
    }

    private static bool IsCount(string name) => name.StartsWith(QuotaNames.Count, StringComparison.Ordinal) && Names.CheckDnsSubdomain(name[QuotaNames.Count.Length..]) is null;
}

internal sealed class LimitRangeRules : ResourceStrategy
{
    private static readonly string[] Types = ["Container", "Pod"];

    public override bool TracksGeneration => false;

    /// <summary>What a container is given follows from its bounds where it is not said: the limit from the most, the request from the limit, or else from the least.</summary>
    public override void ApplyDefaults(JsonObject resource)
    {
        foreach (var item in (resource.ArrayAt("spec", "limits") ?? []).OfType<JsonObject>().Where(item => item.TextAt("type") == "Container"))
        {
            Complete(item, "default", "max");
            Complete(item, "defaultRequest", "default");
            Complete(item, "defaultRequest", "min");
        }
    }

    public override IEnumerable<FieldError> Validate(JsonObject resource)
    {
        var limits = GodwitJson.FromNode<LimitRange>(resource).Spec.Limits;
        return limits.SelectMany((item, index) => Validate(item, $"spec.limits[{index}]"))
            .Concat(limits.Select((item, index) => (item.Type, index)).Where(each => limits.Take(each.index).Any(other => other.Type == each.Type)).Select(each => FieldError.Duplicate($"spec.limits[{each.index}].type", each.Type)));
    }

    private static IEnumerable<FieldError> Validate(LimitRangeItem item, string path)
    {
        if (!Types.Contains(item.Type))
        {
            yield return FieldError.NotSupported($"{path}.type", item.Type, Types);
        }

        if (item.Type == "Pod" && (item.Default.Count > 0 || item.DefaultRequest.Count > 0))
        {
            yield return FieldError.Forbidden($"{path}.{(item.Default.Count > 0 ? "default" : "defaultRequest")}", "may not be specified when `type` is 'Pod'");
        }

        foreach (var name in new[] { item.Max, item.Min, item.Default, item.DefaultRequest, item.MaxLimitRequestRatio }.SelectMany(map => map.Keys).Distinct(StringComparer.Ordinal))
        {
            foreach (var (lower, upper, field) in new[] { (item.Min, item.Max, "min"), (item.Min, item.DefaultRequest, "min"), (item.DefaultRequest, item.Max, "defaultRequest"), (item.DefaultRequest, item.Default, "defaultRequest"), (item.Default, item.Max, "default") })
            {
                if (lower.TryGetValue(name, out var small) && upper.TryGetValue(name, out var large) && small > large)
                {
                    yield return FieldError.Invalid($"{path}.{field}[{name}]", small.ToString(), $"must be at most {large}");
                }
            }

            if (item.MaxLimitRequestRatio.TryGetValue(name, out var ratio) && ratio.Value < 1)
            {
                yield return FieldError.Invalid($"{path}.maxLimitRequestRatio[{name}]", ratio.ToString(), $"ratio {ratio} is less than 1");
            }
        }
    }

    private static void Complete(JsonObject item, string field, string source)
    {
        foreach (var (name, value) in item.ObjectAt(source) ?? [])
        {
            item.GetOrAddObject(field).TryAdd(name, value?.DeepClone());
        }
    }
}
