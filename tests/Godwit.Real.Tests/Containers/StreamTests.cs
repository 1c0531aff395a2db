using System.Diagnostics;
using System.Text;
using Godwit.Containers;

namespace Godwit.Real.Tests.Containers;

[Trait("Needs", "root")]
public sealed class ContainerStreamTests
{
    [Fact]
    public async Task A_log_that_grows_is_put_aside_while_a_follower_misses_nothing()
    {
        await using var lab = await EngineLab.OpenAsync();
        var spec = EngineLab.Shell("i=0; while [ ! -e /tmp/stop ]; do i=$((i+1)); echo $i; done") with { Log = new LogSpec { SizeBytesMax = 1 << 16, FilesMax = 1000 } };
        var id = (await lab.Engine.CreateAsync(null, spec, EngineLab.Stopping)).Value;
        await using var session = await lab.Engine.AttachAsync(id, new AttachOptions(), EngineLab.Stopping);
        var reading = EngineLab.ReadAsync(session.ReadOutputAsync(EngineLab.Stopping));
        await lab.Engine.StartAsync(id, EngineLab.Stopping);
        var folder = lab.Engine.Get(id).Folder;
        await EngineLab.UntilAsync(() => File.Exists(Path.Combine(folder, "log.2")) && File.Exists(Path.Combine(folder, "log")), "it was put aside twice");
        await lab.ExecuteAsync(id, "touch", "/tmp/stop");
        var numbers = (await reading.WaitAsync(EngineLab.Bound, EngineLab.Stopping)).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.True(numbers.SequenceEqual(Enumerable.Range(1, numbers.Length).Select(number => $"{number}")), "a number is missing or twice");
        Assert.Equal(string.Join('\n', numbers) + "\n", await lab.ReadLogAsync(id));
    }

    [Fact]
    public async Task A_terminal_has_one_stream_and_the_size_that_it_is_given()
    {
        await using var lab = await EngineLab.OpenAsync();
        var spec = EngineLab.Shell("trap 'stty size' WINCH; test -t 0 && echo terminal >&2; stty size; while :; do sleep 0.05; done");
        spec = spec with { Process = spec.Process with { Terminal = true, OpenStandardInput = true, TerminalSize = new TerminalSize(30, 100) } };
        var id = await lab.StartAsync(spec);
        await EngineLab.UntilAsync(async () => await lab.ReadLogAsync(id) == "terminal\r\n30 100\r\n", "it has a terminal of this size");
        lab.Engine.Resize(id, new TerminalSize(40, 120));
        await EngineLab.UntilAsync(async () => (await lab.ReadLogAsync(id)).EndsWith("40 120\r\n", StringComparison.Ordinal), "it has the new size");
    }

    [Fact]
    public async Task A_program_executed_with_a_terminal_talks_both_ways()
    {
        await using var lab = await EngineLab.OpenAsync();
        var id = await lab.StartAsync(EngineLab.Spec("sleep", "1000"));
        var execution = lab.Engine.CreateExecution(id, new ExecutionSpec { Process = new ProcessSpec { Command = ["/bin/sh", "-c", "read x; echo got $x"], Terminal = true, OpenStandardInput = true } });
        await using var session = await lab.Engine.StartExecutionAsync(execution, new TerminalSize(24, 80), EngineLab.Stopping);
        await session.WriteInputAsync("hello\n"u8.ToArray(), EngineLab.Stopping);
        Assert.EndsWith("got hello\r\n", await EngineLab.ReadAsync(session.ReadOutputAsync(EngineLab.Stopping)), StringComparison.Ordinal);
        Assert.Equal(0, lab.Engine.GetExecution(execution).ExitCode);
    }

