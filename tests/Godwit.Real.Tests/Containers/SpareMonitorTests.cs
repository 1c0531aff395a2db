using System.Diagnostics;
using Godwit.Containers;
using Godwit.Real.Tests.Docker;
using Godwit.Real.Tests.Labs;

namespace Godwit.Real.Tests.Containers;

/// <summary>The monitor that waits for a container's next execution: it is used, never relied on, and never left over.</summary>
[Trait("Needs", "root")]
public sealed class SpareMonitorTests
{
    [Fact]
    public async Task The_next_execution_takes_the_monitor_that_waits_and_another_waits_after_it()
    {
        await using var lab = await EngineLab.OpenAsync();
        var id = await lab.StartAsync(EngineLab.Spec("sleep", "1000"));
        Assert.Equal(("one\n", 0), await lab.ExecuteAsync(id, "echo", "one"));
        var first = await WaitingAsync(lab.Options.RunFolder);

        Assert.Equal(("two\n", 3), await lab.ExecuteAsync(id, "sh", "-c", "echo two; exit 3"));

        await EngineLab.UntilAsync(() => !IsThere(first), "the monitor that waited has ended with its execution");
        Assert.NotEqual(first, await WaitingAsync(lab.Options.RunFolder));
        Assert.Equal(("three\n", 0), await lab.ExecuteAsync(id, "echo", "three"));
    }

    [Fact]
    public async Task One_that_was_killed_or_is_of_another_form_is_not_missed()
    {
        await using var lab = await EngineLab.OpenAsync();
        var id = await lab.StartAsync(EngineLab.Spec("sleep", "1000"));
        await lab.ExecuteAsync(id, "true");
        var killed = await WaitingAsync(lab.Options.RunFolder);
        Process.GetProcessById(killed).Kill();
        await EngineLab.UntilAsync(() => !IsThere(killed), "it has ended");
        Assert.Equal(("still\n", 0), await lab.ExecuteAsync(id, "echo", "still"));

        var withoutInput = await WaitingAsync(lab.Options.RunFolder);
        var execution = lab.Engine.CreateExecution(id, new ExecutionSpec { Process = new ProcessSpec { Command = ["cat"], OpenStandardInput = true } });
        await using var session = await lab.Engine.StartExecutionAsync(execution, size: null, EngineLab.Stopping);
        await session.WriteInputAsync("typed\n"u8.ToArray(), EngineLab.Stopping);
        await session.EndInputAsync(EngineLab.Stopping);
        Assert.Equal("typed\n", await EngineLab.ReadAsync(session.ReadOutputAsync(EngineLab.Stopping)));
        await EngineLab.UntilAsync(() => !IsThere(withoutInput), "the one without input has ended");
    }

    [Fact]
    public async Task It_ends_with_its_container_and_with_the_engine_and_the_container_does_not()
    {
        await using var lab = await EngineLab.OpenAsync();
        var stays = await lab.StartAsync(EngineLab.Spec("sleep", "1000"));
        await lab.ExecuteAsync(stays, "true");
        var waiting = await WaitingAsync(lab.Options.RunFolder);
        await lab.StopEngineAsync();
        Assert.False(IsThere(waiting));
        await lab.StartEngineAsync();
        Assert.IsType<ContainerState.Running>(lab.Engine.Get(stays).State);

        Assert.Equal(("again\n", 0), await lab.ExecuteAsync(stays, "echo", "again"));
        waiting = await WaitingAsync(lab.Options.RunFolder);
        await lab.Engine.RemoveAsync(stays, new RemoveOptions(Force: true, Volumes: true), EngineLab.Stopping);
        Assert.False(IsThere(waiting));
        Assert.Empty(Monitors(lab.Options.RunFolder));
    }

    [Fact]
    public async Task It_ends_by_itself_without_executing_anything_when_the_engine_is_killed()
    {
        await using var engine = await EngineProcess.StartAsync();
        await engine.ImportBusyboxAsync();
        await engine.MustAsync("run", "-d", "--name", "one", "--network", "none", DockerLab.Busybox, "sleep", "1000");
        await engine.MustAsync("exec", "one", "true");
        await WaitingAsync(engine.RunFolder);

        await engine.KillAsync();

        await EngineLab.UntilAsync(() => Monitors(engine.RunFolder).Count == 0, "no monitor of an execution is left");
        await engine.StartAgainAsync();
        Assert.Equal("true", await engine.MustAsync("inspect", "--format", "{{.State.Running}}", "one"));
        Assert.Equal("word", await engine.MustAsync("exec", "one", "echo", "word"));
    }

    /// <summary>The one monitor below a folder that waits for an execution: nothing to execute has been written for it.</summary>
    private static async Task<int> WaitingAsync(string folder)
    {
        var found = 0;
        await EngineLab.UntilAsync(
            () =>
            {
                var waiting = Directory.EnumerateFiles(folder, "monitor.pid", SearchOption.AllDirectories)
                    .Where(file => Path.GetFileName(Path.GetDirectoryName(Path.GetDirectoryName(file))) == "exec" && !File.Exists(Path.Combine(Path.GetDirectoryName(file)!, "config.json")) && File.Exists(Path.Combine(Path.GetDirectoryName(file)!, "attach")))
                    .Select(file => int.Parse(File.ReadAllText(file), System.Globalization.CultureInfo.InvariantCulture))
                    .Where(IsThere)
                    .ToList();
                found = waiting is [var only] ? only : 0;
                return found != 0;
            },
            "one monitor waits");
        return found;
    }

    /// <summary>Processes, by their command lines, that watch over an execution with its files below a folder.</summary>
    private static IReadOnlyList<int> Monitors(string folder) => [.. Process.GetProcesses().Select(process => process.Id).Where(id => Words(id) is var words && words.Contains("--exec-attach", StringComparison.Ordinal) && words.Contains(folder, StringComparison.Ordinal))];

    private static bool IsThere(int id) => Words(id).Length > 0;

    private static string Words(int id)
    {
        try
        {
            return File.ReadAllText($"/proc/{id}/cmdline");
        }
        catch (IOException)
        {
            return "";
        }
    }
}
