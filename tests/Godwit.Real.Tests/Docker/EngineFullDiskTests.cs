namespace Godwit.Real.Tests.Docker;

/// <summary>The engine's folder has no room left.</summary>
[Trait("Needs", "docker")]
public sealed class EngineFullDiskTests
{
    [Fact]
    public async Task A_full_disk_is_told_in_words_and_all_goes_on_when_there_is_room()
    {
        await using var engine = await EngineProcess.StartAsync(48L << 20);
        await engine.ImportBusyboxAsync();
        await engine.MustAsync("run", "-d", "--name", "before", "--network", "none", DockerLab.Busybox, "sleep", "1000");
        var filling = await engine.DockerAsync("run", "--name", "filler", "--network", "none", DockerLab.Busybox, "/bin/busybox", "dd", "if=/dev/zero", "of=/big", "bs=1M");
        Assert.Equal(1, filling.Code); // Its end is told, though its last words found no room in the log.

        var big = Path.Combine(engine.Folder, "big.tar");
        await File.WriteAllBytesAsync(Path.Combine(engine.Folder, "root", "big"), new byte[8 << 20], TestContext.Current.CancellationToken);
        await Containers.EngineLab.HostAsync("tar", "-C", Path.Combine(engine.Folder, "root"), "-cf", big, ".");
        var (code, output, error) = await engine.DockerAsync("import", big, "big:1");
        Assert.NotEqual(0, code);
        Assert.Contains("space", output + error, StringComparison.OrdinalIgnoreCase);
        Assert.Equal("running", await engine.MustAsync("inspect", "--format", "{{.State.Status}}", "before")); // Nobody else is touched.
        Assert.DoesNotContain("big", await engine.MustAsync("images"), StringComparison.Ordinal);

        await engine.MustAsync("rm", "filler");
        await engine.MustAsync("import", big, "big:1");
        await engine.MustAsync("run", "--rm", "--network", "none", DockerLab.Busybox, "true");
    }
}
