using System.Text.Json.Nodes;
using Godwit.Real.Tests.Hosts;

namespace Godwit.Real.Tests.Labs;

/// <summary>Storage that outlives pods, on two nodes, with the real program and the real kubectl: whose data it is, where it lies, and when it goes.</summary>
[Collection(LabCollection.Name)]
[Trait("Needs", "qemu")]
[Trait("Needs", "kubectl")]
public sealed class StorageTests(GodwitLab lab)
{
    private static readonly TimeSpan Bound = TimeSpan.FromMinutes(2);

    private const string Database = $$"""
        apiVersion: apps/v1
        kind: StatefulSet
        metadata: { name: ledger }
        spec:
          replicas: 2
          serviceName: ledger
          podManagementPolicy: Parallel
          selector: { matchLabels: { app: ledger } }
          template:
            metadata: { labels: { app: ledger } }
            spec:
              terminationGracePeriodSeconds: 1
              securityContext: { fsGroup: 4711 }
              affinity:
                podAntiAffinity:
                  requiredDuringSchedulingIgnoredDuringExecution: [ { topologyKey: kubernetes.io/hostname, labelSelector: { matchLabels: { app: ledger } } } ]
              containers:
              - name: ledger
                image: {{BoxImage.Name}}
                command: [ sh, -c, "echo $(hostname) >> /data/starts; exec sleep 100000" ]
                volumeMounts: [ { name: data, mountPath: /data } ]
          volumeClaimTemplates:
          - metadata: { name: data }
            spec: { accessModes: [ ReadWriteOnce ], resources: { requests: { storage: 16Mi } } }
        """;

    private const string Kept = $$"""
        apiVersion: storage.k8s.io/v1
        kind: StorageClass
        metadata: { name: kept }
        provisioner: godwit.dev/local
        reclaimPolicy: Retain
        volumeBindingMode: WaitForFirstConsumer
        ---
        apiVersion: v1
        kind: PersistentVolumeClaim
        metadata: { name: kept }
        spec: { accessModes: [ ReadWriteOncePod ], storageClassName: kept, resources: { requests: { storage: 16Mi } } }
        ---
        apiVersion: v1
        kind: Pod
        metadata: { name: keeper }
        spec:
          terminationGracePeriodSeconds: 1
          containers:
          - name: keeper
            image: {{BoxImage.Name}}
            command: [ sh, -c, "echo treasure > /data/chest; exec sleep 100000" ]
            volumeMounts: [ { name: data, mountPath: /data }, { name: again, mountPath: /read } ]
          volumes:
          - { name: data, persistentVolumeClaim: { claimName: kept } }
          - { name: again, persistentVolumeClaim: { claimName: kept, readOnly: true } }
        """;

