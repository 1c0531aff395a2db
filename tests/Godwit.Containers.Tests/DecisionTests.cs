using Godwit.Containers.Health;
using Godwit.Containers.Monitoring;
using Godwit.Linux.Files;
using Godwit.Oci;

namespace Godwit.Containers.Tests;

public sealed class DecisionTests
{
    private static readonly DateTimeOffset Start = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    [Theory]
    [InlineData(RestartMode.Never, 1, 0, false)]
    [InlineData(RestartMode.Always, 0, 9, true)]
    [InlineData(RestartMode.OnFailure, 0, 0, false)]
    [InlineData(RestartMode.OnFailure, 1, 2, true)]
    [InlineData(RestartMode.OnFailure, 1, 3, false)]
    [InlineData(RestartMode.UnlessStopped, 1, 0, true)]
    public void The_restart_policy_decides_by_code_and_streak(RestartMode mode, int code, int streak, bool restarts) =>
        Assert.Equal(restarts, RestartDecision.Decide(Record(new RestartPolicy(mode, 3)), Exit(code, TimeSpan.FromSeconds(1)), streak) is not null);

    [Fact]
    public void Waits_grow_and_begin_anew_after_a_good_run_and_a_stop_by_hand_ends_them()
    {
        var record = Record(new RestartPolicy(RestartMode.Always));
        var waits = Enumerable.Range(0, 12).Select(streak => RestartDecision.Decide(record, Exit(1, TimeSpan.FromSeconds(1)), streak)!.Value).ToList();
        Assert.Equal(waits.Order(), waits);
        Assert.Equal(TimeSpan.FromMilliseconds(100), waits[0]);
        Assert.Equal(TimeSpan.FromMinutes(1), waits[^1]);
        Assert.Equal(waits[0], RestartDecision.Decide(record, Exit(1, TimeSpan.FromSeconds(10)), 11));
        Assert.Null(RestartDecision.Decide(record with { StoppedByHand = true }, Exit(1, TimeSpan.FromSeconds(1)), 0));
    }

    [Fact]
    public void Health_turns_after_so_many_failures_and_failures_at_the_start_do_not_count()
    {
        var spec = new HealthCheckSpec { Command = ["x"], Retries = 2, StartPeriod = TimeSpan.FromSeconds(10) };
        var health = HealthDecision.First;
        health = HealthDecision.Next(health, Probe(1), spec, TimeSpan.FromSeconds(5));
        Assert.Equal((HealthStatus.Starting, 0), (health.Status, health.FailingStreak));
        health = HealthDecision.Next(health, Probe(0), spec, TimeSpan.FromSeconds(6));
        Assert.Equal(HealthStatus.Healthy, health.Status);
        health = HealthDecision.Next(health, Probe(1), spec, TimeSpan.FromSeconds(7));
        Assert.Equal(HealthStatus.Healthy, health.Status);
        health = HealthDecision.Next(health, Probe(1), spec, TimeSpan.FromSeconds(8));
        Assert.Equal(HealthStatus.Unhealthy, health.Status);
        Assert.Equal(4, health.Probes.Count);
    }

    [Theory]
    [InlineData("crun: executable file `nothing` not found in $PATH: No such file or directory", 127)]
    [InlineData("crun: open executable: Permission denied", 126)]
    [InlineData("crun: exec: Exec format error", 126)]
    [InlineData("crun: writing file: Invalid argument", 125)]
    public void The_runtimes_words_become_the_codes_that_people_know(string words, int code) => Assert.Equal(code, Monitors.Refused(words).Code);

    [Fact]
    public void The_unified_hierarchy_is_hidden_where_controllers_are_elsewhere_and_nowhere_else()
    {
        var unified = new Mount("cgroup2", "/sys/fs/cgroup/unified", "cgroup2");
        Assert.Equal([unified.Path], Monitors.FindHybrid([new Mount("cgroup", "/sys/fs/cgroup/memory", "cgroup"), unified]));
        Assert.Empty(Monitors.FindHybrid([unified with { Path = "/sys/fs/cgroup" }]));
    }

