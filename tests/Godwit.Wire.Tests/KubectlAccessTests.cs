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

    /// <summary>A group that may make bindings and has nothing to give.</summary>
    private static async Task<string> MakersAsync(Kubectl kubectl)
    {
        await kubectl.RunAsync("create clusterrole makers --verb=create --resource=clusterrolebindings.rbac.authorization.k8s.io");
        await kubectl.RunAsync("create clusterrolebinding makers --clusterrole=makers --group=makers");
        return "";
    }
}
