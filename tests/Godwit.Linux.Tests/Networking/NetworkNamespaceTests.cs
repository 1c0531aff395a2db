using Godwit.Linux.Files;
using Godwit.Linux.Networking;

namespace Godwit.Linux.Tests.Networking;

[Trait("Needs", "root")]
public sealed class NetworkNamespaceTests
{
    [Fact]
    public void Code_inside_sees_the_namespace_and_the_caller_stays_outside()
    {
        using var network = new TemporaryNetwork();
        var outside = new FileInfo("/proc/thread-self/ns/net").LinkTarget;
        var inside = network.Place.Run(() => new FileInfo("/proc/thread-self/ns/net").LinkTarget);
        Assert.NotEqual(outside, inside);
        Assert.Equal(inside, network.Place.Run(() => new FileInfo("/proc/thread-self/ns/net").LinkTarget));
        Assert.Equal(outside, new FileInfo("/proc/thread-self/ns/net").LinkTarget);
    }

    [Fact]
    public void What_fails_inside_is_thrown_outside()
    {
        using var network = new TemporaryNetwork();
        Assert.Throws<IOException>(() => network.Place.Run(() => throw new IOException("inside")));
    }

    [Fact]
    public void A_deleted_namespace_leaves_no_mount_and_no_name()
    {
        string name;
        using (var network = new TemporaryNetwork())
        {
            name = network.Place.Name;
            Assert.Contains(name, NetworkNamespace.List());
            Assert.Contains(Mounts.List(), mount => mount.Path.EndsWith(name, StringComparison.Ordinal));
            Assert.Equal(Errno.EEXIST, Assert.Throws<LinuxException>(() => NetworkNamespace.Create(name)).Error);
        }

        Assert.Null(NetworkNamespace.Find(name));
        Assert.DoesNotContain(Mounts.List(), mount => mount.Path.EndsWith(name, StringComparison.Ordinal));
        NetworkNamespace.Delete(name);
    }

    [Fact]
    public void On_a_host_where_no_namespace_ever_had_a_name_one_that_is_named_before_names_are_shared_can_be_deleted()
    {
        var name = $"gwt-{Environment.ProcessId}-first";
        using var fresh = MountNamespace.Create([], []);
        var left = fresh.Run(() =>
        {
            Mounts.MountMemory("/run", 1 << 20); // Nothing below it is a mount yet, as on a host that has just started.
            NetworkNamespace.Create(name);
            NetworkNamespace.ShareNames();
            NetworkNamespace.Delete(name);
            return NetworkNamespace.List();
        });

        Assert.Empty(left);
    }

    [Theory]
    [InlineData("")]
    [InlineData("..")]
    [InlineData("a/b")]
    [InlineData("a b")]
    public void A_name_that_leaves_its_place_is_refused(string name) => Assert.Throws<ArgumentException>(() => NetworkNamespace.Create(name));
}
