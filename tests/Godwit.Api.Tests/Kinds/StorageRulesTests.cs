using System.Text.Json.Nodes;
using Godwit.Api.Kinds;
using Godwit.Api.Machinery;

namespace Godwit.Api.Tests.Kinds;

/// <summary>What volumes, claims and their classes mean where they say nothing, what they may not say, and what of them stays.</summary>
public sealed class StorageRulesTests
{
    private const string Sized = """ "accessModes":["ReadWriteOnce"],"capacity":{"storage":"1Gi"}""";
    private const string Asked = """ "accessModes":["ReadWriteOnce"],"resources":{"requests":{"storage":"1Gi"}}""";
    private const string OnNode = """ "nodeAffinity":{"required":{"nodeSelectorTerms":[{"matchExpressions":[{"key":"kubernetes.io/hostname","operator":"In","values":["n1","n2"]}]}]}}""";

    [Theory]
    [InlineData("PersistentVolume", Sized + """,  "hostPath":{"path":"/data"}""", "spec.persistentVolumeReclaimPolicy=Retain spec.volumeMode=Filesystem status.phase=Pending")]
    [InlineData("PersistentVolume", Sized + """, "local":{"path":"/data"},""" + OnNode, "spec.volumeMode=Filesystem status.phase=Pending")]
    [InlineData("PersistentVolumeClaim", Asked, "spec.volumeMode=Filesystem status.phase=Pending")]
    public void What_is_not_said_is_filled_in_and_the_server_holds_it_from_the_start(string kind, string spec, string expected)
    {
        var made = Made(kind, spec);
        Strategy(kind).PrepareForCreate(made);

        Assert.Empty(Strategy(kind).Validate(made).Select(error => $"{error.Path}: {error.Detail}"));
        foreach (var field in expected.Split(' ').Select(field => field.Split('=')))
        {
            Assert.Equal((field[0], field[1]), (field[0], made.TextAt(field[0].Split('.'))));
        }

        Assert.Equal(kind == "PersistentVolume" ? "kubernetes.io/pv-protection" : "kubernetes.io/pvc-protection", JsonAccess.AsText(Assert.Single(made["metadata"]!["finalizers"]!.AsArray())));
    }

    [Theory]
    [InlineData("PersistentVolume", """ "capacity":{"storage":"1Gi"},"hostPath":{"path":"/data"}""", "spec.accessModes")]
    [InlineData("PersistentVolume", """ "accessModes":["ReadWriteOnce"],"hostPath":{"path":"/data"}""", "spec.capacity[storage]")]
    [InlineData("PersistentVolume", """ "accessModes":["ReadWriteOnce"],"capacity":{"storage":"0"},"hostPath":{"path":"/data"}""", "spec.capacity[storage]")]
    [InlineData("PersistentVolume", """ "accessModes":["Sometimes"],"capacity":{"storage":"1Gi"},"hostPath":{"path":"/data"}""", "spec.accessModes[0]")]
    [InlineData("PersistentVolume", """ "accessModes":["ReadWriteOncePod","ReadWriteOnce"],"capacity":{"storage":"1Gi"},"hostPath":{"path":"/data"}""", "spec.accessModes")]
    [InlineData("PersistentVolume", Sized, "spec")]
    [InlineData("PersistentVolume", Sized + """, "hostPath":{"path":"/data"},"local":{"path":"/data"},""" + OnNode, "spec.local")]
    [InlineData("PersistentVolume", Sized + """, "local":{"path":"/data"}""", "spec.nodeAffinity")]
    [InlineData("PersistentVolume", Sized + """, "local":{"path":"data"},""" + OnNode, "spec.local.path")]
    [InlineData("PersistentVolume", Sized + """, "local":{"path":"/data/../etc"},""" + OnNode, "spec.local.path")]
    [InlineData("PersistentVolume", Sized + """, "hostPath":{"path":"/data"},"nodeAffinity":{"required":{"nodeSelectorTerms":[]}}""", "spec.nodeAffinity.required.nodeSelectorTerms")]
    [InlineData("PersistentVolume", Sized + """, "hostPath":{"path":"/data"},"volumeMode":"Block" """, "spec.volumeMode")]
    [InlineData("PersistentVolume", Sized + """, "hostPath":{"path":"/data"},"claimRef":{"name":"a"}""", "spec.claimRef.namespace")]
    [InlineData("PersistentVolumeClaim", """ "accessModes":["ReadWriteOnce"]""", "spec.resources.requests[storage]")]
    [InlineData("PersistentVolumeClaim", """ "resources":{"requests":{"storage":"1Gi"}}""", "spec.accessModes")]
    [InlineData("PersistentVolumeClaim", Asked + """, "storageClassName":"A" """, "spec.storageClassName")]
    [InlineData("PersistentVolumeClaim", Asked + """, "selector":{"matchExpressions":[{"key":"a","operator":"In"}]}""", "spec.selector.matchExpressions[0].values")]
    [InlineData("PersistentVolumeClaim", Asked + """, "volumeMode":"Block" """, "spec.volumeMode")]
    public void What_may_not_be_said_is_told_by_its_path(string kind, string spec, string path) =>
        Assert.Contains(path, Strategy(kind).Validate(Made(kind, spec)).Select(error => error.Path));

