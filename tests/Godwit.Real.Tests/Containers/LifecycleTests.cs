using Godwit.Containers;

namespace Godwit.Real.Tests.Containers;

[Trait("Needs", "root")]
public sealed class ContainerLifecycleTests
{
    [Fact]
    public async Task A_container_runs_prints_and_ends_with_its_exit_code()
    {
        await using var lab = await EngineLab.OpenAsync();
        var (output, exit) = await lab.RunAsync(EngineLab.Shell("echo hello; echo oh >&2; exit 7"));
        Assert.Equal("hello\noh\n", output);
        Assert.Equal(7, exit.Code);
        Assert.False(exit.OutOfMemory);
        var container = Assert.Single(lab.Engine.List());
        Assert.IsType<ContainerState.Exited>(container.State);
        Assert.Equal("hello\noh\n", await lab.ReadLogAsync(container.Id.Value));
    }

    [Theory]
    [InlineData(127, "/bin/nothing")]
    [InlineData(126, "/etc/passwd")]
    public async Task A_program_that_cannot_be_started_says_so_by_the_codes_that_people_know(int code, string program)
    {
        await using var lab = await EngineLab.OpenAsync();
        var id = (await lab.Engine.CreateAsync(null, EngineLab.Spec(program), EngineLab.Stopping)).Value;
        var refusal = await Assert.ThrowsAsync<ContainerStartException>(() => lab.Engine.StartAsync(id, EngineLab.Stopping));
        Assert.Equal(code, refusal.Code);
        Assert.Equal(code, Assert.IsType<ContainerState.Created>(lab.Engine.Get(id).State).Failure!.Code);
    }

    [Fact]
    public async Task Input_reaches_the_program_and_its_end_too()
    {
        await using var lab = await EngineLab.OpenAsync();
        var spec = EngineLab.Shell("cat; echo done");
        spec = spec with { Process = spec.Process with { OpenStandardInput = true, StandardInputOnce = true } };
        var id = (await lab.Engine.CreateAsync(null, spec, EngineLab.Stopping)).Value;
        await using var session = await lab.Engine.AttachAsync(id, new AttachOptions { StandardInput = true }, EngineLab.Stopping);
        await lab.Engine.StartAsync(id, EngineLab.Stopping);
        var big = new string('x', 300_000);
        await session.WriteInputAsync(System.Text.Encoding.ASCII.GetBytes("one\n" + big + "\n"), EngineLab.Stopping);
        await session.EndInputAsync(EngineLab.Stopping);
        Assert.Equal("one\n" + big + "\ndone\n", await EngineLab.ReadAsync(session.ReadOutputAsync(EngineLab.Stopping)));
    }

    [Fact]
    public async Task A_program_executed_in_it_sees_the_same_world_and_has_its_own_exit_code()
    {
        await using var lab = await EngineLab.OpenAsync();
        var id = await lab.StartAsync(EngineLab.Shell("touch /tmp/here; sleep 1000"));
        await EngineLab.UntilAsync(async () => (await lab.ExecuteAsync(id, "ls", "/tmp")).Output == "here\n", "the file is there");
        Assert.Equal(("", 3), await lab.ExecuteAsync(id, "/bin/sh", "-c", "exit 3"));
        var missing = await Assert.ThrowsAsync<ContainerStartException>(() => lab.ExecuteAsync(id, "nothing"));
        Assert.Equal(127, missing.Code);
    }

    [Fact]
    public async Task Stop_asks_first_and_then_ends_it()
    {
        await using var lab = await EngineLab.OpenAsync();
        var polite = await lab.StartAsync(EngineLab.Shell("trap 'echo bye; exit 5' TERM; echo ready; while :; do sleep 0.05; done"));
        var deaf = await lab.StartAsync(EngineLab.Shell("trap '' TERM; echo ready; while :; do sleep 0.05; done"));
        var other = EngineLab.Shell("trap 'exit 6' INT; echo ready; while :; do sleep 0.05; done");
        var asked = await lab.StartAsync(other with { Stop = other.Stop with { Signal = "SIGINT" } });
        foreach (var id in new[] { polite, deaf, asked })
        {
            await EngineLab.UntilAsync(async () => await lab.ReadLogAsync(id) == "ready\n", "it is ready");
        }

        await lab.Engine.StopAsync(polite, null, EngineLab.Stopping);
        await lab.Engine.StopAsync(asked, null, EngineLab.Stopping);
        await lab.Engine.StopAsync(deaf, TimeSpan.FromMilliseconds(200), EngineLab.Stopping);
        Assert.Equal(5, Assert.IsType<ContainerState.Exited>(lab.Engine.Get(polite).State).Exit.Code);
        Assert.Equal(6, Assert.IsType<ContainerState.Exited>(lab.Engine.Get(asked).State).Exit.Code); // By the signal that it wants.
        Assert.Equal(137, Assert.IsType<ContainerState.Exited>(lab.Engine.Get(deaf).State).Exit.Code);
        Assert.Equal("ready\nbye\n", await lab.ReadLogAsync(polite));
    }

