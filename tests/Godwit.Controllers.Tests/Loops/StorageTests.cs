using Godwit.Api.Apps.V1;
using Godwit.Api.Storage.V1;

namespace Godwit.Controllers.Tests.Loops;

/// <summary>Claims, volumes and their classes, as people see them with kubectl; nodes' agents are the tests' own.</summary>
[Trait("Needs", "kubectl")]
public sealed class StorageTests
{
    private const string Claim = """
        apiVersion: v1
        kind: PersistentVolumeClaim
        metadata: {name: data}
        spec:
          accessModes: [ReadWriteOnce]
          resources: {requests: {storage: 1Gi}}
        """;

    private const string User = """
        apiVersion: v1
        kind: Pod
        metadata: {name: user}
        spec:
          containers: [{name: main, image: "tiny:1", volumeMounts: [{name: data, mountPath: /data}]}]
          volumes: [{name: data, persistentVolumeClaim: {claimName: data}}]
        """;

    private static string Made(string name, string mode, string kind, string more = "", string reclaim = "Retain") => $$"""
        apiVersion: v1
        kind: PersistentVolume
        metadata: {name: {{name}}, labels: {disk: {{name}} } }
        spec:
          capacity: {storage: 2Gi}
          accessModes: [{{mode}}]
          storageClassName: {{kind}}
          persistentVolumeReclaimPolicy: {{reclaim}}
          hostPath: {path: /data/{{name}}}
          {{more}}
        """;

    private static string Asking(string name, string mode, string kind, string more = "") => $$"""
        apiVersion: v1
        kind: PersistentVolumeClaim
        metadata: {name: {{name}}}
        spec: {accessModes: [{{mode}}], storageClassName: "{{kind}}", resources: {requests: {storage: 1Gi} }{{more}} }
        """;

    [Fact]
    public async Task A_claim_waits_for_its_pod_gets_a_volume_on_the_pods_node_is_held_while_it_is_used_and_takes_the_volume_with_it()
    {
        await using var cluster = await TestCluster.StartAsync();
        await cluster.AddNodeAsync("node-1");
        Assert.Matches(@"local \(default\) +godwit.dev/local +Delete +WaitForFirstConsumer +true ", await KubectlTests.RunAsync(cluster, "get sc"));
        await KubectlTests.RunAsync(cluster, "apply -f -", Claim);
        Assert.Equal("waiting for first consumer to be created before binding", (await cluster.EventAsync("WaitForFirstConsumer", "data")).Message);
        Assert.Matches("data +Pending +local +<unset> ", await KubectlTests.RunAsync(cluster, "get pvc"));

        await KubectlTests.RunAsync(cluster, "apply -f -", User);
        await KubectlTests.RunAsync(cluster, "wait pvc/data --for=jsonpath={.status.phase}=Bound --timeout=60s");
        await KubectlTests.RunAsync(cluster, "wait pod/user --for=condition=Ready --timeout=60s");
        var claim = await cluster.UntilAsync<PersistentVolumeClaim>("data", found => found.Status.Phase == ClaimPhases.Bound);
        var volume = await cluster.UntilAsync<PersistentVolume>(claim.Spec.VolumeName!, found => found.Status.Phase == VolumePhases.Bound);
        Assert.Equal(("pvc-" + claim.Metadata.Uid, $"/data/node-1/volumes/pvc-{claim.Metadata.Uid}"), (volume.Metadata.Name, volume.Spec.Local!.Path));
        Assert.Matches($"data +Bound +{volume.Metadata.Name} +1Gi +RWO +local +<unset> ", await KubectlTests.RunAsync(cluster, "get pvc"));
        Assert.Matches($"{volume.Metadata.Name} +1Gi +RWO +Delete +Bound +default/data +local +<unset> ", await KubectlTests.RunAsync(cluster, "get pv"));
        Assert.Matches("(?s)Used By: +user.*ProvisioningSucceeded", await KubectlTests.RunAsync(cluster, "describe pvc data"));
        Assert.Matches(@"(?s)Reclaim Policy: +Delete.*Term 0: +kubernetes.io/hostname in \[node-1\].*Type: +LocalVolume", await KubectlTests.RunAsync(cluster, $"describe pv {volume.Metadata.Name}"));
        Assert.Matches("(?s)IsDefaultClass: +Yes.*Provisioner: +godwit.dev/local", await KubectlTests.RunAsync(cluster, "describe sc local"));

        await KubectlTests.RunAsync(cluster, "patch pvc data -p {\"spec\":{\"resources\":{\"requests\":{\"storage\":\"3Gi\"}}}}");
        await cluster.UntilAsync<PersistentVolumeClaim>("data", found => found.Status.Capacity["storage"] == Base.Quantity.Parse("3Gi"));

        await KubectlTests.RunAsync(cluster, "delete pvc data --wait=false");
        Assert.Matches("data +Terminating ", await KubectlTests.RunAsync(cluster, "get pvc"));
        await KubectlTests.RunAsync(cluster, "delete pod user --timeout=60s");
        await cluster.UntilGoneAsync<PersistentVolumeClaim>("data");
        var going = await cluster.UntilAsync<PersistentVolume>(volume.Metadata.Name, found => found.Metadata.DeletionTimestamp is not null && found.Metadata.Finalizers is [FinalizerNames.LocalVolume]);
        await LetGoAsync(cluster, going); // As the agent does when the folder is gone.
        await cluster.UntilGoneAsync<PersistentVolume>(volume.Metadata.Name);
    }

