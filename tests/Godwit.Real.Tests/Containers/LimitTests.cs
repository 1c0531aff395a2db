using System.Globalization;
using Godwit.Containers;

namespace Godwit.Real.Tests.Containers;

/// <summary>
/// Each bound holds: not that it was set, but that what goes beyond it fails. On this host with what it has, and by <see cref="UnifiedHostTests"/> all of them, none passed
/// over, on both versions of cgroups.
/// </summary>
[Trait("Needs", "root")]
public sealed class ContainerLimitTests
{
    /// <summary>What a skipped test says besides what it needs.</summary>
    private const string ShownElsewhere = $"; shown on both versions of cgroups in the guest of {nameof(UnifiedHostTests)}";

    [Fact]
    public async Task Memory_beyond_its_bound_ends_it_and_is_reported_as_that()
    {
        await using var lab = await EngineLab.OpenAsync();
        var spec = EngineLab.Shell("x=a; while :; do x=$x$x; done");
        var (_, exit) = await lab.RunAsync(spec with { Resources = new ResourceSpec { MemoryBytes = 16 << 20, MemoryAndSwapBytes = 16 << 20 } });
        Assert.Equal(137, exit.Code);
        Assert.True(exit.OutOfMemory);
    }

    [Fact]
    public async Task A_fork_bomb_stops_at_the_bound_of_tasks()
    {
        await using var lab = await EngineLab.OpenAsync();
        var spec = EngineLab.Shell("i=0; while [ $i -lt 40 ]; do sleep 100 & i=$((i+1)); done; echo all");
        var (output, exit) = await lab.RunAsync(spec with { Resources = new ResourceSpec { TasksMax = 20 } });
        Assert.DoesNotContain("all", output, StringComparison.Ordinal);
        Assert.NotEqual(0, exit.Code);
        Assert.Contains("fork", output, StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public async Task Cpu_time_is_held_to_its_quota()
    {
        await using var lab = await EngineLab.OpenAsync();
        var id = await lab.StartAsync(EngineLab.Shell("while :; do :; done") with { Resources = new ResourceSpec { CpuQuotaMicroseconds = 10_000, CpuPeriodMicroseconds = 100_000 } });
        // The kernel says itself that it held it back.
        await EngineLab.UntilAsync(() => lab.Engine.ReadUsage(id) is { ThrottledPeriods: > 5, CpuNanoseconds: > 0 }, "it was held back");
    }

    [Fact]
    public async Task A_changed_bound_holds_at_once()
    {
        await using var lab = await EngineLab.OpenAsync();
        var id = await lab.StartAsync(EngineLab.Spec("sleep", "1000"));
        await lab.Engine.UpdateAsync(id, new ContainerUpdate { Resources = new ResourceSpec { TasksMax = 5 } }, EngineLab.Stopping);
        var (output, code) = await lab.ExecuteAsync(id, "/bin/sh", "-c", "for i in 1 2 3 4 5 6 7 8; do sleep 100 & done; echo all");
        Assert.DoesNotContain("all", output, StringComparison.Ordinal);
        Assert.NotEqual(0, code);
        Assert.Equal(5, lab.Engine.Get(id).Spec.Resources.TasksMax);
    }

    [Fact]
    public async Task Limits_are_as_asked_and_never_more_than_the_engine_may_give()
    {
        await using var lab = await EngineLab.OpenAsync();
        var spec = EngineLab.Shell("ulimit -n; ulimit -Hn") with { Resources = new ResourceSpec { Limits = [new ResourceLimitSpec("nofile", 64, 1UL << 40)] } };
        var (output, exit) = await lab.RunAsync(spec);
        Assert.Equal(0, exit.Code);
        var numbers = output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal("64", numbers[0]);
        Assert.True(numbers[1] == "unlimited" || ulong.Parse(numbers[1], System.Globalization.CultureInfo.InvariantCulture) < 1UL << 40, numbers[1]);
    }

    [Fact]
    public async Task Memory_and_swap_together_hold_as_one_bound()
    {
        Assert.SkipUnless(SwapBytes() >= 64 << 20, $"needs 64 MiB of swap, which this host has not{ShownElsewhere}");
        await using var lab = await EngineLab.OpenAsync();
        // One buffer of this size, every page of it written.
        static ContainerSpec Buffer(int mebibytes, long both) => EngineLab.Spec("/bin/dd", "if=/dev/zero", "of=/dev/null", $"bs={mebibytes}M", "count=1") with
        {
            Resources = new ResourceSpec { MemoryBytes = 24 << 20, MemoryAndSwapBytes = both },
        };
        Assert.Equal(0, (await lab.RunAsync(Buffer(36, both: 48 << 20))).Exit.Code); // More than its memory: the rest is swapped.
        Assert.Equal(137, (await lab.RunAsync(Buffer(64, both: 48 << 20))).Exit.Code);
        Assert.Equal(137, (await lab.RunAsync(Buffer(36, both: 24 << 20))).Exit.Code); // No swap at all.
    }

    [Fact]
    public async Task It_runs_on_the_cpus_of_its_set_and_no_other()
    {
        Assert.SkipUnless(Environment.ProcessorCount >= 2, "needs two CPUs");
        await using var lab = await EngineLab.OpenAsync();
        var (output, _) = await lab.RunAsync(EngineLab.Shell("grep Cpus_allowed_list /proc/self/status; taskset 1 true 2>/dev/null || echo refused") with { Resources = new ResourceSpec { CpuSet = "1" } });
        Assert.Equal("Cpus_allowed_list:\t1\nrefused\n", output);
    }

    [Fact]
    public async Task Shares_decide_who_gets_a_cpu_that_two_want()
    {
        await using var lab = await EngineLab.OpenAsync();
        static ContainerSpec Busy(long shares) => EngineLab.Shell("while :; do :; done") with { Resources = new ResourceSpec { CpuSet = "0", CpuShares = shares } };
        var large = await lab.StartAsync(Busy(4096));
        var small = await lab.StartAsync(Busy(128));
        var (largeBefore, smallBefore) = (lab.Engine.ReadUsage(large).CpuNanoseconds, lab.Engine.ReadUsage(small).CpuNanoseconds);
        var (largeGot, smallGot) = (0L, 0L);
        await EngineLab.UntilAsync(
            () =>
            {
                (largeGot, smallGot) = ((long)(lab.Engine.ReadUsage(large).CpuNanoseconds - largeBefore), (long)(lab.Engine.ReadUsage(small).CpuNanoseconds - smallBefore));
                return largeGot + smallGot > 3_000_000_000;
            },
            "they have used three seconds of the CPU");
        Assert.True(largeGot > 4 * smallGot, $"with 32 times the shares: {largeGot} ns beside {smallGot} ns");
    }

    [Fact]
    public async Task What_it_reads_from_a_disk_and_writes_to_it_in_a_second_is_held_to_its_bounds()
    {
        await using var lab = await EngineLab.OpenAsync();
        var disk = await FindDiskAsync(lab.Options.DataFolder);
        Assert.SkipUnless(disk is not null, $"{lab.Options.DataFolder} lies on no block device of its own");
        DeviceThrottle[] bound = [new(disk, 1 << 20)];
        var place = Directory.CreateDirectory(Path.Combine(lab.Options.DataFolder, "written")).FullName;
        const string clock = "cut -d' ' -f1 /proc/uptime";
        var (output, exit) = await lab.RunAsync(
            EngineLab.Shell($"{clock}; dd if=/dev/zero of=/out/file bs=64k count=40 oflag=direct 2>/dev/null; {clock}; dd if=/out/file of=/dev/null bs=64k iflag=direct 2>/dev/null; {clock}") with
            {
                Mounts = [new MountSpec.Bind(place, "/out")],
                Resources = new ResourceSpec { ReadBytesPerSecond = bound, WriteBytesPerSecond = bound },
            });
        Assert.Equal(0, exit.Code);
        var moments = output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => double.Parse(line, CultureInfo.InvariantCulture)).ToList();
        // Two and a half megabytes at one a second: a slow disk takes longer, no disk less.
        Assert.True(moments[1] - moments[0] > 1.5, $"written too fast: {output}");
        Assert.True(moments[2] - moments[1] > 1.5, $"read too fast: {output}");
    }

    [Fact]
    public async Task The_weight_of_its_block_io_is_told_to_a_scheduler_that_knows_weights()
    {
        await using var lab = await EngineLab.OpenAsync();
        var file = File.Exists("/sys/fs/cgroup/cgroup.controllers") ? "/sys/fs/cgroup/io.bfq.weight" : "/sys/fs/cgroup/blkio/blkio.bfq.weight";
        Assert.SkipUnless(await FindWeighingDiskAsync(lab) is not null, $"needs a disk whose scheduler is bfq, the one that knows weights{ShownElsewhere}");
        var id = await lab.StartAsync(EngineLab.Spec("sleep", "1000") with { Resources = new ResourceSpec { BlockIoWeight = 300 } });
        Assert.Matches(@"\b300\b", (await lab.ExecuteAsync(id, "cat", file)).Output);
        await lab.Engine.UpdateAsync(id, new ContainerUpdate { Resources = new ResourceSpec { BlockIoWeight = 700 } }, EngineLab.Stopping);
        Assert.Matches(@"\b700\b", (await lab.ExecuteAsync(id, "cat", file)).Output);
    }

    /// <summary>Each has several readers, so that something of both waits whenever the disk, slower than they are (<see cref="UnifiedHostTests"/>), is done with one thing.</summary>
    [Fact]
    public async Task Weights_decide_who_gets_a_disk_that_two_want()
    {
        const long enoughBytes = 128 << 20;
        await using var lab = await EngineLab.OpenAsync();
        Assert.SkipUnless(
            await FindWeighingDiskAsync(lab) is { } queue && await ReadAsync(queue, "low_latency") == "0" && await ReadAsync(queue, "strict_guarantees") == "1",
            $"needs a disk whose scheduler is bfq, with its low_latency off and its strict_guarantees on: otherwise more than weights decides{ShownElsewhere}");
        var place = Directory.CreateDirectory(Path.Combine(lab.Options.DataFolder, "read")).FullName;
        await EngineLab.HostAsync("dd", "if=/dev/zero", $"of={place}/file", "bs=1M", "count=16", "conv=fsync");
        ContainerSpec Reader(int weight) => EngineLab.Shell("for i in 1 2 3 4; do while :; do dd if=/in/file of=/dev/null bs=128k iflag=direct 2>/dev/null; done & done; wait") with
        {
            Mounts = [new MountSpec.Bind(place, "/in")],
            Resources = new ResourceSpec { BlockIoWeight = weight },
        };
        var large = await lab.StartAsync(Reader(1000));
        var small = await lab.StartAsync(Reader(100));
        await EngineLab.UntilAsync(() => lab.Engine.ReadUsage(large).BlockReadBytes > 0 && lab.Engine.ReadUsage(small).BlockReadBytes > 0, "both read");
        var (largeBefore, smallBefore) = (lab.Engine.ReadUsage(large).BlockReadBytes, lab.Engine.ReadUsage(small).BlockReadBytes);
        var (largeGot, smallGot) = (0L, 0L);
        await EngineLab.UntilAsync(
            () =>
            {
                (largeGot, smallGot) = (lab.Engine.ReadUsage(large).BlockReadBytes - largeBefore, lab.Engine.ReadUsage(small).BlockReadBytes - smallBefore);
                return largeGot + smallGot > enoughBytes;
            },
            "they have read much from the disk");
        // Emulated and with the host's processors taken by others it was three and a half to ten times as much; with equal weights it is as much.
        Assert.True(largeGot > 2 * smallGot, $"with ten times the weight: {largeGot} bytes beside {smallGot}");
    }

    /// <summary>The queue (sysfs) of the disk that a lab's data lies on, if its scheduler is bfq; else null.</summary>
    private static async Task<string?> FindWeighingDiskAsync(EngineLab lab)
    {
        var queue = await FindDiskAsync(lab.Options.DataFolder) is { } disk ? $"/sys/block/{Path.GetFileName(disk)}/queue" : null;
        return File.Exists($"{queue}/scheduler") && (await File.ReadAllTextAsync($"{queue}/scheduler", EngineLab.Stopping)).Contains("[bfq]", StringComparison.Ordinal) ? queue : null;
    }

    private static async Task<string> ReadAsync(string queue, string setting) => (await File.ReadAllTextAsync($"{queue}/iosched/{setting}", EngineLab.Stopping)).Trim();

    /// <summary>The whole disk that a folder lies on; null when there is none to be bounded.</summary>
    private static async Task<string?> FindDiskAsync(string folder)
    {
        var numbers = (await EngineLab.HostAsync("stat", "-c", "%D", folder)).Trim();
        var device = Convert.ToUInt32(numbers, 16);
        var entry = new DirectoryInfo(string.Create(CultureInfo.InvariantCulture, $"/sys/dev/block/{device >> 8}:{device & 0xff}"));
        if (entry.ResolveLinkTarget(returnFinalTarget: true)?.FullName is not { } real)
        {
            return null;
        }

        var disk = $"/dev/{Path.GetFileName(File.Exists(Path.Combine(real, "partition")) ? Path.GetDirectoryName(real) : real)}";
        return File.Exists(disk) ? disk : null;
    }

    private static long SwapBytes() => File.ReadLines("/proc/swaps").Skip(1).Sum(line => long.Parse(line.Split((char[])[' ', '\t'], StringSplitOptions.RemoveEmptyEntries)[2], CultureInfo.InvariantCulture) * 1024);
}