    [Fact]
    public async Task Programs_that_end_at_once_on_a_terminal_are_heard_to_their_end()
    {
        await using var lab = await EngineLab.OpenAsync();
        var id = await lab.StartAsync(EngineLab.Spec("sleep", "1000"));
        // More at a time than there are processors: the kernel stops monitors at every place.
        await Parallel.ForEachAsync(Enumerable.Range(0, 200), new ParallelOptions { MaxDegreeOfParallelism = 12, CancellationToken = EngineLab.Stopping }, async (number, stopping) =>
        {
            var execution = lab.Engine.CreateExecution(id, new ExecutionSpec { Process = new ProcessSpec { Command = ["/bin/echo", $"said {number}"], Terminal = true } });
            await using var session = await lab.Engine.StartExecutionAsync(execution, new TerminalSize(24, 80), stopping);
            Assert.Equal($"said {number}\r\n", await EngineLab.ReadAsync(session.ReadOutputAsync(stopping)));
            Assert.Equal(0, lab.Engine.GetExecution(execution).ExitCode);
        });
    }

    [Fact]
    public async Task Input_to_an_executed_program_comes_to_its_end()
    {
        await using var lab = await EngineLab.OpenAsync();
        var id = await lab.StartAsync(EngineLab.Spec("sleep", "1000"));
        var execution = lab.Engine.CreateExecution(id, new ExecutionSpec { Process = new ProcessSpec { Command = ["wc", "-c"], OpenStandardInput = true } });
        await using var session = await lab.Engine.StartExecutionAsync(execution, size: null, EngineLab.Stopping);
        await session.WriteInputAsync(Encoding.ASCII.GetBytes(new string('x', 100_000)), EngineLab.Stopping);
        await session.EndInputAsync(EngineLab.Stopping);
        Assert.Equal("100000\n", await EngineLab.ReadAsync(session.ReadOutputAsync(EngineLab.Stopping)));
    }

    [Fact]
    public async Task Its_health_is_looked_at_and_told()
    {
        await using var lab = await EngineLab.OpenAsync();
        var check = new HealthCheckSpec { Command = ["/bin/sh", "-c", "echo looked; test -e /tmp/well"], Interval = TimeSpan.FromMilliseconds(100), Retries = 2 };
        var id = await lab.StartAsync(EngineLab.Spec("sleep", "1000") with { HealthCheck = check });
        await EngineLab.UntilAsync(() => lab.Engine.Get(id).Health?.Status is HealthStatus.Unhealthy, "it is unhealthy");
        Assert.Equal("looked\n", lab.Engine.Get(id).Health!.Probes[0].Output);
        await lab.ExecuteAsync(id, "touch", "/tmp/well");
        await EngineLab.UntilAsync(() => lab.Engine.Get(id).Health?.Status is HealthStatus.Healthy, "it is healthy");
    }

    [Fact]
    public async Task One_that_prints_without_end_to_a_client_that_does_not_read_holds_nobody_up()
    {
        await using var lab = await EngineLab.OpenAsync();
        var spec = EngineLab.Shell("yes | head -c 30000000; echo end >&2") with { Log = new LogSpec { SizeBytesMax = 1 << 20, FilesMax = 2 } };
        var id = (await lab.Engine.CreateAsync(null, spec, EngineLab.Stopping)).Value;
        await using var silent = await lab.Engine.AttachAsync(id, new AttachOptions(), EngineLab.Stopping);
        var ended = lab.Engine.WaitAsync(id, WaitCondition.NextExit, EngineLab.Stopping);
        await lab.Engine.StartAsync(id, EngineLab.Stopping);
        Assert.Equal(0, (await ended.WaitAsync(EngineLab.Bound, EngineLab.Stopping)).Code);
    }

    [Fact]
    public async Task A_monitor_that_is_killed_takes_its_container_along_and_the_engine_knows()
    {
        await using var lab = await EngineLab.OpenAsync();
        var id = await lab.StartAsync(EngineLab.Spec("sleep", "1000"));
        var now = ((ContainerState.Running)lab.Engine.Get(id).State).Now;
        Process.GetProcessById(now.Monitor.ProcessId).Kill();
        await EngineLab.UntilAsync(() => lab.Engine.Get(id).State is ContainerState.Exited, "it is known to have ended");
        await EngineLab.UntilAsync(() => Godwit.Linux.Processes.ProcessIdentity.Find(now.ProcessId) != now.Process || File.ReadAllText($"/proc/{now.ProcessId}/stat").Contains(") Z", StringComparison.Ordinal), "its process has ended");
        await lab.Engine.StartAsync(id, EngineLab.Stopping);
        Assert.IsType<ContainerState.Running>(lab.Engine.Get(id).State);
    }
}
