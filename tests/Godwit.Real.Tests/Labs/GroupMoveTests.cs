using System.Text.Json.Nodes;
using Godwit.Api.Groups.V1Alpha1;
using Godwit.Api.KubeVirt.V1;
using Godwit.Client;
using Event = Godwit.Api.Core.V1.Event;

namespace Godwit.Real.Tests.Labs;

/// <summary>Four guests on one node, for all cases of a class.</summary>
public sealed class FourGuests(GodwitLab lab) : IAsyncLifetime
{
    private readonly List<TinyGuest> guests = [];

    public GodwitLab Lab => lab;

    internal IReadOnlyList<TinyGuest> All => guests;

    public async ValueTask InitializeAsync()
    {
        (await lab.GodwitAsync("cordon", "node-2")).MustSucceed(); // So that all begin on node-1.
        foreach (var name in (string[])["front", "middle", "back", "store"])
        {
            guests.Add(await TinyGuest.StartAsync(lab, name, "tiny.rate=4M tiny.set=8M tiny.ballast=8M", memoryMib: 128));
        }

        (await lab.GodwitAsync("uncordon", "node-2")).MustSucceed();
    }

    public async ValueTask DisposeAsync()
    {
        await lab.GodwitAsync("uncordon", "node-1");
        await lab.GodwitAsync("uncordon", "node-2");
        foreach (var guest in guests)
        {
            await guest.DisposeAsync();
        }
    }
}

/// <summary>Several real guests moved by one plan: a node is emptied and filled again, each strategy, and a failure in one member.</summary>
[Collection(LabCollection.Name)]
[Trait("Needs", "qemu")]
public sealed class GroupMoveTests(FourGuests four) : IClassFixture<FourGuests>
{
    private static readonly TimeSpan Bound = TimeSpan.FromMinutes(4);

    private GodwitLab Lab => four.Lab;

    [Fact]
    public async Task A_node_is_emptied_by_the_plan_that_was_shown_and_its_guests_come_home()
    {
        await AllToAsync("node-1");
        var counters = await CountersAsync();
        using var connection = await four.All[0].ConnectAsync();
        await connection.RequestAsync();

        var plan = await RunAsync("drain", "node-1", "--dry-run", "-o", "json");
        Assert.Equal("Planned", Text(plan, "phase"));
        Assert.Equal(["node-2", "node-2", "node-2", "node-2"], Members(plan).Select(member => member["targetNode"]!.GetValue<string>()));
        Assert.All(Members(plan), member => Assert.True(member["forecast"]!["totalMs"]!["high"]!.GetValue<long>() > 0));
        Assert.Equal(["serial", "parallel", "mixed"], plan["status"]!["forecasts"]!.AsArray().Select(each => each!["strategy"]!.GetValue<string>()));
        await AllMustBeWholeAsync("node-1", counters);

        var drained = await RunAsync("drain", "node-1", "--strategy", "parallel", "-o", "json");
        Assert.Equal(("Succeeded", 4), (Text(drained, "phase"), Measured(drained, "moved")));
        Assert.True(Measured(drained, "totalMs") > 0 && Measured(drained, "bytes") > 1 << 20);
        await AllMustBeWholeAsync("node-2", counters);
        await connection.RequestAsync();

        var home = await RunAsync("uncordon", "node-1", "--restore", "--strategy", "mixed", "--parallel", "1", "-o", "json");
        Assert.Equal(("Succeeded", 4, "mixed"), (Text(home, "phase"), Measured(home, "moved"), Text(home, "strategy")));
        Assert.Equal(["precopy", "postcopy", "postcopy", "postcopy"], Members(home).Select(member => member["mode"]!.GetValue<string>()));
        await AllMustBeWholeAsync("node-1", counters);
        await connection.RequestAsync();
    }

    [Fact]
    public async Task A_member_whose_target_dies_is_tried_again_and_the_group_arrives_whole()
    {
        await AllToAsync("node-1");
        var counters = await CountersAsync();
        var victim = four.All[1];
        const string Slow = """
            apiVersion: migrations.kubevirt.io/v1alpha1
            kind: MigrationPolicy
            metadata: { name: group-slow }
            spec: { bandwidthPerMigration: 1M, selectors: { virtualMachineInstanceSelector: { app: middle } } }
            """;
        (await Lab.KubectlAsync(Slow, "create", "-f", "-")).MustSucceed();
        try
        {
            var moving = RunAsync("migrate", "--group", "front", "middle", "back", "store", "--to", "node-2", "--strategy", "serial", "-o", "json");
            var source = Assert.Single(victim.ProcessIds());
            await Eventually.IsTrueAsync("memory of middle is under way", Bound, async () =>
                (await Lab.Cluster.For<VirtualMachineInstanceMigration>().ListAsync(ListOptions.All, TestContext.Current.CancellationToken)).Items
                    .Any(move => move.Spec.VmiName == victim.Name && move.Status is { Phase: MigrationPhases.Running, Progress: { Phase: MovePhases.Precopying, TransferredBytes: > 0 } }));
            (await Lab.KubectlAsync(null, "delete", "migrationpolicy", "group-slow")).MustSucceed();
            await GodwitLab.KillAsync(Assert.Single(victim.ProcessIds(), process => process != source));

            var moved = await moving;

            Assert.Equal(("Succeeded", 4, "serial", 1), (Text(moved, "phase"), Measured(moved, "moved"), Text(moved, "strategy"), Measured(moved, "retries")));
            Assert.Contains("try 1 to node-2 failed", Members(moved).Single(member => member["name"]!.GetValue<string>() == "middle")["reason"]!.GetValue<string>(), StringComparison.Ordinal);
            await AllMustBeWholeAsync("node-2", counters);
        }
        finally
        {
            await Lab.KubectlAsync(null, "delete", "migrationpolicy", "group-slow", "--ignore-not-found");
        }
    }