    [Fact]
    public async Task A_stateful_set_finds_its_data_again_on_its_node_whoever_dies_and_its_volume_goes_with_the_claim()
    {
        await KubectlAsync(Database, "apply", "-f", "-");
        await KubectlAsync(null, "rollout", "status", "statefulset/ledger", "--timeout=120s");
        var (volume, node) = (await VolumeOfAsync("data-ledger-0"), await NodeOfAsync("ledger-0"));
        var folder = (string)volume["spec"]!["local"]!["path"]!;
        Assert.StartsWith(lab.AgentFolder(node) + "/", folder, StringComparison.Ordinal);
        Assert.Equal("ledger-0\n", await File.ReadAllTextAsync(Path.Combine(folder, "starts"), TestContext.Current.CancellationToken));
        Assert.Equal("4711\n", (await Command.RunAsync("stat", ["--format=%g", folder], Bound)).MustSucceed().Output);
        await KubectlAsync(null, "exec", "ledger-0", "--", "sh", "-c", "echo entry > /data/book");

        await KubectlAsync(null, "delete", "pod", "ledger-0", "--wait=false");
        await IsBackAsync(node, starts: 2);
        await KubectlAsync(null, "delete", "pod", "ledger-0", "--wait=false");
        await GodwitLab.KillAsync(lab.AgentProcessId(node)); // In the middle of whatever it does for that.
        await lab.BringUpAsync();
        await IsBackAsync(node, starts: 3);

        var name = (string)volume["metadata"]!["name"]!;
        Assert.Matches($@"data-ledger-0 +Bound +{name} +16Mi +RWO +local +<unset> ", await KubectlAsync(null, "get", "pvc"));
        Assert.Matches($@"(?s)Status: +Bound.*Claim: +default/data-ledger-0.*Path: +{folder}", await KubectlAsync(null, "describe", "pv", name));
        Assert.Matches(@"(?s)StorageClass: +local.*Used By: +ledger-0", await KubectlAsync(null, "describe", "pvc", "data-ledger-0"));
        Assert.Matches(@"local \(default\) +godwit.dev/local ", await KubectlAsync(null, "get", "storageclasses"));

        // The claims stay when the set goes, and the folder until its agent has removed it.
        await KubectlAsync(null, "delete", "statefulset", "ledger", "--cascade=foreground", "--timeout=60s");
        Assert.True(File.Exists(Path.Combine(folder, "book")));
        await GodwitLab.KillAsync(lab.AgentProcessId(node));
        await KubectlAsync(null, "delete", "pvc", "data-ledger-0", "data-ledger-1", "--timeout=60s");
        await Eventually.IsTrueAsync("the volume waits for its agent alone", Bound, async () =>
            (await lab.FindAsync("pv", name))?["metadata"] is { } metadata && metadata["deletionTimestamp"] is not null && metadata["finalizers"]!.ToJsonString() == """["godwit.dev/local-volume"]""");
        Assert.True(File.Exists(Path.Combine(folder, "book")));
        await lab.BringUpAsync();
        await Eventually.IsTrueAsync("the volume is gone", Bound, async () => await lab.FindAsync("pv", name) is null);
        Assert.False(Path.Exists(folder));
    }

    [Fact]
    public async Task What_is_to_be_kept_is_kept_when_its_claim_and_its_volume_are_gone_and_what_is_read_only_cannot_be_written()
    {
        await KubectlAsync(Kept, "apply", "-f", "-");
        await KubectlAsync(null, "wait", "pod/keeper", "--for=condition=Ready", "--timeout=120s");
        Assert.Equal("treasure\n", await KubectlAsync(null, "exec", "keeper", "--", "cat", "/read/chest"));
        Assert.NotEqual(0, (await lab.KubectlAsync(null, "exec", "keeper", "--", "sh", "-c", "echo theft > /read/chest")).ExitCode);
        var volume = await VolumeOfAsync("kept");
        var (name, chest) = ((string)volume["metadata"]!["name"]!, Path.Combine((string)volume["spec"]!["local"]!["path"]!, "chest"));

        await KubectlAsync(null, "delete", "pvc", "kept", "--wait=false");
        Assert.Matches("kept +Terminating ", await KubectlAsync(null, "get", "pvc", "kept"));
        Assert.Equal("treasure\n", await KubectlAsync(null, "exec", "keeper", "--", "cat", "/data/chest"));
        await KubectlAsync(null, "delete", "pod", "keeper", "--timeout=60s");
        await Eventually.IsTrueAsync("the claim is gone", Bound, async () => await lab.FindAsync("pvc", "kept") is null);
        await KubectlAsync(null, "wait", $"pv/{name}", "--for=jsonpath={.status.phase}=Released", "--timeout=60s");
        await KubectlAsync(null, "delete", "pv", name, "--timeout=60s");
        Assert.Equal("treasure\n", await File.ReadAllTextAsync(chest, TestContext.Current.CancellationToken));
        await KubectlAsync(null, "delete", "sc", "kept");
    }

