namespace Godwit.Wire.Tests;

/// <summary>The real <c>kubectl</c> and what the server alone knows of pods and services.</summary>
[Trait("Needs", "kubectl")]
public sealed class KubectlPodTests
{
    public static TheoryData<string> Clients => KubectlTests.Clients;

    [Theory]
    [MemberData(nameof(Clients))]
    public async Task It_runs_a_pod_shows_it_and_deletes_it(string client)
    {
        await using var kubectl = await Kubectl.StartAsync(client);
        Assert.Equal("pod/p created\n", await kubectl.RunAsync("run p --image=nginx:1.27 --port=80 --labels=app=web --env=A=b"));
        Assert.Matches(@"^NAME +READY +STATUS +RESTARTS +AGE\np +0/1 +Pending +0 +AGE\n$", await kubectl.RunAsync("get pods"));
        Assert.Matches(@"^NAME +READY +STATUS +RESTARTS +AGE +IP +NODE +NOMINATED NODE +READINESS GATES\np ", await kubectl.RunAsync("get pods -o wide"));
        Assert.Equal("nginx:1.27~IfNotPresent~A", await kubectl.RunAsync("get pod p -o jsonpath={.spec.containers[0].image}~{.spec.containers[0].imagePullPolicy}~{.spec.containers[0].env[0].name}"));
        Assert.Matches("QoS Class: +BestEffort", await kubectl.RunAsync("describe pod p"));
        Assert.Contains("does not have a host assigned", await kubectl.FailAsync("logs p"), StringComparison.Ordinal);
        Assert.Contains("FIELD", (await kubectl.RunAsync("explain pod.spec.containers.livenessProbe")).ToUpperInvariant(), StringComparison.Ordinal);
        Assert.Equal("service/p exposed\n", await kubectl.RunAsync("expose pod p --port=80 --target-port=http"));
        Assert.Matches(@"^NAME +TYPE +CLUSTER-IP +EXTERNAL-IP +PORT\(S\) +AGE\np +ClusterIP +<none> +<none> +80/TCP +AGE\n$", await kubectl.RunAsync("get svc"));
        Assert.Contains("pod \"p\"", await kubectl.RunAsync("delete pod p"), StringComparison.Ordinal);
    }
}
