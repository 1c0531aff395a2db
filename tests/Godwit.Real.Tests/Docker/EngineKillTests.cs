using System.Diagnostics;
using System.Globalization;
using Godwit.Real.Tests.Containers;
using Godwit.Real.Tests.Labs;

namespace Godwit.Real.Tests.Docker;

/// <summary>The engine is killed in the middle of everything that it does.</summary>
[Trait("Needs", "docker")]
public sealed class EngineKillTests
{
    private const string Counter = "i=0; while [ $i -lt 400 ]; do echo line $i; i=$((i+1)); usleep 10000; done; echo whole; exec sleep 1000";

    [Fact]
    public async Task Killed_in_the_middle_of_run_exec_logs_and_build_it_stops_nothing_and_loses_no_output()
    {
        await using var engine = await EngineProcess.StartAsync();
        await engine.ImportBusyboxAsync();
        await engine.MustAsync("run", "-d", "--name", "counter", "--network", "none", DockerLab.Busybox, "sh", "-c", Counter);
        using var attached = engine.Begin("run", "--name", "attached", "--network", "none", DockerLab.Busybox, "sh", "-c", Counter);
        using var following = engine.Begin("logs", "-f", "counter");
        using var executing = engine.Begin("exec", "counter", "sh", "-c", "i=0; while [ $i -lt 300 ]; do usleep 10000; i=$((i+1)); done; touch /tmp/executed");
        var context = Directory.CreateDirectory(Path.Combine(engine.Folder, "context")).FullName;
        await File.WriteAllTextAsync(Path.Combine(context, "Dockerfile"), $"FROM {DockerLab.Busybox}\nRUN echo building; sleep 1000\n", EngineLab.Stopping);
        using var building = engine.Begin("build", "--network", "none", context);
        await ReadUntilAsync(following, "line 20");
        await ReadUntilAsync(attached, "line 20");
        await ReadUntilAsync(building, "building");
        var before = await engine.MustAsync("inspect", "--format", "{{.State.Pid}} {{.State.StartedAt}}", "counter", "attached");

        await engine.KillAsync();
        foreach (var client in new[] { following, attached, executing, building })
        {
            await client.WaitForExitAsync(EngineLab.Stopping); // Their connections broke: none hangs.
            Assert.NotEqual(0, client.ExitCode);
        }

        await engine.StartAgainAsync();
        Assert.Equal(before, await engine.MustAsync("inspect", "--format", "{{.State.Pid}} {{.State.StartedAt}}", "counter", "attached"));
        await Eventually.IsTrueAsync("both have printed all", EngineLab.Bound, async () =>
            (await engine.MustAsync("logs", "--tail", "1", "counter")) == "whole" && (await engine.MustAsync("logs", "--tail", "1", "attached")) == "whole");
        var all = string.Join('\n', Enumerable.Range(0, 400).Select(number => string.Create(CultureInfo.InvariantCulture, $"line {number}")).Append("whole"));
        Assert.Equal(all, await engine.MustAsync("logs", "counter"));
        Assert.Equal(all, await engine.MustAsync("logs", "attached"));
        await Eventually.IsTrueAsync("what was executed went on to its end", EngineLab.Bound, async () => (await engine.DockerAsync("exec", "counter", "cat", "/tmp/executed")).Code == 0);

        // Of the build that nobody waits for any more nothing runs on, and the same can be built again.
        await Eventually.IsTrueAsync("the build's container is gone", EngineLab.Bound, async () => (await engine.MustAsync("ps", "-aq")).Split('\n').Length == 2);
        await File.WriteAllTextAsync(Path.Combine(context, "Dockerfile"), $"FROM {DockerLab.Busybox}\nRUN echo building\n", EngineLab.Stopping);
        await engine.MustAsync("build", "--network", "none", "-t", "again", context);
    }

