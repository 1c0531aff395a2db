using System.Text.Json.Nodes;
using CsCheck;
using Godwit.Api.Kinds;
using Godwit.Api.Machinery;

namespace Godwit.Api.Tests.Kinds;

/// <summary>Autoscalers: defaults, rules, and two versions of one kind.</summary>
public sealed class AutoscalerTests
{
    private const string Target = "\"scaleTargetRef\":{\"kind\":\"Deployment\",\"name\":\"web\"}";
    private static readonly ResourceDefinition Stored = BuiltInKinds.All.Single(kind => kind is { Kind: "HorizontalPodAutoscaler", Version: "v2" });
    private static readonly ResourceDefinition Older = BuiltInKinds.All.Single(kind => kind is { Kind: "HorizontalPodAutoscaler", Version: "v1" });

    [Fact]
    public void What_is_not_said_is_filled_in_as_Kubernetes_does()
    {
        var made = Made(Stored, $$"""{{{Target}},"maxReplicas":3,"behavior":{"scaleDown":{"policies":[{"type":"Pods","value":1,"periodSeconds":60}] } } }""");
        Assert.Empty(Stored.Strategy.Validate(made));
        Assert.Equal("1 cpu 80 Max 0 2 Max 1", string.Join(' ', new[] { "minReplicas" }.Select(field => made.At("spec", field)!.ToJsonString()).Concat(
        [
            made["spec"]!["metrics"]![0]!["resource"]!["name"]!.GetValue<string>(), made["spec"]!["metrics"]![0]!["resource"]!["target"]!["averageUtilization"]!.ToJsonString(),
            made.TextAt("spec", "behavior", "scaleUp", "selectPolicy")!, made.At("spec", "behavior", "scaleUp", "stabilizationWindowSeconds")!.ToJsonString(), made.ArrayAt("spec", "behavior", "scaleUp", "policies")!.Count.ToString(null, null),
            made.TextAt("spec", "behavior", "scaleDown", "selectPolicy")!, made.ArrayAt("spec", "behavior", "scaleDown", "policies")!.Count.ToString(null, null),
        ])));
        Assert.Null(made.At("spec", "behavior", "scaleDown", "stabilizationWindowSeconds"));
    }

    [Theory]
    [InlineData("\"maxReplicas\":3,\"scaleTargetRef\":{}", "spec.scaleTargetRef.kind spec.scaleTargetRef.name")]
    [InlineData(Target + ",\"maxReplicas\":0", "spec.maxReplicas")]
    [InlineData(Target + ",\"maxReplicas\":2,\"minReplicas\":3", "spec.maxReplicas")]
    [InlineData(Target + ",\"maxReplicas\":2,\"minReplicas\":0", "spec.minReplicas")]
    [InlineData(Target + """,  "maxReplicas":2,"metrics":[{"type":"Gut"}]""", "spec.metrics[0].type")]
    [InlineData(Target + """,  "maxReplicas":2,"metrics":[{"type":"Resource"}]""", "spec.metrics[0].resource")]
    [InlineData(Target + """,  "maxReplicas":2,"metrics":[{"type":"Resource","resource":{"name":"disk","target":{"type":"Utilization","averageUtilization":5}}}]""", "spec.metrics[0].resource.name")]
    [InlineData(Target + """,  "maxReplicas":2,"metrics":[{"type":"Resource","resource":{"name":"cpu","target":{"type":"Utilization"}}}]""", "spec.metrics[0].resource.target.averageUtilization")]
    [InlineData(Target + """,  "maxReplicas":2,"metrics":[{"type":"Resource","resource":{"name":"cpu","target":{"type":"Utilization","averageUtilization":5,"averageValue":"1"}}}]""", "spec.metrics[0].resource.target.averageValue")]
    [InlineData(Target + """,  "maxReplicas":2,"metrics":[{"type":"ContainerResource","containerResource":{"name":"cpu","container":"","target":{"type":"AverageValue","averageValue":"0"}}}]""", "spec.metrics[0].containerResource.container spec.metrics[0].containerResource.target.averageValue")]
    [InlineData(Target + """,  "maxReplicas":2,"behavior":{"scaleUp":{"stabilizationWindowSeconds":3601,"tolerance":"-1","policies":[{"type":"Pods","value":0,"periodSeconds":1801}]}}""", "spec.behavior.scaleUp.policies[0].periodSeconds spec.behavior.scaleUp.policies[0].value spec.behavior.scaleUp.stabilizationWindowSeconds spec.behavior.scaleUp.tolerance")]
    public void What_cannot_be_is_refused_by_its_path(string spec, string paths) =>
        Assert.Equal(paths, string.Join(' ', Stored.Strategy.Validate(Made(Stored, $"{{{spec}}}")).Select(error => error.Path).Order(StringComparer.Ordinal)));

