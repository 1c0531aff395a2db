namespace Godwit.Wire.Tests;

/// <summary>The real <c>kubectl</c> and the kinds that make pods, as far as the server alone knows them.</summary>
[Trait("Needs", "kubectl")]
public sealed class KubectlWorkloadTests
{
    public static TheoryData<string> Clients => KubectlTests.Clients;

    [Theory]
    [MemberData(nameof(Clients))]
    public async Task It_makes_changes_and_shows_deployments(string client)
    {
        await using var kubectl = await Kubectl.StartAsync(client);
        Assert.Equal("deployment.apps/web created\n", await kubectl.RunAsync("create deployment web --image=nginx:1.27 --replicas=3"));
        Assert.Matches(@"^NAME +READY +UP-TO-DATE +AVAILABLE +AGE\nweb +0/3 +0 +0 +", await kubectl.RunAsync("get deploy"));
        Assert.Matches(@"CONTAINERS +IMAGES +SELECTOR\nweb .* nginx +nginx:1.27 +app=web\n", await kubectl.RunAsync("get deploy -o wide"));
        Assert.Equal("deployment.apps/web scaled\n", await kubectl.RunAsync("scale deploy web --replicas=5"));
        Assert.Contains("image updated", await kubectl.RunAsync("set image deploy/web nginx=nginx:1.28"), StringComparison.Ordinal);
        Assert.Contains("env updated", await kubectl.RunAsync("set env deploy/web A=b"), StringComparison.Ordinal);
        Assert.Contains("deployment.apps/web paused", await kubectl.RunAsync("rollout pause deploy/web"), StringComparison.Ordinal);
        Assert.Contains("deployment.apps/web resumed", await kubectl.RunAsync("rollout resume deploy/web"), StringComparison.Ordinal);
        Assert.Contains("deployment.apps/web restarted", await kubectl.RunAsync("rollout restart deploy/web"), StringComparison.Ordinal);
        Assert.Equal("5~nginx:1.28~b", await kubectl.RunAsync("get deploy web -o jsonpath={.spec.replicas}~{.spec.template.spec.containers[0].image}~{.spec.template.spec.containers[0].env[0].value}"));
        Assert.Matches("Replicas: +5 desired", await kubectl.RunAsync("describe deploy web"));
        Assert.Equal("service/web exposed\n", await kubectl.RunAsync("expose deploy web --port=80"));
        Assert.Contains("selector", await kubectl.FailAsync("patch deploy web -p {\"spec\":{\"selector\":{\"matchLabels\":{\"a\":\"b\"}}}}"), StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Clients))]
    public async Task It_makes_and_shows_jobs_sets_and_budgets(string client)
    {
        await using var kubectl = await Kubectl.StartAsync(client);
        Assert.Equal("job.batch/pi created\n", await kubectl.RunAsync("create job pi --image=perl -- perl -e 1"));
        Assert.Matches(@"\npi +(Running +)?0/1 ", await kubectl.RunAsync("get jobs"));
        Assert.Equal("statefulset.apps/db created\ndaemonset.apps/log created\ncronjob.batch/night created\npoddisruptionbudget.policy/few created\n", await kubectl.RunAsync("apply -f -", """
            {"apiVersion":"v1","kind":"List","items":[
            {"apiVersion":"apps/v1","kind":"StatefulSet","metadata":{"name":"db"},"spec":{"serviceName":"db","selector":{"matchLabels":{"app":"db"}},
            "template":{"metadata":{"labels":{"app":"db"}},"spec":{"containers":[{"name":"db","image":"mysql"}]}}}},
            {"apiVersion":"apps/v1","kind":"DaemonSet","metadata":{"name":"log"},"spec":{"selector":{"matchLabels":{"app":"log"}},
            "template":{"metadata":{"labels":{"app":"log"}},"spec":{"containers":[{"name":"log","image":"busybox"}]}}}},
            {"apiVersion":"batch/v1","kind":"CronJob","metadata":{"name":"night"},"spec":{"schedule":"@daily",
            "jobTemplate":{"spec":{"template":{"spec":{"restartPolicy":"Never","containers":[{"name":"night","image":"perl"}]}}}}}},
            {"apiVersion":"policy/v1","kind":"PodDisruptionBudget","metadata":{"name":"few"},"spec":{"minAvailable":1,"selector":{"matchLabels":{"app":"web"}}}}]}
            """));
        Assert.Matches(@"\nnight +@daily +(<none> +)?False +0 +<none> ", await kubectl.RunAsync("get cronjobs"));
        Assert.Matches(@"\nfew +1 +N/A +0 ", await kubectl.RunAsync("get pdb"));
        if (client != "1.20") // It asks for versions of these kinds that went with 1.25.
        {
            Assert.Equal("job.batch/now created\n", await kubectl.RunAsync("create job now --from=cronjob/night"));
            Assert.Equal("cronjob.batch/day created\n", await kubectl.RunAsync("create cronjob day --image=perl --schedule=@daily -- perl -e 1"));
            Assert.Equal("poddisruptionbudget.policy/all created\n", await kubectl.RunAsync("create pdb all --selector=app=web --max-unavailable=50%"));
        }

        Assert.Contains("statefulset.apps/db", await kubectl.RunAsync("get all"), StringComparison.Ordinal);
        Assert.Contains("daemonset.apps/log", await kubectl.RunAsync("get all"), StringComparison.Ordinal);
        Assert.Contains("Pods Status:", await kubectl.RunAsync("describe sts db"), StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Clients))]
    public async Task It_makes_shows_and_changes_autoscalers(string client)
    {
        await using var kubectl = await Kubectl.StartAsync(client);
        await kubectl.RunAsync("create deployment web --image=nginx:1.27");
        Assert.Equal("horizontalpodautoscaler.autoscaling/web autoscaled\n", await kubectl.RunAsync("autoscale deployment web --min=2 --max=5 --cpu-percent=70"));
        Assert.Matches(@"^NAME +REFERENCE +TARGETS +MINPODS +MAXPODS +REPLICAS +AGE\nweb +Deployment/web +cpu: <unknown>/70% +2 +5 +0 +", await kubectl.RunAsync("get hpa"));
        Assert.Equal("70", await kubectl.RunAsync("get horizontalpodautoscalers.v1.autoscaling web -o jsonpath={.spec.targetCPUUtilizationPercentage}"));
        Assert.Equal("70", await kubectl.RunAsync("get horizontalpodautoscalers.v2.autoscaling web -o jsonpath={.spec.metrics[0].resource.target.averageUtilization}"));
        Assert.Contains("patched", await kubectl.RunAsync("patch hpa web -p {\"spec\":{\"maxReplicas\":7}}"), StringComparison.Ordinal);
        Assert.Matches("Max replicas: +7", await kubectl.RunAsync("describe hpa web"));
        Assert.Contains("maxReplicas", await kubectl.FailAsync("patch hpa web -p {\"spec\":{\"maxReplicas\":1}}"), StringComparison.Ordinal);
        Assert.Contains("horizontalpodautoscaler.autoscaling/web", await kubectl.RunAsync("get all"), StringComparison.Ordinal);
        Assert.Equal("horizontalpodautoscaler.autoscaling \"web\" deleted\n", await kubectl.RunAsync("delete hpa web"));
    }
}
