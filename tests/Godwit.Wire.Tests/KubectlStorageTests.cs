namespace Godwit.Wire.Tests;

/// <summary>The real <c>kubectl</c> and storage, as far as the server alone knows it.</summary>
[Trait("Needs", "kubectl")]
public sealed class KubectlStorageTests
{
    public static TheoryData<string> Clients => KubectlTests.Clients;

    [Theory]
    [MemberData(nameof(Clients))]
    public async Task It_makes_shows_and_describes_volumes_claims_and_classes(string client)
    {
        await using var kubectl = await Kubectl.StartAsync(client);
        Assert.Matches(@"^NAME +PROVISIONER +RECLAIMPOLICY +VOLUMEBINDINGMODE +ALLOWVOLUMEEXPANSION +AGE\nlocal \(default\) +godwit.dev/local +Delete +WaitForFirstConsumer +true +", await kubectl.RunAsync("get sc"));
        Assert.Equal("storageclass.storage.k8s.io/shared created\npersistentvolume/disk created\npersistentvolumeclaim/data created\n", await kubectl.RunAsync("apply -f -", """
            {"apiVersion":"v1","kind":"List","items":[
            {"apiVersion":"storage.k8s.io/v1","kind":"StorageClass","metadata":{"name":"shared"},"provisioner":"kubernetes.io/no-provisioner"},
            {"apiVersion":"v1","kind":"PersistentVolume","metadata":{"name":"disk"},"spec":{"capacity":{"storage":"2Gi"},"accessModes":["ReadWriteMany","ReadWriteOnce"],"storageClassName":"shared",
            "local":{"path":"/srv/disk"},"nodeAffinity":{"required":{"nodeSelectorTerms":[{"matchExpressions":[{"key":"kubernetes.io/hostname","operator":"In","values":["n1","n2"]}]}]}}}},
            {"apiVersion":"v1","kind":"PersistentVolumeClaim","metadata":{"name":"data"},"spec":{"accessModes":["ReadWriteMany"],"storageClassName":"shared","resources":{"requests":{"storage":"1Gi"}}}}]}
            """));
        Assert.Matches(@"\ndisk +2Gi +RWO,RWX +Retain +Pending +shared +<unset> +", await kubectl.RunAsync("get pv"));
        Assert.Matches(@"\ndata +Pending +shared +<unset> +", await kubectl.RunAsync("get pvc"));
        Assert.Matches(@"VOLUMEMODE\ndata .* Filesystem\n", await kubectl.RunAsync("get pvc -o wide"));
        Assert.Matches(@"(?s)Reclaim Policy: +Retain.*VolumeMode: +Filesystem.*Term 0: +kubernetes.io/hostname in \[n1, n2\].*Type: +LocalVolume.*Path: +/srv/disk", await kubectl.RunAsync("describe pv disk"));
        Assert.Matches(@"(?s)StorageClass: +shared.*Finalizers: +\[kubernetes.io/pvc-protection\].*Used By: +<none>", await kubectl.RunAsync("describe pvc data"));
        Assert.Matches(@"(?s)IsDefaultClass: +No.*Provisioner: +kubernetes.io/no-provisioner.*ReclaimPolicy: +Delete", await kubectl.RunAsync("describe sc shared"));
        Assert.Contains("is immutable after creation", await kubectl.FailAsync("patch pv disk -p {\"spec\":{\"local\":{\"path\":\"/etc\"}}}"), StringComparison.Ordinal);
        Assert.Contains("spec is immutable after creation", await kubectl.FailAsync("patch pvc data -p {\"spec\":{\"accessModes\":[\"ReadWriteOnce\"]}}"), StringComparison.Ordinal);
        Assert.Contains("updates to provisioner are forbidden", await kubectl.FailAsync("patch sc shared -p {\"provisioner\":\"a/b\"}"), StringComparison.Ordinal);
        Assert.Contains("accessModes", await kubectl.RunAsync("explain pvc.spec"), StringComparison.Ordinal);
        Assert.Equal("persistentvolumeclaim \"data\" deleted\n", await kubectl.RunAsync("delete pvc data --wait=false"));
    }
}
