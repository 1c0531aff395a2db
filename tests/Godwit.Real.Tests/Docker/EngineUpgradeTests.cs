using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using Godwit.Real.Tests.Containers;
using Godwit.Real.Tests.Labs;

namespace Godwit.Real.Tests.Docker;

/// <summary>
/// The engine's program is replaced while containers run. <c>GODWIT_FORMER_PROGRAM</c> names the program of an older build to begin with; without it, the same build in other files is
/// replaced, and older builds' records are made by taking from the records what they did not have.
/// </summary>
[Trait("Needs", "docker")]
public sealed class EngineUpgradeTests
{
    private const string Counter = "i=0; while [ $i -lt 600 ]; do echo line $i; i=$((i+1)); usleep 10000; done; echo whole; exec sleep 1000";

    [Fact]
    public async Task Its_program_replaced_in_the_middle_of_run_exec_logs_and_build_it_stops_nothing_and_loses_no_output()
    {
        using var place = new ProgramFolder(Environment.GetEnvironmentVariable("GODWIT_FORMER_PROGRAM") ?? GodwitLab.Program);
        await using var engine = await EngineProcess.StartAsync(place.Program);
        await engine.ImportBusyboxAsync();
        await engine.MustAsync("network", "create", "own");
        await engine.MustAsync("run", "-d", "--name", "web", "--network", "own", "-p", "127.0.0.1::80", "-v", "kept:/kept", "--restart", "always", DockerLab.Busybox, "sh", "-c", "echo here > /tmp/index.html; exec httpd -f -h /tmp");
        await engine.MustAsync("run", "-d", "--name", "counter", "--network", "none", DockerLab.Busybox, "sh", "-c", Counter);
        await engine.MustAsync("create", "--name", "idle", "--network", "none", DockerLab.Busybox, "echo", "begun by the other");
        using var attached = engine.Begin("run", "--name", "attached", "--network", "none", DockerLab.Busybox, "sh", "-c", Counter);
        using var following = engine.Begin("logs", "-f", "counter");
        using var executing = engine.Begin("exec", "counter", "sh", "-c", "i=0; while [ $i -lt 600 ]; do usleep 10000; i=$((i+1)); done; touch /tmp/executed");
        var context = Directory.CreateDirectory(Path.Combine(engine.Folder, "context")).FullName;
        await File.WriteAllTextAsync(Path.Combine(context, "Dockerfile"), $"FROM {DockerLab.Busybox}\nRUN echo building; sleep 1000\n", EngineLab.Stopping);
        using var building = engine.Begin("build", "--network", "none", context);
        await EngineKillTests.ReadUntilAsync(following, "line 20");
        await EngineKillTests.ReadUntilAsync(attached, "line 20");
        await EngineKillTests.ReadUntilAsync(building, "building");
        string[] inspect = ["inspect", "--format", "{{.State.Pid}} {{.State.StartedAt}} {{.RestartCount}}", "web", "counter", "attached"];
        var before = await engine.MustAsync(inspect);
        var port = (await engine.MustAsync("port", "web", "80")).Split('\n')[0];

        await engine.StopAsync();
        foreach (var client in new[] { following, attached, executing, building })
        {
            await client.WaitForExitAsync(EngineLab.Stopping).WaitAsync(EngineLab.Bound, EngineLab.Stopping); // None hangs.
        }

        using var http = new HttpClient();
        Assert.Equal("here\n", await http.GetStringAsync(new Uri($"http://{port}/"), EngineLab.Stopping)); // While there is none, too.
        place.ReplaceBy(GodwitLab.Program);
        await engine.StartAgainAsync();
        Assert.Equal(before, await engine.MustAsync(inspect));
        Assert.Equal("here\n", await http.GetStringAsync(new Uri($"http://{port}/"), EngineLab.Stopping));
        Assert.Equal("said", await engine.MustAsync("exec", "web", "echo", "said"));
        Assert.Equal("begun by the other", await engine.MustAsync("start", "-a", "idle"));
        await Eventually.IsTrueAsync("both have printed all", EngineLab.Bound, async () =>
            (await engine.MustAsync("logs", "--tail", "1", "counter")) == "whole" && (await engine.MustAsync("logs", "--tail", "1", "attached")) == "whole");
        var all = string.Join('\n', Enumerable.Range(0, 600).Select(number => string.Create(CultureInfo.InvariantCulture, $"line {number}")).Append("whole"));
        Assert.Equal(all, await engine.MustAsync("logs", "counter"));
        Assert.Equal(all, await engine.MustAsync("logs", "attached"));
        await Eventually.IsTrueAsync("what was executed went on to its end", EngineLab.Bound, async () => (await engine.DockerAsync("exec", "counter", "cat", "/tmp/executed")).Code == 0);
        await Eventually.IsTrueAsync("the build's container is gone", EngineLab.Bound, async () => (await engine.MustAsync("ps", "-aq")).Split('\n').Length == 4);
        await engine.MustAsync("restart", "-t", "0", "web");
        await engine.MustAsync("stop", "-t", "0", "counter");
        Assert.Equal("kept", await engine.MustAsync("volume", "ls", "-q"));
    }

