using Godwit.Real.Tests.Hosts;

namespace Godwit.Real.Tests.Labs;

/// <summary>Pods on both nodes of the lab behind a service, a pod that calls them, and a machine that does and is a service itself.</summary>
public sealed class ServiceStage(GodwitLab lab) : IAsyncLifetime
{
    internal const string Machine = "service-machine";
    internal static readonly TimeSpan Bound = TimeSpan.FromMinutes(2);

    private const string Manifest = $$"""
        apiVersion: apps/v1
        kind: Deployment
        metadata: { name: web }
        spec:
          replicas: 2
          selector: { matchLabels: { app: web } }
          template:
            metadata: { labels: { app: web } }
            spec:
              terminationGracePeriodSeconds: 1
              affinity:
                podAntiAffinity:
                  requiredDuringSchedulingIgnoredDuringExecution: [ { topologyKey: kubernetes.io/hostname, labelSelector: { matchLabels: { app: web } } } ]
              containers:
              - name: web
                image: {{BoxImage.Name}}
                command: [ sh, -c, "mkdir -p /tmp/www; hostname > /tmp/www/index.html; exec httpd -f -p 8080 -h /tmp/www" ]
                readinessProbe: { httpGet: { path: /, port: 8080 }, periodSeconds: 1 }
        ---
        apiVersion: v1
        kind: Service
        metadata: { name: web }
        spec: { selector: { app: web }, ports: [ { name: http, port: 80, targetPort: 8080 } ] }
        ---
        apiVersion: v1
        kind: Service
        metadata: { name: machine }
        spec: { selector: { app: {{Machine}} }, ports: [ { name: http, port: 80 } ] }
        ---
        apiVersion: v1
        kind: Pod
        metadata: { name: caller }
        spec:
          terminationGracePeriodSeconds: 1
          containers:
          - { name: caller, image: {{BoxImage.Name}}, command: [ sleep, "100000" ] }
        ---
        apiVersion: v1
        kind: Pod
        metadata: { name: listener }
        spec:
          restartPolicy: Never
          containers:
          - { name: listener, image: {{BoxImage.Name}}, command: [ sh, -c, "read -r line; echo got-$line" ], stdin: true, stdinOnce: true }
        """;

    /// <summary>For a shell that has busybox: <c>page NAME PATH</c>. Its <c>wget</c> is no help, for where it is linked statically it breaks at any host.</summary>
    internal const string Page = """page() { printf 'GET /%s HTTP/1.0\r\n\r\n' "$2" | nc $(nslookup -type=a $1 | busybox awk '/^Address: /{a=$2} END{print a}') 80; }; """;

    internal TinyGuest Guest { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        (await lab.KubectlAsync(Manifest, "apply", "-f", "-")).MustSucceed();
        Guest = await TinyGuest.StartAsync(lab, Machine, "tiny.ballast=8M");
        (await lab.KubectlAsync(null, "rollout", "status", "deployment/web", "--timeout=120s")).MustSucceed();
        (await lab.KubectlAsync(null, "wait", "pod/caller", "--for=condition=Ready", "--timeout=120s")).MustSucceed();
    }

    public async ValueTask DisposeAsync()
    {
        if (Guest is not null)
        {
            await Guest.DisposeAsync();
        }

        await lab.KubectlAsync(Manifest, "delete", "-f", "-", "--ignore-not-found", "--timeout=60s");
    }
}

/// <summary>Services and streams of pods on two nodes, as their users meet them.</summary>
[Collection(LabCollection.Name)]
[Trait("Needs", "qemu")]
[Trait("Needs", "kubectl")]
public sealed class ServiceTests(GodwitLab lab, ServiceStage stage) : IClassFixture<ServiceStage>
{
    private const int Rounds = 12;
    private static readonly Dictionary<string, string> OldStreams = new(StringComparer.Ordinal) { ["KUBECTL_REMOTE_COMMAND_WEBSOCKETS"] = "false", ["KUBECTL_PORT_FORWARD_WEBSOCKETS"] = "false" };

    private static TimeSpan Bound => ServiceStage.Bound;

