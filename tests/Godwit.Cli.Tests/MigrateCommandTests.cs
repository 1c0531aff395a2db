using Godwit.Api;
using Godwit.Api.Forecasts.V1Alpha1;
using Godwit.Api.KubeVirt.V1;
using Godwit.Api.Meta.V1;
using Godwit.Cli.Moves;
using Godwit.Client;
using Godwit.Migration.Convergence;

namespace Godwit.Cli.Tests;

/// <summary>Moves from a person's side. The test plays controller, agent and observer by writing what they would write.</summary>
public sealed class MigrateCommandTests : IAsyncLifetime
{
    private static readonly ModeForecast Expected = new()
    {
        Mode = MigrationModes.Precopy,
        TotalMs = new ForecastRange { Low = 1200, High = 1900 },
        DowntimeMs = new ForecastRange { Low = 20, High = 60 },
        Bytes = new ForecastRange { Low = 180L << 20, High = 230L << 20 },
        Confidence = 0.8,
        Converges = true,
        Reason = "the guest rewrites 64 MiB at 20 MB/s, and the link carries 117 MB/s",
    };

    private TestCluster cluster = null!;

    private static CancellationToken Stopping => TestCluster.Stopping;

    private ResourceClient<VirtualMachineInstanceMigration> Moves => cluster.Client.For<VirtualMachineInstanceMigration>();

    public async ValueTask InitializeAsync()
    {
        cluster = await TestCluster.StartAsync();
        await cluster.AddNodeAsync("node-1");
        await cluster.AddNodeAsync("node-2");
        await cluster.AddGuestAsync("tiny", "node-1");
    }

    public ValueTask DisposeAsync() => cluster.DisposeAsync();

    [Fact]
    public async Task A_move_is_asked_for_as_the_options_say_followed_and_ends_with_forecast_and_measurement_side_by_side()
    {
        var output = new WaitedWriter();
        var running = Ran.RunAsync(
            cluster.World with { Output = output },
            ["migrate", "tiny", "--to", "node-2", "--mode", "precopy", "--bandwidth", "50M", "--downtime", "50ms"],
            Stopping);
        var move = await AskedAsync();
        Assert.Equal("tiny", move.Spec.VmiName);
        Assert.Equal("node-2", move.Spec.AddedNodeSelector[LabelNames.Hostname]);
        Assert.Equal(("precopy", "50M", "50"), (move.Metadata.Annotations[AnnotationNames.Mode], move.Metadata.Annotations[AnnotationNames.Bandwidth], move.Metadata.Annotations[AnnotationNames.DowntimeLimitMs]));

        await output.UntilAsync("waiting for its turn");
        var scheduled = Scheduled() with { Forecast = Expected };
        move = await WriteAsync(move, scheduled);
        await output.UntilAsync("forecast by precopy");
        move = await WriteAsync(move, Copying(scheduled, round: 1, percent: 40));
        await output.UntilAsync("round 1");
        move = await WriteAsync(move, Copying(scheduled, round: 2, percent: 90));
        await output.UntilAsync("round 2");
        await WriteAsync(move, Succeeded(scheduled));

        var ran = await running;
        Assert.Equal((ExitCodes.Done, ""), (ran.ExitCode, ran.Error));
        Golden.Check("migrate", ran.Output);
    }

    [Fact]
    public async Task A_machine_that_is_stopped_has_nothing_to_move_and_is_told_so()
    {
        await cluster.RunAsync("vm", "create", "halted", "--stopped");
        var ran = await cluster.RunAsync("migrate", "halted", "--mode", "cold");

        Assert.Equal(ExitCodes.Failed, ran.ExitCode);
        Assert.Contains("halted is not running, so it has nothing to move: no disk of it lies on a node until it starts", ran.Error, StringComparison.Ordinal);
        Assert.Empty((await Moves.ListAsync(ListOptions.All, Stopping)).Items);
    }

