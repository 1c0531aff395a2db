namespace Godwit.Wire.Tests;

/// <summary>The real <c>kubectl</c> and who may do what.</summary>
[Trait("Needs", "kubectl")]
public sealed class KubectlAccessTests
{
    public static TheoryData<string> Clients => KubectlTests.Clients;

    [Theory]
    [MemberData(nameof(Clients))]
    public async Task Roles_are_made_given_asked_after_and_reconciled(string client)
    {
        await using var kubectl = await Kubectl.StartAsync(client);
        Assert.Equal("role.rbac.authorization.k8s.io/reader created\n", await kubectl.RunAsync("create role reader --verb=get,list --resource=pods,deployments.apps --resource=pods/log"));
        Assert.Equal("clusterrole.rbac.authorization.k8s.io/metrics created\n", await kubectl.RunAsync("create clusterrole metrics --verb=get --non-resource-url=/metrics"));
        Assert.Equal("rolebinding.rbac.authorization.k8s.io/readers created\n", await kubectl.RunAsync("create rolebinding readers --role=reader --user=ann --group=staff --serviceaccount=default:robot"));
        Assert.Equal("clusterrolebinding.rbac.authorization.k8s.io/metrics created\n", await kubectl.RunAsync("create clusterrolebinding metrics --clusterrole=metrics --user=ann"));
        Assert.Matches(@"^NAME +CREATED AT\nreader +\S+\n$", await kubectl.RunAsync("get roles"));
        Assert.Matches(@"^NAME +ROLE +AGE +USERS +GROUPS +SERVICEACCOUNTS\nreaders +Role/reader +AGE +ann +staff +default/robot\n$", await kubectl.RunAsync("get rolebindings -o wide"));
        Assert.Matches(@"pods/log +\[\] +\[\] +\[get list\]", await kubectl.RunAsync("describe role reader"));

        Assert.Equal("yes\n", await kubectl.RunAsync("auth can-i list pods --as=ann"));
        Assert.Equal("yes\n", await kubectl.RunAsync("auth can-i get pods --subresource=log --as=bob --as-group=staff"));
        Assert.Equal("yes\n", await kubectl.RunAsync("auth can-i list deployments.apps --as=system:serviceaccount:default:robot"));
        Assert.Equal("no\n", await kubectl.FailAsync("auth can-i list pods --as=ann -n kube-system"));
        Assert.Equal("no\n", await kubectl.FailAsync("auth can-i delete pods --as=ann"));
        Assert.Equal("yes\n", await kubectl.RunAsync("auth can-i get /metrics --as=ann"));
        Assert.Matches(@"pods/log +\[\] +\[\] +\[get list\]", await kubectl.RunAsync("auth can-i --list --as=ann"));
        Assert.Contains("attempting to grant RBAC permissions not currently held", await kubectl.FailAsync("create clusterrolebinding me --clusterrole=cluster-admin --user=ann --as=eve --as-group=makers", await MakersAsync(kubectl)), StringComparison.Ordinal);

        const string Reconciled = """
            {"apiVersion":"v1","kind":"List","items":[
             {"apiVersion":"rbac.authorization.k8s.io/v1","kind":"Role","metadata":{"name":"reader","namespace":"default"},"rules":[{"apiGroups":[""],"resources":["services"],"verbs":["get"]}]},
             {"apiVersion":"rbac.authorization.k8s.io/v1","kind":"ClusterRoleBinding","metadata":{"name":"metrics"},"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"view"},
              "subjects":[{"apiGroup":"rbac.authorization.k8s.io","kind":"User","name":"ann"}]}]}
            """;
        await kubectl.RunAsync("auth reconcile -f -", Reconciled);
        Assert.Equal("yes\n", await kubectl.RunAsync("auth can-i get services --as=ann"));
        Assert.Equal("yes\n", await kubectl.RunAsync("auth can-i list pods --as=ann"));
        Assert.Equal("view", await kubectl.RunAsync("get clusterrolebinding metrics -o jsonpath={.roleRef.name}"));
        Assert.Equal("yes\n", await kubectl.RunAsync("auth can-i list configmaps -A --as=ann"));
        Assert.Contains("FIELD", (await kubectl.RunAsync("explain clusterrole.aggregationRule")).ToUpperInvariant(), StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Clients))]
    public async Task A_token_of_an_account_is_made_and_lets_its_bearer_in(string client)
    {
        await using var kubectl = await Kubectl.StartAsync(client);
        await kubectl.RunAsync("create namespace work");
        Assert.Matches(@"^NAME +SECRETS +AGE\ndefault +0 +AGE\n$", await kubectl.RunAsync("get serviceaccounts -n work"));
        await kubectl.RunAsync("create serviceaccount robot -n work");
        await kubectl.RunAsync("create rolebinding robot -n work --clusterrole=view --serviceaccount=work:robot");
        var bearer = $"--kubeconfig={await kubectl.TokenConfigAsync(await TokenAsync(kubectl))}";
        Assert.Equal("yes\n", await kubectl.RunAsync($"auth can-i list pods -n work {bearer}"));
        Assert.Equal("no\n", await kubectl.FailAsync($"auth can-i list pods -n default {bearer}"));
        if (kubectl.Minor >= 28)
        {
            Assert.Matches(@"Username +system:serviceaccount:work:robot\n", await kubectl.RunAsync($"auth whoami {bearer}"));
        }

        if (kubectl.Minor >= 24)
        {
            Assert.Contains("may not specify a duration less than 10 minutes", await kubectl.FailAsync("create token robot -n work --duration=1m"), StringComparison.Ordinal);
            Assert.Contains("serviceaccounts \"nobody\" not found", await kubectl.FailAsync("create token nobody -n work"), StringComparison.Ordinal);
        }

        await kubectl.RunAsync("delete serviceaccount robot -n work");
        var refused = await kubectl.FailAsync($"get pods -n work {bearer}");
        Assert.True(refused.Contains("Unauthorized", StringComparison.Ordinal) || refused.Contains("provide credentials", StringComparison.Ordinal), refused);
    }

    [Theory]
    [MemberData(nameof(Clients))]
    public async Task Quotas_and_limit_ranges_are_made_described_and_told_of(string client)
    {
        await using var kubectl = await Kubectl.StartAsync(client);
        Assert.Equal("resourcequota/few created\n", await kubectl.RunAsync("create quota few --hard=pods=2,secrets=1,requests.memory=1Gi"));
        await kubectl.RunAsync("create -f -", """{"apiVersion":"v1","kind":"LimitRange","metadata":{"name":"bounds"},"spec":{"limits":[{"type":"Container","max":{"memory":"512Mi"},"default":{"memory":"128Mi"}}]}}""");
        await kubectl.RunAsync("create secret generic one");
        Assert.Contains("exceeded quota: few, requested: secrets=1, used: secrets=1, limited: secrets=1", await kubectl.FailAsync("create secret generic two"), StringComparison.Ordinal);
        await kubectl.RunAsync("run web --image=web");
        Assert.Equal("128Mi", await kubectl.RunAsync("get pod web -o jsonpath={.spec.containers[0].resources.requests.memory}"));
        Assert.Matches(@"Container +memory +- +512Mi +128Mi +128Mi +-", await kubectl.RunAsync("describe limits bounds"));
        string described;
        using var bound = new CancellationTokenSource(TimeSpan.FromMinutes(2));
        do
        {
            bound.Token.ThrowIfCancellationRequested();
            described = await kubectl.RunAsync("describe quota few");
        }
        while (!described.Contains("128Mi", StringComparison.Ordinal));
        Assert.Matches(@"Resource +Used +Hard\n-+ +-+ +-+\npods +1 +2\nrequests.memory +128Mi +1Gi\nsecrets +1 +1\n", described);
        Assert.Matches(@"few +pods: 1/2, requests.memory: 128Mi/1Gi, secrets: 1/1", await kubectl.RunAsync("get quota"));
    }

    /// <summary>A token as kubectl makes it; before 1.24 it has no command for that.</summary>
    private static async Task<string> TokenAsync(Kubectl kubectl)
    {
        var (code, output, error) = kubectl.Minor >= 24
            ? await kubectl.TryAsync("create token robot -n work --duration=20m")
            : await kubectl.TryAsync("create --raw /api/v1/namespaces/work/serviceaccounts/robot/token -f -", """{"apiVersion":"authentication.k8s.io/v1","kind":"TokenRequest","spec":{}}""");
        Assert.True(code == 0, error);
        return kubectl.Minor >= 24 ? output.Trim() : (string)System.Text.Json.Nodes.JsonNode.Parse(output)!["status"]!["token"]!;
    }

    /// <summary>A group that may make bindings and has nothing to give.</summary>
    private static async Task<string> MakersAsync(Kubectl kubectl)
    {
        await kubectl.RunAsync("create clusterrole makers --verb=create --resource=clusterrolebindings.rbac.authorization.k8s.io");
        await kubectl.RunAsync("create clusterrolebinding makers --clusterrole=makers --group=makers");
        return "";
    }
}
