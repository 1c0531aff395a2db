using System.Text.Json.Nodes;
using Godwit.Api.Autoscaling.V2;
using Godwit.Api.Machinery;
using Godwit.Base;

namespace Godwit.Api.Kinds.Autoscaling;

/// <summary>Defaults and rules of autoscalers, as Kubernetes has them.</summary>
internal sealed class AutoscalerRules : ResourceStrategy
{
    private const int UtilizationDefault = 80;
    private const int PeriodSecondsDefault = 15;
    private const int PeriodSecondsMax = 1800;
    private const int WindowSecondsMax = 3600;

    public override void ApplyDefaults(JsonObject resource)
    {
        var spec = resource.GetOrAddObject("spec");
        spec.TryAdd("minReplicas", 1);
        if (spec.ArrayAt("metrics") is not { Count: > 0 })
        {
            spec["metrics"] = new JsonArray(CpuOf(UtilizationDefault));
        }

        if (spec.ObjectAt("behavior") is { } behavior)
        {
            ApplyDefaults(behavior.GetOrAddObject("scaleUp"), new JsonArray(PolicyOf("Pods", 4), PolicyOf("Percent", 100)), windowSeconds: 0);
            ApplyDefaults(behavior.GetOrAddObject("scaleDown"), new JsonArray(PolicyOf("Percent", 100)), windowSeconds: null);
        }
    }

    public override void PrepareForCreate(JsonObject resource) => resource.Remove("status");

    public override IEnumerable<FieldError> Validate(JsonObject resource) => Validate(GodwitJson.FromNode<HorizontalPodAutoscaler>(resource).Spec);

    /// <summary>Use of CPU, in percent of what is requested.</summary>
    internal static JsonObject CpuOf(long percent) => new()
    {
        ["type"] = MetricTypes.Resource,
        ["resource"] = new JsonObject { ["name"] = "cpu", ["target"] = new JsonObject { ["type"] = TargetTypes.Utilization, ["averageUtilization"] = percent } },
    };

    internal static IEnumerable<FieldError> ValidateBounds(CrossVersionReference target, int? min, int max)
    {
        foreach (var (field, text) in new[] { ("kind", target.Kind), ("name", target.Name) })
        {
            if (text.Length == 0)
            {
                yield return FieldError.Required($"spec.scaleTargetRef.{field}", "");
            }
        }

        if (min is < 1)
        {
            yield return FieldError.Invalid("spec.minReplicas", min, "must be greater than or equal to 1");
        }

        if (max < 1)
        {
            yield return FieldError.Invalid("spec.maxReplicas", max, "must be greater than 0");
        }
        else if (min > max)
        {
            yield return FieldError.Invalid("spec.maxReplicas", max, "must be greater than or equal to `minReplicas`");
        }
    }

    private static void ApplyDefaults(JsonObject rules, JsonArray policies, int? windowSeconds)
    {
        rules.TryAdd("selectPolicy", "Max");
        if (rules.ArrayAt("policies") is not { Count: > 0 })
        {
            rules["policies"] = policies;
        }

        if (windowSeconds is { } window)
        {
            rules.TryAdd("stabilizationWindowSeconds", window);
        }
    }

    private static JsonObject PolicyOf(string type, int value) => new() { ["type"] = type, ["value"] = value, ["periodSeconds"] = PeriodSecondsDefault };

    private static IEnumerable<FieldError> Validate(AutoscalerSpec spec)
    {
        var errors = ValidateBounds(spec.ScaleTargetRef, spec.MinReplicas, spec.MaxReplicas)
            .Concat(spec.Metrics.SelectMany((metric, index) => ValidateMetric(metric, $"spec.metrics[{index}]")))
            .Concat(spec.Behavior?.ScaleUp is { } up ? ValidateRules(up, "spec.behavior.scaleUp") : [])
            .Concat(spec.Behavior?.ScaleDown is { } down ? ValidateRules(down, "spec.behavior.scaleDown") : []);
        foreach (var error in errors)
        {
            yield return error;
        }
    }

    private static IEnumerable<FieldError> ValidateMetric(MetricSpec metric, string path)
    {
        var sources = new (string Type, string Field, object? Value)[]
        {
            (MetricTypes.Object, "object", metric.Object), (MetricTypes.Pods, "pods", metric.Pods), (MetricTypes.Resource, "resource", metric.Resource),
            (MetricTypes.External, "external", metric.External), (MetricTypes.ContainerResource, "containerResource", metric.ContainerResource),
        };
        if (!MetricTypes.All.Contains(metric.Type))
        {
            return [FieldError.NotSupported($"{path}.type", metric.Type, MetricTypes.All)];
        }

        var (_, field, value) = sources.Single(source => source.Type == metric.Type);
        var others = sources.Where(source => source.Type != metric.Type && source.Value is not null)
            .Select(source => FieldError.Forbidden($"{path}.{source.Field}", "must populate the given metric source only"));
        return value is null ? others.Prepend(FieldError.Required($"{path}.{field}", "must populate information for the given metric source")) : others.Concat(ValidateSource(metric, $"{path}.{field}"));
    }

