using Godwit.Volumes;

namespace Godwit.Machines.Tests;

public sealed class MachineSpecCheckTests
{
    public static TheoryData<string, MachineSpec> Unsound
    {
        get
        {
            var good = Samples.KernelGuest;
            var nic = good.Nics[0];
            var disk = new MachineDisk("root", "/d", DiskFormat.Raw, ReadOnly: false);
            return new TheoryData<string, MachineSpec>
            {
                { "no id", good with { Id = default } },
                { "display name", good with { DisplayName = "a\nb" } },
                { "0 CPUs", good with { CpuCount = 0 } },
                { "256 CPUs", good with { CpuCount = 256 } },
                { "bytes of memory", good with { MemoryBytes = (512 << 20) + 1 } },
                { "bytes of memory", good with { MemoryBytes = -1 } },
                { "machine type", good with { MachineType = "q35" } },
                { "machine type", good with { MachineType = "pc-q35-10.0,accel=kvm" } },
                { "CPU model", good with { CpuModel = "max -daemonize" } },
                { "CPU model", good with { CpuModel = "-x" } },
                { "neither a kernel nor a disk", good with { Kernel = null } },
                { "absolute paths", good with { Kernel = good.Kernel! with { KernelPath = "vmlinuz" } } },
                { "kernel command line", good with { Kernel = good.Kernel! with { CommandLine = new string('x', 2048) } } },
                { "MAC", good with { Nics = [nic with { MacAddress = "01:00:00:00:00:01" }] } },
                { "MAC", good with { Nics = [nic with { MacAddress = "02:00:00:00:00:01,x=y" }] } },
                { "tap", good with { Nics = [nic with { TapName = "../x" }] } },
                { "tap", good with { Nics = [nic with { TapName = "sixteen-letters-" }] } },
                { "MTU", good with { Nics = [nic with { MtuBytes = 1 }] } },
                { "one name", good with { Nics = [nic, nic] } },
                { "9 NICs", good with { Nics = [.. Enumerable.Range(0, 9).Select(index => nic with { Name = $"n{index}" })] } },
                { "no name of a disk", good with { Disks = [disk with { Name = "a,b" }] } },
                { "absolute path", good with { Disks = [disk with { Path = "nbd://host" }] } },
                { "13 disks", good with { Disks = [.. Enumerable.Range(0, 13).Select(index => disk with { Name = $"d{index}" })] } },
            };
        }
    }

    [Fact]
    public void Sound_spec_passes() => MachineSpecCheck.Require(Samples.KernelGuest);

    [Theory]
    [MemberData(nameof(Unsound))]
    public void Unsound_spec_is_refused_for_its_reason(string reason, MachineSpec spec) =>
        Assert.Contains(reason, Assert.Throws<MachineException>(() => MachineSpecCheck.Require(spec)).Message, StringComparison.Ordinal);
}
