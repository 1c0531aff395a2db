using System.Diagnostics;
using System.Globalization;
using Godwit.Linux.ControlGroups;
using Godwit.Real.Tests.Containers;

namespace Godwit.Real.Tests.Docker;

/// <summary>The real <c>docker</c> command against the engine.</summary>
[Trait("Needs", "docker")]
public sealed class DockerCliTests
{
    [Fact]
    public async Task Docker_runs_executes_copies_and_removes()
    {
        await using var lab = await DockerLab.OpenAsync();
        Assert.Equal((0, "hello\n"), Only(await lab.DockerAsync("run", "--rm", "--network", "none", DockerLab.Busybox, "echo", "hello")));
        Assert.Equal((0, "typed\n"), Only(await lab.DockerAsync("typed\n", ["run", "--rm", "-i", "--network", "none", DockerLab.Busybox, "cat"])));
        Assert.Equal(7, (await lab.DockerAsync("run", "--rm", "--network", "none", DockerLab.Busybox, "sh", "-c", "exit 7")).Code);
        Assert.Equal((0, $"{new FileInfo("/proc/self/ns/net").LinkTarget}\n"), Only(await lab.DockerAsync("run", "--rm", "--network", "host", DockerLab.Busybox, "busybox", "readlink", "/proc/self/ns/net")));
        Assert.Equal(0, (await lab.DockerAsync("run", "-d", "--name", "web", "--network", "none", DockerLab.Busybox, "sh", "-c", "echo out; echo err >&2; exec sleep 1000")).Code);
        Assert.Equal((0, "ran\n"), Only(await lab.DockerAsync("exec", "web", "echo", "ran")));
        Assert.Equal((0, "piped\n"), Only(await lab.DockerAsync("piped\n", ["exec", "-i", "web", "cat"])));
        Assert.Equal(9, (await lab.DockerAsync("exec", "web", "sh", "-c", "exit 9")).Code);
        Assert.Equal((0, "out\n", "err\n"), await lab.DockerAsync("logs", "web"));
        Assert.Equal(0, (await lab.DockerAsync("cp", "/etc/hosts", "web:/tmp/copied")).Code);
        Assert.Equal(await File.ReadAllTextAsync("/etc/hosts", TestContext.Current.CancellationToken), (await lab.DockerAsync("exec", "web", "cat", "/tmp/copied")).Output);
        var sizes = (await lab.DockerAsync("inspect", "-s", "--format", "{{.SizeRw}} {{.SizeRootFs}}", "web")).Output.Split(' ').Select(Number).ToList();
        var image = Number((await lab.DockerAsync("image", "inspect", "--format", "{{.Size}}", DockerLab.Busybox)).Output);
        Assert.Equal((new FileInfo("/etc/hosts").Length, sizes[0] + image), (sizes[0], sizes[1]));
        Assert.Contains("A /tmp/copied", (await lab.DockerAsync("diff", "web")).Output, StringComparison.Ordinal);
        Assert.Equal((0, "running web\n"), Only(await lab.DockerAsync("inspect", "--format", "{{.State.Status}} {{slice .Name 1}}", "web")));
        Assert.Equal(0, (await lab.DockerAsync("rm", "-f", "web")).Code);
        Assert.Equal((0, ""), Only(await lab.DockerAsync("ps", "-aq")));
    }

    private static long Number(string text) => long.Parse(text, CultureInfo.InvariantCulture);

