using System.Diagnostics;
using System.Net;
using Godwit.Real.Tests.Labs;

namespace Godwit.Real.Tests.Hosts;

/// <summary>A pod on one host as its user meets it: the real program, the real <c>kubectl</c>, an image that lies on the node.</summary>
[Trait("Needs", "root")]
[Trait("Needs", "qemu")]
[Trait("Needs", "kubectl")]
public sealed class PodTests
{
    private const string Talk = "echo hello; i=0; while sleep 1; do i=$((i+1)); echo $i > /tmp/count; done";

    [Fact]
    public async Task Kubectl_runs_a_pod_works_in_it_and_deletes_it_and_it_outlives_the_death_of_the_whole_program()
    {
        Needs.Root();
        await using var cluster = new HostCluster();
        BoxImage.WriteTo(cluster.MakeImages());
        await cluster.UpAsync();
        (await cluster.KubectlAsync("run", "box", "--image", BoxImage.Name, "--", "sh", "-c", Talk)).MustSucceed();
        (await cluster.KubectlAsync("wait", "pod/box", "--for=condition=Ready", "--timeout=120s")).MustSucceed();

        await Eventually.IsTrueAsync("what it said is in its log", HostCluster.Bound, async () => (await cluster.KubectlAsync("logs", "box")).MustSucceed().Output == "hello\n");
        await ReadLogsAsync(cluster);
        Assert.Equal(3, (await cluster.KubectlAsync("exec", "box", "--", "sh", "-c", "exit 3")).ExitCode);
        Assert.Equal("box\n", (await cluster.KubectlAsync("exec", "box", "--", "hostname")).MustSucceed().Output);
        Assert.Equal("there and back", (await cluster.KubectlWithInputAsync("there and back", "exec", "-i", "box", "--", "cat")).MustSucceed().Output);
        await CopyAsync(cluster);
        await AskAsync(cluster);
        await PartAsync(cluster);
        var described = (await cluster.KubectlAsync("describe", "pod", "box")).MustSucceed().Output;
        Assert.Matches("Successfully assigned default/box to ", described);
        Assert.Contains("Started container box", described, StringComparison.Ordinal);

        var (before, count) = (await IdentityAsync(cluster), await CountAsync(cluster));
        await KillAsync(cluster);
        await cluster.UpAsync();
        await Eventually.IsTrueAsync("it went on, and its new agent has it", HostCluster.Bound, async () => await CountAsync(cluster) > count);
        Assert.Equal(before, await IdentityAsync(cluster)); // The same container, never started anew.

        (await cluster.KubectlAsync("delete", "pod", "box", "--grace-period=1")).MustSucceed();
        Assert.Equal("", (await cluster.KubectlAsync("get", "pods", "-o", "name")).MustSucceed().Output);
        (await cluster.GodwitAsync("down", "--purge")).MustSucceed();
        Assert.DoesNotContain(File.ReadLines("/proc/self/mounts"), line => line.Contains(cluster.DataFolder, StringComparison.Ordinal));
    }

    /// <summary>A log by its end, with times, by a label, while it grows, and of the run before this one.</summary>
    private static async Task ReadLogsAsync(HostCluster cluster)
    {
        Assert.Matches(@"^\d{4}-\d\d-\d\dT\S+Z hello\n$", await LogAsync("box", "--tail=1", "--timestamps"));
        Assert.Equal("", await LogAsync("box", "--since-time=2100-01-01T00:00:00Z"));
        Assert.Equal("hello\n", await LogAsync("-l", "run=box"));

        (await cluster.KubectlAsync("run", "again", "--image", BoxImage.Name, "--", "sh", "-c", "echo one; sleep 1; echo two")).MustSucceed();
        await Eventually.IsTrueAsync("it runs", HostCluster.Bound, async () => (await cluster.KubectlAsync("logs", "again")) is { ExitCode: 0, Output.Length: > 0 });
        Assert.Equal("one\ntwo\n", await LogAsync("again", "-f"));
        await Eventually.IsTrueAsync("it was started anew", HostCluster.Bound, async () =>
            (await cluster.KubectlAsync("get", "pod", "again", "-o", "jsonpath={.status.containerStatuses[0].restartCount}")).MustSucceed().Output is not ("" or "0"));
        Assert.Equal("one\ntwo\n", await LogAsync("again", "--previous"));
        (await cluster.KubectlAsync("delete", "pod", "again", "--grace-period=1")).MustSucceed();

        async Task<string> LogAsync(params string[] arguments) => (await cluster.KubectlAsync(["logs", .. arguments])).MustSucceed().Output;
    }

