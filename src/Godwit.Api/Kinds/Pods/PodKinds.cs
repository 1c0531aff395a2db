using System.Text.Json.Nodes;
using Godwit.Api.Core.V1;
using Godwit.Api.Machinery;
using Godwit.Api.Machinery.Schemas;

namespace Godwit.Api.Kinds.Pods;

/// <summary>Pods, and the identities that they have.</summary>
internal static class PodKinds
{
    public static ResourceDefinition PodDefinition { get; } = new()
    {
        Group = "",
        Version = "v1",
        Kind = "Pod",
        Plural = "pods",
        Singular = "pod",
        ShortNames = ["po"],
        Categories = ["all"],
        Namespaced = true,
        HasStatus = true,
        RefusesUnknownFields = true,
        Schema = PodSchemas.Pod,
        Strategy = new PodStrategy(),
        Columns = PodColumns.All,
        SelectableFields = Fields.Of(
            ("spec.nodeName", ["spec", "nodeName"]),
            ("spec.restartPolicy", ["spec", "restartPolicy"]),
            ("spec.schedulerName", ["spec", "schedulerName"]),
            ("spec.serviceAccountName", ["spec", "serviceAccountName"]),
            ("status.phase", ["status", "phase"]),
            ("status.podIP", ["status", "podIP"]),
            ("status.nominatedNodeName", ["status", "nominatedNodeName"])),
    };

    public static ResourceDefinition ServiceAccountDefinition { get; } = new()
    {
        Group = "",
        Version = "v1",
        Kind = "ServiceAccount",
        Plural = "serviceaccounts",
        Singular = "serviceaccount",
        ShortNames = ["sa"],
        Namespaced = true,
        Schema = ServiceSchemas.ServiceAccount,
        Strategy = new PlainStrategy(),
        Columns = [new("Secrets", "string", "How many Secrets its pods may use.", (account, _) => account.ArrayAt("secrets")?.Count ?? 0), Columns.Age()],
    };
}

/// <summary>
/// A pod is made once and then only placed, looked into and ended: of its spec the node is set once, containers to look
/// into it are appended, images and a deadline may change, tolerations be added. All else is immutable.
/// </summary>
internal sealed class PodStrategy : ResourceStrategy
{
    public override void ApplyDefaults(JsonObject resource)
    {
        var spec = resource.GetOrAddObject("spec");
        PodDefaults.Apply(spec);
        PodDefaults.ApplyToNewPod(spec);
        resource.GetOrAddObject("status").TryAdd("phase", "Pending");
    }

    public override void PrepareForCreate(JsonObject resource)
    {
        PodDefaults.Apply(resource.GetOrAddObject("spec"));
        if (resource.TextAt("spec", "nodeName") is { Length: > 0 })
        {
            PodFinalizer.PutOn(resource);
        }

        resource["status"] = new JsonObject { ["phase"] = "Pending", ["qosClass"] = QualityOfService.Of(GodwitJson.FromNode<Pod>(resource).Spec) };
    }

    /// <summary>What the server found when the pod was made stays.</summary>
    public override void PrepareForUpdate(JsonObject updated, JsonObject existing)
    {
        foreach (var field in new[] { "priority", "preemptionPolicy" })
        {
            if (existing.At("spec", field) is { } found)
            {
                updated.GetOrAddObject("spec").TryAdd(field, found.DeepClone());
            }
        }
    }

    public override IEnumerable<FieldError> Validate(JsonObject resource) => PodRules.Validate(GodwitJson.FromNode<Pod>(resource).Spec, "spec");

    public override IEnumerable<FieldError> ValidateUpdate(JsonObject updated, JsonObject existing)
    {
        var (spec, there) = (updated.ObjectAt("spec")?.DeepClone().AsObject() ?? [], existing.ObjectAt("spec") ?? []);
        if (there.TextAt("nodeName") is { Length: > 0 } node && spec.TextAt("nodeName") != node)
        {
            yield return FieldError.Forbidden("spec.nodeName", $"the pod is bound to {node} and cannot be moved");
        }

        if (there.TextAt("nodeName") is null or "" && spec.TextAt("nodeName") is { Length: > 0 } && !PodFinalizer.IsOn(updated))
        {
            yield return FieldError.Forbidden("spec.nodeName", "a pod is placed by a binding (POST to pods/NAME/binding), which holds it until its agent has let go of it");
        }

        foreach (var field in new[] { "tolerations", "ephemeralContainers" })
        {
            if (!BeginsWith(spec.ArrayAt(field), there.ArrayAt(field)))
            {
                yield return FieldError.Forbidden($"spec.{field}", "existing items cannot be changed or taken away, only new ones be added");
            }
        }

        // What may change is put back; what still differs may not.
        foreach (var field in new[] { "nodeName", "tolerations", "ephemeralContainers", "activeDeadlineSeconds" })
        {
            PutBack(spec, there, field);
        }

        foreach (var field in new[] { "containers", "initContainers" })
        {
            var (containers, before) = (spec.ArrayAt(field) ?? [], there.ArrayAt(field) ?? []);
            foreach (var (container, old) in containers.Zip(before))
            {
                PutBack(container!.AsObject(), old!.AsObject(), "image");
                PutBack(container!.AsObject(), old!.AsObject(), "imagePullPolicy");
            }
        }

        var names = spec.Select(field => field.Key).Union(there.Select(field => field.Key), StringComparer.Ordinal);
        foreach (var name in names.Where(name => !JsonNode.DeepEquals(spec[name], there[name])))
        {
            yield return FieldError.Forbidden($"spec.{name}", "a pod cannot be changed other than in the images of its containers, activeDeadlineSeconds and added tolerations: delete it and make another");
        }
    }

    private static bool BeginsWith(JsonArray? list, JsonArray? start) =>
        (start?.Count ?? 0) <= (list?.Count ?? 0) && (start ?? []).Zip(list ?? []).All(pair => JsonNode.DeepEquals(pair.First, pair.Second));

    private static void PutBack(JsonObject changed, JsonObject before, string field)
    {
        changed.Remove(field);
        if (before[field] is { } value)
        {
            changed[field] = value.DeepClone();
        }
    }
}
