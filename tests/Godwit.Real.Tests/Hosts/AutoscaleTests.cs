using Godwit.Real.Tests.Labs;

namespace Godwit.Real.Tests.Hosts;

/// <summary>An autoscaler on one host as its user meets it: pods that work make a deployment grow, and when they rest it shrinks again.</summary>
[Trait("Needs", "root")]
[Trait("Needs", "qemu")]
[Trait("Needs", "kubectl")]
public sealed class AutoscaleTests
{
    /// <summary>Works while the file is there.</summary>
    private const string Work = "while true; do if test -e /work/now; then i=0; while test $i -lt 2000; do i=$((i+1)); done; else sleep 1; fi; done";

    [Fact]
    public async Task A_deployment_whose_pods_work_grows_and_when_they_rest_it_shrinks()
    {
        Needs.Root();
        var folder = Directory.CreateTempSubdirectory("godwit-work-").FullName;
        await using var cluster = new HostCluster();
        BoxImage.WriteTo(cluster.MakeImages());
        await cluster.UpAsync();
        (await cluster.KubectlWithInputAsync(Deployment(folder), "apply", "-f", "-")).MustSucceed();
        (await cluster.KubectlAsync("rollout", "status", "deployment/web", "--timeout=120s")).MustSucceed();
        (await cluster.KubectlAsync("autoscale", "deployment", "web", "--min=1", "--max=3", "--cpu-percent=50")).MustSucceed();
        (await cluster.KubectlAsync("patch", "hpa", "web", "--type=merge", "-p", """{"spec":{"behavior":{"scaleDown":{"stabilizationWindowSeconds":5}}}}""")).MustSucceed();
        await Eventually.IsTrueAsync("it is measured", HostCluster.Bound, async () => !(await TargetsAsync(cluster)).Contains("unknown", StringComparison.Ordinal));
        Assert.Equal("1", await ReplicasAsync(cluster));

        await File.WriteAllTextAsync(Path.Combine(folder, "now"), "", TestContext.Current.CancellationToken);
        await Eventually.IsTrueAsync("it has grown", HostCluster.Bound, async () => await ReplicasAsync(cluster) == "3");
        var described = (await cluster.KubectlAsync("describe", "hpa", "web")).MustSucceed().Output;
        Assert.Contains("SuccessfulRescale", described, StringComparison.Ordinal);
        Assert.Contains("ValidMetricFound", described, StringComparison.Ordinal);
        Assert.Matches(@"cpu: \d+%/50%\s+1\s+3", (await cluster.KubectlAsync("get", "hpa", "web", "--no-headers")).MustSucceed().Output);
        Assert.Matches(@"Deployment/web", (await cluster.KubectlAsync("get", "horizontalpodautoscalers.v1.autoscaling", "web", "--no-headers")).MustSucceed().Output);

        File.Delete(Path.Combine(folder, "now"));
        await Eventually.IsTrueAsync("it has shrunk", HostCluster.Bound, async () => await ReplicasAsync(cluster) == "1");
        Directory.Delete(folder, recursive: true);
    }

    private static async Task<string> ReplicasAsync(HostCluster cluster) => (await cluster.KubectlAsync("get", "deployment", "web", "-o", "jsonpath={.spec.replicas}")).MustSucceed().Output;

    private static async Task<string> TargetsAsync(HostCluster cluster) => (await cluster.KubectlAsync("get", "hpa", "web", "--no-headers")).MustSucceed().Output;

    private static string Deployment(string folder) => $$"""
        apiVersion: apps/v1
        kind: Deployment
        metadata: {name: web}
        spec:
          replicas: 1
          selector: {matchLabels: {app: web} }
          template:
            metadata: {labels: {app: web} }
            spec:
              terminationGracePeriodSeconds: 1
              containers:
              - name: main
                image: {{BoxImage.Name}}
                command: [sh, -c, "{{Work}}"]
                resources: {requests: {cpu: 50m}, limits: {cpu: 100m} }
                volumeMounts: [{name: work, mountPath: /work}]
              volumes: [{name: work, hostPath: {path: {{folder}} } }]
        """;
}