    [Fact]
    public async Task Of_volumes_that_people_made_a_claim_gets_one_that_fits_and_what_is_kept_is_released_with_its_data()
    {
        await using var cluster = await TestCluster.StartAsync();
        await KubectlTests.RunAsync(cluster, "apply -f -", Made("one", "ReadWriteMany", "shared"));
        await KubectlTests.RunAsync(cluster, "apply -f -", Made("two", "ReadWriteMany", "shared", reclaim: "Delete"));
        await cluster.UntilAsync<PersistentVolume>("two", volume => volume.Status.Phase == VolumePhases.Available);
        await KubectlTests.RunAsync(cluster, "apply -f -", Asking("first", "ReadWriteMany", "shared", ", selector: {matchLabels: {disk: two}}"));
        await KubectlTests.RunAsync(cluster, "apply -f -", Asking("second", "ReadWriteMany", "shared", ", volumeName: one"));
        await KubectlTests.RunAsync(cluster, "apply -f -", Asking("third", "ReadWriteMany", "shared"));
        Assert.Equal("two", (await cluster.UntilAsync<PersistentVolumeClaim>("first", claim => claim.Status.Phase == ClaimPhases.Bound)).Spec.VolumeName);
        Assert.Equal("one", (await cluster.UntilAsync<PersistentVolumeClaim>("second", claim => claim.Status.Phase == ClaimPhases.Bound)).Spec.VolumeName);
        Assert.Equal("storageclass.storage.k8s.io \"shared\" not found", (await cluster.EventAsync("ProvisioningFailed", "third")).Message);

        await KubectlTests.RunAsync(cluster, "delete pvc second --timeout=60s");
        await cluster.UntilAsync<PersistentVolume>("one", volume => volume.Status.Phase == VolumePhases.Released);
        Assert.Equal(ClaimPhases.Pending, (await cluster.UntilAsync<PersistentVolumeClaim>("third", _ => true)).Status.Phase); // What has data of another is given to nobody.
        await KubectlTests.RunAsync(cluster, "delete pvc first --timeout=60s");
        Assert.Equal("VolumeFailedDelete", (await cluster.UntilAsync<PersistentVolume>("two", volume => volume.Status.Phase == VolumePhases.Failed)).Status.Reason);

        await KubectlTests.RunAsync(cluster, "patch pv one -p {\"spec\":{\"claimRef\":null}}");
        Assert.Equal("one", (await cluster.UntilAsync<PersistentVolumeClaim>("third", claim => claim.Status.Phase == ClaimPhases.Bound)).Spec.VolumeName);
        await KubectlTests.RunAsync(cluster, "delete pv one --wait=false");
        Assert.Matches("one +2Gi +RWX +Retain +Terminating ", await KubectlTests.RunAsync(cluster, "get pv"));
        await KubectlTests.RunAsync(cluster, "delete pvc third --timeout=60s");
        await cluster.UntilGoneAsync<PersistentVolume>("one");
    }

