namespace Godwit.Controllers.Tests.Loops;

public sealed class LifecycleTests
{
    private static CancellationToken Stopping => TestCluster.Stopping;

    [Fact]
    public async Task A_VM_gets_an_incarnation_an_address_and_a_node_and_says_that_it_runs()
    {
        await using var cluster = await TestCluster.StartAsync();
        await cluster.AddNodeAsync("node-1");
        var vm = await cluster.CreateVmAsync("tiny");

        var vmi = await cluster.UntilAsync<VirtualMachineInstance>("tiny", vmi => vmi.Status.Phase == VirtualMachineInstancePhases.Running);
        await cluster.UntilAsync<VirtualMachine>("tiny", seen => seen.Status is { PrintableStatus: PrintableStatuses.Running, Ready: true, Created: true });

        Assert.Equal("node-1", vmi.Status.NodeName);
        Assert.Equal(vm.Metadata.Uid, Assert.Single(vmi.Metadata.OwnerReferences).Uid);
        Assert.Contains(FinalizerNames.Agent, vmi.Metadata.Finalizers);
        Assert.Equal("tiny", vmi.Metadata.Labels["app"]);
        var network = Assert.Single(vmi.Status.Interfaces);
        Assert.StartsWith("10.77.0.", network.IpAddress, StringComparison.Ordinal);
        Assert.StartsWith("02:", network.Mac, StringComparison.Ordinal);
        await cluster.EventAsync("Scheduled", "tiny");
    }

    [Fact]
    public async Task A_halted_VM_loses_its_incarnation_and_a_deleted_one_takes_it_along()
    {
        await using var cluster = await TestCluster.StartAsync();
        await cluster.AddNodeAsync("node-1");
        var vms = cluster.Client.For<VirtualMachine>();
        await cluster.CreateVmAsync("tiny");
        var vm = await cluster.UntilAsync<VirtualMachine>("tiny", seen => seen.Status.PrintableStatus == PrintableStatuses.Running);

        await vms.PatchAsync(ResourceKey.Of(vm), new() { ["spec"] = new System.Text.Json.Nodes.JsonObject { ["runStrategy"] = RunStrategies.Halted } }, Stopping);
        await cluster.UntilGoneAsync<VirtualMachineInstance>("tiny");
        await cluster.UntilAsync<VirtualMachine>("tiny", seen => seen.Status is { PrintableStatus: PrintableStatuses.Stopped, Created: not true });

        await vms.PatchAsync(ResourceKey.Of(vm), new() { ["spec"] = new System.Text.Json.Nodes.JsonObject { ["runStrategy"] = RunStrategies.Always } }, Stopping);
        await cluster.UntilAsync<VirtualMachineInstance>("tiny", vmi => vmi.Status.Phase == VirtualMachineInstancePhases.Running);
        await vms.DeleteAsync(ResourceKey.Of(vm), new DeleteOptions(), Stopping);
        await cluster.UntilGoneAsync<VirtualMachineInstance>("tiny");
        await cluster.UntilGoneAsync<VirtualMachine>("tiny");
    }

    [Fact]
    public async Task A_foreground_deletion_waits_for_the_incarnation()
    {
        await using var cluster = await TestCluster.StartAsync();
        var agent = await cluster.AddNodeAsync("node-1");
        await cluster.CreateVmAsync("tiny");
        await cluster.UntilAsync<VirtualMachineInstance>("tiny", vmi => vmi.Status.Phase == VirtualMachineInstancePhases.Running);
        await agent.DieAsync(); // Nobody takes the guest down.

        await cluster.Client.For<VirtualMachine>().DeleteAsync(
            new ResourceKey("default", "tiny"), new DeleteOptions { PropagationPolicy = PropagationPolicies.Foreground }, Stopping);
        var vmi = await cluster.UntilAsync<VirtualMachineInstance>("tiny", vmi => vmi.Metadata.DeletionTimestamp is not null);
        Assert.NotNull(await cluster.Client.For<VirtualMachine>().FindAsync(new ResourceKey("default", "tiny"), Stopping));

        // Unconditional: a controller may write the object between our look and our word.
        await cluster.Client.For<VirtualMachineInstance>().PatchAsync(
            ResourceKey.Of(vmi), new() { ["metadata"] = new System.Text.Json.Nodes.JsonObject { ["finalizers"] = new System.Text.Json.Nodes.JsonArray() } }, Stopping);
        await cluster.UntilGoneAsync<VirtualMachine>("tiny");
    }

    [Fact]
    public async Task A_guest_deleted_between_the_finalizer_and_the_node_is_let_go()
    {
        await using var cluster = await TestCluster.StartAsync(); // No node: it will not get one.
        var vmi = new VirtualMachineInstance
        {
            Metadata = new ObjectMeta { Namespace = "default", Name = "half", Finalizers = [FinalizerNames.Agent] },
            Spec = new VirtualMachineInstanceSpec { Domain = new DomainSpec { Memory = new Memory { Guest = Quantity.Parse("256Mi") } } },
        };
        await cluster.Client.For<VirtualMachineInstance>().CreateAsync(vmi, Stopping);

        await cluster.Client.For<VirtualMachineInstance>().DeleteAsync(new ResourceKey("default", "half"), new DeleteOptions(), Stopping);

        await cluster.UntilGoneAsync<VirtualMachineInstance>("half");
    }