    [Fact]
    public async Task What_a_newer_one_wrote_is_refused_in_words_and_stays_as_it_is()
    {
        await using var engine = await EngineProcess.StartAsync();
        await engine.ImportBusyboxAsync();
        await engine.MustAsync("run", "-d", "--name", "runs", "--network", "none", "-v", "kept:/kept", DockerLab.Busybox, "sh", "-c", Counter);
        var process = int.Parse(await engine.MustAsync("inspect", "--format", "{{.State.Pid}}", "runs"), CultureInfo.InvariantCulture);
        await engine.StopAsync();
        var home = Path.Combine(engine.DataFolder, "engine");
        var mark = Path.Combine(home, "format");
        var known = await File.ReadAllTextAsync(mark, EngineLab.Stopping);
        await File.WriteAllTextAsync(mark, "1000\n", EngineLab.Stopping);
        var before = await StateAsync(home);
        Assert.Contains("was written by a newer godwit: it is of format 1000", await engine.FailToStartAsync(), StringComparison.Ordinal);
        await File.WriteAllTextAsync(mark, "", EngineLab.Stopping);
        Assert.Contains("holds no number", await engine.FailToStartAsync(), StringComparison.Ordinal);
        await File.WriteAllTextAsync(mark, "1000\n", EngineLab.Stopping);
        Assert.Equal(before, await StateAsync(home));
        using (var running = Process.GetProcessById(process))
        {
            Assert.False(running.HasExited);
        }

        await File.WriteAllTextAsync(mark, known, EngineLab.Stopping);
        await engine.StartAgainAsync();
        Assert.Equal("running", await engine.MustAsync("inspect", "--format", "{{.State.Status}}", "runs"));
    }

