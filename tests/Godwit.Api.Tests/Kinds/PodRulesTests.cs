using System.Text.Json.Nodes;
using Godwit.Api.Kinds;
using Godwit.Api.Machinery;

namespace Godwit.Api.Tests.Kinds;

/// <summary>What a pod and a service mean where they say nothing, and what they may not say.</summary>
public sealed class PodRulesTests
{
    private const string Valid = """{"metadata":{"name":"p"},"spec":{"containers":[{"name":"c","image":"nginx"}]}}""";

    [Fact]
    public void A_pod_that_says_little_is_filled_in()
    {
        var pod = Made("Pod", """{"metadata":{"name":"p"},"spec":{"containers":[{"name":"c","image":"host:5000/nginx:1","ports":[{"containerPort":80}],"resources":{"limits":{"cpu":"1","memory":"1Gi"}}}],"volumes":[{"name":"v"}]}}""");

        var container = pod.ArrayAt("spec", "containers")![0];
        Assert.Equal("IfNotPresent", container.TextAt("imagePullPolicy"));
        Assert.Equal("TCP", container!["ports"]![0].TextAt("protocol"));
        Assert.Equal("1Gi", container.TextAt("resources", "requests", "memory"));
        Assert.NotNull(pod.ArrayAt("spec", "volumes")![0].ObjectAt("emptyDir"));
        Assert.Equal("Guaranteed", pod.TextAt("status", "qosClass"));
        Assert.Equal("Pending", pod.TextAt("status", "phase"));
        Assert.Equal(["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"], pod.ArrayAt("spec", "tolerations")!.Select(toleration => toleration.TextAt("key")));
        var again = pod.DeepClone().AsObject();
        Definition("Pod").Strategy.ApplyDefaults(again);
        Assert.True(JsonNode.DeepEquals(pod, again));
    }

    [Theory]
    [InlineData("""{}""", "default")]
    [InlineData("""{"serviceAccountName":""}""", "default")]
    [InlineData("""{"serviceAccount":""}""", "default")]
    [InlineData("""{"serviceAccountName":"robot"}""", "robot")]
    [InlineData("""{"serviceAccount":"robot"}""", "robot")]
    public void A_pod_is_of_an_account_by_whichever_of_its_two_names(string says, string account)
    {
        var spec = JsonNode.Parse(says)!.AsObject();
        spec["containers"] = new JsonArray(new JsonObject { ["name"] = "c", ["image"] = "i" });

        var pod = Made("Pod", new JsonObject { ["metadata"] = new JsonObject { ["name"] = "p" }, ["spec"] = spec }.ToJsonString());

        Assert.Equal((account, account), (pod.TextAt("spec", "serviceAccountName"), pod.TextAt("spec", "serviceAccount")));
    }

    [Theory]
    [InlineData("nginx", "Always")]
    [InlineData("nginx:latest", "Always")]
    [InlineData("nginx:1.27", "IfNotPresent")]
    [InlineData("host:5000/nginx", "Always")]
    [InlineData("nginx@sha256:00", "IfNotPresent")]
    public void Only_the_latest_image_is_always_pulled(string image, string policy) =>
        Assert.Equal(policy, Made("Pod", Valid.Replace("nginx", image, StringComparison.Ordinal)).ArrayAt("spec", "containers")![0].TextAt("imagePullPolicy"));

    [Theory]
    [InlineData("""{"containers":[]}""", "spec.containers")]
    [InlineData("""{"containers":[{"name":"C","image":"i"}]}""", "spec.containers[0].name")]
    [InlineData("""{"containers":[{"name":"c"}]}""", "spec.containers[0].image")]
    [InlineData("""{"containers":[{"name":"c","image":"i"}],"initContainers":[{"name":"c","image":"i"}]}""", "spec.containers[0].name")]
    [InlineData("""{"containers":[{"name":"c","image":"i","volumeMounts":[{"name":"v","mountPath":"/a"}]}]}""", "spec.containers[0].volumeMounts[0].name")]
    [InlineData("""{"containers":[{"name":"c","image":"i","volumeMounts":[{"name":"v","mountPath":"/a","subPath":"../x"}]}],"volumes":[{"name":"v"}]}""", "spec.containers[0].volumeMounts[0].subPath")]
    [InlineData("""{"containers":[{"name":"c","image":"i","ports":[{"containerPort":0}]}]}""", "spec.containers[0].ports[0].containerPort")]
    [InlineData("""{"containers":[{"name":"c","image":"i","env":[{"name":"a=b"}]}]}""", "spec.containers[0].env[0].name")]
    [InlineData("""{"containers":[{"name":"c","image":"i","resources":{"limits":{"cpu":"1"},"requests":{"cpu":"2"}}}]}""", "spec.containers[0].resources.requests[cpu]")]
    [InlineData("""{"containers":[{"name":"c","image":"i","livenessProbe":{"exec":{"command":["a"]},"tcpSocket":{"port":1}}}]}""", "spec.containers[0].livenessProbe")]
    [InlineData("""{"containers":[{"name":"c","image":"i","readinessProbe":{"httpGet":{"port":"UPPER"}}}]}""", "spec.containers[0].readinessProbe.httpGet.port")]
    [InlineData("""{"containers":[{"name":"c","image":"i","restartPolicy":"Always"}]}""", "spec.containers[0].restartPolicy")]
    [InlineData("""{"containers":[{"name":"c","image":"i"}],"volumes":[{"name":"v","emptyDir":{},"hostPath":{"path":"/a"}}]}""", "spec.volumes[0]")]
    [InlineData("""{"containers":[{"name":"c","image":"i"}],"volumes":[{"name":"v","hostPath":{"path":"/a/../b"}}]}""", "spec.volumes[0].hostPath.path")]
    [InlineData("""{"containers":[{"name":"c","image":"i"}],"volumes":[{"name":"v","secret":{"secretName":"s","items":[{"key":"k","path":"/abs"}]}}]}""", "spec.volumes[0].secret.items[0].path")]
    [InlineData("""{"containers":[{"name":"c","image":"i"}],"ephemeralContainers":[{"name":"d","image":"i","resources":{"limits":{"cpu":"1"}}}]}""", "spec.ephemeralContainers[0].resources")]
    [InlineData("""{"containers":[{"name":"c","image":"i"}],"tolerations":[{"operator":"Equal"}]}""", "spec.tolerations[0].operator")]
    [InlineData("""{"containers":[{"name":"c","image":"i"}],"topologySpreadConstraints":[{"maxSkew":0,"topologyKey":"zone","whenUnsatisfiable":"DoNotSchedule"}]}""", "spec.topologySpreadConstraints[0].maxSkew")]
    [InlineData("""{"containers":[{"name":"c","image":"i"}],"affinity":{"podAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":[{"topologyKey":""}]}}}""", "spec.affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].topologyKey")]
    [InlineData("""{"containers":[{"name":"c","image":"i"}],"affinity":{"nodeAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":{"nodeSelectorTerms":[{"matchExpressions":[{"key":"a","operator":"In"}]}]}}}}""", "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchExpressions[0]")]
    public void What_a_pod_may_not_say_is_told_by_its_path(string spec, string path)
    {
        var pod = Made("Pod", $$"""{"metadata":{"name":"p"},"spec":{{spec}} }""");

        Assert.Equal([path], Definition("Pod").Strategy.Validate(pod).Select(error => error.Path));
    }