    /// <summary>A front end and what it keeps its data in: no moment in which one of them ran at its target while the other had not stopped yet.</summary>
    [Fact]
    public async Task Two_guests_that_are_one_service_stop_together_and_a_connection_to_each_lives_on()
    {
        await AllToAsync("node-1");
        var counters = await CountersAsync();
        TinyGuest[] service = [four.All[0], four.All[3]];
        using var front = await service[0].ConnectAsync();
        using var store = await service[1].ConnectAsync();
        await front.RequestAsync();
        await store.RequestAsync();

        var moved = await RunAsync("migrate", "--group", "front", "store", "--to", "node-2", "--promise", "one-service", "-o", "json");

        Assert.Equal(("Succeeded", 2, "parallel"), (Text(moved, "phase"), Measured(moved, "moved"), Text(moved, "strategy")));
        Assert.Equal("RunAll", moved["status"]!["service"]!["decision"]!.GetValue<string>());
        await front.RequestAsync();
        await store.RequestAsync();
        await service[0].MustBeWholeAsync("node-2", counters[0]);
        await service[1].MustBeWholeAsync("node-2", counters[3]);

        var measured = (await MovesOfAsync(moved)).Select(move => move.Status.Measurement!).ToList();
        Assert.True(
            measured.Max(each => each.PausedTimestamp) < measured.Min(each => each.RunningTimestamp),
            string.Join("; ", measured.Select(each => $"stood still from {each.PausedTimestamp:O} to {each.RunningTimestamp:O}")));
        TestContext.Current.SendDiagnosticMessage($"The service stood still for {Measured(moved, "downtimeMs")} ms; expected: {moved["status"]!["forecasts"]![0]!["downtimeMs"]}.");
    }

    [Fact]
    public async Task When_one_guest_of_a_service_loses_its_target_all_return_and_run_on()
    {
        await AllToAsync("node-1");
        var counters = await CountersAsync();
        var (victim, other) = (four.All[2], four.All[0]);
        const string Slow = """
            apiVersion: migrations.kubevirt.io/v1alpha1
            kind: MigrationPolicy
            metadata: { name: service-slow }
            spec: { bandwidthPerMigration: 4M, selectors: { virtualMachineInstanceSelector: { app: back } } }
            """;
        (await Lab.KubectlAsync(Slow, "create", "-f", "-")).MustSucceed();
        try
        {
            var source = Assert.Single(victim.ProcessIds());
            var moving = Lab.GodwitAsync(Bound, "migrate", "--group", "front", "back", "--to", "node-2", "--promise", "one-service", "--attempts", "1", "-o", "json");

            // The other one has come to its last rounds and waits for this one, whose memory is still under way.
            await Eventually.IsTrueAsync("front waits for back", Bound, async () =>
                (await MovesAsync()).Any(move => move.Spec.VmiName == other.Name && move.Status.Service?.Standing == ServiceStandings.Gathered)
                && (await MovesAsync()).Any(move => move.Spec.VmiName == victim.Name && move.Status is { Phase: MigrationPhases.Running, Progress.TransferredBytes: > 0 }));
            await GodwitLab.KillAsync(Assert.Single(victim.ProcessIds(), process => process != source));

            var ended = await moving;
            Assert.NotEqual(0, ended.ExitCode);
            var group = JsonNode.Parse(ended.Output)!;
            Assert.Equal(("Failed", 0), (Text(group, "phase"), Measured(group, "moved")));
            Assert.Equal("ReturnAll", group["status"]!["service"]!["decision"]!.GetValue<string>());
            Assert.StartsWith("back: ", group["status"]!["service"]!["reason"]!.GetValue<string>(), StringComparison.Ordinal);
            await other.MustBeWholeAsync("node-1", counters[0]);
            await victim.MustBeWholeAsync("node-1", counters[2]);
        }
        finally
        {
            await Lab.KubectlAsync(null, "delete", "migrationpolicy", "service-slow", "--ignore-not-found");
        }
    }