    [Fact]
    public async Task What_an_older_one_wrote_is_read_and_its_containers_go_on()
    {
        await using var engine = await EngineProcess.StartAsync();
        await engine.ImportBusyboxAsync();
        await engine.MustAsync("run", "-d", "--name", "runs", "--network", "none", DockerLab.Busybox, "sh", "-c", Counter);
        Assert.Equal(7, (await engine.DockerAsync("run", "--name", "ended", "--network", "none", DockerLab.Busybox, "sh", "-c", "echo said; exit 7")).Code);
        var process = await engine.MustAsync("inspect", "--format", "{{.State.Pid}}", "runs");
        await engine.StopAsync();
        var home = Path.Combine(engine.DataFolder, "engine");
        File.Delete(Path.Combine(home, "format")); // Before there was a mark.
        foreach (var path in Directory.EnumerateFiles(Path.Combine(home, "containers"), "container.json", SearchOption.AllDirectories).ToList())
        {
            var record = JsonNode.Parse(await File.ReadAllTextAsync(path, EngineLab.Stopping))!.AsObject();
            Keep(record, "Id", "Name", "CreatedAt", "Spec", "State"); // All else may have come later.
            Keep(record["Spec"]!.AsObject(), "Image", "ImageId", "Process", "Network", "Log");
            Keep(record["Spec"]!["Process"]!.AsObject(), "Command", "Environment");
            Keep(record["Spec"]!["Network"]!.AsObject(), "Mode");
            Keep(record["Spec"]!["Log"]!.AsObject());
            await File.WriteAllTextAsync(path, record.ToJsonString(), EngineLab.Stopping);
        }

        await engine.StartAgainAsync();
        Assert.Equal($"running {process}", await engine.MustAsync("inspect", "--format", "{{.State.Status}} {{.State.Pid}}", "runs"));
        Assert.Equal("exited 7", await engine.MustAsync("inspect", "--format", "{{.State.Status}} {{.State.ExitCode}}", "ended"));
        Assert.Equal("said", await engine.MustAsync("logs", "ended"));
        Assert.Equal((7, "said\n"), await engine.DockerAsync("start", "-a", "ended") is var again ? (again.Code, again.Output) : default); // It runs once more, as it was made.
        Assert.True(File.Exists(Path.Combine(home, "format")));
    }

    /// <summary>
    /// <c>Golden/first-engine.tar.gz</c> is the folder of the first build that had <c>godwit engine</c>, as that build left it: an image, a volume, a network, and containers that have
    /// ended, never began, and were stopped. Their programs are this host's busybox, bound into them.
    /// </summary>
    [Fact]
    public async Task The_folder_that_the_first_build_left_is_adopted()
    {
        await using var engine = await EngineProcess.StartAsync();
        await engine.StopAsync();
        Directory.Delete(engine.DataFolder, recursive: true);
        Directory.CreateDirectory(engine.DataFolder);
        (await Command.RunAsync("tar", ["-C", engine.DataFolder, "--xattrs", "--xattrs-include=*", "-xzf", FirstFolder()], EngineLab.Bound)).MustSucceed();
        var home = Path.Combine(engine.DataFolder, "engine");
        Assert.False(File.Exists(Path.Combine(home, "format"))); // It wrote none.
        foreach (var record in Directory.EnumerateFiles(Path.Combine(home, "containers"), "container.json", SearchOption.AllDirectories).ToList())
        {
            var text = await File.ReadAllTextAsync(record, EngineLab.Stopping); // Volumes' places are whole paths in it.
            await File.WriteAllTextAsync(record, text.Replace("/var/lib/godwit/engine/", $"{home}/", StringComparison.Ordinal), EngineLab.Stopping);
        }

        await engine.StartAgainAsync();

        Assert.Equal("first:1 first", await engine.MustAsync("image", "inspect", "--format", "{{index .RepoTags 0}} {{.Config.Labels.made}}", "first:1"));
        Assert.Equal("first", await engine.MustAsync("volume", "inspect", "--format", "{{.Labels.made}}", "kept"));
        Assert.Equal("first 10.251.9.0/24", await engine.MustAsync("network", "inspect", "--format", "{{.Labels.made}} {{(index .IPAM.Config 0).Subnet}}", "own"));
        const string state = "{{.State.Status}} {{.State.ExitCode}}";
        Assert.Equal("exited 7", await engine.MustAsync("inspect", "--format", state, "ended"));
        Assert.Equal("created 0", await engine.MustAsync("inspect", "--format", state, "idle"));
        Assert.StartsWith("exited ", await engine.MustAsync("inspect", "--format", state, "stopped"), StringComparison.Ordinal);
        Assert.Equal("67108864 b", await engine.MustAsync("inspect", "--format", "{{.HostConfig.Memory}} {{.Config.Labels.a}}", "idle"));
        Assert.Equal("WHO=first", (await engine.MustAsync("inspect", "--format", "{{range .Config.Env}}{{println .}}{{end}}", "ended")).Split('\n').Single(line => line.StartsWith("WHO", StringComparison.Ordinal)));
        var (_, said, wrong) = await engine.DockerAsync("logs", "ended");
        Assert.Equal(("said\n", "wrong\n"), (said, wrong));
        Assert.Contains("A /tmp/file", await engine.MustAsync("diff", "ended"), StringComparison.Ordinal);

        Assert.Equal("made by the first", await engine.MustAsync("start", "-a", "idle"));
        Assert.Equal((7, "said\n"), await engine.DockerAsync("start", "-a", "ended") is var again ? (again.Code, again.Output) : default);
        await engine.MustAsync("start", "stopped");
        Assert.Equal("data", await engine.MustAsync("run", "--rm", "--network", "own", "-v", "kept:/kept", "-v", "/bin/busybox:/bin/busybox:ro", "first:1", "/bin/busybox", "cat", "/kept/file"));
        Assert.Equal("own", await engine.MustAsync("exec", "stopped", "/bin/busybox", "echo", "own"));
        await engine.MustAsync("commit", "ended", "second:1");
        await engine.MustAsync("rm", "-f", "ended", "idle", "stopped");
        await engine.MustAsync("rmi", "first:1", "second:1");
        await engine.MustAsync("volume", "rm", "kept");
        await engine.MustAsync("network", "rm", "own");
        Assert.True(File.Exists(Path.Combine(home, "format")));
    }

