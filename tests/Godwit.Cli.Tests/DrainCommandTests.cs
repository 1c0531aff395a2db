using Godwit.Api;
using Godwit.Api.Core.V1;
using Godwit.Api.Forecasts.V1Alpha1;
using Godwit.Api.Groups.V1Alpha1;
using Godwit.Client;

namespace Godwit.Cli.Tests;

/// <summary>Moves of several guests from a person's side. The test plays the controller by writing what it would write.</summary>
public sealed class DrainCommandTests : IAsyncLifetime
{
    private TestCluster cluster = null!;

    private static CancellationToken Stopping => TestCluster.Stopping;

    private ResourceClient<GroupMigration> Groups => cluster.Client.For<GroupMigration>();

    public async ValueTask InitializeAsync()
    {
        cluster = await TestCluster.StartAsync();
        await cluster.AddNodeAsync("node-1");
        await cluster.AddNodeAsync("node-2");
        await cluster.AddGuestAsync("web", "node-1");
        await cluster.AddGuestAsync("db", "node-1");
    }

    public ValueTask DisposeAsync() => cluster.DisposeAsync();

    [Fact]
    public async Task A_dry_run_shows_who_goes_where_and_until_when_and_cordons_and_leaves_nothing()
    {
        var running = cluster.RunAsync("drain", "node-1", "--dry-run");
        var asked = await AskedAsync();
        Assert.Equal(("node-1", true, true), (asked.Spec.Selector!.NodeName, asked.Spec.KeepHome, asked.Spec.PlanOnly));
        await WriteAsync(asked, Planned(GroupPhases.Planned) with { Members = [.. Planned(GroupPhases.Planned).Members, new() { Namespace = "default", Name = "huge", Phase = GroupMemberPhases.Refused, SourceNode = "node-1", Reason = "0 of 2 nodes fit: node-2: needs 33000Mi memory, 400Mi free" }] });

        var ran = await running;

        Assert.Equal((ExitCodes.Done, ""), (ran.ExitCode, ran.Error));
        Golden.Check("drain-dry-run", Named(ran.Output, asked));
        Assert.Null((await NodeAsync()).Spec.Unschedulable);
        Assert.Empty((await Groups.ListAsync(ListOptions.All, Stopping)).Items);
    }

    [Fact]
    public async Task A_drain_cordons_shows_its_plan_follows_each_guest_and_ends_with_forecast_and_measurement()
    {
        var output = new WaitedWriter();
        var running = Ran.RunAsync(cluster.World with { Output = output }, ["drain", "node-1", "--strategy", "parallel", "--parallel", "2", "--attempts", "5"], Stopping);
        var group = await AskedAsync();
        Assert.True((await NodeAsync()).Spec.Unschedulable);
        Assert.Equal((GroupStrategies.Parallel, 2, 5), (group.Spec.Strategy, group.Spec.ParallelMax, group.Spec.AttemptsMax));
        var planned = Planned(GroupPhases.Running);
        group = await WriteAsync(group, planned);
        await output.UntilAsync("Strategy serial");
        group = await WriteAsync(group, planned with { Members = [In(planned.Members[0], GroupMemberPhases.Moving), planned.Members[1]] });
        await output.UntilAsync("moving node-1");
        await WriteAsync(group, planned with
        {
            Phase = GroupPhases.Succeeded,
            Members = [In(planned.Members[0], GroupMemberPhases.Moved), In(planned.Members[1], GroupMemberPhases.Moved)],
            Measurement = new GroupMeasurement { TotalMs = 3100, DowntimeMs = 48, Bytes = 210L << 20, Moved = 2, Retries = 0 },
        });

        var ran = await running;

        Assert.Equal((ExitCodes.Done, ""), (ran.ExitCode, ran.Error));
        Golden.Check("drain", Named(ran.Output, group));
    }