    [Fact]
    public async Task A_guest_that_crashes_at_once_is_started_again_and_then_made_to_wait()
    {
        await using var cluster = await TestCluster.StartAsync();
        (await cluster.AddNodeAsync("node-1")).GuestsCrash = true;
        await cluster.CreateVmAsync("tiny");

        var vm = await cluster.UntilAsync<VirtualMachine>("tiny", seen => seen.Status.PrintableStatus == PrintableStatuses.CrashLoopBackOff && seen.Status.Created != true);

        Assert.Equal(1, vm.Status.StartFailure!.ConsecutiveFailCount);
        Assert.True(vm.Status.StartFailure.RetryAfterTimestamp > vm.Metadata.CreationTimestamp);
    }

    [Fact]
    public async Task A_guest_without_room_says_why_and_starts_when_there_is_room()
    {
        await using var cluster = await TestCluster.StartAsync();
        await cluster.AddNodeAsync("small", memory: "256Mi");
        await cluster.CreateVmAsync("tiny");

        var vmi = await cluster.UntilAsync<VirtualMachineInstance>("tiny", seen => seen.Status.Conditions.Any(condition => condition.Reason == "Unschedulable"));
        var why = vmi.Status.Conditions.Single(condition => condition.Type == VirtualMachineInstanceConditions.PodScheduled).Message;
        Assert.Equal("0 of 1 nodes fit: small: needs 642Mi memory, 256Mi free", why);
        await cluster.UntilAsync<VirtualMachine>("tiny", vm => vm.Status.PrintableStatus == PrintableStatuses.ErrorUnschedulable);
        Assert.Equal(why, (await cluster.EventAsync("FailedScheduling", "tiny")).Message);

        await cluster.AddNodeAsync("large");
        Assert.Equal("large", (await cluster.UntilAsync<VirtualMachineInstance>("tiny", seen => seen.Status.Phase == VirtualMachineInstancePhases.Running)).Status.NodeName);
    }

    [Fact]
    public async Task Many_guests_get_addresses_without_clash_and_nodes_without_overcommitment()
    {
        await using var cluster = await TestCluster.StartAsync(cidr: "10.77.0.0/26"); // 61 addresses, 4 nodes with room for 24 guests.
        foreach (var node in Enumerable.Range(0, 4))
        {
            await cluster.AddNodeAsync($"node-{node}", memory: "3852Mi"); // Six times 642Mi.
        }

        await Task.WhenAll(Enumerable.Range(0, 28).Select(index => cluster.CreateVmAsync($"vm-{index}")));
        IReadOnlyList<VirtualMachineInstance> vmis = [];
        await Eventually.HoldsAsync(
            async () =>
            {
                vmis = (await cluster.Client.For<VirtualMachineInstance>().ListAsync(ListOptions.All, Stopping)).Items;
                return vmis.Count(vmi => vmi.Status.Phase == VirtualMachineInstancePhases.Running) == 24
                    && vmis.Count(vmi => vmi.Status.Conditions.Any(condition => condition.Reason == "Unschedulable")) == 4;
            },
            () => string.Join(' ', vmis.Select(vmi => vmi.Status.Phase)));

        Assert.Equal(28, vmis.Select(vmi => Assert.Single(vmi.Status.Interfaces).IpAddress).Distinct().Count());
        Assert.Equal(28, vmis.Select(vmi => Assert.Single(vmi.Status.Interfaces).Mac).Distinct().Count());
        Assert.All(vmis.Where(vmi => vmi.Status.NodeName is not null).GroupBy(vmi => vmi.Status.NodeName), guests => Assert.Equal(6, guests.Count()));
    }

    [Fact]
    public async Task An_exhausted_pool_is_said_and_an_address_given_back_is_used()
    {
        await using var cluster = await TestCluster.StartAsync(cidr: "10.77.0.0/29"); // Five: four nodes' own, and one guest's.
        foreach (var name in new[] { "node-1", "node-2", "node-3", "node-4" })
        {
            await cluster.AddNodeAsync(name);
            await cluster.UntilAsync<Node>(name, node => node.Metadata.Annotations.ContainsKey(AnnotationNames.StationAddress));
        }

        await cluster.CreateVmAsync("one");
        await cluster.UntilAsync<VirtualMachineInstance>("one", vmi => vmi.Status.Phase == VirtualMachineInstancePhases.Running);

        await cluster.CreateVmAsync("two");
        await cluster.UntilAsync<VirtualMachineInstance>("two", vmi => vmi.Status.Conditions.Any(condition => condition.Reason == "AddressPoolExhausted"));
        await cluster.Client.For<VirtualMachine>().DeleteAsync(new ResourceKey("default", "one"), new DeleteOptions(), Stopping);

        await cluster.UntilAsync<VirtualMachineInstance>("two", vmi => vmi.Status.Phase == VirtualMachineInstancePhases.Running);
    }

    [Fact]
    public async Task The_controllers_work_is_counted_beside_the_servers_own()
    {
        await using var cluster = await TestCluster.StartAsync();
        await cluster.AddNodeAsync("node-1");
        await cluster.CreateVmAsync("tiny");
        await cluster.UntilAsync<VirtualMachine>("tiny", vm => vm.Status.PrintableStatus == PrintableStatuses.Running);

        var text = System.Text.Encoding.UTF8.GetString(
            await cluster.Client.SendForBytesAsync(new ClusterRequest(HttpMethod.Get, "/metrics") { Accept = "*/*" }, Stopping));

        Assert.Contains("godwit_controllers_leading 1\n", text, StringComparison.Ordinal);
        Assert.Matches("godwit_controller_looks_total\\{controller=\"virtualmachine\"\\} [1-9]", text);
        Assert.Contains("godwit_apiserver_watchers", text, StringComparison.Ordinal);
    }
}