    [Fact]
    public void An_older_one_is_use_of_CPU_and_what_it_has_no_field_for_is_kept_in_annotations()
    {
        var stored = Made(Stored, $$"""{{{Target}},"maxReplicas":3,"metrics":[{"type":"Resource","resource":{"name":"memory","target":{"type":"AverageValue","averageValue":"1Mi"} } },{"type":"Resource","resource":{"name":"cpu","target":{"type":"Utilization","averageUtilization":60} } }] }""");
        var older = stored.DeepClone().AsObject();
        Older.Conversion!.FromStored(older);

        Assert.Equal("60", older.At("spec", "targetCPUUtilizationPercentage")!.ToJsonString());
        Assert.Null(older.At("spec", "metrics"));
        Assert.Contains("memory", older.TextAt("metadata", "annotations", "autoscaling.alpha.kubernetes.io/metrics"), StringComparison.Ordinal);
        Assert.Empty(Older.Strategy.Validate(older));
        Assert.Contains("metadata.annotations[autoscaling.alpha.kubernetes.io/behavior]", Older.Strategy.Validate(With(older, "behavior", "{")).Select(error => error.Path));
        Assert.Contains("metadata.annotations", Older.Strategy.Validate(With(older, "behavior", "{\"scaleUp\":3}")).Select(error => error.Path));
        Assert.Contains("spec.metrics[1].type", Older.Strategy.Validate(With(older, "metrics", "[{\"type\":\"Gut\"}]")).Select(error => error.Path));
    }

    [Fact]
    public void An_object_that_goes_to_the_stored_version_and_back_is_as_it_was()
    {
        RandomObject.Of(Older.Schema).Where(each => SchemaCheck.Run(Older.Schema, each).Errors.Count == 0).Sample(older =>
        {
            Older.Strategy.ApplyDefaults(older);
            var (target, once) = (older.At("spec", "targetCPUUtilizationPercentage")?.ToJsonString(), ThereAndBack(older));
            var twice = ThereAndBack(once);
            Assert.True(JsonNode.DeepEquals(once, twice), $"{once.ToJsonString()}\n{twice.ToJsonString()}");
            Assert.Equal(target ?? "80", once.At("spec", "targetCPUUtilizationPercentage")?.ToJsonString());
            Assert.Equal(older.At("spec", "maxReplicas")?.ToJsonString(), once.At("spec", "maxReplicas")?.ToJsonString());
        });
    }

    private static JsonObject ThereAndBack(JsonObject resource)
    {
        var changed = resource.DeepClone().AsObject();
        Older.Conversion!.ToStored(changed);
        Older.Conversion.FromStored(changed);
        return changed;
    }

    private static JsonObject With(JsonObject resource, string annotation, string value)
    {
        var changed = resource.DeepClone().AsObject();
        changed["metadata"]!.AsObject().GetOrAddObject("annotations")[$"autoscaling.alpha.kubernetes.io/{annotation}"] = value;
        return changed;
    }

    private static JsonObject Made(ResourceDefinition kind, string spec)
    {
        var made = new JsonObject { ["apiVersion"] = kind.ApiVersion, ["kind"] = kind.Kind, ["metadata"] = new JsonObject { ["name"] = "web", ["namespace"] = "default" }, ["spec"] = JsonNode.Parse(spec) };
        kind.Strategy.ApplyDefaults(made);
        return made;
    }
}