    [Fact]
    public async Task Guests_that_did_not_move_are_exit_code_1_with_their_reasons()
    {
        var running = cluster.RunAsync("drain", "node-1");
        await WriteAsync(await AskedAsync(), Planned(GroupPhases.Failed) with { Reason = "1 of 2 guests did not move: db: 3 tries failed, the last one to node-2: the link broke" });

        var ran = await running;

        Assert.Equal(ExitCodes.Failed, ran.ExitCode);
        Assert.Contains("error: 1 of 2 guests did not move: db: 3 tries failed", ran.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Ctrl_C_cancels_a_drain_and_says_how_the_node_stands()
    {
        using var interrupt = CancellationTokenSource.CreateLinkedTokenSource(Stopping);
        var output = new WaitedWriter();
        var running = Ran.RunAsync(cluster.World with { Output = output }, ["drain", "node-1"], interrupt.Token);
        await WriteAsync(await AskedAsync(), Planned(GroupPhases.Running));
        await output.UntilAsync("Strategy serial");
        await interrupt.CancelAsync();

        var ran = await running;

        Assert.Equal(ExitCodes.Interrupted, ran.ExitCode);
        Assert.Contains("node-1 stays cordoned: godwit uncordon node-1", ran.Error, StringComparison.Ordinal);
        Assert.Empty((await Groups.ListAsync(ListOptions.All, Stopping)).Items);
    }

    [Fact]
    public async Task A_node_is_cordoned_and_uncordoned_and_its_guests_are_asked_home()
    {
        Assert.Equal("node-1 cordoned\n", await cluster.PrintedAsync("cordon", "node-1"));
        Assert.Equal("node-1 uncordoned\n", await cluster.PrintedAsync("uncordon", "node-1"));
        Assert.Null((await NodeAsync()).Spec.Unschedulable);

        var running = cluster.RunAsync("uncordon", "node-1", "--restore");
        var group = await AskedAsync();
        Assert.Equal(("node-1", "node-1"), (group.Spec.Selector!.HomeNode, group.Spec.TargetNode));
        await WriteAsync(group, new() { Phase = GroupPhases.Succeeded, Measurement = new() { Moved = 0 } });
        Assert.Equal(ExitCodes.Done, (await running).ExitCode);
    }

    [Fact]
    public async Task Several_are_planned_and_moved_by_name_or_label_and_a_group_is_cancelled_by_its_name()
    {
        var running = cluster.RunAsync("migrate", "--group", "web", "db", "--strategy", "serial", "-o", "json");
        var group = await AskedAsync();
        Assert.Equal(["web", "db"], group.Spec.Members.Select(member => member.Name));
        Assert.Equal($"{group.Metadata.Name}: cancel done\n", await cluster.PrintedAsync("migrate", "cancel", group.Metadata.Name, "--wait"));
        Assert.Contains("was cancelled", (await running).Error, StringComparison.Ordinal);

        running = cluster.RunAsync("plan", "-l", "app=shop,tier=front");
        group = await AskedAsync();
        Assert.Equal(("default", "front"), (group.Spec.Selector!.Namespace, group.Spec.Selector.MatchLabels["tier"]));
        await WriteAsync(group, Planned(GroupPhases.Planned));
        Assert.Equal(ExitCodes.Done, (await running).ExitCode);
    }

    [Fact]
    public async Task What_makes_no_sense_is_told_before_anything_is_asked_for()
    {
        foreach (var (line, exitCode, words) in new (string[], int, string)[]
        {
            (["drain", "nod-1"], ExitCodes.NotFound, "Did you mean 'node-1'?"),
            (["drain", "node-1", "--to", "node-9"], ExitCodes.NotFound, "node-9"),
            (["drain", "node-1", "--strategy", "sideways"], ExitCodes.Usage, "sideways"),
            (["uncordon", "node-1", "--parallel", "2"], ExitCodes.Usage, "give --restore too"),
            (["plan"], ExitCodes.Usage, "--group"),
            (["plan", "-l", "shop"], ExitCodes.Usage, "name=value"),
            (["migrate"], ExitCodes.Usage, "Which machine?"),
            (["migrate", "web", "--strategy", "serial"], ExitCodes.Usage, "for several machines"),
            (["migrate", "--group", "web", "--bandwidth", "5M"], ExitCodes.Usage, "a MigrationPolicy"),
            (["migrate", "--group", "web", "dbb"], ExitCodes.NotFound, "Did you mean 'db'?"),
        })
        {
            var ran = await cluster.RunAsync(line);
            Assert.True(ran.ExitCode == exitCode, $"{string.Join(' ', line)}: {ran.ExitCode}: {ran.Error}");
            Assert.Contains(words, ran.Error, StringComparison.Ordinal);
        }

        Assert.Empty((await Groups.ListAsync(ListOptions.All, Stopping)).Items);
    }

    private static GroupMigrationStatus Planned(string phase) => new()
    {
        Phase = phase,
        Strategy = GroupStrategies.Serial,
        Reason = "serial: moving together saves little (about 2.9 s against 3 s), and alone each has the whole link",
        Members =
        [
            Member("web", 1100, 1700), Member("db", 900, 1300),
        ],
        Forecasts =
        [
            new() { Strategy = GroupStrategies.Serial, Parallel = 1, TotalMs = new() { Low = 2000, High = 3000 }, DowntimeMs = new() { Low = 30, High = 60 }, TextbookTotalMs = 2400, TextbookDowntimeMs = 55 },
            new() { Strategy = GroupStrategies.Parallel, Parallel = 2, TotalMs = new() { Low = 1900, High = 2900 }, DowntimeMs = new() { Low = 40, High = 90 }, Refusal = "2 that write at once (db, web) fill 1.2 of the link from node-1, and it takes less than 1" },
        ],
    };

    private static GroupMember Member(string name, long low, long high) => new()
    {
        Namespace = "default",
        Name = name,
        Phase = GroupMemberPhases.Waiting,
        SourceNode = "node-1",
        TargetNode = "node-2",
        Mode = MigrationModes.Auto,
        Forecast = new() { TotalMs = new() { Low = low, High = high }, DowntimeMs = new() { Low = 30, High = 60 }, Confidence = 0.7 },
    };

    private static GroupMember In(GroupMember member, string phase) => member with { Phase = phase, Attempts = 1, TotalMs = 1400, DowntimeMs = 48 };

    private static string Named(string output, GroupMigration group) => output.Replace(group.Metadata.Name, "drain-12345", StringComparison.Ordinal);

    private async Task<Node> NodeAsync() => await cluster.Client.For<Node>().GetAsync(new ResourceKey("", "node-1"), Stopping);

    private async Task<GroupMigration> AskedAsync()
    {
        while (true)
        {
            if ((await Groups.ListAsync(ListOptions.All, Stopping)).Items is [var group])
            {
                return group;
            }
        }
    }

    private Task<GroupMigration> WriteAsync(GroupMigration group, GroupMigrationStatus status) => Groups.ChangeStatusAsync(group, group with { Status = status }, Stopping);
}