    /// <summary>One command: first one of them fails and all return, then the same four arrive together.</summary>
    [Fact]
    public async Task Four_guests_that_are_one_service_all_return_when_one_of_them_fails_and_arrive_together_in_the_next_attempt()
    {
        await AllToAsync("node-1");
        var counters = await CountersAsync();
        var victim = four.All[1];
        const string Slow = """
            apiVersion: migrations.kubevirt.io/v1alpha1
            kind: MigrationPolicy
            metadata: { name: four-slow }
            spec: { bandwidthPerMigration: 8M, selectors: { virtualMachineInstanceSelector: { app: middle } } }
            """;
        (await Lab.KubectlAsync(Slow, "create", "-f", "-")).MustSucceed();
        Task<JsonNode> moving;
        try
        {
            var source = Assert.Single(victim.ProcessIds());
            moving = RunAsync("migrate", "--group", "front", "middle", "back", "store", "--to", "node-2", "--promise", "one-service", "-o", "json");
            await UnlessEndedAsync(moving, "memory of the one that takes longest is on its way", async () =>
                (await MovesAsync()).Any(move => move.Spec.VmiName == victim.Name && move.Status is { Phase: MigrationPhases.Running, Service: not null, Progress.TransferredBytes: > 0 }));
            await GodwitLab.KillAsync(Assert.Single(victim.ProcessIds(), process => process != source));
            await UnlessEndedAsync(moving, "another attempt is made", async () => (await GroupsAsync()).Any(group => group.Status is { Phase: GroupPhases.Running, Service.Attempt: > 1 }));
        }
        finally
        {
            await Lab.KubectlAsync(null, "delete", "migrationpolicy", "four-slow", "--ignore-not-found");
        }

        var moved = await moving;

        Assert.Equal(("Succeeded", 4, "RunAll"), (Text(moved, "phase"), Measured(moved, "moved"), moved["status"]!["service"]!["decision"]!.GetValue<string>()));
        Assert.InRange(Measured(moved, "retries"), 1, 2);
        await Eventually.IsTrueAsync("an event tells of the attempt that returned", Bound, async () =>
            (await Lab.Cluster.For<Event>().ListAsync(new ListOptions { Namespace = "default" }, TestContext.Current.CancellationToken)).Items
                .Any(each => each.Reason == "GroupReturned" && each.InvolvedObject.Name == moved["metadata"]!["name"]!.GetValue<string>()));
        await AllMustBeWholeAsync("node-2", counters);
        var measured = (await MovesOfAsync(moved)).Select(move => move.Status.Measurement!).ToList();
        Assert.True(measured.Max(each => each.PausedTimestamp) < measured.Min(each => each.RunningTimestamp), "One of them ran at its target before another had stopped.");
    }

    /// <summary>A command that ends before what is waited for has happened says why it did.</summary>
    private static Task UnlessEndedAsync(Task<JsonNode> moving, string what, Func<Task<bool>> look) => Eventually.IsTrueAsync(what, Bound, async () =>
    {
        if (await look())
        {
            return true;
        }

        Assert.False(moving.IsCompleted, $"The command ended before this: {what}. {(moving.IsCompletedSuccessfully ? (await moving)["status"]!.ToJsonString() : moving.Exception?.Message)}");
        return false;
    });

    private async Task<IReadOnlyList<GroupMigration>> GroupsAsync() =>
        (await Lab.Cluster.For<GroupMigration>().ListAsync(ListOptions.All, TestContext.Current.CancellationToken)).Items;

    private async Task<IReadOnlyList<VirtualMachineInstanceMigration>> MovesAsync() =>
        (await Lab.Cluster.For<VirtualMachineInstanceMigration>().ListAsync(ListOptions.All, TestContext.Current.CancellationToken)).Items;

    private async Task<IReadOnlyList<VirtualMachineInstanceMigration>> MovesOfAsync(JsonNode group)
    {
        var names = Members(group).Select(member => member["migration"]!.GetValue<string>()).ToHashSet();
        return [.. (await MovesAsync()).Where(move => names.Contains(move.Metadata.Name))];
    }

    /// <summary>Where the case before left them does not matter.</summary>
    private async Task AllToAsync(string node)
    {
        foreach (var guest in four.All)
        {
            if (await guest.NodeAsync() != node)
            {
                (await Lab.GodwitAsync(Bound, "migrate", guest.Name, "--to", node)).MustSucceed();
            }
        }
    }

    private async Task<IReadOnlyList<long>> CountersAsync()
    {
        var counters = new List<long>();
        foreach (var guest in four.All)
        {
            counters.Add(await guest.CounterAsync());
        }

        return counters;
    }

    private async Task AllMustBeWholeAsync(string node, IReadOnlyList<long> counters)
    {
        foreach (var (guest, counter) in four.All.Zip(counters))
        {
            await guest.MustBeWholeAsync(node, counter);
        }
    }

    private async Task<JsonNode> RunAsync(params string[] line) => JsonNode.Parse((await Lab.GodwitAsync(Bound, line)).MustSucceed().Output)!;

    private static string Text(JsonNode group, string name) => group["status"]![name]!.GetValue<string>();

    private static long Measured(JsonNode group, string name) => group["status"]!["measurement"]![name]?.GetValue<long>() ?? 0;

    private static IEnumerable<JsonNode> Members(JsonNode group) => group["status"]!["members"]!.AsArray().Select(member => member!);
}