    [Fact]
    public async Task A_container_that_is_always_to_run_does_so_after_the_engine_was_away_and_one_that_was_stopped_stays_so()
    {
        await using var engine = await EngineProcess.StartAsync();
        await engine.ImportBusyboxAsync();
        await engine.MustAsync("run", "-d", "--name", "always", "--restart", "always", "--network", "none", DockerLab.Busybox, "sh", "-c", "trap exit TERM; while sleep 0.1; do :; done");
        await engine.MustAsync("run", "-d", "--name", "stopped", "--restart", "unless-stopped", "--network", "none", DockerLab.Busybox, "sleep", "1000");
        await engine.MustAsync("run", "-d", "--name", "never", "--network", "none", DockerLab.Busybox, "sleep", "1000");
        await engine.MustAsync("stop", "-t", "0", "stopped");
        var ids = (await engine.MustAsync("inspect", "--format", "{{.State.Pid}}", "always", "never")).Split('\n').Select(int.Parse).ToList();
        await engine.KillAsync();
        foreach (var id in ids)
        {
            using var process = Process.GetProcessById(id);
            process.Kill();
        }

        await engine.StartAgainAsync();
        await Eventually.IsTrueAsync("the one that always runs does", EngineLab.Bound, async () => (await engine.MustAsync("inspect", "--format", "{{.State.Status}}", "always")) == "running");
        Assert.Equal("exited\nexited", await engine.MustAsync("inspect", "--format", "{{.State.Status}}", "stopped", "never"));
        Assert.Equal("137", await engine.MustAsync("inspect", "--format", "{{.State.ExitCode}}", "never"));
    }

    [Fact]
    public async Task When_it_ends_with_nothing_running_only_its_folders_are_left()
    {
        await using var engine = await EngineProcess.StartAsync();
        await engine.ImportBusyboxAsync();
        await engine.MustAsync("network", "create", "own");
        await engine.MustAsync("run", "--rm", "--network", "own", "-p", "127.0.0.1::80", DockerLab.Busybox, "true");
        Assert.NotEmpty(await TracesAsync(engine));
        await engine.StopAsync();
        Assert.Empty(await TracesAsync(engine));
        await engine.StartAgainAsync();
        await engine.MustAsync("run", "--rm", "--network", "own", DockerLab.Busybox, "true"); // All came back.
    }

    private static async Task<IReadOnlyList<string>> TracesAsync(EngineProcess engine)
    {
        var links = (await Command.RunAsync("ip", ["-br", "link"], EngineLab.Bound)).MustSucceed().Output.Split('\n');
        var tables = (await Command.RunAsync("nft", ["list", "tables"], EngineLab.Bound)).MustSucceed().Output.Split('\n');
        return
        [
            .. (await File.ReadAllLinesAsync("/proc/self/mounts", EngineLab.Stopping)).Where(line => line.Contains(engine.Folder, StringComparison.Ordinal)),
            .. links.Where(line => line.StartsWith(engine.LinkPrefix, StringComparison.Ordinal)),
            .. tables.Where(line => line.Contains(engine.Instance, StringComparison.Ordinal)),
            .. Directory.EnumerateDirectories("/sys/fs/cgroup", $"*{engine.Instance}*", new EnumerationOptions { RecurseSubdirectories = true, MaxRecursionDepth = 2, IgnoreInaccessible = true }),
        ];
    }

    /// <summary>Reads a client's output up to a line with these words.</summary>
    internal static async Task ReadUntilAsync(Process client, string words)
    {
        using var bound = CancellationTokenSource.CreateLinkedTokenSource(EngineLab.Stopping);
        bound.CancelAfter(EngineLab.Bound);
        while (await client.StandardOutput.ReadLineAsync(bound.Token) is { } line)
        {
            if (line.Contains(words, StringComparison.Ordinal))
            {
                _ = client.StandardOutput.ReadToEndAsync(bound.Token); // So that it never waits for us.
                return;
            }
        }

        Assert.Fail($"docker ended before it said '{words}': {await client.StandardError.ReadToEndAsync(EngineLab.Stopping)}");
    }
}
