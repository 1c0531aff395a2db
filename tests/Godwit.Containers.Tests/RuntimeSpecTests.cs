using Godwit.Containers.Runtime;
using Godwit.Linux.Processes;
using Godwit.Oci.Runtime;

namespace Godwit.Containers.Tests;

public sealed class RuntimeSpecTests
{
    private static readonly HostAbilities Host = new()
    {
        Rights = new ProcessRights(ulong.MaxValue, new Dictionary<string, ulong> { ["nofile"] = 20_000, ["nproc"] = ulong.MaxValue }),
        ControlGroupVersion = 2,
        CountsSwap = true,
        InitPath = "/usr/bin/tini-static",
    };

    [Fact]
    public void Standard_capabilities_are_Dockers_and_never_more_than_the_engine_has()
    {
        var standard = Capabilities.Choose(new IsolationSpec(), ulong.MaxValue);
        Assert.Equal(14, standard.Count);
        Assert.Contains("CAP_NET_BIND_SERVICE", standard);
        Assert.DoesNotContain("CAP_SYS_ADMIN", standard);
        Assert.DoesNotContain("CAP_SYS_RESOURCE", Capabilities.Choose(new IsolationSpec { Privileged = true }, ~(1UL << 24)));
        Assert.Equal(["CAP_NET_ADMIN"], Capabilities.Choose(new IsolationSpec { CapabilitiesDropped = ["ALL"], CapabilitiesAdded = ["net_admin"] }, ulong.MaxValue));
        Assert.Throws<InvalidRequestException>(() => Capabilities.Choose(new IsolationSpec { CapabilitiesAdded = ["FLY"] }, ulong.MaxValue));
    }

    [Fact]
    public void The_filter_refuses_what_changes_the_host_and_opens_with_capabilities()
    {
        var standard = SystemCallProfile.Build([]);
        Assert.Equal("SCMP_ACT_ERRNO", standard.DefaultAction);
        var allowed = standard.Syscalls.Where(call => call.Action == "SCMP_ACT_ALLOW" && call.Args is null).SelectMany(call => call.Names).ToHashSet();
        foreach (var call in new[] { "mount", "umount2", "reboot", "init_module", "bpf", "keyctl", "unshare", "setns", "io_uring_setup", "userfaultfd", "perf_event_open", "clone3", "kexec_load", "swapon" })
        {
            Assert.DoesNotContain(call, allowed);
        }

        foreach (var call in new[] { "read", "write", "openat", "execve", "exit_group", "futex", "epoll_wait", "mmap", "clock_gettime", "rseq", "statx", "getrandom", "faccessat2", "close_range", "kill", "wait4" })
        {
            Assert.Contains(call, allowed);
        }

        Assert.Contains(SystemCallProfile.Build(["CAP_SYS_ADMIN"]).Syscalls, call => call.Names.Contains("mount"));
        Assert.Equal(38u, standard.Syscalls.Single(call => call.Names is ["clone3"]).ErrnoRet);
    }

    [Fact]
    public void Limits_are_clamped_to_what_the_engine_may_give()
    {
        var limit = Assert.Single(ResourcePlan.BuildLimits([new ResourceLimitSpec("nofile", 1 << 20, 1 << 20)], Host.Rights.HardLimits));
        Assert.Equal(new RuntimeRlimit("RLIMIT_NOFILE", 20_000, 20_000), limit);
        Assert.Throws<InvalidRequestException>(() => ResourcePlan.BuildLimits([new ResourceLimitSpec("wings", 1, 1)], Host.Rights.HardLimits));
    }

    [Fact]
    public void Memory_brings_as_much_swap_unless_said_or_not_counted()
    {
        Assert.Equal(128 << 20, ResourcePlan.Build(new ResourceSpec { MemoryBytes = 64 << 20 }, Host).Memory!.Swap);
        Assert.Equal(-1, ResourcePlan.Build(new ResourceSpec { MemoryBytes = 64 << 20, MemoryAndSwapBytes = -1 }, Host).Memory!.Swap);
        Assert.Null(ResourcePlan.Build(new ResourceSpec { MemoryBytes = 64 << 20 }, Host with { CountsSwap = false }).Memory!.Swap);
        Assert.Null(ResourcePlan.Build(new ResourceSpec(), Host).Memory);
    }

    [Fact]
    public void The_weight_of_block_io_is_not_left_to_the_runtime_and_bounds_are()
    {
        Assert.Null(ResourcePlan.BuildBlockIo(new ResourceSpec { BlockIoWeight = 300 }, new Dictionary<string, (long, long)>()));
        var bound = new ResourceSpec { BlockIoWeight = 300, ReadBytesPerSecond = [new DeviceThrottle("/dev/disk", 5)] };
        Assert.Equal(new RuntimeThrottle(8, 16, 5), Assert.Single(ResourcePlan.BuildBlockIo(bound, new Dictionary<string, (long, long)> { ["/dev/disk"] = (8, 16) })!.ThrottleReadBpsDevice!));
    }

