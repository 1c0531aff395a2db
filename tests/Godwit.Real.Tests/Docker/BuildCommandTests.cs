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
