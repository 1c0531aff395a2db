using Godwit.Real.Tests.Labs;

namespace Godwit.Real.Tests.Hosts;

/// <summary>A disk that fills up under a cluster: what needs room is refused in words, what does not goes on, and all of it works again when there is room.</summary>
[Trait("Needs", "root")]
[Trait("Needs", "qemu")]
public sealed class FullDiskTests
{
    [Fact]
    public async Task The_server_refuses_writes_by_name_keeps_reading_and_goes_on_when_there_is_room()
    {
        Needs.Root();
        await using var cluster = new HostCluster();
        await using var disk = await SmallDisk.MountAsync(Path.Combine(cluster.DataFolder, "server"), mebibytes: 24);
        await cluster.UpAsync();
        (await cluster.KubectlAsync("create", "configmap", "before")).MustSucceed();
        disk.Fill();

        CommandResult? refused = null;
        await Eventually.IsTrueAsync("a write finds no room", HostCluster.Bound, async () =>
            (refused = await cluster.KubectlAsync("create", "configmap", $"c{Guid.NewGuid():N}", $"--from-literal=filling={new string('x', 100_000)}")).ExitCode != 0);
        Assert.Contains("full", refused!.Errors, StringComparison.OrdinalIgnoreCase);
        (await cluster.KubectlAsync("get", "configmap", "before")).MustSucceed();
        (await cluster.GodwitAsync("nodes")).MustSucceed();

        disk.Empty();
        await Eventually.IsTrueAsync("a write succeeds again", HostCluster.Bound, async () => (await cluster.KubectlAsync("create", "configmap", "after", "--dry-run=none")).ExitCode == 0);
        (await cluster.GodwitAsync("vm", "create", "tiny", "--wait")).MustSucceed();
    }

    [Fact]
    public async Task A_node_without_room_says_so_for_the_guest_and_starts_it_when_there_is_room()
    {
        Needs.Root();
        await using var cluster = new HostCluster();
        await using var disk = await SmallDisk.MountAsync(Path.Combine(cluster.DataFolder, "agents"), mebibytes: 24);
        await cluster.UpAsync();
        disk.Fill();

        (await cluster.GodwitAsync("vm", "create", "tiny", "--image", "tiny")).MustSucceed();
        Assert.Contains("No space left on device", await cluster.WaitForWordsAsync("tiny"), StringComparison.Ordinal);
        Assert.Empty(QemuProcesses.Of(cluster.DataFolder));
        (await cluster.GodwitAsync("nodes")).MustSucceed();

        disk.Empty();
        await cluster.WaitForGuestAsync("tiny");
        Assert.Single(QemuProcesses.Of(cluster.DataFolder));
        (await cluster.GodwitAsync("down")).MustSucceed(); // While the disk is there: what it has to find is written on it.
    }

    /// <summary>A file system of a few mebibytes in memory.</summary>
    private sealed class SmallDisk : IAsyncDisposable
    {
        private readonly string folder;

        private SmallDisk(string folder) => this.folder = folder;

        public static async Task<SmallDisk> MountAsync(string folder, int mebibytes)
        {
            Directory.CreateDirectory(folder);
            (await Command.RunAsync("mount", ["-t", "tmpfs", "-o", $"size={mebibytes}m,mode=711", "tmpfs", folder], HostCluster.Bound)).MustSucceed();
            return new SmallDisk(folder);
        }

        /// <summary>Leaves not a byte.</summary>
        public void Fill()
        {
            using var file = File.Create(Path.Combine(folder, "filling"));
            var block = new byte[4096];
            try
            {
                while (true)
                {
                    file.Write(block);
                    file.Flush();
                }
            }
            catch (IOException)
            {
                // That was all of it.
            }
        }

        public void Empty() => File.Delete(Path.Combine(folder, "filling"));

        public async ValueTask DisposeAsync() => await Command.RunAsync("umount", ["--lazy", folder], HostCluster.Bound);
    }
}
