using System.Formats.Tar;
using System.Text;
using Godwit.Containers;
using Godwit.Volumes;

namespace Godwit.Real.Tests.Containers;

[Trait("Needs", "root")]
public sealed class ContainerFilesTests
{
    [Fact]
    public async Task A_new_volume_gets_what_the_image_has_there_and_outlives_its_container()
    {
        await using var lab = await EngineLab.OpenAsync();
        var spec = EngineLab.Shell("cat /data/seed; echo more > /data/more") with { Mounts = [new MountSpec.Volume("kept", "/data")] };
        var (first, _) = await lab.RunAsync(spec, "one");
        Assert.Equal("from the image\n", first);
        Assert.Contains("in use", Assert.Throws<VolumeException>(() => lab.Engine.Volumes.Remove("kept")).Message, StringComparison.Ordinal);
        await lab.Engine.RemoveAsync("one", default, EngineLab.Stopping);
        var (second, _) = await lab.RunAsync(EngineLab.Shell("cat /data/more") with { Mounts = [new MountSpec.Volume("kept", "/data") { ReadOnly = true }] }, "two");
        Assert.Equal("more\n", second);
        await lab.Engine.RemoveAsync("two", default, EngineLab.Stopping);
        Assert.Equal(["kept"], lab.Engine.Volumes.Prune(_ => true).Removed);
    }

    [Fact]
    public async Task A_bind_shows_the_hosts_files_and_read_only_means_that()
    {
        await using var lab = await EngineLab.OpenAsync();
        var host = Directory.CreateDirectory(Path.Combine(lab.Options.DataFolder, "bound")).FullName;
        await File.WriteAllTextAsync(Path.Combine(host, "file"), "of the host\n", EngineLab.Stopping);
        var (output, _) = await lab.RunAsync(EngineLab.Shell("cat /b/file; touch /b/x 2>&1; touch /c/y") with { Mounts = [new MountSpec.Bind(host, "/b") { ReadOnly = true }, new MountSpec.Bind(host, "/c")] });
        Assert.Contains("of the host", output, StringComparison.Ordinal);
        Assert.Contains("Read-only", output, StringComparison.Ordinal);
        Assert.True(File.Exists(Path.Combine(host, "y")));
        Assert.False(File.Exists(Path.Combine(host, "x")));
        await Assert.ThrowsAsync<InvalidRequestException>(() => lab.RunAsync(EngineLab.Shell("true") with { Mounts = [new MountSpec.Bind(host + "/missing", "/m")] }));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Files_are_copied_out_and_in(bool running)
    {
        await using var lab = await EngineLab.OpenAsync();
        var id = await lab.StartAsync(EngineLab.Shell("mkdir /tmp/d; echo inside > /tmp/d/f; ln -s f /tmp/d/l; echo ready; sleep 1000") with { Stop = new StopSpec { TimeoutSeconds = 0 } });
        await EngineLab.UntilAsync(async () => await lab.ReadLogAsync(id) == "ready\n", "it is ready");
        if (!running)
        {
            await lab.Engine.StopAsync(id, null, EngineLab.Stopping);
        }

        var facts = await lab.Engine.GetPathAsync(id, "/tmp/d/l", EngineLab.Stopping);
        Assert.Equal(("l", "f"), (facts.Name, facts.LinkTarget));
        var tar = new MemoryStream();
        await lab.Engine.CopyOutAsync(id, "/tmp/d", tar, EngineLab.Stopping);
        Assert.Equal(["d/", "d/f", "d/l"], Names(tar));
        await Assert.ThrowsAsync<NotThereException>(() => lab.Engine.CopyOutAsync(id, "/tmp/missing", new MemoryStream(), EngineLab.Stopping));

        await lab.Engine.CopyInAsync(id, "/home", Tar(("from-outside", "hello\n")), default, EngineLab.Stopping);
        var back = new MemoryStream();
        await lab.Engine.CopyOutAsync(id, "/home/from-outside", back, EngineLab.Stopping);
        Assert.Equal(["from-outside"], Names(back));
        Assert.False(Mounted(id) && !running, "a root that was mounted for a look is mounted no longer");

        bool Mounted(string container) => File.ReadAllText("/proc/self/mounts").Contains(container, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Links_that_a_container_makes_lead_a_copy_nowhere_but_into_the_container()
    {
        await using var lab = await EngineLab.OpenAsync();
        var outside = Directory.CreateDirectory(Path.Combine(lab.Options.DataFolder, "outside")).FullName;
        var climbing = string.Concat(Enumerable.Repeat("../", 20)) + outside.TrimStart('/');
        var id = await lab.StartAsync(EngineLab.Shell($"ln -s {outside} /home/absolute; ln -s {climbing} /home/climbing; echo ready; sleep 1000"));
        await EngineLab.UntilAsync(async () => await lab.ReadLogAsync(id) == "ready\n", "it is ready");
        foreach (var link in new[] { "absolute", "climbing" })
        {
            await Assert.ThrowsAsync<NotThereException>(() => lab.Engine.CopyInAsync(id, $"/home/{link}", Tar(("evil", "x")), default, EngineLab.Stopping));
            await Assert.ThrowsAnyAsync<ContainerException>(() => lab.Engine.CopyInAsync(id, "/", Tar(($"home/{link}/evil", "x"), ("../../../../evil", "x")), default, EngineLab.Stopping));
        }

        Assert.Empty(Directory.EnumerateFileSystemEntries(outside));
    }

    [Fact]
    public async Task A_copy_races_a_container_that_swaps_folders_for_links_and_stays_inside()
    {
        await using var lab = await EngineLab.OpenAsync();
        var outside = Directory.CreateDirectory(Path.Combine(lab.Options.DataFolder, "outside")).FullName;
        var id = await lab.StartAsync(EngineLab.Shell($"mkdir -p /home/real; ln -s {outside} /home/link; echo ready; while :; do mv /home/real /home/t; mv /home/link /home/real; mv /home/real /home/link; mv /home/t /home/real; done 2>/dev/null"));
        await EngineLab.UntilAsync(async () => await lab.ReadLogAsync(id) == "ready\n", "it is ready");
        for (var round = 0; round < 60; round++)
        {
            try
            {
                await lab.Engine.CopyInAsync(id, "/home/real", Tar(($"f{round}", "x")), default, EngineLab.Stopping);
            }
            catch (ContainerException)
            {
                // At that moment it was a link to a place that the container does not have, or was not there.
            }
        }

        Assert.Empty(Directory.EnumerateFileSystemEntries(outside));
    }

    private static MemoryStream Tar(params (string Name, string Text)[] files)
    {
        var stream = new MemoryStream();
        using (var writer = new TarWriter(stream, leaveOpen: true))
        {
            foreach (var (name, text) in files)
            {
                writer.WriteEntry(new PaxTarEntry(TarEntryType.RegularFile, name) { DataStream = new MemoryStream(Encoding.UTF8.GetBytes(text)) });
            }
        }

        stream.Position = 0;
        return stream;
    }

    private static List<string> Names(MemoryStream tar)
    {
        tar.Position = 0;
        using var reader = new TarReader(tar);
        var names = new List<string>();
        while (reader.GetNextEntry() is { } entry)
        {
            names.Add(entry.Name);
        }

        return names;
    }
}