    [Fact]
    public async Task Pods_on_both_nodes_are_reached_by_the_services_name_from_a_pod_and_from_a_machine()
    {
        var pods = (await lab.KubectlAsync(null, "get", "pods", "-l", "app=web", "-o", "jsonpath={.items[*].metadata.name}")).MustSucceed().Output.Split(' ').Order(StringComparer.Ordinal).ToList();
        Assert.Equal("node-1 node-2", string.Join(' ', (await lab.KubectlAsync(null, "get", "pods", "-l", "app=web", "-o", "jsonpath={.items[*].spec.nodeName}")).MustSucceed().Output.Split(' ').Order(StringComparer.Ordinal)));

        await Eventually.IsTrueAsync("the service's name leads the pod to both", Bound, async () =>
        {
            var said = await CallAsync($"for i in $(seq {Rounds}); do page web; done");
            return pods.TrueForAll(pod => said.Contains(pod, StringComparison.Ordinal)) ? true : throw new IOException(said);
        });
        Assert.Contains("web.default.svc.cluster.local", await CallAsync("nslookup -type=srv _http._tcp.web.default.svc.cluster.local"), StringComparison.Ordinal);
        await Eventually.IsTrueAsync("and the machine", Bound, async () =>
        {
            var said = (await lab.GodwitAsync(Bound, ["vm", "console", ServiceStage.Machine], input: $"{ServiceStage.Page}page web.default.svc.cluster.local\n")).MustSucceed().Output;
            return pods.Exists(pod => said.Contains(pod, StringComparison.Ordinal)) ? true : throw new IOException(said);
        });
    }

    [Fact]
    public async Task A_machine_behind_a_service_goes_on_answering_there_after_it_moved()
    {
        await MachineAnswersAsync();
        var node = await stage.Guest.OtherNodeAsync();
        (await lab.GodwitAsync(Bound, "migrate", ServiceStage.Machine, "--mode", "precopy")).MustSucceed();
        await stage.Guest.IsOnAsync(node);
        await MachineAnswersAsync();
    }

    [Fact]
    public async Task Kubectl_runs_programs_by_either_protocol_attaches_and_looks_into_a_pod()
    {
        Assert.Equal("new\n", (await lab.KubectlAsync("new\n", "exec", "-i", "caller", "--", "cat")).MustSucceed().Output);
        Assert.Equal("old\n", (await Command.RunAsync("kubectl", ["--kubeconfig", lab.KubeconfigPath, "exec", "-i", "caller", "--", "cat"], Bound, "old\n", OldStreams)).MustSucceed().Output);
        Assert.Contains("got-attached", (await lab.KubectlAsync("attached\n", "attach", "-i", "listener")).MustSucceed().Output, StringComparison.Ordinal);

        (await lab.KubectlAsync(null, "debug", "caller", "--image", BoxImage.Name, "--target", "caller", "--container", "look", "--", "sh", "-c", "ps; hostname")).MustSucceed();
        var words = await Eventually.GetAsync("the container that looks into the pod ends", Bound, async () =>
            (await lab.KubectlAsync(null, "get", "pod", "caller", "-o", "jsonpath={.status.ephemeralContainerStatuses[0].state.terminated.exitCode}")).MustSucceed().Output == "0"
                ? (await lab.KubectlAsync(null, "logs", "caller", "-c", "look")).MustSucceed().Output
                : null);
        Assert.Contains("sleep 100000", words, StringComparison.Ordinal); // What its target runs.
        Assert.EndsWith("caller\n", words, StringComparison.Ordinal);
        Assert.Equal("0", (await lab.KubectlAsync(null, "get", "pod", "caller", "-o", "jsonpath={.status.containerStatuses[0].restartCount}")).MustSucceed().Output);
    }

    [Theory]
    [InlineData("service/web", "80", false)]
    [InlineData("deployment/web", "8080", true)]
    public async Task Kubectl_forwards_a_port_to_a_pod_by_either_protocol(string target, string port, bool isOld)
    {
        var start = new System.Diagnostics.ProcessStartInfo("kubectl", ["--kubeconfig", lab.KubeconfigPath, "port-forward", target, $":{port}"]) { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var (name, value) in isOld ? OldStreams : [])
        {
            start.Environment[name] = value;
        }

        using var forwarding = System.Diagnostics.Process.Start(start)!;
        try
        {
            var line = await forwarding.StandardOutput.ReadLineAsync(TestContext.Current.CancellationToken).AsTask().WaitAsync(Bound, TestContext.Current.CancellationToken);
            Assert.StartsWith("Forwarding from 127.0.0.1:", line, StringComparison.Ordinal);
            using var client = new HttpClient { Timeout = TimeSpan.FromMinutes(1) };
            Assert.StartsWith("web-", await client.GetStringAsync(new Uri($"http://127.0.0.1:{line!.Split(':')[1].Split(' ')[0]}/"), TestContext.Current.CancellationToken), StringComparison.Ordinal);
        }
        finally
        {
            forwarding.Kill(entireProcessTree: true);
            await forwarding.WaitForExitAsync(CancellationToken.None);
        }
    }

    private Task MachineAnswersAsync() => Eventually.IsTrueAsync("the service's name leads to the machine", Bound, async () =>
        await CallAsync("page machine counter") is var said && said.Contains("\"counter\"", StringComparison.Ordinal) ? true : throw new IOException(said));

    /// <summary>What a shell in the calling pod prints.</summary>
    private async Task<string> CallAsync(string script) =>
        await lab.KubectlAsync(null, "exec", "caller", "--", "sh", "-c", ServiceStage.Page + script) is var said ? said.Output + said.Errors : "";
}