    private static IEnumerable<FieldError> ValidateSource(MetricSpec metric, string path) => metric switch
    {
        { Resource: { } resource } => ValidateName(resource.Name, path).Concat(ValidateTarget(resource.Target, $"{path}.target", isOfResource: true)),
        { ContainerResource: { } resource } => ValidateName(resource.Name, path)
            .Concat(resource.Container.Length == 0 ? [FieldError.Required($"{path}.container", "must specify a container")] : [])
            .Concat(ValidateTarget(resource.Target, $"{path}.target", isOfResource: true)),
        { Pods: { } pods } => ValidateIdentifier(pods.Metric, path).Concat(ValidateTarget(pods.Target, $"{path}.target", isOfResource: false))
            .Concat(pods.Target.AverageValue is null ? [FieldError.Required($"{path}.target.averageValue", "must specify a positive target averageValue")] : []),
        { External: { } external } => ValidateIdentifier(external.Metric, path).Concat(ValidateTarget(external.Target, $"{path}.target", isOfResource: false)),
        { Object: { } named } => ValidateIdentifier(named.Metric, path).Concat(ValidateTarget(named.Target, $"{path}.target", isOfResource: false)),
        _ => [],
    };

    private static IEnumerable<FieldError> ValidateName(string name, string path) => name switch
    {
        "" => [FieldError.Required($"{path}.name", "must specify a resource name")],
        "cpu" or "memory" => [],
        _ => [FieldError.NotSupported($"{path}.name", name, "cpu", "memory")],
    };

    private static IEnumerable<FieldError> ValidateIdentifier(MetricIdentifier metric, string path) => metric.Name.Length == 0 ? [FieldError.Required($"{path}.metric.name", "must specify a metric name")] : [];

    private static IEnumerable<FieldError> ValidateTarget(MetricTarget target, string path, bool isOfResource)
    {
        if (target.Type is not (TargetTypes.Utilization or TargetTypes.Value or TargetTypes.AverageValue))
        {
            yield return target.Type.Length == 0 ? FieldError.Required($"{path}.type", "must specify a metric target type")
                : FieldError.Invalid($"{path}.type", target.Type, "must be either Utilization, Value, or AverageValue");
        }

        if (target.AverageUtilization is < 1)
        {
            yield return FieldError.Invalid($"{path}.averageUtilization", target.AverageUtilization, "must be greater than 0");
        }

        foreach (var (field, amount) in new[] { ("value", target.Value), ("averageValue", target.AverageValue) })
        {
            if (amount is { Value: <= 0 })
            {
                yield return FieldError.Invalid($"{path}.{field}", amount.ToString(), "must be positive");
            }
        }

        if (isOfResource && (target.AverageUtilization is null) == (target.AverageValue is null))
        {
            yield return target.AverageUtilization is null ? FieldError.Required($"{path}.averageUtilization", "must set either a target raw value or a target utilization")
                : FieldError.Forbidden($"{path}.averageValue", "may not set both a target raw value and a target utilization");
        }

        if (isOfResource && target.Value is not null)
        {
            yield return FieldError.Forbidden($"{path}.value", "a resource is measured of a pod: set averageValue or averageUtilization");
        }
    }

    private static IEnumerable<FieldError> ValidateRules(ScalingRules rules, string path)
    {
        if (rules.StabilizationWindowSeconds is < 0 or > WindowSecondsMax)
        {
            yield return FieldError.Invalid($"{path}.stabilizationWindowSeconds", rules.StabilizationWindowSeconds, $"must be between 0 and {WindowSecondsMax}");
        }

        if (rules.Tolerance is { Value: < 0 })
        {
            yield return FieldError.Invalid($"{path}.tolerance", rules.Tolerance.ToString(), "must be greater or equal to zero");
        }

        for (var index = 0; index < rules.Policies.Count; index++)
        {
            var policy = rules.Policies[index];
            if (policy.Value <= 0)
            {
                yield return FieldError.Invalid($"{path}.policies[{index}].value", policy.Value, "must be greater than zero");
            }

            if (policy.PeriodSeconds is <= 0 or > PeriodSecondsMax)
            {
                yield return FieldError.Invalid($"{path}.policies[{index}].periodSeconds", policy.PeriodSeconds, $"must be greater than zero and less than or equal to {PeriodSecondsMax}");
            }
        }
    }
}

/// <summary>The same in the older version, whose one target is use of CPU.</summary>
internal sealed class AutoscalerV1Rules : ResourceStrategy
{
    public override void ApplyDefaults(JsonObject resource) => resource.GetOrAddObject("spec").TryAdd("minReplicas", 1);

    public override void PrepareForCreate(JsonObject resource) => resource.Remove("status");

    public override IEnumerable<FieldError> Validate(JsonObject resource)
    {
        var spec = GodwitJson.FromNode<Api.Autoscaling.V1.HorizontalPodAutoscalerV1>(resource).Spec;
        var errors = AutoscalerRules.ValidateBounds(spec.ScaleTargetRef, spec.MinReplicas, spec.MaxReplicas)
            .Concat(spec.TargetCPUUtilizationPercentage is < 1 ? [FieldError.Invalid("spec.targetCPUUtilizationPercentage", spec.TargetCPUUtilizationPercentage, "must be greater than 0")] : [])
            .Concat(AutoscalerConversion.ValidateAnnotations(resource));
        foreach (var error in errors)
        {
            yield return error;
        }
    }
}
