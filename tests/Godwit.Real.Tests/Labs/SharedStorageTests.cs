using System.Text.Json.Nodes;

namespace Godwit.Real.Tests.Labs;

/// <summary>A guest whose disk lies on storage that both nodes see, and one whose other node has something else at the same path.</summary>
[Collection(LabCollection.Name)]
[Trait("Needs", "qemu")]
public sealed class SharedStorageTests(GodwitLab lab)
{
    private const string Settings = "tiny.rate=2M tiny.set=8M tiny.ballast=8M tiny.disk=8M tiny.disk-rate=400k";
    private static readonly TimeSpan Bound = TimeSpan.FromMinutes(2);

    [Fact]
    public async Task A_disk_on_storage_that_both_nodes_see_stays_where_it_is_and_one_at_the_same_path_of_other_storage_is_not_mistaken_for_it()
    {
        using var folders = new Folders();
        File.WriteAllBytes(folders.Disk, new byte[16 << 20]);
        File.SetUnixFileMode(folders.Disk, (UnixFileMode)0b110_110_110);
        await using var agents = new OwnAgents(lab);
        string[] options = ["--shared-storage", folders.Shared];
        await agents.RestartAsync("node-1", options);
        await agents.RestartAsync("node-2", options);
        await using var guest = await TinyGuest.StartAsync(lab, "sharing", Settings, volume: $"hostDisk: {{ path: {folders.Disk}, type: Disk }}");
        await Eventually.IsTrueAsync("the guest writes to its disk", Bound, async () => await guest.DiskWritesAsync() > 100);
        var counter = await guest.CounterAsync();
        var target = await guest.OtherNodeAsync();

        var moved = JsonNode.Parse((await lab.GodwitAsync("migrate", guest.Name, "--to", target, "-o", "json")).MustSucceed().Output)!;

        Assert.Equal(0, moved["status"]!["measurement"]!["bytesByKind"]?["disk"]?.GetValue<long>() ?? 0);
        await guest.MustBeWholeAsync(target, counter);
        await guest.MustHaveItsDiskAsync();

        // The other node now has a copy there: the same path, the same marker, another disk.
        var source = await guest.OtherNodeAsync();
        (await Command.RunAsync("cp", ["-a", folders.Shared + "/.", folders.Copy], Bound)).MustSucceed();
        await agents.RestartAsync(source, options, "unshare", "--mount", "--", "sh", "-c", "mount --bind \"$1\" \"$2\" && shift 2 && exec \"$@\"", "sh", folders.Copy, folders.Shared);

        await Eventually.IsTrueAsync("the agent there, which has just been started, says that it does not see the disk", Bound, async () =>
        {
            var refused = await lab.GodwitAsync("migrate", guest.Name, "--to", source);
            Assert.NotEqual(0, refused.ExitCode);
            return refused.Errors.Contains("DiskNotShared", StringComparison.Ordinal);
        });
        await guest.MustBeWholeAsync(target, counter);
        await guest.MustHaveItsDiskAsync();
        Assert.Empty(Directory.EnumerateFiles(folders.Shared, ".godwit-proof-*"));
    }

    private sealed class Folders : IDisposable
    {
        private readonly string top = Directory.CreateTempSubdirectory("godwit-shared-").FullName;

        public Folders()
        {
            File.SetUnixFileMode(top, (UnixFileMode)0b111_101_101);
            Directory.CreateDirectory(Shared);
            Directory.CreateDirectory(Copy);
        }

        public string Shared => Path.Combine(top, "shared");

        public string Copy => Path.Combine(top, "copy");

        public string Disk => Path.Combine(Shared, "data.raw");

        public void Dispose() => Directory.Delete(top, recursive: true);
    }
}
