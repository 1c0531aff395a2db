namespace Godwit.Wire.Tests;

/// <summary>What people do with kubectl beside the everyday: pruning, forcing, looking behind the scenes, scripts.</summary>
[Trait("Needs", "kubectl")]
public sealed class KubectlHabitsTests
{
    private const string Two = """
        apiVersion: v1
        kind: ConfigMap
        metadata: {name: one, labels: {set: x}}
        data: {k: a}
        ---
        apiVersion: v1
        kind: ConfigMap
        metadata: {name: two, labels: {set: x}}
        data: {k: b}
        """;

    private const string Machine = """
        apiVersion: kubevirt.io/v1
        kind: VirtualMachine
        metadata: {name: v}
        spec:
          runStrategy: Halted
          template: {spec: {domain: {devices: {}, memory: {guest: 64Mi}}}}
        """;

    public static TheoryData<string> Clients => KubectlTests.Clients;

    [Theory]
    [MemberData(nameof(Clients))]
    public async Task It_applies_many_and_prunes_what_is_no_longer_in_the_file(string client)
    {
        await using var kubectl = await Kubectl.StartAsync(client);
        await kubectl.RunAsync("apply -f -", Two);
        Assert.Equal("one two", await kubectl.RunAsync("get cm -l set=x -o jsonpath={.items[*].metadata.name}"));
        var pruned = await kubectl.RunAsync($"apply -f - --prune -l set=x {(kubectl.Minor < 27 ? "--prune-whitelist" : "--prune-allowlist")}=core/v1/ConfigMap", Two.Split("---")[0]);
        Assert.Contains("configmap/two pruned", pruned, StringComparison.Ordinal);
        Assert.Equal("one", await kubectl.RunAsync("get cm -l set=x -o jsonpath={.items[*].metadata.name}"));
    }

    [Theory]
    [MemberData(nameof(Clients))]
    public async Task It_shows_and_sets_what_was_last_applied(string client)
    {
        await using var kubectl = await Kubectl.StartAsync(client);
        await kubectl.RunAsync("create -f -", Machine);
        Assert.Contains("created-by", await kubectl.RunAsync("annotate vm v created-by=hand --overwrite -o yaml"), StringComparison.Ordinal);
        Assert.Contains("configured", await kubectl.RunAsync("apply set-last-applied --create-annotation -f - --dry-run=none", Machine), StringComparison.Ordinal);
        Assert.Contains("runStrategy: Halted", await kubectl.RunAsync("apply view-last-applied vm v"), StringComparison.Ordinal);
        Assert.Contains("configured", await kubectl.RunAsync("apply -f -", Machine.Replace("64Mi", "96Mi", StringComparison.Ordinal)), StringComparison.Ordinal);
        Assert.Equal("96Mi", await kubectl.RunAsync("get vm v -o jsonpath={.spec.template.spec.domain.memory.guest}"));
    }

    [Theory]
    [MemberData(nameof(Clients))]
    public async Task It_replaces_by_force_and_deletes_by_label_and_at_once(string client)
    {
        await using var kubectl = await Kubectl.StartAsync(client);
        await kubectl.RunAsync("create -f -", Two);
        var uid = (await kubectl.TryAsync("get cm one -o jsonpath={.metadata.uid}")).Output;
        Assert.Contains("configmap/one replaced", await kubectl.RunAsync("replace --force -f -", Two.Split("---")[0]), StringComparison.Ordinal);
        Assert.NotEqual(uid, (await kubectl.TryAsync("get cm one -o jsonpath={.metadata.uid}")).Output);
        Assert.Contains("configmap \"two\" force deleted", await kubectl.RunAsync("delete cm two --grace-period=0 --force"), StringComparison.Ordinal);
        Assert.Contains("configmap \"one\" deleted", await kubectl.RunAsync("delete cm -l set=x"), StringComparison.Ordinal);
        Assert.Contains("No resources found", await kubectl.RunAsync("delete secrets --all"), StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Clients))]
    public async Task It_serves_scripts(string client)
    {
        await using var kubectl = await Kubectl.StartAsync(client);
        await kubectl.RunAsync("create -f -", Two);
        await kubectl.RunAsync("create -f -", Machine);
        Assert.Equal("NAME   K\none    a\ntwo    b\n", await kubectl.RunAsync("get cm --field-selector=metadata.name!=kube-root-ca.crt -o custom-columns=NAME:.metadata.name,K:.data.k"));
        Assert.Equal("a b", await kubectl.RunAsync("get cm --field-selector=metadata.name!=kube-root-ca.crt -o go-template='{{range .items}}{{.data.k}} {{end}}'"));
        Assert.Equal("configmap/one\nconfigmap/two\nvirtualmachine.kubevirt.io/v\n", await kubectl.RunAsync("get cm,vm --field-selector=metadata.name!=kube-root-ca.crt -o name"));
        Assert.Contains("virtualmachine.kubevirt.io/v", await kubectl.RunAsync("get all -o name"), StringComparison.Ordinal);
        Assert.Equal("ok", await kubectl.RunAsync("get --raw /readyz"));
        Assert.Contains("\"kind\":\"ConfigMapList\"", await kubectl.RunAsync("get --raw /api/v1/namespaces/default/configmaps"), StringComparison.Ordinal);
        foreach (var kind in (await kubectl.RunAsync("api-resources --verbs=list,watch -o name")).Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            await kubectl.RunAsync($"get {kind} -A --ignore-not-found");
        }

        var metrics = await kubectl.FailAsync("top nodes"); // There is no node here that could tell.
        Assert.Contains("metrics not available yet", metrics, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Clients))]
    public async Task It_waits_for_conditions_and_sees_an_object_go(string client)
    {
        await using var kubectl = await Kubectl.StartAsync(client);
        await kubectl.RunAsync("create -f -", Machine);
        using var waiting = kubectl.Start("wait --for=condition=Ready vm/v --timeout=60s");
        await kubectl.SetStatusAsync("/apis/kubevirt.io/v1/namespaces/default/virtualmachines/v", "VirtualMachine", "kubevirt.io/v1", """{"conditions":[{"type":"Ready","status":"True"}]}""");
        Assert.Equal("virtualmachine.kubevirt.io/v condition met\n", await waiting.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken));

        await kubectl.RunAsync("""patch vm v --type=json -p '[{"op":"add","path":"/metadata/finalizers","value":["example.org/hold"]}]'""");
        await kubectl.RunAsync("delete vm v --wait=false");
        Assert.Contains("Terminating", await kubectl.RunAsync("""get vm v -o go-template='{{if .metadata.deletionTimestamp}}Terminating{{end}}'"""), StringComparison.Ordinal);
        await kubectl.RunAsync("""patch vm v --type=merge -p '{"metadata":{"finalizers":null}}'""");
        Assert.Contains("NotFound", await kubectl.FailAsync("get vm v"), StringComparison.Ordinal);
    }
}
