using Godwit.Linux.Files;
using Godwit.Real.Tests.Labs;
using Godwit.Real.Tests.Machines;

namespace Godwit.Real.Tests.Hosts;

/// <summary>A whole distribution, by the example of the tree: an overlay over its disk image, a seed for cloud-init beside it, an address, and sshd.</summary>
[Trait("Needs", "root")]
[Trait("Needs", "qemu")]
public sealed class DebianExampleTests
{
    private const string Password = "              password: godwit\n";

    /// <summary>systemd and cloud-init on an emulated CPU, with the host's cores shared.</summary>
    private static readonly TimeSpan BootBound = TimeSpan.FromMinutes(10);

    [Fact]
    public async Task Debian_boots_from_an_overlay_obeys_its_seed_lets_its_user_in_and_shuts_down()
    {
        Needs.Root();
        var image = Guests.RequireBuilt("debian").Disk!;
        Assert.SkipUnless(File.Exists("/usr/bin/ssh"), "needs ssh: install the package openssh-client");
        var before = FileIdentity.Find(image.Path);
        await using var cluster = new HostCluster();
        await cluster.UpAsync();
        var key = Path.Combine(cluster.DataFolder, "guest-key");
        (await Command.RunAsync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", key], HostCluster.Bound)).MustSucceed();
        var example = await File.ReadAllTextAsync(Path.Combine(HostCluster.Tree, "examples", "debian.yaml"), TestContext.Current.CancellationToken);
        Assert.Contains(Password, example, StringComparison.Ordinal);
        var publicKey = (await File.ReadAllTextAsync(key + ".pub", TestContext.Current.CancellationToken)).Trim();
        (await cluster.KubectlWithInputAsync(example.Replace(Password, $"{Password}              ssh_authorized_keys: ['{publicKey}']\n", StringComparison.Ordinal), "apply", "-f", "-")).MustSucceed();

        var address = await cluster.WaitForGuestAsync("debian");
        var host = await Eventually.GetAsync($"the guest lets its user in at {address}", BootBound, async () =>
        {
            var ran = await SshAsync(key, address, "hostname");
            return ran.ExitCode == 0 ? ran.Output.Trim() : throw new IOException(ran.Errors);
        });

        Assert.Equal("debian", host);
        Assert.Contains(address, (await SshAsync(key, address, "ip -4 -brief address")).MustSucceed().Output, StringComparison.Ordinal);
        (await cluster.GodwitAsync("vm", "stop", "debian", "--wait")).MustSucceed();
        Assert.Equal(before, FileIdentity.Find(image.Path)); // The image itself was never written.
    }

    private static Task<CommandResult> SshAsync(string key, string address, string command) => Command.RunAsync(
        "ssh",
        ["-i", key, "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "ConnectTimeout=20", $"debian@{address}", command],
        HostCluster.Bound);
}
