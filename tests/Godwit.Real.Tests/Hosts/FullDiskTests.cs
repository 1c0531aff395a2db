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

    [Fact]
    [Trait("Needs", "kubectl")]
    public async Task A_pod_that_fills_its_nodes_disk_is_evicted_gives_the_room_back_and_others_run_on()
    {
        Needs.Root();
        await using var cluster = new HostCluster();
        BoxImage.WriteTo(cluster.MakeImages());
        await using var disk = await SmallDisk.MountAsync(Path.Combine(cluster.DataFolder, "agents"), mebibytes: 640);
        await cluster.UpAsync();
        (await cluster.KubectlWithInputAsync(Pods, "apply", "-f", "-")).MustSucceed();
        (await cluster.KubectlAsync("wait", "pod/calm", "--for=condition=Ready", "--timeout=120s")).MustSucceed();

        (await cluster.KubectlAsync("wait", "pod/hog", "--for=jsonpath={.status.reason}=Evicted", "--timeout=120s")).MustSucceed();
        Assert.Equal("Failed", await FieldAsync(cluster, "{.status.phase}"));
        Assert.StartsWith("The node was low on resource: ephemeral-storage. Threshold quantity: 256Mi, available: ", await FieldAsync(cluster, "{.status.message}"), StringComparison.Ordinal);
        Assert.Matches(@"Reason: +Evicted\n", (await cluster.KubectlAsync("describe", "pod", "hog")).MustSucceed().Output);
        await Eventually.IsTrueAsync("what it wrote is gone", HostCluster.Bound, () => Task.FromResult(disk.FreeBytes >= 512L << 20));

        (await cluster.KubectlAsync("run", "after", "--image", BoxImage.Name, "--", "sleep", "100000")).MustSucceed();
        (await cluster.KubectlAsync("wait", "pod/after", "pod/calm", "--for=condition=Ready", "--timeout=120s")).MustSucceed(); // The node takes pods again, and the other one has run all the while.
        Assert.Equal("0", (await cluster.KubectlAsync("get", "pod", "calm", "-o", "jsonpath={.status.containerStatuses[0].restartCount}")).MustSucceed().Output);
        (await cluster.GodwitAsync("down")).MustSucceed(); // While the disk is there, as above.

        static async Task<string> FieldAsync(HostCluster cluster, string path) => (await cluster.KubectlAsync("get", "pod", "hog", "-o", $"jsonpath={path}")).MustSucceed().Output;
    }

    private const string Pods = $$"""
        apiVersion: v1
        kind: Pod
        metadata: {name: calm}
        spec:
          containers: [{name: main, image: {{BoxImage.Name}}, command: [sleep, "100000"]}]
        ---
        apiVersion: v1
        kind: Pod
        metadata: {name: hog}
        spec:
          containers:
          - {name: main, image: {{BoxImage.Name}}, command: [sh, -c, "head -c 450000000 /dev/zero > /work/filling; exec sleep 100000"], volumeMounts: [{name: work, mountPath: /work}]}
          volumes: [{name: work, emptyDir: {} }]
        """;

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

        public long FreeBytes => new DriveInfo(folder).AvailableFreeSpace;

        public void Empty() => File.Delete(Path.Combine(folder, "filling"));

        public async ValueTask DisposeAsync() => await Command.RunAsync("umount", ["--lazy", folder], HostCluster.Bound);
    }
}
