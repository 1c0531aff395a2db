using System.Globalization;
using Godwit.Real.Tests.Containers;
using Godwit.Real.Tests.Labs;

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
        await EngineLab.HostAsync("tar", "-C", Path.Combine(engine.Folder, "root"), "-cf", big, ".");
        var (code, output, error) = await engine.DockerAsync("import", big, "big:1");
        Assert.NotEqual(0, code);
        Assert.Contains("space", output + error, StringComparison.OrdinalIgnoreCase);
        Assert.Equal("running", await engine.MustAsync("inspect", "--format", "{{.State.Status}}", "before")); // Nobody else is touched.
        Assert.DoesNotContain("big", await engine.MustAsync("images"), StringComparison.Ordinal);

        await engine.MustAsync("rm", "filler");
        await engine.MustAsync("import", big, "big:1");
        await engine.MustAsync("run", "--rm", "--network", "none", DockerLab.Busybox, "true");
    }

    [Fact]
    public async Task Commands_are_done_whole_or_refused_in_words_and_last_words_are_heard()
    {
        await using var engine = await EngineProcess.StartAsync(32L << 20);
        await engine.ImportBusyboxAsync();
        await engine.MustAsync("run", "-d", "--name", "prints", "--network", "none", DockerLab.Busybox, "sh", "-c", "i=0; while i=$((i+1)); do echo $i; usleep 20000; done");
        await engine.MustAsync("run", "-d", "--name", "before", "--network", "none", DockerLab.Busybox, "sleep", "1000");
        await engine.MustAsync("run", "-d", "--name", "victim", "--network", "none", DockerLab.Busybox, "sleep", "1000");
        using var attached = engine.Begin("run", "-i", "--name", "attached", "--network", "none", DockerLab.Busybox, "sh", "-c", "echo ready; read go; echo last words; exit 7");
        Assert.Equal("ready", await attached.StandardOutput.ReadLineAsync(EngineLab.Stopping).AsTask().WaitAsync(EngineLab.Bound, EngineLab.Stopping));
        var filling = await engine.DockerAsync("run", "--name", "filler", "--network", "none", DockerLab.Busybox, "/bin/busybox", "dd", "if=/dev/zero", "of=/big", "bs=4k");
        Assert.Equal(1, filling.Code);
        Assert.Contains("No space left on device", filling.Error, StringComparison.Ordinal);

        await attached.StandardInput.WriteLineAsync("go");
        Assert.Equal("last words", await attached.StandardOutput.ReadLineAsync(EngineLab.Stopping).AsTask().WaitAsync(EngineLab.Bound, EngineLab.Stopping));
        await attached.WaitForExitAsync(EngineLab.Stopping).WaitAsync(EngineLab.Bound, EngineLab.Stopping);
        Assert.Equal(7, attached.ExitCode);

        await RefusedAsync(engine);
        Assert.Equal("said", await engine.MustAsync("exec", "before", "echo", "said"));
        await engine.MustAsync("pause", "before");
        await engine.MustAsync("unpause", "before");
        await engine.MustAsync("rm", "-f", "victim");
        await engine.MustAsync("stop", "-t", "0", "before");

        var last = await LastPrintedAsync(engine);
        await engine.MustAsync("rm", "filler");
        await Eventually.IsTrueAsync("the log goes on when there is room", EngineLab.Bound, async () => await LastPrintedAsync(engine) > last + 10);
        await WrittenAsync(engine, "before", "137");
        await WrittenAsync(engine, "attached", "\"exited\"");
        await engine.KillAsync();
        await engine.StartAgainAsync();
        Assert.Equal("exited 137", await engine.MustAsync("inspect", "--format", "{{.State.Status}} {{.State.ExitCode}}", "before"));
        Assert.Equal("exited 7", await engine.MustAsync("inspect", "--format", "{{.State.Status}} {{.State.ExitCode}}", "attached"));
        Assert.Equal("attached before prints", string.Join(' ', (await engine.MustAsync("ps", "-a", "--format", "{{.Names}}")).Split('\n').Order(StringComparer.Ordinal)));
        foreach (var again in new[] { "create --name made --network none " + DockerLab.Busybox, "commit before made", "volume create made", "network create made", "rename before renamed" })
        {
            await engine.MustAsync(again.Split(' ')); // What was refused left no name behind.
        }
    }

    /// <summary>
    /// Beyond the room that is set aside, a long line meets the end of the disk somewhere in itself: the kernel takes what fits, the monitor drops the rest, and the line
    /// that comes when there is room again follows it in the file without an end between.
    /// </summary>
    [Fact]
    public async Task A_log_line_that_the_full_disk_cut_off_is_ended_and_the_next_is_whole()
    {
        await using var engine = await EngineProcess.StartAsync(32L << 20);
        await engine.ImportBusyboxAsync();
        await engine.MustAsync("run", "-d", "--name", "long", "--network", "none", DockerLab.Busybox, "sh", "-c", "l=$(/bin/busybox printf '%02999d' 0 | /bin/busybox tr 0 x); i=0; while i=$((i+1)); do echo $i $l; usleep 2000; done");
        var log = Path.Combine(engine.DataFolder, "engine", "containers", await engine.MustAsync("inspect", "--format", "{{.Id}}", "long"), "log");
        for (var tries = 1; !await IsCutInItsTextAsync(engine, log); tries++)
        {
            Assert.True(tries < 5, "the disk cuts the last line off in its text, and not just before or behind it");
            await engine.MustAsync("rm", "filler");
        }

        var length = new FileInfo(log).Length;
        await engine.MustAsync("rm", "filler");
        await Eventually.IsTrueAsync("the log goes on", EngineLab.Bound, () => Task.FromResult(new FileInfo(log).Length > length + (64 << 10)));
        await engine.MustAsync("stop", "-t", "0", "long");

        Assert.Matches(@"x\d{4}-\d\d-\d\dT[^ ]+ stdout F \d+ x", await File.ReadAllTextAsync(log, EngineLab.Stopping)); // The disk did cut one off.
        var lines = (await engine.MustAsync("logs", "long")).Split('\n');
        var whole = lines.Where(line => line.EndsWith(' ' + new string('x', 2999), StringComparison.Ordinal)).ToList();
        Assert.All(whole, line => Assert.Matches(@"^\d+ x+$", line));
        var cut = lines.Except(whole, StringComparer.Ordinal).ToList();
        Assert.All(cut, line => Assert.Matches(@"^\d+ x*$", line)); // The beginning of a line, and nothing of the next.
        Assert.InRange(cut.Count, 1, 8);
        Assert.True(Array.IndexOf(lines, cut[0]) < lines.Length - 1 && whole.Contains(lines[Array.IndexOf(lines, cut[0]) + 1], StringComparer.Ordinal), "the line after the cut one is whole");
    }

    /// <summary>Fills the disk until the log's last line has no end.</summary>
    /// <returns>Whether that line has a part of its text, which <c>docker logs</c> has to show: the end of the disk may be anywhere.</returns>
    private static async Task<bool> IsCutInItsTextAsync(EngineProcess engine, string log)
    {
        Assert.Equal(1, (await engine.DockerAsync("run", "--name", "filler", "--network", "none", DockerLab.Busybox, "/bin/busybox", "dd", "if=/dev/zero", "of=/big", "bs=4k")).Code);
        var last = "";
        await Eventually.IsTrueAsync("the disk cuts a line of the log off", EngineLab.Bound, async () =>
        {
            var length = new FileInfo(log).Length;
            await engine.MustAsync("exec", "long", "usleep", "200000"); // A hundred lines' time.
            var text = await File.ReadAllTextAsync(log, EngineLab.Stopping);
            last = text[(text.LastIndexOf('\n') + 1)..];
            return last.Length > 0 && length == text.Length;
        });
        return last.Count(letter => letter == 'x') is > 0 and < 2999;
    }

    /// <summary>While it prints, lines may come after the tail was found.</summary>
    private static async Task<long> LastPrintedAsync(EngineProcess engine) => long.Parse((await engine.MustAsync("logs", "--tail", "1", "prints")).Split('\n')[^1], CultureInfo.InvariantCulture);

    private static async Task WrittenAsync(EngineProcess engine, string container, string word)
    {
        var record = Path.Combine(engine.DataFolder, "engine", "containers", await engine.MustAsync("inspect", "--format", "{{.Id}}", container), "container.json");
        await Eventually.IsTrueAsync($"the end of {container} is written", EngineLab.Bound, async () => (await File.ReadAllTextAsync(record, EngineLab.Stopping)).Contains(word, StringComparison.Ordinal));
    }

    /// <summary>The bridges of this engine and no other's.</summary>
    private static string DevicesOf(EngineProcess engine) =>
        string.Join(' ', Directory.EnumerateDirectories("/sys/class/net").Select(Path.GetFileName).Where(name => name!.StartsWith(engine.LinkPrefix, StringComparison.Ordinal)).Order(StringComparer.Ordinal));

    /// <summary>Everything that needs room says that there is none, and leaves all as it was.</summary>
    private static async Task RefusedAsync(EngineProcess engine)
    {
        var context = Directory.CreateDirectory(Path.Combine(engine.Folder, "context")).FullName;
        await File.WriteAllTextAsync(Path.Combine(context, "Dockerfile"), $"FROM {DockerLab.Busybox}\nCOPY root.tar /\n", EngineLab.Stopping);
        var tar = Path.Combine(engine.Folder, "root.tar");
        File.Copy(tar, Path.Combine(context, "root.tar"));
        async Task<string> StateAsync() => $"{await engine.MustAsync("ps", "-aq", "--no-trunc")} {await engine.MustAsync("images", "-aq")} {await engine.MustAsync("volume", "ls", "-q")} {await engine.MustAsync("network", "ls", "-q")} {DevicesOf(engine)} {await engine.MustAsync("inspect", "--format", "{{.Name}} {{.State.Status}} {{.HostConfig.Memory}}", "before")}";
        var before = await StateAsync();
        string[] commands =
        [
            "create --name made --network none " + DockerLab.Busybox, "run --rm --network none " + DockerLab.Busybox + " true", "commit before made", "import " + tar + " made", "volume create made",
            "network create made", "tag " + DockerLab.Busybox + " made", "load -i " + tar, "cp " + tar + " before:/made", "rename before renamed", "update --memory 64m --memory-swap 64m before",
        ];
        foreach (var command in commands)
        {
            var (code, output, error) = await engine.DockerAsync(command.Split(' '));
            Assert.True(code != 0 && error.Contains("No space left on device", StringComparison.OrdinalIgnoreCase), $"docker {command}: {code} {output} {error}");
        }

        var built = await Command.RunAsync(GodwitLab.Program, ["build", "--socket", engine.Host["unix://".Length..], "--network", "none", context], EngineLab.Bound);
        Assert.True(built.ExitCode != 0 && built.Errors.Contains("space", StringComparison.OrdinalIgnoreCase), built.Output + built.Errors);
        Assert.Equal(before, await StateAsync());
    }
}
