using System.Text.Json;
using System.Text.Json.Nodes;
using Godwit.Api.Autoscaling.V2;
using Godwit.Api.Machinery;
using Godwit.Api.Machinery.Schemas;

namespace Godwit.Api.Kinds.Autoscaling;

/// <summary>
/// <c>autoscaling/v1</c> to <c>v2</c> and back. The first metric that is use of CPU in percent is v1's one target; all that v1 has no field for lies in annotations, by Kubernetes' names and
/// in the form of v2, so that a client of v1 that reads and writes an object takes nothing of it away.
/// </summary>
internal static class AutoscalerConversion
{
    private const string Prefix = "autoscaling.alpha.kubernetes.io/";
    private const string Metrics = Prefix + "metrics";
    private const string Behavior = Prefix + "behavior";
    private const string CurrentMetrics = Prefix + "current-metrics";
    private const string ConditionsKey = Prefix + "conditions";

    private static readonly AutoscalerRules Rules = new();
    private static readonly JsonDocumentOptions ReaderOptions = new() { MaxDepth = 32 };

    /// <summary>The same object in v2, for those that only look.</summary>
    public static JsonObject AsStored(JsonObject resource)
    {
        var stored = resource.DeepClone().AsObject();
        ToStored(stored);
        return stored;
    }

    public static void ToStored(JsonObject resource)
    {
        Move(resource);
        Rules.ApplyDefaults(resource);
    }

    public static void FromStored(JsonObject resource)
    {
        var (spec, status) = (resource.GetOrAddObject("spec"), resource.ObjectAt("status"));
        if (spec.Remove("metrics", out var all) && all is JsonArray metrics)
        {
            if (metrics.FirstOrDefault(IsCpu) is { } cpu)
            {
                spec["targetCPUUtilizationPercentage"] = cpu.At("resource", "target", "averageUtilization")?.DeepClone();
                metrics.Remove(cpu);
            }

            Annotate(resource, Metrics, metrics.Count > 0 ? metrics : null);
        }

        spec.Remove("behavior", out var behavior);
        Annotate(resource, Behavior, behavior);
        if (status is not null)
        {
            status.TryAdd("currentReplicas", 0);
            status.TryAdd("desiredReplicas", 0);
            status.Remove("currentMetrics", out var measured);
            if ((measured as JsonArray ?? []).FirstOrDefault(metric => metric.TextAt("resource", "name") == "cpu")?.At("resource", "current", "averageUtilization") is { } used)
            {
                status["currentCPUUtilizationPercentage"] = used.DeepClone();
            }

            Annotate(resource, CurrentMetrics, measured);
            status.Remove("conditions", out var conditions);
            Annotate(resource, ConditionsKey, conditions);
        }
    }

    /// <summary>What stands in the annotations must be of the form of v2, and by its rules.</summary>
    public static IEnumerable<FieldError> ValidateAnnotations(JsonObject resource)
    {
        foreach (var key in new[] { Metrics, Behavior, CurrentMetrics, ConditionsKey })
        {
            if (resource.TextAt("metadata", "annotations", key) is { } text && Read(text) is null)
            {
                return [FieldError.Invalid($"metadata.annotations[{key}]", text, "must be JSON in the form of autoscaling/v2")];
            }
        }

        // Before anything is filled in, which would put something right in the place of what is wrong.
        var stored = resource.DeepClone().AsObject();
        Move(stored);
        var wrong = SchemaCheck.Run(AutoscalingSchemas.HorizontalPodAutoscaler, stored).Errors.Select(error => error.Path).ToList();
        Rules.ApplyDefaults(stored);
        return wrong.Count > 0 ? [FieldError.Invalid("metadata.annotations", null, $"what {Prefix}… hold is not of the form of autoscaling/v2: {string.Join(", ", wrong)}")] : Rules.Validate(stored);
    }

    private static void Move(JsonObject resource)
    {
        var (spec, status) = (resource.GetOrAddObject("spec"), resource.ObjectAt("status"));
        var metrics = Take<JsonArray>(resource, Metrics) ?? [];
        var measured = Take<JsonArray>(resource, CurrentMetrics) ?? [];
        if (spec.Remove("targetCPUUtilizationPercentage", out var percent) && JsonAccess.AsInt64(percent) is { } target)
        {
            metrics.Insert(0, AutoscalerRules.CpuOf(target));
        }

        if (metrics.Count > 0)
        {
            spec["metrics"] = metrics;
        }

        if (Take<JsonObject>(resource, Behavior) is { } behavior)
        {
            spec["behavior"] = behavior;
        }

        if (status is not null)
        {
            if (status.Remove("currentCPUUtilizationPercentage", out var used) && JsonAccess.AsInt64(used) is { } current && measured.Count == 0)
            {
                measured.Add((JsonNode)new JsonObject { ["type"] = MetricTypes.Resource, ["resource"] = new JsonObject { ["name"] = "cpu", ["current"] = new JsonObject { ["averageUtilization"] = current } } });
            }

            Put(status, "currentMetrics", measured);
            Put(status, "conditions", Take<JsonArray>(resource, ConditionsKey) ?? []);
        }
    }

    private static bool IsCpu(JsonNode? metric) => metric.TextAt("type") == MetricTypes.Resource && metric.TextAt("resource", "name") == "cpu" && metric.At("resource", "target", "averageUtilization") is not null;

    private static void Put(JsonObject status, string field, JsonArray values)
    {
        if (values.Count > 0)
        {
            status[field] = values;
        }
    }

    private static void Annotate(JsonObject resource, string key, JsonNode? value)
    {
        if (value is not null)
        {
            resource.GetOrAddObject("metadata").GetOrAddObject("annotations")[key] = value.ToJsonString();
        }
    }

    private static T? Take<T>(JsonObject resource, string key)
        where T : JsonNode
    {
        if (resource.ObjectAt("metadata", "annotations") is not { } annotations || !annotations.Remove(key, out var text))
        {
            return null;
        }

        if (annotations.Count == 0)
        {
            resource.ObjectAt("metadata")!.Remove("annotations");
        }

        return Read(JsonAccess.AsText(text)) as T;
    }

    private static JsonNode? Read(string? text)
    {
        try
        {
            return text is null ? null : JsonNode.Parse(text, documentOptions: ReaderOptions);
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
