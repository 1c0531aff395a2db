namespace Godwit.Wire.Tests;

/// <summary>What a user of kubectl does, with the real one. The expected texts are what kubectl prints against a real cluster.</summary>
[Trait("Needs", "kubectl")]
public sealed class KubectlTests
{
    /// <summary>The oldest that Debian 12 has, an old and the present one, and the newest.</summary>
    public static TheoryData<string> Clients { get; } = ["1.20", "1.27", "1.32", "1.33"];

    private const string ConfigMap = """
        apiVersion: v1
        kind: ConfigMap
        metadata:
          name: c1
          labels: {a: b}
        data:
          k: first
        """;

    private const string GuestPath = "/apis/kubevirt.io/v1/namespaces/default/virtualmachineinstances/v";

    private const string Node = """
        apiVersion: v1
        kind: Node
        metadata: {name: n1, labels: {kubernetes.io/hostname: n1}}
        """;

    private const string Guest = """
        apiVersion: kubevirt.io/v1
        kind: VirtualMachineInstance
        metadata: {name: v}
        spec: {domain: {devices: {}, cpu: {cores: 2}, memory: {guest: 128Mi}}}
        """;

    [Theory]
    [MemberData(nameof(Clients))]
    public async Task It_finds_out_what_is_served_and_explains_it(string client)
    {
        await using var kubectl = await Kubectl.StartAsync(client);
        Assert.Contains("kubevirt.io/v1\n", await kubectl.RunAsync("api-versions"), StringComparison.Ordinal);
        var resources = await kubectl.RunAsync("api-resources --no-headers -o wide");
        Assert.Matches(@"virtualmachineinstances +vmi,vmis +kubevirt.io/v1 +true +VirtualMachineInstance +\[?create[, ]delete[, ]deletecollection[, ]get[, ]list[, ]patch[, ]update[, ]watch", resources);
        Assert.Contains("What each incarnation is made from.", await kubectl.RunAsync("explain vm.spec"), StringComparison.Ordinal);
        Assert.Contains("autoattachSerialConsole", await kubectl.RunAsync("explain vmi.spec.domain --recursive"), StringComparison.Ordinal);
        Assert.Matches(@"Server Version: (v|version.Info\{.*GitVersion:""v)1\.32\.0\+godwit-", await kubectl.RunAsync("version"));
    }