    [Fact]
    public async Task A_volume_whose_node_is_gone_says_so_and_goes_when_the_node_is_back()
    {
        await using var cluster = await TestCluster.StartAsync();
        await cluster.AddNodeAsync("node-1");
        await cluster.Client.For<StorageClass>().CreateAsync(
            new StorageClass { Metadata = new ObjectMeta { Name = "now" }, Provisioner = StorageClassNames.LocalProvisioner, VolumeBindingMode = VolumeBindingModes.Immediate }, TestCluster.Stopping);
        await KubectlTests.RunAsync(cluster, "apply -f -", Asking("data", "ReadWriteOnce", "now"));
        var name = (await cluster.UntilAsync<PersistentVolumeClaim>("data", claim => claim.Status.Phase == ClaimPhases.Bound)).Spec.VolumeName!;
        await KubectlTests.RunAsync(cluster, "delete node node-1");
        await KubectlTests.RunAsync(cluster, "delete pvc data --timeout=60s");
        Assert.Equal("NodeGone", (await cluster.UntilAsync<PersistentVolume>(name, volume => volume.Status.Phase == VolumePhases.Failed)).Status.Reason);

        await cluster.Client.For<Node>().CreateAsync(new Node { Metadata = new ObjectMeta { Name = "node-1" } }, TestCluster.Stopping);
        await LetGoAsync(cluster, await cluster.UntilAsync<PersistentVolume>(name, volume => volume.Metadata.DeletionTimestamp is not null));
        await cluster.UntilGoneAsync<PersistentVolume>(name);
    }

    [Fact]
    public async Task A_stateful_set_makes_a_claim_for_each_number_and_keeps_it_when_it_shrinks_and_when_it_goes()
    {
        await using var cluster = await TestCluster.StartAsync();
        await cluster.AddNodeAsync("node-1");
        await cluster.AddNodeAsync("node-2");
        await KubectlTests.RunAsync(cluster, "apply -f -", Set("Retain", "Retain"));
        await cluster.UntilAsync<StatefulSet>("db", set => set.Status.ReadyReplicas == 2);
        var before = await PlacesAsync(cluster);
        Assert.Equal(["data-db-0", "data-db-1"], before.Keys.Order(StringComparer.Ordinal));

        var former = await cluster.UntilAsync<Pod>("db-1", _ => true);
        await KubectlTests.RunAsync(cluster, "delete pod db-1 --wait=false"); // It would wait for the next one of that name too, if that is quick.
        await cluster.UntilAsync<Pod>("db-1", pod => pod.Metadata.Uid != former.Metadata.Uid);
        await cluster.UntilAsync<StatefulSet>("db", set => set.Status.ReadyReplicas == 2);
        await KubectlTests.RunAsync(cluster, "scale sts db --replicas=0");
        await cluster.UntilAsync<StatefulSet>("db", set => set.Status is { Replicas: 0 } && set.Status.ObservedGeneration == set.Metadata.Generation);
        await KubectlTests.RunAsync(cluster, "delete sts db --timeout=60s");
        await KubectlTests.RunAsync(cluster, "apply -f -", Set("Retain", "Retain"));
        await cluster.UntilAsync<StatefulSet>("db", set => set.Status.ReadyReplicas == 2);
        Assert.Equal(before, await PlacesAsync(cluster));
        foreach (var (claim, volume) in before)
        {
            var node = (await cluster.UntilAsync<PersistentVolume>(volume, _ => true)).Metadata.Annotations[AnnotationNames.VolumeNode];
            Assert.Equal(node, (await cluster.UntilAsync<Pod>(claim["data-".Length..], _ => true)).Spec.NodeName);
        }

        await KubectlTests.RunAsync(cluster, "apply -f -", Set("Delete", "Delete"));
        await KubectlTests.RunAsync(cluster, "scale sts db --replicas=1");
        await cluster.UntilGoneAsync<PersistentVolumeClaim>("data-db-1");
        await cluster.UntilAsync<PersistentVolumeClaim>("data-db-0", claim => claim.Metadata.OwnerReferences is [{ Kind: "StatefulSet" }]);
        await KubectlTests.RunAsync(cluster, "delete sts db --timeout=60s");
        await cluster.UntilGoneAsync<PersistentVolumeClaim>("data-db-0");
    }

    [Fact]
    public async Task A_pod_whose_claim_is_missing_or_has_no_volume_says_so_and_runs_when_it_has()
    {
        await using var cluster = await TestCluster.StartAsync();
        await cluster.AddNodeAsync("node-1");
        await KubectlTests.RunAsync(cluster, "apply -f -", User);
        Assert.Equal("0/1 nodes are available: persistentvolumeclaim \"data\" not found.", (await cluster.EventAsync("FailedScheduling", "user")).Message);
        await KubectlTests.RunAsync(cluster, "apply -f -", Asking("data", "ReadWriteMany", ""));
        Assert.Equal("no persistent volumes available for this claim and no storage class is set", (await cluster.EventAsync("FailedBinding", "data")).Message);
        await cluster.UntilAsync<Pod>("user", pod => pod.Status.Conditions.Any(condition => condition.Message == "0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims."));
        await KubectlTests.RunAsync(cluster, "apply -f -", Made("one", "ReadWriteMany", "\"\""));
        await KubectlTests.RunAsync(cluster, "wait pod/user --for=condition=Ready --timeout=60s");
    }

