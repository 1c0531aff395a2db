using Godwit.Containers;

namespace Godwit.Real.Tests.Containers;

/// <summary>What stands between a container and its host holds: not that it was set, but that what goes beyond it fails.</summary>
[Trait("Needs", "root")]
public sealed class ContainerIsolationTests
{
    [Fact]
    public async Task A_read_only_root_cannot_be_written_and_memory_mounted_in_it_can()
    {
        await using var lab = await EngineLab.OpenAsync();
        var spec = EngineLab.Shell("touch /x && echo written; touch /tmp/y && echo fine");
        var (output, _) = await lab.RunAsync(spec with { Isolation = new IsolationSpec { ReadOnlyRoot = true }, Mounts = [new MountSpec.Memory("/tmp") { SizeBytes = 1 << 20 }] });
        Assert.DoesNotContain("written", output, StringComparison.Ordinal);
        Assert.Contains("Read-only file system", output, StringComparison.Ordinal);
        Assert.Contains("fine", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Memory_mounted_in_it_holds_no_more_than_its_size()
    {
        await using var lab = await EngineLab.OpenAsync();
        var (output, _) = await lab.RunAsync(EngineLab.Shell("dd if=/dev/zero of=/tmp/x bs=1024 count=4096 2>&1; wc -c < /tmp/x") with { Mounts = [new MountSpec.Memory("/tmp") { SizeBytes = 1 << 20 }] });
        Assert.Contains("No space left", output, StringComparison.Ordinal);
        Assert.EndsWith("1048576\n", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_runtimes_own_program_can_only_be_read_where_it_enters_containers()
    {
        await using var lab = await EngineLab.OpenAsync();
        var id = await lab.StartAsync(EngineLab.Shell("sleep 1000"));
        var monitor = (await File.ReadAllTextAsync(Path.Combine(lab.Options.RunFolder, "containers", id, "monitor.pid"), EngineLab.Stopping)).Trim();

        // What proc_pid_mountinfo(5) calls the mount point, and its options.
        var mount = File.ReadLines($"/proc/{monitor}/mountinfo").Select(line => line.Split(' ')).Last(fields => fields[4] == lab.Options.RuntimePath);
        Assert.Contains("ro", mount[5].Split(','));
        Assert.Equal(0, (await lab.ExecuteAsync(id, "true")).Code);
    }

    [Fact]
    public async Task Capabilities_that_it_does_not_have_are_refused_to_it()
    {
        await using var lab = await EngineLab.OpenAsync();
        var (standard, _) = await lab.RunAsync(EngineLab.Shell("chown 1 /tmp && echo chown; ip link add d0 type dummy 2>&1 || echo no-net-admin; hostname other 2>&1 || echo no-hostname"));
        Assert.Contains("chown\n", standard, StringComparison.Ordinal);
        Assert.Contains("no-net-admin", standard, StringComparison.Ordinal);
        Assert.Contains("no-hostname", standard, StringComparison.Ordinal);

        var (dropped, _) = await lab.RunAsync(EngineLab.Shell("chown 1 /tmp 2>&1 || echo no-chown") with { Isolation = new IsolationSpec { CapabilitiesDropped = ["ALL"] } });
        Assert.Contains("no-chown", dropped, StringComparison.Ordinal);

        var (added, _) = await lab.RunAsync(EngineLab.Shell("ip link set lo mtu 1400 && echo changed") with { Isolation = new IsolationSpec { CapabilitiesAdded = ["NET_ADMIN"] } });
        Assert.Contains("changed", added, StringComparison.Ordinal);
    }

    [Fact]
    public async Task System_calls_outside_the_filter_fail_even_for_root()
    {
        await using var lab = await EngineLab.OpenAsync();
        var (filtered, _) = await lab.RunAsync(EngineLab.Shell("unshare -U true 2>&1 || echo refused; grep Seccomp: /proc/self/status"));
        Assert.Contains("refused", filtered, StringComparison.Ordinal);
        Assert.Contains("Seccomp:\t2", filtered, StringComparison.Ordinal);

        var (open, _) = await lab.RunAsync(EngineLab.Shell("unshare -U true && echo allowed") with { Isolation = new IsolationSpec { SystemCalls = new SystemCallFilter.None() } });
        Assert.Contains("allowed", open, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_users_own_filter_takes_the_place_of_the_standard_one()
    {
        await using var lab = await EngineLab.OpenAsync();
        const string profile = """{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO","errnoRet":1}]}""";
        var (output, _) = await lab.RunAsync(EngineLab.Shell("mkdir /tmp/x 2>&1 || echo refused") with { Isolation = new IsolationSpec { SystemCalls = new SystemCallFilter.Custom(profile) } });
        Assert.Contains("refused", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task It_sees_none_of_the_hosts_processes_names_and_secrets()
    {
        await using var lab = await EngineLab.OpenAsync();
        var (output, _) = await lab.RunAsync(EngineLab.Shell("exec 2>&1; echo pid $$; hostname; ls /proc | grep -c '^[0-9]'; cat /proc/keys | wc -c; echo 1 > /proc/sys/kernel/panic; ls /sys/firmware | wc -l") with { HostName = "box" });
        var lines = output.Split('\n');
        Assert.Equal(["pid 1", "box"], lines[..2]);
        Assert.True(int.Parse(lines[2], System.Globalization.CultureInfo.InvariantCulture) < 8, output);
        Assert.Equal("0", lines[3]);
        Assert.Contains("Read-only file system", output, StringComparison.Ordinal);
        Assert.Equal("0", lines.Last(line => line.Length > 0));
    }

    [Fact]
    public async Task Its_user_is_looked_up_in_its_own_files_and_has_no_capabilities()
    {
        await using var lab = await EngineLab.OpenAsync();
        var spec = EngineLab.Shell("id; echo $HOME; grep CapEff /proc/self/status");
        var (output, _) = await lab.RunAsync(spec with { Process = spec.Process with { User = "worker" } });
        Assert.Contains("uid=1000(worker) gid=1000(worker) groups=1000(worker),2000(extra)", output, StringComparison.Ordinal);
        Assert.Contains("/home\n", output, StringComparison.Ordinal);
        Assert.Contains("CapEff:\t0000000000000000", output, StringComparison.Ordinal);
        var strange = spec with { Process = spec.Process with { User = "nobody-here" } };
        await Assert.ThrowsAsync<InvalidRequestException>(() => lab.RunAsync(strange));
    }

    [Fact]
    public async Task Devices_that_it_was_not_given_cannot_be_opened_and_given_ones_can()
    {
        await using var lab = await EngineLab.OpenAsync();
        const string script = "exec 2>&1; mknod /tmp/d c 10 229 2>&1; cat < /tmp/d > /dev/null 2>&1 && echo opened || echo refused";
        var (output, _) = await lab.RunAsync(EngineLab.Shell(script));
        Assert.EndsWith("refused\n", output, StringComparison.Ordinal);
        var (given, _) = await lab.RunAsync(EngineLab.Shell("ls -l /dev/spare; head -c 1 /dev/spare | wc -c") with { Isolation = new IsolationSpec { Devices = [new DeviceSpec("/dev/zero", "/dev/spare", "r")] } });
        Assert.EndsWith("1\n", given, StringComparison.Ordinal);
    }

    [Fact]
    public async Task With_an_init_process_orphans_are_ended_and_signals_passed_on()
    {
        await using var lab = await EngineLab.OpenAsync();
        var id = await lab.StartAsync(EngineLab.Shell("trap 'exit 6' TERM; echo ready; while :; do sleep 0.05; done") with { Isolation = new IsolationSpec { InitProcess = true } });
        await EngineLab.UntilAsync(async () => await lab.ReadLogAsync(id) == "ready\n", "it is ready");
        Assert.Contains("docker-init", (await lab.ExecuteAsync(id, "cat", "/proc/1/cmdline")).Output, StringComparison.Ordinal);
        await lab.Engine.StopAsync(id, null, EngineLab.Stopping);
        Assert.Equal(6, ((ContainerState.Exited)lab.Engine.Get(id).State).Exit.Code);
    }

    [Fact]
    public async Task A_privileged_one_may_mount_and_sees_the_devices()
    {
        await using var lab = await EngineLab.OpenAsync();
        var (output, _) = await lab.RunAsync(EngineLab.Shell("mount -t tmpfs none /tmp && echo mounted; test -c /dev/net/tun && echo tun") with { Isolation = new IsolationSpec { Privileged = true } });
        Assert.Equal("mounted\ntun\n", output);
    }

    [Fact]
    public async Task Kernel_settings_of_its_own_namespaces_are_as_asked()
    {
        await using var lab = await EngineLab.OpenAsync();
        var (output, _) = await lab.RunAsync(EngineLab.Shell("cat /proc/sys/net/ipv4/ip_unprivileged_port_start") with
        {
            Isolation = new IsolationSpec { KernelSettings = new Dictionary<string, string> { ["net.ipv4.ip_unprivileged_port_start"] = "77" } },
        });
        Assert.Equal("77\n", output);
    }

    [Fact]
    public async Task One_may_share_the_namespaces_of_another()
    {
        await using var lab = await EngineLab.OpenAsync();
        await lab.StartAsync(EngineLab.Spec("sleep", "4242"), "first");
        var (output, _) = await lab.RunAsync(EngineLab.Shell("ps | grep 'sleep 4242' | grep -v grep | wc -l; cat /proc/net/dev | wc -l") with
        {
            Isolation = new IsolationSpec { ProcessNamespace = new NamespaceSpec.OfContainer("first") },
            Network = new NetworkSpec { Mode = NetworkMode.Container, Container = "first" },
        });
        Assert.StartsWith("1\n", output, StringComparison.Ordinal);
    }
}
