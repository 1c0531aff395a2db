using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Godwit.Real.Tests.Containers;
using Godwit.Real.Tests.Labs;

namespace Godwit.Real.Tests.Docker;

/// <summary>The program's own <c>build</c>, and what a client with BuildKit is told.</summary>
[Trait("Needs", "docker")]
public sealed class BuildCommandTests
{
    [Fact]
    public async Task Godwit_build_sends_what_is_not_ignored_and_exits_with_a_failed_steps_code()
    {
        await using var engine = await EngineProcess.StartAsync();
        await engine.ImportBusyboxAsync();
        var context = Directory.CreateDirectory(Path.Combine(engine.Folder, "context")).FullName;
        await File.WriteAllTextAsync(Path.Combine(context, ".dockerignore"), "*.secret\n", EngineLab.Stopping);
        await File.WriteAllTextAsync(Path.Combine(context, "kept"), "kept\n", EngineLab.Stopping);
        await File.WriteAllTextAsync(Path.Combine(context, "not.secret"), "left out\n", EngineLab.Stopping);
        await File.WriteAllTextAsync(Path.Combine(context, "Dockerfile"), $"FROM {DockerLab.Busybox}\nARG WHO\nCOPY . /in/\nRUN ls /in; echo built by $WHO\n", EngineLab.Stopping);
        var built = (await BuildAsync(engine, "-t", "mine:1", "--build-arg", "WHO=me", "--network", "none", context)).MustSucceed();
        Assert.Contains("built by me", built.Output, StringComparison.Ordinal);
        Assert.Contains("Successfully tagged mine:1", built.Output, StringComparison.Ordinal);
        Assert.Equal("kept", await engine.MustAsync("run", "--rm", "--network", "none", "mine:1", "cat", "/in/kept"));
        Assert.DoesNotContain("not.secret", await engine.MustAsync("run", "--rm", "--network", "none", "mine:1", "ls", "/in"), StringComparison.Ordinal);

        var elsewhere = Path.Combine(engine.Folder, "Other");
        await File.WriteAllTextAsync(elsewhere, $"FROM {DockerLab.Busybox}\nRUN exit 42\n", EngineLab.Stopping);
        var failed = await BuildAsync(engine, "-f", elsewhere, "--network", "none", context);
        Assert.Equal(42, failed.ExitCode);
        Assert.Contains("returned a non-zero code: 42", failed.Errors, StringComparison.Ordinal);
        var nowhere = await Command.RunAsync(GodwitLab.Program, ["build", "--socket", "/nowhere.sock", context], EngineLab.Bound);
        Assert.Equal(4, nowhere.ExitCode);
        Assert.Contains("No engine answers on /nowhere.sock", nowhere.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task On_a_terminal_what_is_under_way_is_drawn_and_steps_are_heard_while_they_run()
    {
        Assert.SkipUnless(File.Exists("/usr/bin/script"), "needs script: install the package bsdutils");
        await using var engine = await EngineProcess.StartAsync();
        await engine.ImportBusyboxAsync();
        var context = Directory.CreateDirectory(Path.Combine(engine.Folder, "context")).FullName;
        using var gate = new TcpListener(IPAddress.Loopback, 0);
        gate.Start();
        var address = $"http://127.0.0.1:{((IPEndPoint)gate.LocalEndpoint).Port}/";
        await File.WriteAllTextAsync(Path.Combine(context, "Dockerfile"), $"FROM {DockerLab.Busybox}\nRUN echo the step has be''gun; wget -q -O - {address}\n", EngineLab.Stopping);
        var start = new ProcessStartInfo("script", ["-qec", $"{GodwitLab.Program} build --socket {engine.Host["unix://".Length..]} --network host -t live {context}", "/dev/null"]) { RedirectStandardOutput = true, RedirectStandardInput = true };
        using var terminal = Process.Start(start)!;
        var shown = new StringBuilder();
        await HearAsync(terminal, shown, "the step has begun");
        Assert.Contains("\r\u001b[Ksending the context", shown.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain("Successfully", shown.ToString(), StringComparison.Ordinal); // The step waits for us.
        using (var asked = await gate.AcceptTcpClientAsync(EngineLab.Stopping).AsTask().WaitAsync(EngineLab.Bound, EngineLab.Stopping))
        {
            await asked.GetStream().WriteAsync("HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\ngo\n"u8.ToArray(), EngineLab.Stopping);
            await HearAsync(terminal, shown, "Successfully tagged live:latest");
        }

        await terminal.WaitForExitAsync(EngineLab.Stopping).WaitAsync(EngineLab.Bound, EngineLab.Stopping);
        Assert.Equal(0, terminal.ExitCode);
    }

    /// <summary>Reads on until this was said.</summary>
    private static async Task HearAsync(Process terminal, StringBuilder shown, string words)
    {
        var buffer = new char[1024];
        while (!shown.ToString().Contains(words, StringComparison.Ordinal))
        {
            var count = await terminal.StandardOutput.ReadAsync(buffer, EngineLab.Stopping).AsTask().WaitAsync(EngineLab.Bound, EngineLab.Stopping);
            Assert.True(count > 0, $"it ended before it said '{words}': {shown}");
            shown.Append(buffer, 0, count);
        }
    }

    [Fact]
    public async Task A_client_with_BuildKit_is_told_what_to_set()
    {
        Assert.SkipUnless(DockerClients.Buildx is not null, "needs the buildx plugin: run eng/setup.sh test");
        await using var lab = await DockerLab.OpenAsync();
        var plugins = Directory.CreateDirectory(Path.Combine(lab.Folder, "config", "cli-plugins")).FullName;
        File.CreateSymbolicLink(Path.Combine(plugins, "docker-buildx"), DockerClients.Buildx);
        await File.WriteAllTextAsync(Path.Combine(lab.Folder, "Dockerfile"), $"FROM {DockerLab.Busybox}\n", EngineLab.Stopping);
        var (code, output, error) = await lab.DockerAsync("build", lab.Folder);
        Assert.NotEqual(0, code);
        Assert.True((output + error).Contains("DOCKER_BUILDKIT=0", StringComparison.Ordinal), output + error);
    }

    private static Task<CommandResult> BuildAsync(EngineProcess engine, params string[] arguments) =>
        Command.RunAsync(GodwitLab.Program, ["build", "--socket", engine.Host["unix://".Length..], .. arguments], EngineLab.Bound);
}