    [Fact]
    public async Task Containers_outlive_the_engine_and_none_of_their_output_is_lost()
    {
        await using var lab = await EngineLab.OpenAsync();
        var id = await lab.StartAsync(EngineLab.Shell("i=0; while [ ! -e /tmp/stop ]; do i=$((i+1)); echo $i; done; exit 9"));
        var process = ((ContainerState.Running)lab.Engine.Get(id).State).Now;
        await lab.StopEngineAsync();
        await lab.StartEngineAsync();
        Assert.Equal(process, Assert.IsType<ContainerState.Running>(lab.Engine.Get(id).State).Now);
        var exit = lab.Engine.WaitAsync(id, WaitCondition.NextExit, EngineLab.Stopping);
        await lab.ExecuteAsync(id, "touch", "/tmp/stop");
        Assert.Equal(9, (await exit.WaitAsync(EngineLab.Bound, EngineLab.Stopping)).Code);
        var numbers = (await lab.ReadLogAsync(id)).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(Enumerable.Range(1, numbers.Length).Select(number => $"{number}"), numbers);
    }

    [Fact]
    public async Task What_ends_while_no_engine_is_there_is_known_to_the_next()
    {
        await using var lab = await EngineLab.OpenAsync();
        var id = await lab.StartAsync(EngineLab.Shell("while [ ! -e /tmp/stop ]; do sleep 0.05; done; exit 11"));
        var process = ((ContainerState.Running)lab.Engine.Get(id).State).Now.ProcessId;
        await lab.StopEngineAsync();
        File.WriteAllText($"/proc/{process}/root/tmp/stop", "");
        await EngineLab.UntilAsync(() => File.Exists(Path.Combine(lab.Options.RunFolder, "containers", id, "exits", id)), "its monitor wrote the exit code");
        await lab.StartEngineAsync();
        await EngineLab.UntilAsync(() => lab.Engine.Get(id).State is ContainerState.Exited, "it is known to have ended");
        Assert.Equal(11, ((ContainerState.Exited)lab.Engine.Get(id).State).Exit.Code);
    }

    [Fact]
    public async Task One_that_is_removed_at_its_end_leaves_nothing()
    {
        await using var lab = await EngineLab.OpenAsync();
        var id = (await lab.Engine.CreateAsync(null, EngineLab.Shell("exit 4") with { AutoRemove = true }, EngineLab.Stopping)).Value;
        var removed = lab.Engine.WaitAsync(id, WaitCondition.Removed, EngineLab.Stopping);
        await lab.Engine.StartAsync(id, EngineLab.Stopping);
        Assert.Equal(4, (await removed.WaitAsync(EngineLab.Bound, EngineLab.Stopping)).Code);
        await Assert.ThrowsAsync<ContainerStartException>(() => lab.StartAsync(EngineLab.Spec("/bin/nothing") with { AutoRemove = true }));
        Assert.Empty(lab.Engine.List());
        Assert.Empty(Directory.EnumerateDirectories(Path.Combine(lab.Options.DataFolder, "containers")));
        Assert.Empty(Directory.EnumerateDirectories(Path.Combine(lab.Options.RunFolder, "containers")));
    }

    [Fact]
    public async Task Paused_it_stands_still()
    {
        await using var lab = await EngineLab.OpenAsync();
        var id = await lab.StartAsync(EngineLab.Shell("while :; do echo tick; sleep 0.01; done"));
        await EngineLab.UntilAsync(async () => (await lab.ReadLogAsync(id)).Length > 0, "it prints");
        await lab.Engine.PauseAsync(id, EngineLab.Stopping);
        Assert.IsType<ContainerState.Paused>(lab.Engine.Get(id).State);
        var frozen = (await EngineLab.HostAsync("cat", $"/proc/{((ContainerState.Paused)lab.Engine.Get(id).State).Now.ProcessId}/cgroup")).Split('\n').First(line => line.Contains(":freezer:", StringComparison.Ordinal) || line.StartsWith("0::", StringComparison.Ordinal));
        Assert.Contains(id, frozen, StringComparison.Ordinal);
        await lab.Engine.UnpauseAsync(id, EngineLab.Stopping);
        var before = (await lab.ReadLogAsync(id)).Length;
        await EngineLab.UntilAsync(async () => (await lab.ReadLogAsync(id)).Length > before, "it goes on");
    }

    [Fact]
    public async Task The_restart_policy_starts_it_again_and_keeps_still_after_a_stop()
    {
        await using var lab = await EngineLab.OpenAsync();
        var id = await lab.StartAsync(EngineLab.Shell("echo run; exit 1") with { Restart = new RestartPolicy(RestartMode.OnFailure, 2) });
        await EngineLab.UntilAsync(() => lab.Engine.Get(id) is { RestartCount: 2, State: ContainerState.Exited }, "it was started twice again");
        Assert.Equal("run\nrun\nrun\n", await lab.ReadLogAsync(id));

        var always = await lab.StartAsync(EngineLab.Spec("sleep", "1000") with { Restart = new RestartPolicy(RestartMode.Always), Stop = new StopSpec { TimeoutSeconds = 0 } });
        await lab.Engine.StopAsync(always, null, EngineLab.Stopping);
        Assert.IsType<ContainerState.Exited>(lab.Engine.Get(always).State);
    }
}