    [Fact]
    public async Task A_weight_of_block_io_is_taken_and_whether_it_decides_something_here_is_said()
    {
        await using var lab = await DockerLab.OpenAsync();
        const string words = "knows weights";
        var (code, _, error) = await lab.DockerAsync("run", "-d", "--name", "box", "--blkio-weight", "300", "--network", "none", DockerLab.Busybox, "sleep", "1000");
        Assert.Equal((0, !BlockIoWeights.DecideSomething()), (code, error.Contains(words, StringComparison.Ordinal)));
        (code, var output, error) = await lab.DockerAsync("update", "--blkio-weight", "400", "box");
        Assert.Equal((0, !BlockIoWeights.DecideSomething()), (code, (output + error).Contains(words, StringComparison.Ordinal))); // Clients say it here or there.
        Assert.Equal((0, "400\n"), Only(await lab.DockerAsync("inspect", "--format", "{{.HostConfig.BlkioWeight}}", "box")));
        (code, _, error) = await lab.DockerAsync("update", "--blkio-weight", "1001", "box");
        Assert.True(code != 0 && error.Contains("Range of blkio weight is from 10 to 1000", StringComparison.Ordinal), error);
        Assert.DoesNotContain(words, (await lab.DockerAsync("run", "--rm", "--network", "none", DockerLab.Busybox, "true")).Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Through_a_terminal_of_ones_own_programs_run_again_and_again()
    {
        Assert.SkipUnless(File.Exists("/usr/bin/script"), "needs script(1): install the package bsdutils");
        await using var lab = await DockerLab.OpenAsync();
        Assert.Equal(0, (await lab.DockerAsync("run", "-d", "--name", "box", "--network", "none", DockerLab.Busybox, "sleep", "1000")).Code);
        for (var i = 0; i < 20; i++)
        {
            var ran = await OnTerminalAsync(lab, $"{DockerClients.Newest} exec -it box sh -c 'tty; exit 5'");
            Assert.True(ran is { Code: 5 } && ran.Output.Contains("/dev/pts/", StringComparison.Ordinal), $"{i}: {ran}");
        }

        var attached = await OnTerminalAsync(lab, $"{DockerClients.Newest} run --rm -it --network none {DockerLab.Busybox} sh -c 'tty; exit 6'");
        Assert.True(attached is { Code: 6 } && attached.Output.Contains("/dev/pts/", StringComparison.Ordinal), $"{attached}");
    }

    /// <summary>
    /// A person's terminal does not end. Nor must script's input, in whose end it types an end of file and may lose what is printed then: it is
    /// a pipe that is open for writing too.
    /// </summary>
    private static async Task<(int Code, string Output, string Error)> OnTerminalAsync(DockerLab lab, string command)
    {
        var folder = Directory.CreateTempSubdirectory("godwit-terminal-").FullName;
        try
        {
            return await lab.RunAsync("/bin/sh", "", ["-c", "mkfifo \"$0\" && exec script -qec \"$1\" /dev/null <> \"$0\"", Path.Combine(folder, "input"), command]);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public async Task Docker_exits_with_125_126_and_127_as_people_know_them()
    {
        await using var lab = await DockerLab.OpenAsync();
        Assert.Equal(125, (await lab.DockerAsync("run", "--rm", "--restart", "always", DockerLab.Busybox)).Code);
        Assert.Equal(126, (await lab.DockerAsync("run", "--rm", "--network", "none", DockerLab.Busybox, "/tmp")).Code);
        Assert.Equal(127, (await lab.DockerAsync("run", "--rm", "--network", "none", DockerLab.Busybox, "nothing-of-this-name")).Code);
        Assert.Equal((0, ""), Only(await lab.DockerAsync("ps", "-aq")));
        var (code, _, error) = await lab.DockerAsync("start", "nobody");
        Assert.Equal(1, code);
        Assert.Contains("No such container: nobody", error, StringComparison.Ordinal);
    }

    /// <summary>And nothing else: not of an image, which the client would go and pull.</summary>
    [Fact]
    public async Task What_is_missing_or_not_supported_is_told_by_its_own_name()
    {
        await using var lab = await DockerLab.OpenAsync();
        (string Command, string Words)[] refused =
        [
            ("create --network nowhere " + DockerLab.Busybox, "network nowhere not found"), ("create --volumes-from nobody " + DockerLab.Busybox, "No such container: nobody"),
            ("run --network container:nobody " + DockerLab.Busybox, "No such container: nobody"), ("inspect x", "o such object: x"), ("volume rm x", "no such volume"),
            ("create --mount type=volume,dst=/data,volume-opt=type=tmpfs " + DockerLab.Busybox, "the option type of a volume is not supported"), ("volume create -o type=tmpfs data", "type"),
            ("create -v data:/data --volume-driver remote " + DockerLab.Busybox, "the volume driver remote is not supported"), ("volume create -d remote data", "remote"),
            ("create --log-driver syslog " + DockerLab.Busybox, "no log driver named 'syslog'"), ("create --gpus all " + DockerLab.Busybox, "--gpus is not supported"), ("network create -d overlay wide", "overlay"),
        ];
        foreach (var (command, words) in refused)
        {
            var (code, output, error) = await lab.DockerAsync(command.Split(' '));
            Assert.True(code != 0 && error.Contains(words, StringComparison.Ordinal) && !error.Contains("Unable to find image", StringComparison.Ordinal), $"docker {command}: {code} {output} {error}");
        }

        await lab.DockerAsync("rm", "-f", await NamesAsync(lab)); // The one that could be made, and not started.
        Assert.Equal((0, ""), Only(await lab.DockerAsync("volume", "ls", "-q")));
    }

    private static async Task<string> NamesAsync(DockerLab lab) => (await lab.DockerAsync("ps", "-a", "--format", "{{.Names}}")).Output.Trim();

    [Fact]
    public async Task Events_come_filtered_as_they_happen_and_detach_keys_leave_the_container_running_to_be_attached_again()
    {
        Assert.SkipUnless(File.Exists("/usr/bin/script"), "needs script(1): install the package bsdutils");
        await using var lab = await DockerLab.OpenAsync();
        using var events = lab.Begin(DockerClients.Newest!, "events", "--since", "1", "--filter", "event=die", "--filter", "label=kind=heard", "--format", "{{.Action}} {{.Actor.Attributes.name}} {{.Actor.Attributes.exitCode}}");
        await lab.DockerAsync("run", "--name", "other", "--network", "none", DockerLab.Busybox, "true");
        await lab.DockerAsync("run", "--name", "first", "--label", "kind=heard", "--network", "none", DockerLab.Busybox, "sh", "-c", "exit 3");
        Assert.Equal("die first 3", await LineAsync(events));

        using var terminal = lab.Begin("/usr/bin/script", "-qec", $"{DockerClients.Newest} run -it --name second --label kind=heard --network none {DockerLab.Busybox} sh -c 'echo ready; read line; echo got $line; exit 4'", "/dev/null");
        Assert.Equal("ready", (await LineAsync(terminal))!.Trim());
        await terminal.StandardInput.WriteAsync("\u0010\u0011");
        await terminal.StandardInput.FlushAsync(EngineLab.Stopping);
        await terminal.WaitForExitAsync(EngineLab.Stopping).WaitAsync(EngineLab.Bound, EngineLab.Stopping);
        Assert.Equal((0, "true\n"), Only(await lab.DockerAsync("inspect", "--format", "{{.State.Running}}", "second")));

        using var again = lab.Begin("/usr/bin/script", "-qec", $"{DockerClients.Newest} attach second", "/dev/null");
        await again.StandardInput.WriteAsync("word\n");
        await again.StandardInput.FlushAsync(EngineLab.Stopping);
        await EngineKillTests.ReadUntilAsync(again, "got word"); // After the terminals' echoes.
        await again.WaitForExitAsync(EngineLab.Stopping).WaitAsync(EngineLab.Bound, EngineLab.Stopping);
        Assert.Equal(4, again.ExitCode);
        Assert.Equal("die second 4", await LineAsync(events));
        events.Kill();
        await events.WaitForExitAsync(EngineLab.Stopping);
    }

    private static Task<string?> LineAsync(Process program) => program.StandardOutput.ReadLineAsync(EngineLab.Stopping).AsTask().WaitAsync(EngineLab.Bound, EngineLab.Stopping);

    /// <summary>What docker saves is both; each half alone is what other tools, and dockers of other times, write.</summary>
    [Fact]
    public async Task Archives_of_either_kind_are_loaded()
    {
        await using var lab = await DockerLab.OpenAsync();
        var archive = Path.Combine(lab.Folder, "saved.tar");
        Assert.Equal(0, (await lab.DockerAsync("tag", DockerLab.Busybox, "saved:1")).Code);
        Assert.Equal(0, (await lab.DockerAsync("save", "-o", archive, "saved:1")).Code);
        foreach (var left in new[] { "manifest.json", "index.json" })
        {
            var (half, files) = (archive + left, Directory.CreateDirectory(archive + "-" + left).FullName);
            await EngineLab.HostAsync("tar", "-C", files, "-xf", archive);
            File.Delete(Path.Combine(files, left));
            await EngineLab.HostAsync("tar", "-C", files, "-cf", half, ".");
            Assert.Equal(0, (await lab.DockerAsync("rmi", "saved:1")).Code);
            Assert.Equal((0, "Loaded image: saved:1\n"), Only(await lab.DockerAsync("load", "-q", "-i", half)));
        }

        Assert.Equal((0, "hello\n"), Only(await lab.DockerAsync("run", "--rm", "--network", "none", "saved:1", "echo", "hello")));
        var id = (await lab.DockerAsync("inspect", "--format", "{{.Id}}", "saved:1")).Output.Trim();
        Assert.Equal(0, (await lab.DockerAsync("save", "-o", archive, id)).Code);
        Assert.Equal((0, $"Loaded image ID: {id}\n"), Only(await lab.DockerAsync("load", "-q", "-i", archive)));
    }

    [Fact]
    public async Task Docker_builds_from_a_context_knows_what_it_built_before_and_exits_with_a_steps_code()
    {
        await using var lab = await DockerLab.OpenAsync();
        using var context = new BuildFolder();
        context.Write("file", "from the context");
        context.Write("Dockerfile", $"""
            FROM {DockerLab.Busybox} AS first
            ARG WHO=nobody
            RUN echo "hello $WHO" > /greeting
            FROM {DockerLab.Busybox}
            COPY --from=first /greeting /greeting
            COPY file /file
            CMD ["cat", "/greeting", "/file"]
            """);
        var built = await lab.DockerAsync("build", "--network", "none", "--build-arg", "WHO=builder", "-t", "greeting", context.Path);
        Assert.True(built.Code == 0, built.Output + built.Error);
        Assert.Contains("Successfully tagged greeting:latest", built.Output, StringComparison.Ordinal);
        Assert.Equal((0, "hello builder\nfrom the context\n"), Only(await lab.DockerAsync("run", "--rm", "--network", "none", "greeting")));
        Assert.Contains("Using cache", (await lab.DockerAsync("build", "--network", "none", "--build-arg", "WHO=builder", "-t", "greeting", context.Path)).Output, StringComparison.Ordinal);

        context.Write("Dockerfile", $"FROM {DockerLab.Busybox}\nRUN exit 42\n");
        var failed = await lab.DockerAsync("build", "--network", "none", context.Path);
        Assert.Equal(42, failed.Code);
        Assert.Contains("returned a non-zero code: 42", failed.Error, StringComparison.Ordinal);
        context.Write("Dockerfile", $"FROM {DockerLab.Busybox}\nFETCH something\n");
        Assert.Contains("unknown instruction: FETCH", (await lab.DockerAsync("build", context.Path)).Error, StringComparison.Ordinal);
        Assert.Equal((0, ""), Only(await lab.DockerAsync("ps", "-aq")));
    }

    private static (int Code, string Output) Only((int Code, string Output, string Error) result) => (result.Code, result.Output);

    private sealed class BuildFolder : IDisposable
    {
        public string Path { get; } = Directory.CreateTempSubdirectory("gwd-context-").FullName;

        public void Write(string name, string text) => File.WriteAllText(System.IO.Path.Combine(Path, name), text + "\n");

        public void Dispose() => Directory.Delete(Path, recursive: true);
    }
}