    [Theory]
    [InlineData(9, false)]
    [InlineData(10, true)]
    [InlineData(1000, true)]
    [InlineData(1001, false)]
    [InlineData(66_536, false)] // 1000 in sixteen bits.
    public void A_weight_of_block_io_is_of_ten_to_a_thousand(int weight, bool sound)
    {
        var refusal = Record.Exception(() => SpecCheck.CheckResources(new ResourceSpec { BlockIoWeight = weight }, Host));
        Assert.Equal(sound, refusal is null);
        Assert.True(sound || refusal is InvalidRequestException);
    }

    [Fact]
    public void What_a_host_cannot_hold_is_said_when_it_is_asked_for_and_only_then()
    {
        var asked = new ResourceSpec { MemoryBytes = 64 << 20, MemoryAndSwapBytes = 64 << 20, BlockIoWeight = 300 };
        Assert.Empty(ResourcePlan.FindUnheld(asked, Host, weightsDecide: true));
        Assert.Contains("scheduler that knows weights", Assert.Single(ResourcePlan.FindUnheld(asked, Host, weightsDecide: false)), StringComparison.Ordinal);
        Assert.Contains("Memory limited without swap", Assert.Single(ResourcePlan.FindUnheld(asked, Host with { CountsSwap = false }, weightsDecide: true)), StringComparison.Ordinal);
        Assert.Empty(ResourcePlan.FindUnheld(new ResourceSpec { MemoryBytes = 64 << 20 }, Host with { CountsSwap = false }, weightsDecide: false));
    }

    [Fact]
    public void Users_mounts_take_the_place_of_standard_ones_and_parents_come_first()
    {
        var spec = RuntimeSpecBuilder.Build(Plan(new ContainerSpec { Image = "i", ImageId = "i", Process = new ProcessSpec { Command = ["true"] } }) with
        {
            Mounts = [new RuntimeMount("/a/b", "bind", "/x"), new RuntimeMount("/dev/shm", "bind", "/y"), new RuntimeMount("/a", "bind", "/z")],
        });
        var targets = spec.Mounts.Select(mount => mount.Destination).ToList();
        Assert.Single(targets, target => target == "/dev/shm");
        Assert.True(targets.IndexOf("/a") < targets.IndexOf("/a/b"));
        Assert.Equal("/proc", targets[0]);
    }

    [Fact]
    public void The_environment_has_each_name_once_and_the_last_word_counts()
    {
        var environment = RuntimeSpecBuilder.BuildEnvironment(new ProcessSpec { Environment = ["A=1", "PATH=/only", "A=2", "broken"], Terminal = true }, "box", new ContainerUser(0, 0, [], "/root"));
        Assert.Equal(["PATH=/only", "HOSTNAME=box", "TERM=xterm", "HOME=/root", "A=2"], environment);
    }

    [Fact]
    public void A_privileged_one_is_not_filtered_and_nothing_is_hidden_from_it()
    {
        var spec = RuntimeSpecBuilder.Build(Plan(new ContainerSpec { Image = "i", ImageId = "i", Process = new ProcessSpec { Command = ["true"] }, Isolation = new IsolationSpec { Privileged = true } }));
        Assert.Null(spec.Linux.Seccomp);
        Assert.Null(spec.Linux.MaskedPaths);
        Assert.Equal(new RuntimeDeviceRule(true, "rwm"), Assert.Single(spec.Linux.Resources!.Devices!));
    }

    [Theory]
    [InlineData("", 9)]
    [InlineData("SIGTERM", 15)]
    [InlineData("int", 2)]
    [InlineData("10", 10)]
    [InlineData("RTMIN+3", 37)]
    public void Signals_are_known_by_name_and_number(string text, int number) => Assert.Equal(number, Signals.Parse(text));

    [Theory]
    [InlineData("SIGWINGS")]
    [InlineData("0")]
    [InlineData("65")]
    [InlineData("RTMIN+99")]
    public void What_is_no_signal_is_refused(string text) => Assert.Throws<InvalidRequestException>(() => Signals.Parse(text));

    [Theory]
    [InlineData("", 0u, 0u, "/root")]
    [InlineData("web", 33u, 44u, "/www")]
    [InlineData("33", 33u, 44u, "/www")]
    [InlineData("7:staff", 7u, 50u, "/")]
    [InlineData("web:9", 33u, 9u, "/www")]
    public void Users_are_found_in_the_containers_files(string user, uint userId, uint groupId, string home)
    {
        var found = ContainerUsers.Find("root:x:0:0::/root:/bin/sh\nbroken\nweb:x:33:44::/www:/bin/sh\n", "staff:x:50:web\n", new ProcessSpec { User = user });
        Assert.Equal((userId, groupId, home), (found.UserId, found.GroupId, found.HomeFolder));
    }

    private static RuntimePlan Plan(ContainerSpec spec) => new()
    {
        Id = ContainerId.Generate(),
        Spec = spec,
        Host = Host,
        RootPath = "/root-of-it",
        Folder = "/nowhere",
        User = new ContainerUser(0, 0, [], "/root"),
        ControlGroupPath = "/group",
        Namespaces = [new RuntimeNamespace("pid"), new RuntimeNamespace("uts")],
    };
}
