using System.Text.Json.Nodes;
using Godwit.Api.Machinery;

namespace Godwit.Api.Kinds.Pods;

/// <summary>What a pod's spec means where it says nothing: for pods, and for the templates that pods are made from.</summary>
internal static class PodDefaults
{
    private const int FileMode = 420; // 0644

    // For how long a pod stays with a node that does not answer, unless it says otherwise.
    private const int UnreachableSeconds = 300;

    public static void Apply(JsonObject spec)
    {
        spec.TryAdd("restartPolicy", "Always");
        spec.TryAdd("terminationGracePeriodSeconds", 30);
        spec.TryAdd("dnsPolicy", "ClusterFirst");
        spec.TryAdd("schedulerName", "default-scheduler");
        spec.TryAdd("securityContext", new JsonObject());
        if ((spec.TextAt("serviceAccountName") ?? spec.TextAt("serviceAccount")) is { Length: > 0 } account)
        {
            spec["serviceAccountName"] = account;
            spec["serviceAccount"] = account;
        }

        foreach (var field in new[] { "initContainers", "containers", "ephemeralContainers" })
        {
            foreach (var container in Objects(spec, field))
            {
                ApplyToContainer(container, JsonAccess.AsBoolean(spec["hostNetwork"]) == true);
                if (field == "ephemeralContainers" && container["resources"] is JsonObject { Count: 0 })
                {
                    container.Remove("resources");
                }
            }
        }

        foreach (var volume in Objects(spec, "volumes"))
        {
            ApplyToVolume(volume);
        }
    }

    /// <summary>What is decided when a pod is made, and not yet in a template.</summary>
    public static void ApplyToNewPod(JsonObject spec)
    {
        if (spec.TextAt("serviceAccountName") is not { Length: > 0 })
        {
            spec["serviceAccountName"] = "default"; // Whoever wrote either name, and not nothing, has it in both by now.
            spec["serviceAccount"] = "default";
        }

        spec.TryAdd("enableServiceLinks", true);
        foreach (var key in new[] { TaintKeys.NotReady, TaintKeys.Unreachable })
        {
            if (!Objects(spec, "tolerations").Any(toleration => Bears(toleration, key)))
            {
                var tolerations = spec["tolerations"] as JsonArray ?? [];
                spec["tolerations"] = tolerations;
                tolerations.Add((JsonNode)new JsonObject { ["key"] = key, ["operator"] = "Exists", ["effect"] = "NoExecute", ["tolerationSeconds"] = UnreachableSeconds });
            }
        }
    }

    private static bool Bears(JsonObject toleration, string key) =>
        (toleration.TextAt("key") ?? "") is var named && (named == key || named.Length == 0) && toleration.TextAt("effect") is null or "" or "NoExecute";

    private static void ApplyToContainer(JsonObject container, bool hostNetwork)
    {
        container.TryAdd("terminationMessagePath", "/dev/termination-log");
        container.TryAdd("terminationMessagePolicy", "File");
        container.TryAdd("imagePullPolicy", IsLatest(container.TextAt("image") ?? "") ? "Always" : "IfNotPresent");
        var resources = container.GetOrAddObject("resources");
        foreach (var (name, limit) in resources.ObjectAt("limits") ?? [])
        {
            resources.GetOrAddObject("requests").TryAdd(name, limit?.DeepClone());
        }

        foreach (var port in Objects(container, "ports"))
        {
            port.TryAdd("protocol", "TCP");
            if (hostNetwork)
            {
                port.TryAdd("hostPort", port["containerPort"]?.DeepClone());
            }
        }

        foreach (var variable in Objects(container, "env"))
        {
            variable.ObjectAt("valueFrom", "fieldRef")?.TryAdd("apiVersion", "v1");
            variable.ObjectAt("valueFrom", "resourceFieldRef")?.TryAdd("divisor", "0");
        }

        foreach (var name in new[] { "livenessProbe", "readinessProbe", "startupProbe" })
        {
            if (container.ObjectAt(name) is { } probe)
            {
                ApplyToProbe(probe);
            }
        }

        foreach (var name in new[] { "postStart", "preStop" })
        {
            ApplyToHttp(container.ObjectAt("lifecycle", name, "httpGet"));
        }
    }

    private static void ApplyToProbe(JsonObject probe)
    {
        ReplaceZero(probe, "timeoutSeconds", 1);
        ReplaceZero(probe, "periodSeconds", 10);
        ReplaceZero(probe, "successThreshold", 1);
        ReplaceZero(probe, "failureThreshold", 3);
        ApplyToHttp(probe.ObjectAt("httpGet"));
        probe.ObjectAt("grpc")?.TryAdd("service", "");
    }

    private static void ApplyToHttp(JsonObject? request)
    {
        request?.TryAdd("path", "/");
        request?.TryAdd("scheme", "HTTP");
    }

    private static void ApplyToVolume(JsonObject volume)
    {
        if (volume.Count == 1 && volume.ContainsKey("name"))
        {
            volume["emptyDir"] = new JsonObject();
        }

        volume.ObjectAt("hostPath")?.TryAdd("type", "");
        foreach (var source in new[] { "configMap", "secret", "downwardAPI", "projected" })
        {
            volume.ObjectAt(source)?.TryAdd("defaultMode", FileMode);
        }

        foreach (var file in Objects(volume.ObjectAt("downwardAPI"), "items").Concat(Objects(volume.ObjectAt("projected"), "sources").SelectMany(source => Objects(source.ObjectAt("downwardAPI"), "items"))))
        {
            file.ObjectAt("fieldRef")?.TryAdd("apiVersion", "v1");
        }

        foreach (var source in Objects(volume.ObjectAt("projected"), "sources"))
        {
            source.ObjectAt("serviceAccountToken")?.TryAdd("expirationSeconds", 3600);
        }
    }

    /// <summary>An image without a tag or digest is its latest.</summary>
    private static bool IsLatest(string image)
    {
        var name = image[(image.LastIndexOf('/') + 1)..];
        return !image.Contains('@', StringComparison.Ordinal) && (!name.Contains(':', StringComparison.Ordinal) || name.EndsWith(":latest", StringComparison.Ordinal));
    }

    private static void ReplaceZero(JsonObject parent, string field, int value)
    {
        if (JsonAccess.AsInt64(parent[field]) is null or 0)
        {
            parent[field] = value;
        }
    }

    private static IEnumerable<JsonObject> Objects(JsonObject? parent, string field) => (parent?[field] as JsonArray ?? []).OfType<JsonObject>();
}
