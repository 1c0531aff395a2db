using Godwit.Linux.Files;
using Godwit.Linux.Hosts;
using Godwit.Linux.Networking;

namespace Godwit.Linux.Tests.Hosts;

public sealed class HostFactsTests
{
    [Fact]
    public void Cpu_features_are_those_of_the_first_processor()
    {
        var (model, features) = HostFacts.ParseCpu(["processor\t: 0", "model name\t: A: b", "flags\t\t: vmx fpu", "", "processor\t: 1", "flags\t: other", ""]);
        Assert.Equal("A: b", model);
        Assert.Equal(["fpu", "vmx"], features);
    }

    [Theory]
    [InlineData("cpu  100 1 20 5000 700 3 4 2 90 9", 1300)] // Neither idle nor waiting; guests' time is in the users'.
    [InlineData("cpu  100 1 20", 1210)]
    [InlineData("cpu", 0)]
    public void Processors_are_busy_when_they_neither_idle_nor_wait(string line, int expectedMs) =>
        Assert.Equal(TimeSpan.FromMilliseconds(expectedMs), HostFacts.ParseBusyCpuTime(line));

    [Fact]
    public void This_host_has_memory_a_kernel_and_a_disk()
    {
        Assert.InRange(HostFacts.MemoryAvailableBytes, 1, HostFacts.MemoryBytes);
        Assert.NotEmpty(HostFacts.KernelRelease);
        Assert.True(HostFacts.DiskAvailableBytes("/") > 0);
        Assert.NotEqual(Guid.Empty, HostFacts.BootId);
        Assert.True(HostFacts.CpuCount > 0);
    }

    /// <summary>A folder that was mounted on itself is told from a file system, and from another folder, that somebody mounted there.</summary>
    [Theory]
    [InlineData("30 25 8:1 /var/lib/x /var/lib/x rw - ext4 /dev/sda rw", true)]
    [InlineData("30 25 8:2 / /var/lib/x rw - ext4 /dev/sdb rw", false)]
    [InlineData("30 25 8:1 /srv/y /var/lib/x rw - ext4 /dev/sda rw", false)]
    [InlineData("30 25 0:50 / /var/lib/x/below rw - tmpfs tmpfs rw", false)]
    public void A_mount_on_itself_is_known(string line, bool known) =>
        Assert.Equal(known, Mounts.IsMountedOnItself("25 1 8:1 / / rw - ext4 /dev/sda rw\n" + line + "\n", "/var/lib/x"));

    [Fact]
    public void Mount_paths_are_unescaped() =>
        Assert.Equal([new Mount("/dev/sda", "/a b\\", "ext4")], Mounts.Parse("/dev/sda /a\\040b\\134 ext4 rw 0 0\n"));

    [Fact]
    [Trait("Needs", "root")]
    public void Memory_is_mounted_and_taken_away()
    {
        Needs.Root();
        using var folder = new TemporaryFolder();
        Mounts.MountMemory(folder.Path, 1 << 20);
        Assert.Contains(new Mount("tmpfs", folder.Path, "tmpfs"), Mounts.List());
        Assert.Throws<IOException>(() => File.WriteAllBytes(folder["big"], new byte[2 << 20]));
        Mounts.Unmount(folder.Path);
        Mounts.Unmount(folder.Path);
        Assert.DoesNotContain(Mounts.List(), mount => mount.Path == folder.Path);
    }

    [Theory]
    [InlineData("02:67:77:00:00:01", true)]
    [InlineData("01:00:5e:00:00:01", false)]
    [InlineData("00:00:00:00:00:00", false)]
    public void Mac_addresses_are_read_and_written(string text, bool unicast)
    {
        var mac = MacAddress.Parse(text.ToUpperInvariant());
        Assert.Equal(text, mac.ToString());
        Assert.Equal(mac, MacAddress.FromBytes(mac.ToBytes()));
        Assert.Equal(unicast, mac.IsUnicast);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("02:67:77:00:00")]
    [InlineData("02:67:77:00:00:1")]
    [InlineData("02:67:77:00:00:0g")]
    [InlineData("02-67-77-00-00-01")]
    [InlineData("02:67:77:00:00:01:02")]
    [InlineData("+2:67:77:00:00:01")]
    public void What_is_no_mac_address_is_refused(string? text) => Assert.False(MacAddress.TryParse(text, out _));

    [Theory]
    [InlineData("/srv/data/x", true)]
    [InlineData("/srv/data", true)]
    [InlineData("/srv/database", false)]
    [InlineData("/slave/x", true)]
    [InlineData("/etc", false)]
    public void Mounts_that_pass_on_what_is_mounted_below_them_are_known_by_their_tags(string path, bool known) => Assert.Equal(
        known,
        Mounts.Propagates("25 1 8:1 / / rw - ext4 /dev/sda rw\n26 25 8:2 / /srv/data rw,relatime shared:7 - ext4 /dev/sdb rw\n27 25 8:3 / /slave rw master:7 - ext4 /dev/sdc shared:1\n", path));
}