    [Fact]
    public async Task A_program_gets_the_move_as_json_and_nothing_else_on_its_output()
    {
        var running = cluster.RunAsync("migrate", "tiny", "-o", "json");
        await WriteAsync(await AskedAsync(), Succeeded(Scheduled()));
        var ran = await running;
        var move = GodwitJson.Deserialize<VirtualMachineInstanceMigration>(ran.Output);
        Assert.Equal((ExitCodes.Done, 31L), (ran.ExitCode, move.Status.Measurement!.DowntimeMs));
    }

    [Fact]
    public async Task A_move_that_is_not_waited_for_leaves_its_name()
    {
        var ran = await cluster.RunAsync("migrate", "tiny", "--no-wait", "-o", "name");
        Assert.Equal((ExitCodes.Done, $"virtualmachineinstancemigration/{(await AskedAsync()).Metadata.Name}\n"), (ran.ExitCode, ran.Output));
    }

    [Fact]
    public async Task A_move_that_fails_is_exit_code_1_with_its_reasons()
    {
        var running = cluster.RunAsync("migrate", "tiny", "--to", "node-2");
        await WriteAsync(await AskedAsync(), new VirtualMachineInstanceMigrationStatus
        {
            Phase = MigrationPhases.Failed,
            MigrationState = new MigrationState { SourceNode = "node-1", TargetNode = "node-2", Failed = true },
            Conditions = [new Condition { Type = "Preflight", Status = ConditionStatuses.False, Reason = "TargetMemoryShort", Message = "node-2 has 100 MiB free and tiny needs 256 MiB: stop a guest there" }],
        });
        var ran = await running;
        Assert.Equal(ExitCodes.Failed, ran.ExitCode);
        Assert.Contains("error: tiny was not moved (node-1 → node-2): TargetMemoryShort: node-2 has 100 MiB free", ran.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Every_rule_that_ends_copying_has_words_and_an_unknown_one_is_shown_as_it_is()
    {
        Assert.All(Enum.GetNames<TerminationRule>(), rule => Assert.StartsWith(rule + ": ", MoveText.Termination(rule), StringComparison.Ordinal));
        Assert.Equal("SomethingNew", MoveText.Termination("SomethingNew"));
    }

    [Fact]
    public async Task A_move_that_somebody_cancels_says_where_the_guest_is()
    {
        var running = cluster.RunAsync("migrate", "tiny");
        var move = await AskedAsync();
        Assert.Equal($"{move.Metadata.Name}: cancel done\n", await cluster.PrintedAsync("migrate", "cancel", "tiny", "--wait"));
        var ran = await running;
        Assert.Equal(ExitCodes.Failed, ran.ExitCode);
        Assert.Contains("The move was cancelled; tiny is on node-1", ran.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Ctrl_C_stops_following_and_says_how_to_end_the_move()
    {
        using var interrupt = CancellationTokenSource.CreateLinkedTokenSource(Stopping);
        var output = new WaitedWriter();
        var running = Ran.RunAsync(cluster.World with { Output = output }, ["migrate", "tiny"], interrupt.Token);
        var move = await AskedAsync();
        await output.UntilAsync("waiting");
        await interrupt.CancelAsync();
        var ran = await running;
        Assert.Equal(ExitCodes.Interrupted, ran.ExitCode);
        Assert.Contains($"godwit migrate cancel {move.Metadata.Name}", ran.Error, StringComparison.Ordinal);
        Assert.Null((await Moves.GetAsync(ResourceKey.Of(move), Stopping)).Metadata.DeletionTimestamp);
    }

    [Fact]
    public async Task What_cannot_be_moved_is_told_before_anything_is_asked_for()
    {
        await cluster.RunAsync("vm", "create", "idle", "--stopped");
        await cluster.Client.For<VirtualMachineInstance>().CreateAsync(
            new VirtualMachineInstance
            {
                Metadata = new ObjectMeta { Name = "young", Namespace = "default" },
                Spec = new VirtualMachineInstanceSpec { Domain = new DomainSpec { Memory = new Memory { Guest = Base.Quantity.Parse("64Mi") } } },
            },
            Stopping);
        foreach (var (line, exitCode, words) in new (string[], int, string)[]
        {
            (["migrate", "idle"], ExitCodes.Failed, "godwit vm start idle"),
            (["migrate", "young"], ExitCodes.Failed, "it is Pending"),
            (["migrate", "tinny"], ExitCodes.NotFound, "Did you mean 'tiny'?"),
            (["migrate", "tiny", "--to", "node-3"], ExitCodes.NotFound, "Did you mean 'node-1'?"),
            (["migrate", "cancel", "tiny"], ExitCodes.Failed, "not being moved"),
            (["migrate", "cancel", "tinny"], ExitCodes.NotFound, "Did you mean 'tiny'?"),
        })
        {
            var ran = await cluster.RunAsync(line);
            Assert.Equal(exitCode, ran.ExitCode);
            Assert.Contains(words, ran.Error, StringComparison.Ordinal);
        }

        Assert.Empty((await Moves.ListAsync(ListOptions.All, Stopping)).Items);
    }

    [Fact]
    public async Task Moves_are_listed_with_where_they_stand()
    {
        await WriteAsync(await MakeAsync("tiny-done"), Succeeded(Scheduled()));
        await WriteAsync(await MakeAsync("tiny-now"), Copying(Scheduled(), round: 2, percent: 63));
        await MakeAsync("tiny-waits");
        Golden.Check("migrate-list", await cluster.PrintedAsync("migrate", "list"));
        Golden.Check("migrate-list-wide", await cluster.PrintedAsync("migrate", "list", "-o", "wide"));
    }

    private static VirtualMachineInstanceMigrationStatus Scheduled() => new()
    {
        Phase = MigrationPhases.Scheduled,
        MigrationState = new MigrationState { SourceNode = "node-1", TargetNode = "node-2" },
    };

    private static VirtualMachineInstanceMigrationStatus Copying(VirtualMachineInstanceMigrationStatus scheduled, int round, int percent) => scheduled with
    {
        Phase = MigrationPhases.Running,
        Progress = new MigrationProgress
        {
            Phase = MovePhases.Precopying,
            Round = round,
            TransferredBytes = 120L << 20,
            RemainingBytes = 12L << 20,
            TotalBytes = 256L << 20,
            ThroughputBytesPerSecond = 117_000_000,
            DirtyBytesPerSecond = 20_000_000,
            Percent = percent,
            EndEarliestTimestamp = DateTimeOffset.UnixEpoch.AddSeconds(12),
            EndLatestTimestamp = DateTimeOffset.UnixEpoch.AddSeconds(21),
            SuccessChancePercent = 76,
            UpdatedTimestamp = DateTimeOffset.UnixEpoch.AddSeconds(10),
        },
    };

    private static VirtualMachineInstanceMigrationStatus Succeeded(VirtualMachineInstanceMigrationStatus scheduled) => scheduled with
    {
        Phase = MigrationPhases.Succeeded,
        Progress = new MigrationProgress { Phase = MovePhases.Completed, Percent = 100 },
        Measurement = new MigrationMeasurement
        {
            TotalMs = 1420,
            DowntimeMs = 31,
            PausedMs = 38,
            NetworkDowntimeMs = 44,
            Bytes = 197L << 20,
            Rounds = 3,
            Termination = "FitsDowntimeLimit",
            Reachable = true,
        },
    };

    private async Task<VirtualMachineInstanceMigration> AskedAsync()
    {
        while (true)
        {
            if ((await Moves.ListAsync(ListOptions.All, Stopping)).Items is [var move])
            {
                return move;
            }
        }
    }

    private Task<VirtualMachineInstanceMigration> MakeAsync(string name) => Moves.CreateAsync(
        new VirtualMachineInstanceMigration
        {
            Metadata = new ObjectMeta { Name = name, Namespace = "default" },
            Spec = new VirtualMachineInstanceMigrationSpec { VmiName = "tiny" },
        },
        Stopping);

    private Task<VirtualMachineInstanceMigration> WriteAsync(VirtualMachineInstanceMigration move, VirtualMachineInstanceMigrationStatus status) =>
        Moves.ChangeStatusAsync(move, move with { Status = status }, Stopping);
}