    /// <summary>Before a container is told to end, its hook runs to its own end, within the pod's grace.</summary>
    private static async Task PartAsync(HostCluster cluster)
    {
        var folder = Directory.CreateDirectory(Path.Combine(cluster.DataFolder, "parting")).FullName;
        (await cluster.KubectlWithInputAsync(
            $$"""
            apiVersion: v1
            kind: Pod
            metadata: { name: parting }
            spec:
              terminationGracePeriodSeconds: 60
              containers:
              - name: main
                image: {{BoxImage.Name}}
                command: [ sh, -c, "trap 'echo told >> /order/log; exit 0' TERM; while true; do sleep 0.1; done" ]
                lifecycle: { preStop: { exec: { command: [ sh, -c, "echo hook >> /order/log; sleep 1; echo done >> /order/log" ] } } }
                volumeMounts: [ { name: order, mountPath: /order } ]
              volumes: [ { name: order, hostPath: { path: "{{folder}}" } } ]
            """,
            "apply", "-f", "-")).MustSucceed();
        (await cluster.KubectlAsync("wait", "pod/parting", "--for=condition=Ready", "--timeout=120s")).MustSucceed();
        (await cluster.KubectlAsync("delete", "pod", "parting", "--timeout=100s")).MustSucceed();
        Assert.Equal("hook\ndone\ntold\n", await File.ReadAllTextAsync(Path.Combine(folder, "log"), TestContext.Current.CancellationToken));
        Directory.Delete(folder, recursive: true);
    }

    private static async Task CopyAsync(HostCluster cluster)
    {
        var folder = Directory.CreateTempSubdirectory("godwit-pod-").FullName;
        await File.WriteAllTextAsync(Path.Combine(folder, "sent"), "carried\n", TestContext.Current.CancellationToken);
        var sent = await cluster.KubectlAsync("cp", Path.Combine(folder, "sent"), "box:/tmp/there");
        Assert.Equal("", sent.MustSucceed().Errors); // Not even a connection that was dropped too early.
        (await cluster.KubectlAsync("cp", "box:/tmp/there", Path.Combine(folder, "back"))).MustSucceed();
        Assert.Equal("carried\n", await File.ReadAllTextAsync(Path.Combine(folder, "back"), TestContext.Current.CancellationToken));
        Directory.Delete(folder, recursive: true);
    }

    /// <summary>A page of the pod, by the pod's own address.</summary>
    private static async Task AskAsync(HostCluster cluster)
    {
        (await cluster.KubectlAsync("exec", "box", "--", "sh", "-c", "mkdir -p /tmp/www && echo page > /tmp/www/index.html && httpd -p 8080 -h /tmp/www")).MustSucceed();
        using var client = new HttpClient { Timeout = TimeSpan.FromSeconds(20) };
        var address = (await cluster.KubectlAsync("get", "pod", "box", "-o", "jsonpath={.status.podIP}")).MustSucceed().Output;
        Assert.True(IPAddress.TryParse(address, out _), address);
        Assert.Equal("page\n", await client.GetStringAsync(new Uri($"http://{address}:8080/"), TestContext.Current.CancellationToken));
    }

    private static async Task<string> IdentityAsync(HostCluster cluster) =>
        (await cluster.KubectlAsync("get", "pod", "box", "-o", "jsonpath={.status.podIP} {.status.containerStatuses[0].containerID} {.status.containerStatuses[0].restartCount}")).MustSucceed().Output;

    /// <summary>How far the pod's program has counted; 0 while it cannot be asked.</summary>
    private static async Task<int> CountAsync(HostCluster cluster) =>
        await cluster.KubectlAsync("exec", "box", "--", "cat", "/tmp/count") is { ExitCode: 0 } answer && int.TryParse(answer.Output.Trim(), out var count) ? count : 0;

    /// <summary>Server, controllers and agent at once, in the middle of whatever they do.</summary>
    private static async Task KillAsync(HostCluster cluster)
    {
        foreach (var (id, _) in (await Traces.FindAsync(cluster, cluster.Instance)).Processes.Where(process => process.CommandLine.Contains("--foreground", StringComparison.Ordinal)))
        {
            using var process = Process.GetProcessById(id);
            process.Kill();
            await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        }
    }
}