    private static string FirstFolder([System.Runtime.CompilerServices.CallerFilePath] string testFile = "") => Path.Combine(Path.GetDirectoryName(testFile)!, "Golden", "first-engine.tar.gz");

    private static void Keep(JsonObject record, params string[] names)
    {
        foreach (var later in record.Select(property => property.Key).Except(names, StringComparer.Ordinal).ToList())
        {
            record.Remove(later);
        }
    }

    /// <summary>Every file that describes something, with its contents; logs grow while containers run.</summary>
    private static async Task<string> StateAsync(string home)
    {
        var all = new List<string>();
        foreach (var path in Directory.EnumerateFiles(home, "*", new EnumerationOptions { RecurseSubdirectories = true, AttributesToSkip = FileAttributes.ReparsePoint }).Where(path => path.EndsWith(".json", StringComparison.Ordinal) || Path.GetFileName(path) is "format").Order(StringComparer.Ordinal))
        {
            all.Add($"{path}\n{await File.ReadAllTextAsync(path, EngineLab.Stopping)}");
        }

        Assert.True(all.Count >= 4, $"records in {home}: {all.Count}");
        return string.Join('\n', all);
    }

    /// <summary>A program in a folder of its own, that another can take the place of.</summary>
    private sealed class ProgramFolder : IDisposable
    {
        private readonly string folder = Directory.CreateDirectory($"/var/tmp/gwp-{Guid.NewGuid().ToString("N")[..6]}").FullName;

        public ProgramFolder(string program) => ReplaceBy(program);

        public string Program => Path.Combine(folder, "bin", "godwit");

        public void ReplaceBy(string program)
        {
            Assert.SkipUnless(File.Exists(program), $"needs the program {program}: run eng/publish.sh");
            var place = Path.GetDirectoryName(Program)!;
            if (Directory.Exists(place))
            {
                Directory.Delete(place, recursive: true);
            }

            var from = Path.GetDirectoryName(program)!;
            foreach (var path in Directory.EnumerateFiles(from, "*", SearchOption.AllDirectories))
            {
                var target = Path.Combine(place, Path.GetRelativePath(from, path));
                Directory.CreateDirectory(Path.GetDirectoryName(target)!);
                File.Copy(path, target);
            }
        }

        public void Dispose() => Directory.Delete(folder, recursive: true);
    }
}
