using System.Globalization;
using Godwit.Real.Tests.Labs;

namespace Godwit.Real.Tests.Hosts;

/// <summary>What is used on one host, as the real <c>kubectl top</c> shows it: of the node, of a pod that works, and of a virtual machine.</summary>
[Trait("Needs", "root")]
[Trait("Needs", "qemu")]
[Trait("Needs", "kubectl")]
public sealed class TopTests
{
    private const string Busy = "while true; do :; done";

    [Fact]
    public async Task Kubectl_top_shows_what_nodes_pods_their_containers_and_virtual_machines_use()
    {
        Needs.Root();
        await using var cluster = new HostCluster();
        BoxImage.WriteTo(cluster.MakeImages());
        await cluster.UpAsync();
        (await cluster.KubectlWithInputAsync(Pods, "apply", "-f", "-")).MustSucceed();
        (await cluster.GodwitAsync("vm", "create", "tiny", "--image", "tiny", "--memory", "128Mi")).MustSucceed();
        (await cluster.KubectlAsync("wait", "pod/busy", "pod/idle", "--for=condition=Ready", "--timeout=120s")).MustSucceed();
        await cluster.WaitForGuestAsync("tiny");

        await Eventually.IsTrueAsync("all three are measured, and the one that works works", HostCluster.Bound, async () =>
        {
            var told = Read((await cluster.KubectlAsync("top", "pods", "--no-headers")).Output);
            return told.ContainsKey("idle") && told.ContainsKey("virt-launcher-tiny") && told.GetValueOrDefault("busy").Millicores > 50;
        });
        var pods = Read((await cluster.KubectlAsync("top", "pods", "--no-headers")).MustSucceed().Output);
        Assert.InRange(pods["busy"].Millicores, 50, 260); // Its limit is 200m.
        Assert.InRange(pods["idle"].Millicores, 0, 20);
        Assert.InRange(pods["virt-launcher-tiny"].Mebibytes, 32, 512);
        var containers = (await cluster.KubectlAsync("top", "pod", "busy", "--containers", "--no-headers")).MustSucceed().Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(["beside", "main"], containers.Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1]).Order(StringComparer.Ordinal));
        Assert.Equal(["busy"], Read((await cluster.KubectlAsync("top", "pods", "-l", "app=busy", "--no-headers")).MustSucceed().Output).Keys);
        Assert.StartsWith("busy", (await cluster.KubectlAsync("top", "pods", "-l", "app in (busy,idle)", "--sort-by=cpu", "--no-headers")).MustSucceed().Output, StringComparison.Ordinal);

        var node = (await cluster.KubectlAsync("top", "node", "--no-headers")).MustSucceed().Output.Trim().Split(' ', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(5, node.Length);
        Assert.InRange(int.Parse(node[1].TrimEnd('m'), CultureInfo.InvariantCulture), 100, Environment.ProcessorCount * 1000);
        Assert.EndsWith("%", node[2], StringComparison.Ordinal); // Of what the node has for pods.
    }

    private const string Pods = $$"""
        apiVersion: v1
        kind: Pod
        metadata: {name: busy, labels: {app: busy} }
        spec:
          containers:
          - {name: main, image: {{BoxImage.Name}}, command: [sh, -c, "{{Busy}}"], resources: {limits: {cpu: 200m} } }
          - {name: beside, image: {{BoxImage.Name}}, command: [sleep, "100000"]}
        ---
        apiVersion: v1
        kind: Pod
        metadata: {name: idle, labels: {app: idle} }
        spec:
          containers:
          - {name: main, image: {{BoxImage.Name}}, command: [sleep, "100000"]}
        """;

    private static Dictionary<string, (int Millicores, int Mebibytes)> Read(string table) => table.Split('\n', StringSplitOptions.RemoveEmptyEntries)
        .Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries))
        .Where(words => words.Length == 3 && words[1].EndsWith('m'))
        .ToDictionary(words => words[0], words => (int.Parse(words[1].TrimEnd('m'), CultureInfo.InvariantCulture), int.Parse(words[2].Replace("Mi", "", StringComparison.Ordinal), CultureInfo.InvariantCulture)), StringComparer.Ordinal);
}