    [Theory]
    [MemberData(nameof(Clients))]
    public async Task It_creates_typed_kinds_which_it_sends_as_protobuf(string client)
    {
        await using var kubectl = await Kubectl.StartAsync(client);
        Assert.Equal("namespace/team created\n", await kubectl.RunAsync("create namespace team"));
        Assert.Equal("configmap/c created\n", await kubectl.RunAsync("create configmap c -n team --from-literal=k=v"));
        Assert.Equal("secret/s created\n", await kubectl.RunAsync("create secret generic s -n team --from-literal=k=v"));
        Assert.Equal("v", await kubectl.RunAsync("get cm c -n team -o jsonpath={.data.k}"));
        Assert.Equal("dg==", await kubectl.RunAsync("get secret s -n team -o jsonpath={.data.k}"));
        Assert.Equal("namespace \"team\" deleted\n", await kubectl.RunAsync("delete namespace team"));
        Assert.Contains("(NotFound): namespaces \"team\" not found", await kubectl.FailAsync("get ns team"), StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Clients))]
    public async Task It_applies_a_manifest_again_and_again_and_shows_the_difference(string client)
    {
        await using var kubectl = await Kubectl.StartAsync(client);
        var changed = ConfigMap.Replace("first", "third", StringComparison.Ordinal);
        Assert.Equal("configmap/c1 created\n", await kubectl.RunAsync("apply -f -", ConfigMap));
        Assert.Equal("configmap/c1 unchanged\n", await kubectl.RunAsync("apply -f -", ConfigMap));
        var difference = await kubectl.FailAsync("diff -f -", changed);
        Assert.Contains("-  k: first", difference, StringComparison.Ordinal);
        Assert.Contains("+  k: third", difference, StringComparison.Ordinal);
        Assert.Equal("configmap/c1 configured (server dry run)\n", await kubectl.RunAsync("apply -f - --dry-run=server", changed));
        Assert.Equal("first", await kubectl.RunAsync("get cm c1 -o jsonpath={.data.k}"));
        Assert.Equal("configmap/c1 configured\n", await kubectl.RunAsync("apply -f -", changed));
        Assert.Equal("third", await kubectl.RunAsync("get cm c1 -o jsonpath={.data.k}"));
        Assert.Equal("configmap/c1 replaced\n", await kubectl.RunAsync("replace -f -", ConfigMap));
        Assert.Equal("configmap \"c1\" deleted\n", await kubectl.RunAsync("delete -f -", ConfigMap));
    }

    [Theory]
    [MemberData(nameof(Clients))]
    public async Task It_applies_on_the_server_and_is_told_of_conflicts(string client)
    {
        await using var kubectl = await Kubectl.StartAsync(client);
        var changed = ConfigMap.Replace("first", "third", StringComparison.Ordinal);
        Assert.Equal("configmap/c1 serverside-applied\n", await kubectl.RunAsync("apply --server-side -f -", ConfigMap));
        Assert.Contains("+  k: third", await kubectl.FailAsync("diff --server-side -f -", changed), StringComparison.Ordinal);
        var conflict = await kubectl.FailAsync("apply --server-side --field-manager=other -f -", changed);
        Assert.Contains("Apply failed with 1 conflict: conflict with \"kubectl\": .data.k", conflict, StringComparison.Ordinal);
        Assert.Contains("Please review the fields above--they currently have other managers.", conflict, StringComparison.Ordinal);
        Assert.Equal("configmap/c1 serverside-applied (server dry run)\n", await kubectl.RunAsync("apply --server-side --force-conflicts --dry-run=server --field-manager=other -f -", changed));
        Assert.Equal("first", await kubectl.RunAsync("get cm c1 -o jsonpath={.data.k}"));
        Assert.Equal("configmap/c1 serverside-applied\n", await kubectl.RunAsync("apply --server-side --force-conflicts --field-manager=other -f -", changed));
        Assert.Contains("manager: other\n    operation: Apply", await kubectl.RunAsync("get cm c1 -o yaml" + (kubectl.Minor < 21 ? "" : " --show-managed-fields")), StringComparison.Ordinal);
        Assert.Equal(kubectl.Minor < 21, (await kubectl.RunAsync("get cm c1 -o yaml")).Contains("managedFields", StringComparison.Ordinal));
    }

    [Theory]
    [MemberData(nameof(Clients))]
    public async Task It_goes_from_client_side_to_server_side_apply(string client)
    {
        await using var kubectl = await Kubectl.StartAsync(client);
        await kubectl.RunAsync("apply -f -", ConfigMap + "\n  gone: soon\n");
        Assert.Equal("configmap/c1 serverside-applied\n", await kubectl.RunAsync("apply --server-side -f -", ConfigMap.Replace("first", "third", StringComparison.Ordinal)));
        Assert.Equal("configmap/c1 serverside-applied\n", await kubectl.RunAsync("apply --server-side -f -", ConfigMap));
        // An old kubectl leaves its former self behind as a manager, which then holds on to what it applied.
        var takesOver = kubectl.Minor >= 26;
        Assert.Equal(takesOver ? "{\"k\":\"first\"}" : "{\"gone\":\"soon\",\"k\":\"first\"}", await kubectl.RunAsync("get cm c1 -o jsonpath={.data}"));
        Assert.Equal(!takesOver, (await kubectl.RunAsync("get cm c1 -o jsonpath={.metadata.managedFields[*].manager}")).Contains("kubectl-client-side-apply", StringComparison.Ordinal));
    }

    [Theory]
    [MemberData(nameof(Clients))]
    public async Task It_patches_labels_annotates_and_edits(string client)
    {
        await using var kubectl = await Kubectl.StartAsync(client);
        await kubectl.RunAsync("create -f -", ConfigMap);
        Assert.Equal("configmap/c1 patched\n", await kubectl.RunAsync("""patch cm c1 -p '{"data":{"s":"1"}}'"""));
        Assert.Equal("configmap/c1 patched\n", await kubectl.RunAsync("""patch cm c1 --type merge -p '{"data":{"m":"2"}}'"""));
        Assert.Equal("configmap/c1 patched\n", await kubectl.RunAsync("""patch cm c1 --type json -p '[{"op":"add","path":"/data/j","value":"3"}]'"""));
        Assert.Equal("configmap/c1 labeled\n", await kubectl.RunAsync("label cm c1 x=y"));
        Assert.Matches("^configmap/c1 annotated?\n$", await kubectl.RunAsync("annotate cm c1 note=hello"));
        Assert.Equal("configmap/c1 edited\n", await kubectl.RunAsync("edit cm c1"));
        Assert.Equal("3 second 2 1 y hello", await kubectl.RunAsync("get cm c1 -o jsonpath='{.data.j} {.data.k} {.data.m} {.data.s} {.metadata.labels.x} {.metadata.annotations.note}'"));
    }

    [Theory]
    [MemberData(nameof(Clients))]
    public async Task It_prints_tables_as_people_know_them(string client)
    {
        await using var kubectl = await Kubectl.StartAsync(client);
        await kubectl.RunAsync("create -f -", Node);
        await kubectl.RunAsync("create -f -", Guest);
        await kubectl.SetStatusAsync(GuestPath, "VirtualMachineInstance", "kubevirt.io/v1", """{"nodeName":"n1","phase":"Running","interfaces":[{"name":"default","ipAddress":"10.0.0.7"}]}""");
        Assert.Matches(@"^NAME +AGE +PHASE +IP +NODENAME +READY\nv +AGE +Running +10.0.0.7 +n1\n$", await kubectl.RunAsync("get vmi"));
        Assert.Matches(@"^NAME +STATUS +ROLES +AGE +VERSION\nn1 +Unknown +<none> +AGE\n$", await kubectl.RunAsync("get nodes"));
        Assert.Matches(@"^NAME +AGE +PHASE +IP +NODENAME +READY +LIVE-MIGRATABLE +PAUSED\nv ", await kubectl.RunAsync("get vmi -o wide"));
        Assert.Equal("virtualmachineinstance.kubevirt.io/v\n", await kubectl.RunAsync("get vmi -o name -l '!none' --field-selector metadata.name=v"));
        Assert.Matches(@"^NAMESPACE +NAME +AGE +PHASE", await kubectl.RunAsync("get vmi -A --sort-by=.metadata.name"));
        Assert.Contains("kind: VirtualMachineInstance", await kubectl.RunAsync("get vmi v -o yaml"), StringComparison.Ordinal);
        Assert.Matches("Phase: +Running", await kubectl.RunAsync("describe vmi v"));
        Assert.Equal(5, (await kubectl.RunAsync("get ns --chunk-size=2")).Trim().Split('\n').Length);
    }

    [Theory]
    [MemberData(nameof(Clients))]
    public async Task It_cordons_taints_and_describes_a_node_and_does_not_call_it_drained_while_guests_run_there(string client)
    {
        await using var kubectl = await Kubectl.StartAsync(client);
        await kubectl.RunAsync("create -f -", Node);
        await kubectl.RunAsync("create -f -", Guest);
        await kubectl.SetStatusAsync(GuestPath, "VirtualMachineInstance", "kubevirt.io/v1", """{"nodeName":"n1","phase":"Running"}""");
        Assert.Equal("node/n1 cordoned\n", await kubectl.RunAsync("cordon n1"));
        Assert.Equal("node/n1 tainted\n", await kubectl.RunAsync("taint node n1 a=b:NoSchedule"));
        Assert.Equal("node/n1 untainted\n", await kubectl.RunAsync("taint node n1 a-"));
        Assert.Contains("virt-launcher-v", await kubectl.RunAsync("describe node n1"), StringComparison.Ordinal);
        Assert.Contains("is going to be moved away from n1", await kubectl.FailAsync("drain n1 --timeout=3s"), StringComparison.Ordinal);
        await kubectl.RunAsync("delete vmi v");
        Assert.Contains("node/n1 drained", await kubectl.RunAsync("drain n1"), StringComparison.Ordinal);
        Assert.Equal("node/n1 uncordoned\n", await kubectl.RunAsync("uncordon n1"));
    }

    [Theory]
    [MemberData(nameof(Clients))]
    public async Task It_scales_what_can_be_scaled_and_waits_for_it(string client)
    {
        await using var kubectl = await Kubectl.StartAsync(client);
        await kubectl.RunAsync("create -f -", "apiVersion: example.org/v1\nkind: Fleet\nmetadata: {name: f}\nspec: {replicas: 2}\n");
        Assert.Equal("fleet.example.org/f scaled\n", await kubectl.RunAsync("scale fleet f --replicas=5"));
        if (kubectl.Minor >= 23)
        {
            Assert.Equal("fleet.example.org/f condition met\n", await kubectl.RunAsync("wait --for=jsonpath={.spec.replicas}=5 fleet/f --timeout=20s"));
        }

        await kubectl.RunAsync("delete fleet f --wait");
        if (kubectl.Minor >= 23) // Before, waiting for what is already gone was an error of the client.
        {
            Assert.Empty(await kubectl.RunAsync("wait --for=delete fleet/f --timeout=20s"));
        }
    }

    [Theory]
    [MemberData(nameof(Clients))]
    public async Task It_watches(string client)
    {
        await using var kubectl = await Kubectl.StartAsync(client);
        using var watch = kubectl.Start("get cm -w --no-headers --field-selector=metadata.name!=kube-root-ca.crt");
        try
        {
            await kubectl.RunAsync("create -f -", ConfigMap);
            var line = await watch.StandardOutput.ReadLineAsync(TestContext.Current.CancellationToken);
            Assert.Matches(@"^c1 +1 +\d+s$", line);
        }
        finally
        {
            watch.Kill();
        }
    }

    [Theory]
    [MemberData(nameof(Clients))]
    public async Task It_learns_who_it_is_and_what_it_may_also_as_another(string client)
    {
        await using var kubectl = await Kubectl.StartAsync(client);
        if (kubectl.Minor >= 27)
        {
            Assert.Matches(@"Username +kubernetes-admin\nGroups +\[system:masters system:authenticated\]", await kubectl.RunAsync("auth whoami"));
        }

        Assert.Equal("yes\n", await kubectl.RunAsync("auth can-i create vms"));
        Assert.Equal("no\n", await kubectl.FailAsync("auth can-i list secrets --as=bob"));
        Assert.Contains("*.*", await kubectl.RunAsync("auth can-i --list"), StringComparison.Ordinal);
        Assert.Contains("nodes is forbidden: User \"bob\" cannot list resource \"nodes\"", await kubectl.FailAsync("get nodes --as=bob"), StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Clients))]
    public async Task It_says_what_is_wrong_with_a_manifest_by_its_paths(string client)
    {
        await using var kubectl = await Kubectl.StartAsync(client);
        const string Bad = "apiVersion: kubevirt.io/v1\nkind: VirtualMachineInstance\nmetadata: {name: bad}\nspec: {domain: {devices: {gpus: []}, memory: {guest: lots}}}\n";
        // Old clients check the document themselves, by what the server says of its kinds.
        Assert.Contains("gpus", await kubectl.FailAsync("create -f -", Bad), StringComparison.Ordinal);
        Assert.Equal(
            """
            The VirtualMachineInstance "bad" is invalid:
            * spec.domain.memory.guest: Invalid value: "lots": must be a quantity: a number with an optional suffix such as m, k, M, G, Ki, Mi, Gi or e3
            * spec.domain.devices.gpus: Forbidden: Godwit does not support this field

            """.ReplaceLineEndings("\n"),
            await kubectl.FailAsync("create --validate=false -f -", Bad));
    }

    [Theory]
    [MemberData(nameof(Clients))]
    public async Task Events_are_shown_with_the_object_that_they_are_about(string client)
    {
        await using var kubectl = await Kubectl.StartAsync(client);
        await kubectl.RunAsync("create -f -", Guest);
        var uid = (await kubectl.TryAsync("get vmi v -o jsonpath={.metadata.uid}")).Output;
        await kubectl.RunAsync("create -f -", $$"""
            apiVersion: v1
            kind: Event
            metadata: {name: v.1, namespace: default}
            involvedObject: {apiVersion: kubevirt.io/v1, kind: VirtualMachineInstance, name: v, namespace: default, uid: {{uid}}}
            reason: Started
            message: The guest runs.
            type: Normal
            count: 1
            firstTimestamp: 2026-01-01T00:00:00Z
            lastTimestamp: 2026-01-01T00:00:00Z
            source: {component: test}
            """);
        Assert.Contains("The guest runs.", await kubectl.RunAsync("describe vmi v"), StringComparison.Ordinal);
        Assert.Contains("virtualmachineinstance/v", await kubectl.RunAsync("get events"), StringComparison.Ordinal);
        if (kubectl.Minor >= 26)
        {
            Assert.Contains("The guest runs.", await kubectl.RunAsync("events --for vmi/v"), StringComparison.Ordinal);
        }
    }

    [Theory]
    [MemberData(nameof(Clients))]
    public async Task Events_of_the_newer_form_are_the_same_objects(string client)
    {
        await using var kubectl = await Kubectl.StartAsync(client);
        await kubectl.RunAsync("create -f -", Guest);
        var uid = (await kubectl.TryAsync("get vmi v -o jsonpath={.metadata.uid}")).Output;
        var told = $$"""
            apiVersion: events.k8s.io/v1
            kind: Event
            metadata: {name: v.2, namespace: default}
            regarding: {apiVersion: kubevirt.io/v1, kind: VirtualMachineInstance, name: v, namespace: default, uid: {{uid}}}
            reason: Paused
            action: Pausing
            note: The guest waits.
            type: Normal
            eventTime: 2026-01-01T00:00:00.000001Z
            reportingController: example.org/test
            reportingInstance: test-1
            """;
        Assert.Contains("eventTime: Required value", await kubectl.FailAsync("create -f -", told.Replace("eventTime", "#", StringComparison.Ordinal)), StringComparison.Ordinal);
        await kubectl.RunAsync("create -f -", told);
        Assert.Equal("The guest waits.:v:2026-01-01T00:00:00.000001Z", (await kubectl.TryAsync("get events v.2 -o jsonpath={.message}:{.involvedObject.name}:{.eventTime}")).Output);
        Assert.Equal("The guest waits.", await kubectl.RunAsync("get events.v1.events.k8s.io v.2 -o jsonpath={.note}"));
        Assert.Contains("virtualmachineinstance/v", await kubectl.RunAsync("get events.v1.events.k8s.io --field-selector=regarding.name=v"), StringComparison.Ordinal);
        Assert.Contains("The guest waits.", await kubectl.RunAsync("describe vmi v"), StringComparison.Ordinal);
        if (kubectl.Minor >= 26)
        {
            Assert.Contains("The guest waits.", await kubectl.RunAsync("events --for vmi/v"), StringComparison.Ordinal);
        }

        using var watch = kubectl.Start("get events.v1.events.k8s.io v.2 --watch -o jsonpath={.note}:{.series.count};");
        var seen = new char["The guest waits.:;".Length];
        await watch.StandardOutput.ReadBlockAsync(seen, TestContext.Current.CancellationToken); // It has begun.
        await kubectl.RunAsync("""patch events.v1.events.k8s.io v.2 --type=merge -p '{"series":{"count":2,"lastObservedTime":"2026-01-01T00:00:01.000000Z"}}'""");
        seen = new char["The guest waits.:2;".Length];
        await watch.StandardOutput.ReadBlockAsync(seen, TestContext.Current.CancellationToken);
        watch.Kill();
        Assert.Equal("The guest waits.:2;", new string(seen));
        Assert.Contains("field is immutable", await kubectl.FailAsync("""patch events.v1.events.k8s.io v.2 --type=merge -p '{"note":"Another."}'"""), StringComparison.Ordinal);
        await kubectl.RunAsync("delete events.v1.events.k8s.io v.2");
        Assert.Contains("NotFound", await kubectl.FailAsync("get events v.2"), StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Clients))]
    public async Task An_address_or_a_port_that_is_taken_is_refused(string client)
    {
        await using var kubectl = await Kubectl.StartAsync(client);
        await kubectl.RunAsync("create service clusterip one --tcp=80 --clusterip=10.96.0.55");
        Assert.Contains("""Service "two" is invalid: spec.clusterIPs: Invalid value: ["10.96.0.55"]: failed to allocate IP 10.96.0.55: provided IP is already allocated""", await kubectl.FailAsync("create service clusterip two --tcp=80 --clusterip=10.96.0.55"), StringComparison.Ordinal);
        Assert.Contains("failed to allocate IP 10.1.2.3: the provided IP (10.1.2.3) is not in the valid range. The range of valid IPs is 10.96.0.0/16", await kubectl.FailAsync("create service clusterip two --tcp=80 --clusterip=10.1.2.3"), StringComparison.Ordinal);
        await kubectl.RunAsync("create service nodeport three --tcp=80 --node-port=30123");
        Assert.Contains("""Service "two" is invalid: spec.ports[0].nodePort: Invalid value: 30123: provided port is already allocated""", await kubectl.FailAsync("create service nodeport two --tcp=80 --node-port=30123"), StringComparison.Ordinal);
        Assert.Contains("Invalid value: 80: provided port is not in the valid range. The range of valid ports is 30000-32767", await kubectl.FailAsync("create service nodeport two --tcp=80 --node-port=80"), StringComparison.Ordinal);
        await kubectl.RunAsync("delete service one");
        await kubectl.RunAsync("create service clusterip two --tcp=80 --clusterip=10.96.0.55");
    }
}
