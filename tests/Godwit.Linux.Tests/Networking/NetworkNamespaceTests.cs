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

    [Theory]
    [InlineData("")]
    [InlineData("..")]
    [InlineData("a/b")]
    [InlineData("a b")]
    public void A_name_that_leaves_its_place_is_refused(string name) => Assert.Throws<ArgumentException>(() => NetworkNamespace.Create(name));
}