    [Theory]
    [InlineData("""{"provisioner":""}""", "provisioner")]
    [InlineData("""{"provisioner":"a b"}""", "provisioner")]
    [InlineData("""{"provisioner":"godwit.dev/local","parameters":{"path":"/"}}""", "parameters")]
    public void A_class_names_who_makes_its_volumes(string text, string path)
    {
        var made = JsonNode.Parse(text)!.AsObject();
        Strategy("StorageClass").ApplyDefaults(made);
        Assert.Equal(("Delete", "Immediate"), (made.TextAt("reclaimPolicy"), made.TextAt("volumeBindingMode")));
        Assert.Contains(path, Strategy("StorageClass").Validate(made).Select(error => error.Path));
    }

    [Theory]
    [InlineData("local", """{"path":"/other"}""", false)]
    [InlineData("hostPath", """{"path":"/other"}""", false)]
    [InlineData("nodeAffinity", "null", false)]
    [InlineData("persistentVolumeReclaimPolicy", "\"Delete\"", true)]
    [InlineData("claimRef", """{"namespace":"a","name":"b"}""", true)]
    [InlineData("capacity", """{"storage":"9Gi"}""", true)]
    public void What_a_volume_is_stays(string field, string value, bool allowed)
    {
        var existing = Made("PersistentVolume", Sized + """, "local":{"path":"/data"},""" + OnNode);
        var updated = existing.DeepClone().AsObject();
        updated["spec"]![field] = JsonNode.Parse(value);
        Assert.Equal(allowed, !Strategy("PersistentVolume").ValidateUpdate(updated, existing).Any());
    }

    [Theory]
    [InlineData("Pending", "volumeName", "\"v\"", true)]
    [InlineData("Pending", "storageClassName", "\"c\"", true)]
    [InlineData("Pending", "resources", """{"requests":{"storage":"2Gi"}}""", false)]
    [InlineData("Bound", "resources", """{"requests":{"storage":"2Gi"}}""", true)]
    [InlineData("Bound", "resources", """{"requests":{"storage":"1Mi"}}""", false)]
    [InlineData("Bound", "accessModes", """["ReadWriteMany"]""", false)]
    [InlineData("Bound", "selector", "{}", false)]
    public void A_claim_stays_as_it_was_made_and_only_grows(string phase, string field, string value, bool allowed)
    {
        var existing = Made("PersistentVolumeClaim", Asked);
        existing["status"]!["phase"] = phase;
        var updated = existing.DeepClone().AsObject();
        updated["spec"]![field] = JsonNode.Parse(value);
        Assert.Equal(allowed, !Strategy("PersistentVolumeClaim").ValidateUpdate(updated, existing).Any());

        existing["spec"]!["volumeName"] = "w";
        existing["spec"]!["storageClassName"] = "d";
        if (field is "volumeName" or "storageClassName")
        {
            Assert.NotEmpty(Strategy("PersistentVolumeClaim").ValidateUpdate(updated, existing)); // Said once.
        }
    }

    private static ResourceStrategy Strategy(string kind) => BuiltInKinds.All.Single(definition => definition.Kind == kind).Strategy;

    private static JsonObject Made(string kind, string spec)
    {
        var made = JsonNode.Parse($$$"""{"metadata":{"name":"a"},"spec":{ {{{spec}}} }}""")!.AsObject();
        Strategy(kind).ApplyDefaults(made);
        return made;
    }
}
