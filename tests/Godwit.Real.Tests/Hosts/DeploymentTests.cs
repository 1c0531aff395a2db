using Godwit.Real.Tests.Labs;

namespace Godwit.Real.Tests.Hosts;

/// <summary>A deployment on one host as its user meets it: the real program and the real <c>kubectl</c>, from the first pod to going back to an older template.</summary>
[Trait("Needs", "root")]
[Trait("Needs", "qemu")]
[Trait("Needs", "kubectl")]
public sealed class DeploymentTests
{
    private const string Bound = "--timeout=180s";

    [Fact]
    public async Task Kubectl_rolls_out_scales_changes_and_takes_back_a_deployment_and_a_service_names_its_pods()
    {
        Needs.Root();
        await using var cluster = new HostCluster();
        BoxImage.WriteTo(cluster.MakeImages());
        await cluster.UpAsync();
        (await cluster.KubectlAsync("create", "deployment", "web", "--image", BoxImage.Name, "--replicas=2", "--", "sleep", "100000")).MustSucceed();
        (await cluster.KubectlAsync("expose", "deployment", "web", "--port=80", "--target-port=8080")).MustSucceed();
        await RolledOutAsync(cluster);
        (await cluster.KubectlAsync("scale", "deployment/web", "--replicas=4")).MustSucceed();
        await RolledOutAsync(cluster);
        await EndpointsAreThePodsAsync(cluster, 4);

        (await cluster.KubectlAsync("set", "env", "deployment/web", "COLOUR=blue")).MustSucceed();
        await RolledOutAsync(cluster);
        Assert.Equal("blue\n", (await cluster.KubectlAsync("exec", "deployment/web", "--", "sh", "-c", "echo $COLOUR")).MustSucceed().Output);
        (await cluster.KubectlAsync("rollout", "undo", "deployment/web")).MustSucceed();
        await RolledOutAsync(cluster);
        Assert.Equal("\n", (await cluster.KubectlAsync("exec", "deployment/web", "--", "sh", "-c", "echo $COLOUR")).MustSucceed().Output);
        await EndpointsAreThePodsAsync(cluster, 4);

        (await cluster.KubectlAsync("delete", "deployment", "web", Bound)).MustSucceed();
        await Eventually.IsTrueAsync("the pods went with it", HostCluster.Bound, async () => (await cluster.KubectlAsync("get", "pods,replicasets", "-o", "name")).MustSucceed().Output.Length == 0);
        (await cluster.GodwitAsync("down", "--purge")).MustSucceed();
    }

    private static async Task RolledOutAsync(HostCluster cluster) =>
        Assert.Contains("successfully rolled out", (await cluster.KubectlAsync("rollout", "status", "deployment/web", Bound)).MustSucceed().Output, StringComparison.Ordinal);

    private static Task EndpointsAreThePodsAsync(HostCluster cluster, int count) => Eventually.IsTrueAsync("the service names each ready pod and no other", HostCluster.Bound, async () =>
    {
        var pods = await WordsAsync(cluster, "pods", "{.items[*].status.podIP}");
        return pods.Count == count && pods.SetEquals(await WordsAsync(cluster, "endpoints/web", "{.subsets[*].addresses[*].ip}"));
    });

    private static async Task<HashSet<string>> WordsAsync(HostCluster cluster, string what, string path) =>
        [.. (await cluster.KubectlAsync("get", what, "-o", $"jsonpath={path}")).MustSucceed().Output.Split(' ', StringSplitOptions.RemoveEmptyEntries)];
}
