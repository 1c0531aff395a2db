using Godwit.Linux.ControlGroups;
using Godwit.Linux.Processes;

namespace Godwit.Linux.Tests.ControlGroups;

public sealed class ControlGroupTests
{
    private static readonly ProcessLauncher Launcher = new(TimeProvider.System);

    private static CancellationToken Stopping => TestContext.Current.CancellationToken;

    [Fact]
    [Trait("Needs", "root")]
    public async Task A_memory_bound_holds_and_its_kills_are_counted()
    {
        var group = Create("memory");
        group.SetLimits(new ControlGroupLimits { MemoryBytes = 24 << 20 });
        // A shell variable of 64 MiB: more than the bound, touched all over.
        using var process = await LaunchAsync(group, "x=$(head -c 67108864 /dev/zero | tr '\\0' x); echo survived ${#x}; exit 7");
        var exit = await process.Exited.WaitAsync(Stopping);
        Assert.NotEqual(7, exit.ExitCode);
        Assert.True(group.ReadUsage().OutOfMemoryKills > 0);
        await RemoveAsync(group);
    }

    [Fact]
    [Trait("Needs", "root")]
    public async Task A_bound_on_tasks_holds()
    {
        using var folder = new TemporaryFolder();
        var group = Create("tasks");
        group.SetLimits(new ControlGroupLimits { TasksMax = 3 });
        using var process = await LaunchAsync(group, "for i in 1 2 3 4 5 6; do sleep 600 & done; wait", folder["out"]);
        await Wait.ForAsync(() => File.ReadAllText(folder["out"]).Contains("fork", StringComparison.OrdinalIgnoreCase), "a fork was refused");
        Assert.InRange(group.ReadUsage().TaskCount, 1, 3);
        await RemoveAsync(group);
    }

    [Fact]
    [Trait("Needs", "root")]
    public async Task A_cpu_quota_holds_and_cpu_time_is_counted()
    {
        var group = Create("cpu");
        group.SetLimits(new ControlGroupLimits { CpuCount = 0.1, CpuWeight = 50 });
        var start = TimeProvider.System.GetTimestamp();
        using var process = await LaunchAsync(group, "while :; do :; done");
        await Wait.ForAsync(() => group.ReadUsage().CpuTime > TimeSpan.FromMilliseconds(100), "100 ms of CPU time are used");
        // A tenth of a CPU: 100 ms of work take most of a second. Without the bound it would be 100 ms.
        Assert.True(TimeProvider.System.GetElapsedTime(start) > TimeSpan.FromMilliseconds(600));
        await RemoveAsync(group);
    }

    [Fact]
    [Trait("Needs", "root")]
    public async Task Killing_a_group_ends_what_its_processes_started_too()
    {
        using var folder = new TemporaryFolder();
        var group = Create("kill");
        using var process = await LaunchAsync(group, "(trap '' TERM; sleep 600) & (sleep 600; :) & echo ready; wait", folder["out"]);
        await Wait.ForAsync(() => File.ReadAllText(folder["out"]).Contains("ready", StringComparison.Ordinal) && group.ProcessIds.Count >= 3, "all run");
        await group.KillAsync(Stopping);
        Assert.Empty(group.ProcessIds);
        await group.RemoveAsync(Stopping);
        Assert.False(group.Exists);
        await group.KillAsync(Stopping);
        await group.RemoveAsync(Stopping);
    }

    [Theory]
    [InlineData("")]
    [InlineData("..")]
    [InlineData("a/../b")]
    [InlineData("/a")]
    [InlineData("a/")]
    [InlineData("a b")]
    [InlineData("a\n")]
    public void A_name_that_leaves_its_place_is_refused(string name) =>
        Assert.Throws<ArgumentException>(() => new ControlGroupHost(new ControlGroupLayout.Unified("/nowhere"), TimeProvider.System).Open(name));

    [Fact]
    public async Task Version_2_is_told_each_bound_in_its_own_files_and_units()
    {
        // The files of a cgroup v2 mount, as plain files: what is written where is the whole contract.
        using var mount = new TemporaryFolder();
        Directory.CreateDirectory(mount["godwit/vm"]);
        string[] parents = ["cgroup.subtree_control", "godwit/cgroup.subtree_control"];
        string[] own = ["memory.max", "cpu.weight", "cpu.max", "pids.max", "cgroup.procs"];
        foreach (var file in parents.Concat(own.Select(name => $"godwit/vm/{name}")))
        {
            await File.WriteAllTextAsync(mount[file], "", Stopping);
        }

        await File.WriteAllTextAsync(mount["godwit/vm/cpu.stat"], "usage_usec 1500000\nuser_usec 1\n", Stopping);
        await File.WriteAllTextAsync(mount["godwit/vm/memory.current"], "4096\n", Stopping);
        await File.WriteAllTextAsync(mount["godwit/vm/pids.current"], "5\n", Stopping);
        await File.WriteAllTextAsync(mount["godwit/vm/memory.events"], "low 0\noom 2\noom_kill 1\n", Stopping);
        var group = new ControlGroupHost(new ControlGroupLayout.Unified(mount.Path), TimeProvider.System).Create("godwit/vm");
        group.SetLimits(new ControlGroupLimits { MemoryBytes = 1 << 30, CpuCount = 1.5, CpuWeight = 200, TasksMax = 64 });
        group.Add(4711);
        Assert.All(parents, file => Assert.Equal("+memory +cpu +pids", File.ReadAllText(mount[file])));
        Assert.Equal(["1073741824", "200", "150000 100000", "64", "4711"], own.Select(name => File.ReadAllText(mount[$"godwit/vm/{name}"])));
        Assert.Equal(new ControlGroupUsage(4096, TimeSpan.FromSeconds(1.5), 5, 1), group.ReadUsage());
    }

    [Fact]
    public async Task Version_1_counts_block_io_by_its_disks_scheduler_or_by_a_bound_and_never_twice()
    {
        using var mount = new TemporaryFolder();
        Directory.CreateDirectory(mount["a"]);
        var host = new ControlGroupHost(new ControlGroupLayout.Separate(new Dictionary<string, string>(StringComparer.Ordinal)) { BlockIoPath = mount.Path }, TimeProvider.System);
        Assert.Equal((0, 0), Read());
        await File.WriteAllTextAsync(mount["a/blkio.throttle.io_service_bytes"], "8:0 Read 0\n8:0 Write 0\n8:16 Read 7\n8:16 Write 50\nTotal 57\n", Stopping);
        Assert.Equal((7, 50), Read());
        await File.WriteAllTextAsync(mount["a/blkio.bfq.io_service_bytes"], "8:0 Read 4096\n8:0 Write 512\n8:0 Discard 3\n8:16 Read 9\nTotal 4620\n", Stopping);
        Assert.Equal((4096 + 9, 512 + 50), Read());

        (long, long) Read() => host.ReadDetails("a") is var details ? (details.BlockReadBytes, details.BlockWriteBytes) : default;
    }

    private static ControlGroup Create(string purpose)
    {
        Needs.Root();
        return ControlGroupHost.Detect(TimeProvider.System).Create($"godwit-test-{Environment.ProcessId}-{purpose}");
    }

    private static Task<LinuxProcess> LaunchAsync(ControlGroup group, string script, string output = "/dev/null") =>
        Launcher.LaunchAsync(new ProcessLaunch { Program = "/bin/sh", Arguments = ["-c", script], ControlGroup = group, OutputPath = output }, null, Stopping);

    private static async Task RemoveAsync(ControlGroup group)
    {
        await group.KillAsync(Stopping);
        await group.RemoveAsync(Stopping);
    }
}