    [Fact]
    public void A_field_that_is_not_supported_is_known_by_its_path() =>
        Assert.Equal(["spec.containers[0].volumeDevices"], SchemaCheck.Run(Definition("Pod").Schema, Read(Valid.Replace("\"image\"", "\"volumeDevices\":[],\"image\"", StringComparison.Ordinal))).UnknownFields);

    [Theory]
    [InlineData("nodeName", "\"n1\"", "spec.nodeName")]
    [InlineData("activeDeadlineSeconds", "60", null)]
    [InlineData("ephemeralContainers", """[{"name":"look","image":"i","resources":{}}]""", null)]
    [InlineData("hostNetwork", "true", "spec.hostNetwork")]
    [InlineData("restartPolicy", "\"Never\"", "spec.restartPolicy")]
    [InlineData("containers", """[{"name":"c","image":"i","command":["x"]}]""", "spec.containers")]
    [InlineData("tolerations", "[]", "spec.tolerations")]
    public void A_pod_changes_in_little(string field, string value, string? path)
    {
        var existing = Made("Pod", Valid);
        var updated = existing.DeepClone().AsObject();
        updated["spec"]![field] = JsonNode.Parse(value);

        Assert.Equal(path is null ? [] : [path], Definition("Pod").Strategy.ValidateUpdate(updated, existing).Select(error => error.Path));
    }

    [Fact]
    public void A_pod_that_is_bound_stays_where_it_is()
    {
        var existing = Made("Pod", Valid.Replace("\"spec\":{", "\"spec\":{\"nodeName\":\"n1\",", StringComparison.Ordinal));
        var updated = existing.DeepClone().AsObject();
        updated["spec"]!["nodeName"] = "n2";

        Assert.Contains("spec.nodeName", Definition("Pod").Strategy.ValidateUpdate(updated, existing).Select(error => error.Path));
        Assert.Contains(FinalizerNames.Agent, existing.ArrayAt("metadata", "finalizers")!.Select(JsonAccess.AsText));
    }

    [Theory]
    [InlineData("""{"ports":[{"port":80}]}""", null)]
    [InlineData("""{"clusterIP":"None"}""", null)]
    [InlineData("{}", "spec.ports")]
    [InlineData("""{"ports":[{"port":80},{"name":"b","port":81}]}""", "spec.ports[0].name")]
    [InlineData("""{"ports":[{"port":70000,"targetPort":80}]}""", "spec.ports[0].port")]
    [InlineData("""{"ports":[{"port":80,"nodePort":30000}]}""", "spec.ports[0].nodePort")]
    [InlineData("""{"clusterIP":"1.2.3","ports":[{"port":80}]}""", "spec.clusterIP")]
    [InlineData("""{"type":"ExternalName"}""", "spec.externalName")]
    public void A_service_is_checked_by_path(string spec, string? path)
    {
        var service = Made("Service", $$"""{"metadata":{"name":"s"},"spec":{{spec}} }""");

        Assert.Equal(path is null ? [] : [path], Definition("Service").Strategy.Validate(service).Select(error => error.Path));
    }

    private static ResourceDefinition Definition(string kind) => BuiltInKinds.All.Single(definition => definition.Kind == kind);

    private static JsonObject Read(string json) => JsonNode.Parse(json)!.AsObject();

    private static JsonObject Made(string kind, string json)
    {
        var resource = Read(json);
        Definition(kind).Strategy.PrepareForCreate(resource);
        Definition(kind).Strategy.ApplyDefaults(resource);
        return resource;
    }
}