    [Fact]
    public async Task The_room_of_a_pod_that_waits_for_its_volume_is_kept_against_guests_and_more_important_pods()
    {
        await using var cluster = await TestCluster.StartAsync();
        await cluster.AddNodeAsync("node-1", memory: "1Gi");
        await cluster.Client.For<StorageClass>().CreateAsync(
            new StorageClass { Metadata = new ObjectMeta { Name = "slow" }, Provisioner = "example.org/outside", VolumeBindingMode = VolumeBindingModes.WaitForFirstConsumer }, TestCluster.Stopping);
        await KubectlTests.RunAsync(cluster, "apply -f -", Asking("data", "ReadWriteOnce", "slow"));
        await KubectlTests.RunAsync(cluster, "apply -f -", User.Replace("image: \"tiny:1\"", "image: \"tiny:1\", resources: {requests: {memory: 700Mi} }", StringComparison.Ordinal));
        var claim = await cluster.UntilAsync<PersistentVolumeClaim>("data", found => found.Metadata.Annotations.GetValueOrDefault(AnnotationNames.SelectedNode) == "node-1");

        await cluster.CreatePriorityAsync("patient", 2000, Api.Scheduling.V1.PreemptionPolicies.Never);
        await cluster.CreatePodAsync("important", memory: "500Mi", priorityClass: "patient");
        await cluster.CreateVmAsync("guest", memory: "300Mi");
        Assert.Equal("0/1 nodes are available: 1 Insufficient memory.", (await cluster.EventAsync("FailedScheduling", "important")).Message);
        await cluster.EventAsync("FailedScheduling", "guest");
        Assert.Equal("", (await cluster.UntilAsync<Pod>("user", _ => true)).Spec.NodeName ?? "");

        await KubectlTests.RunAsync(cluster, "apply -f -", Made("outsiders", "ReadWriteOnce", "slow", $"claimRef: {{namespace: default, name: data, uid: {claim.Metadata.Uid}}}"));
        await cluster.UntilAsync<Pod>("user", pod => pod is { Spec.NodeName: "node-1", Status.Phase: PodPhases.Running });
        Assert.Equal("", (await cluster.UntilAsync<Pod>("important", _ => true)).Spec.NodeName ?? "");
    }

    private static string Set(string whenDeleted, string whenScaled) => $$"""
        apiVersion: apps/v1
        kind: StatefulSet
        metadata: {name: db}
        spec:
          replicas: 2
          serviceName: db
          persistentVolumeClaimRetentionPolicy: {whenDeleted: {{whenDeleted}}, whenScaled: {{whenScaled}} }
          selector: {matchLabels: {app: db} }
          template:
            metadata: {labels: {app: db} }
            spec: {containers: [{name: main, image: "tiny:1", volumeMounts: [{name: data, mountPath: /data}]}]}
          volumeClaimTemplates:
          - metadata: {name: data}
            spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi} } }
        """;

    private static async Task<Dictionary<string, string>> PlacesAsync(TestCluster cluster) =>
        (await cluster.Client.For<PersistentVolumeClaim>().ListAsync(ListOptions.All, TestCluster.Stopping)).Items.ToDictionary(claim => claim.Metadata.Name, claim => claim.Spec.VolumeName ?? "");

    private static Task LetGoAsync(TestCluster cluster, PersistentVolume volume) => Eventually.HoldsAsync(
        async () =>
        {
            if (await cluster.Client.For<PersistentVolume>().FindAsync(ResourceKey.Of(volume), TestCluster.Stopping) is not { } now)
            {
                return true;
            }

            try
            {
                await cluster.Client.For<PersistentVolume>().ChangeAsync(now, now with { Metadata = now.Metadata with { Finalizers = [.. now.Metadata.Finalizers.Where(name => name != FinalizerNames.LocalVolume)] } }, TestCluster.Stopping);
            }
            catch (ApiException error) when (error.IsConflict || error.IsNotFound)
            {
                // The controller has written it meanwhile.
            }

            return false;
        },
        () => "the volume is still there");
}