    [Fact]
    public void An_images_defaults_fill_what_the_user_left_open_and_nothing_else()
    {
        var image = new ImageDefaults
        {
            Entrypoint = ["/entry"],
            Cmd = ["serve"],
            Env = ["A=image", "B=image"],
            WorkingDir = "/srv",
            User = "web",
            Volumes = new Dictionary<string, EmptyObject> { ["/data"] = EmptyObject.Value, ["/own"] = EmptyObject.Value },
            StopSignal = "SIGINT",
        };
        var bare = new ContainerSpec { Image = "i", ImageId = "i", Process = new ProcessSpec() };
        var plain = SpecDefaults.Apply(bare, image);
        Assert.Equal(["/entry", "serve"], plain.Process.Arguments);
        Assert.Equal(("/srv", "web", "SIGINT"), (plain.Process.WorkingDirectory, plain.Process.User, plain.Stop.Signal));
        Assert.All(plain.Mounts.Cast<MountSpec.Volume>(), volume => Assert.True(volume.Anonymous));

        var said = SpecDefaults.Apply(bare with { Process = new ProcessSpec { Command = ["other"], Environment = ["A=user"] }, Mounts = [new MountSpec.Bind("/host", "/own")] }, image);
        Assert.Equal(["/entry", "other"], said.Process.Arguments);
        Assert.Equal(["A=image", "B=image", "A=user"], said.Process.Environment);
        Assert.Equal(["/own", "/data"], said.Mounts.Select(mount => mount.Target));

        // Another entrypoint makes the image's command meaningless.
        Assert.Equal(["/mine"], SpecDefaults.Apply(bare with { Process = new ProcessSpec { Entrypoint = ["/mine"] } }, image).Process.Arguments);
        Assert.Equal(["only"], SpecDefaults.Apply(bare with { Process = new ProcessSpec { Command = ["only"] } }, image, clearsEntrypoint: true).Process.Arguments);
    }

    [Fact]
    public void A_record_reads_back_as_it_was_written()
    {
        var record = Record(new RestartPolicy(RestartMode.OnFailure, 3)) with { State = new ContainerState.Exited(Exit(3, TimeSpan.FromSeconds(2))) };
        var spec = record.Spec with
        {
            Mounts = [new MountSpec.Bind("/a", "/b") { ReadOnly = true }, new MountSpec.Volume("v", "/v"), new MountSpec.Memory("/m") { SizeBytes = 5 }],
            Isolation = new IsolationSpec { ProcessNamespace = new NamespaceSpec.OfContainer("x"), SystemCalls = new SystemCallFilter.None() },
        };
        record = record with { Spec = spec };
        var path = Path.GetTempFileName();
        record.Write(path);
        var read = ContainerRecord.Read(path);
        File.Delete(path);
        Assert.NotNull(read);
        Assert.Equal(record.ToJson(), read.ToJson());
        Assert.Equal(record.State, read.State);
    }

    [Fact]
    public async Task Events_come_in_order_past_and_present_without_a_gap()
    {
        var log = new EventLog(TimeProvider.System);
        var none = new Dictionary<string, string>();
        log.Add("container", "first", "1", none);
        var reading = log.ReadAsync(DateTimeOffset.UnixEpoch, until: null, TestContext.Current.CancellationToken).GetAsyncEnumerator(TestContext.Current.CancellationToken);
        Assert.True(await reading.MoveNextAsync());
        Assert.Equal("first", reading.Current.Action);
        log.Add("container", "second", "1", none);
        Assert.True(await reading.MoveNextAsync());
        Assert.Equal("second", reading.Current.Action);
        await reading.DisposeAsync();
    }

    private static HealthProbe Probe(int code) => new(Start, Start, code, "");

    private static ContainerExit Exit(int code, TimeSpan ran) => new(code, OutOfMemory: false, Start, Start + ran);

    private static ContainerRecord Record(RestartPolicy policy) => new()
    {
        Id = ContainerId.Generate(),
        Name = "it",
        CreatedAt = Start,
        Spec = new ContainerSpec { Image = "i", ImageId = "i", Process = new ProcessSpec { Command = ["x"] }, Restart = policy },
    };
}