    [Fact]
    public async Task A_claim_on_storage_that_both_nodes_see_is_used_by_pods_on_both_at_once()
    {
        var folder = Directory.CreateDirectory(Path.Combine(lab.DataFolder, "shared-claim")).FullName;
        File.SetUnixFileMode(folder, (UnixFileMode)0b111_111_111);
        await KubectlAsync(Shared(folder), "apply", "-f", "-");
        await KubectlAsync(null, "rollout", "status", "deployment/sharers", "--timeout=120s");
        Assert.Matches("common +Bound +common +1Gi +RWX +common ", await KubectlAsync(null, "get", "pvc", "common"));
        var pods = Lines(await KubectlAsync(null, "get", "pods", "-l", "app=sharers", "-o", "jsonpath={range .items[*]}{.metadata.name} {.spec.nodeName}{\"\\n\"}{end}")).Select(line => line.Split(' ')).ToList();
        var names = pods.Select(pod => pod[0]).Order(StringComparer.Ordinal).ToList();
        Assert.Equal(GodwitLab.Nodes, pods.Select(pod => pod[1]).Order(StringComparer.Ordinal));
        foreach (var name in names)
        {
            Assert.Equal(names, Lines(await KubectlAsync(null, "exec", name, "--", "ls", "/data")).Order(StringComparer.Ordinal)); // What each has written, the other reads.
        }

        await KubectlAsync(Shared(folder), "delete", "-f", "-", "--timeout=120s");
        Assert.Equal(names, Directory.GetFiles(folder).Select(Path.GetFileName).Order(StringComparer.Ordinal)); // A person made it, and a person removes it.
    }

    private static string[] Lines(string text) => text.Split('\n', StringSplitOptions.RemoveEmptyEntries);

    private static string Shared(string folder) => $$"""
        apiVersion: v1
        kind: PersistentVolume
        metadata: { name: common }
        spec: { capacity: { storage: 1Gi }, accessModes: [ ReadWriteMany ], storageClassName: common, hostPath: { path: {{folder}} } }
        ---
        apiVersion: v1
        kind: PersistentVolumeClaim
        metadata: { name: common }
        spec: { accessModes: [ ReadWriteMany ], storageClassName: common, volumeName: common, resources: { requests: { storage: 1Gi } } }
        ---
        apiVersion: apps/v1
        kind: Deployment
        metadata: { name: sharers }
        spec:
          replicas: 2
          selector: { matchLabels: { app: sharers } }
          template:
            metadata: { labels: { app: sharers } }
            spec:
              terminationGracePeriodSeconds: 1
              affinity:
                podAntiAffinity:
                  requiredDuringSchedulingIgnoredDuringExecution: [ { topologyKey: kubernetes.io/hostname, labelSelector: { matchLabels: { app: sharers } } } ]
              containers:
              - name: main
                image: {{BoxImage.Name}}
                command: [ sh, -c, "echo here > /data/$(hostname); exec sleep 100000" ]
                readinessProbe: { exec: { command: [ sh, -c, "test -f /data/$(hostname)" ] }, periodSeconds: 1 }
                volumeMounts: [ { name: data, mountPath: /data } ]
              volumes: [ { name: data, persistentVolumeClaim: { claimName: common } } ]
        """;

    private async Task IsBackAsync(string node, int starts)
    {
        await Eventually.IsTrueAsync($"the pod has started {starts} times, or once more if its agent died in the middle", Bound, async () =>
            (await lab.KubectlAsync(null, "exec", "ledger-0", "--", "cat", "/data/starts")).Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Length is var count && count >= starts && count <= starts + 1);
        Assert.Equal(node, await NodeOfAsync("ledger-0"));
        Assert.Equal("entry\n", await KubectlAsync(null, "exec", "ledger-0", "--", "cat", "/data/book"));
    }

    private async Task<string> NodeOfAsync(string pod) => await KubectlAsync(null, "get", "pod", pod, "-o", "jsonpath={.spec.nodeName}");

    private async Task<JsonObject> VolumeOfAsync(string claim) => (await lab.FindAsync("pv", await KubectlAsync(null, "get", "pvc", claim, "-o", "jsonpath={.spec.volumeName}")))!;

    private async Task<string> KubectlAsync(string? input, params IEnumerable<string> arguments) => (await lab.KubectlAsync(input, arguments)).MustSucceed().Output;
}
