using System.Globalization;
using System.Net.Sockets;
using System.Text;
using Godwit.Base;
using Godwit.Linux.Files;
using Godwit.Machines;

namespace Godwit.Real.Tests.Machines;

/// <summary>A real guest through its life: what it must do, and what must be left of it.</summary>
[Trait("Needs", "root")]
public sealed class LifecycleTests
{
    private static CancellationToken Stopping => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Guest_boots_pauses_resumes_and_obeys_the_power_button()
    {
        await using var lab = await MachineLab.CreateAsync();
        var machine = await lab.Host.CreateAsync(lab.Spec(), MachineStart.Boot, Stopping);
        Assert.Equal(MachineRunState.Created, machine.RunState);

        await machine.ResumeAsync(Stopping);
        await machine.WaitForLogAsync("tiny: ready");
        var before = await machine.ReadCounterAsync();
        await machine.PauseAsync(Stopping);
        Assert.Equal(MachineRunState.Paused, machine.RunState);
        await machine.ResumeAsync(Stopping);
        Assert.True(await machine.ReadCounterAsync() > before);

        var usage = await machine.GetUsageAsync(Stopping);
        Assert.True(usage.CpuTime > TimeSpan.Zero);
        Assert.InRange(usage.ResidentBytes, 32 << 20, 1L << 30);

        await machine.StopAsync(Until.Patience, Stopping);
        Assert.Equal((MachineRunState.Shutdown, "the guest shut down", 0), (machine.RunState, machine.RunStateReason, machine.ProcessId));
    }

    [Fact]
    public async Task Guest_that_does_not_obey_is_ended_by_force_and_leaves_nothing()
    {
        await using var lab = await MachineLab.CreateAsync();
        var spec = lab.Spec() with { Kernel = new DirectKernel(lab.Tiny.KernelPath!, lab.Tiny.InitrdPath, "console=ttyS0 rdinit=/bin/none panic=0") };
        var machine = await lab.Host.CreateAsync(spec, MachineStart.Boot, Stopping);
        await machine.ResumeAsync(Stopping);
        await machine.WaitForLogAsync("Kernel panic");
        var processId = machine.ProcessId;
        await machine.StopAsync(TimeSpan.FromSeconds(1), Stopping);
        Assert.Equal(MachineRunState.Shutdown, machine.RunState);
        Assert.Contains("by force", machine.RunStateReason, StringComparison.Ordinal);
        AssertEnded(processId);

        await lab.Host.RemoveAsync(spec.Id, Stopping);
        await lab.Host.RemoveAsync(spec.Id, Stopping);
        Assert.Empty(Directory.GetFileSystemEntries(Path.Combine(lab.DataFolder, "machines")));
        Assert.Empty(Directory.GetDirectories(Path.Combine(lab.DataFolder, "records")));
        Assert.Empty(Godwit.Linux.ControlGroups.ControlGroupHost.Detect(TimeProvider.System).ListChildren(lab.ControlGroupParent));
    }

    [Fact]
    public async Task Guest_that_shuts_itself_down_says_so_even_to_an_agent_that_was_away()
    {
        await using var lab = await MachineLab.CreateAsync();
        var machine = await lab.BootAsync(lab.Spec());
        await using (var console = await machine.OpenConsoleAsync(Stopping))
        {
            await console.WriteAsync("\n(sleep 2; poweroff -f) &\n"u8.ToArray(), Stopping);
            await console.ReadUntilAsync("poweroff");
        }

        await lab.Host.DisposeAsync();
        var adopted = Assert.Single(await lab.RestartAgentAsync());
        await adopted.WaitForStateAsync(MachineRunState.Shutdown);
        Assert.Equal("the guest shut down", adopted.RunStateReason);
    }

    [Fact]
    public async Task Agent_that_returns_adopts_its_machines_and_they_went_on()
    {
        await using var lab = await MachineLab.CreateAsync();
        var machine = await lab.BootAsync(lab.Spec());
        var (spec, processId, before) = (machine.Spec, machine.ProcessId, await machine.ReadCounterAsync());

        var adopted = Assert.Single(await lab.RestartAgentAsync());
        Assert.Equal((processId, MachineRunState.Running), (adopted.ProcessId, adopted.RunState));
        Assert.Equal(spec.Id, adopted.Spec.Id);
        Assert.Equal(spec.Kernel, adopted.Spec.Kernel);
        Assert.True(await adopted.ReadCounterAsync() > before);
        Assert.Same(adopted, await lab.Host.CreateAsync(spec, MachineStart.Boot, Stopping));
    }

    [Fact]
    public async Task Machine_that_died_while_no_agent_watched_is_told_and_never_started_again()
    {
        await using var lab = await MachineLab.CreateAsync();
        var machine = await lab.BootAsync(lab.Spec());
        var (spec, processId) = (machine.Spec, machine.ProcessId);
        await lab.Host.DisposeAsync();
        Kill(processId);

        var adopted = Assert.Single(await lab.RestartAgentAsync());
        Assert.Equal((MachineRunState.Gone, 0), (adopted.RunState, adopted.ProcessId));
        var refusal = await Assert.ThrowsAsync<MachineException>(() => lab.Host.CreateAsync(spec, MachineStart.Boot, Stopping));
        Assert.Contains("not started again", refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Killed_QEMU_is_noticed_with_how_it_ended()
    {
        await using var lab = await MachineLab.CreateAsync();
        var machine = await lab.BootAsync(lab.Spec());
        Kill(machine.ProcessId);
        await machine.WaitForStateAsync(MachineRunState.Gone);
        Assert.Contains("signal 9", machine.RunStateReason, StringComparison.Ordinal);
        await Assert.ThrowsAsync<MachineException>(() => machine.PauseAsync(Stopping));
        await machine.StopAsync(TimeSpan.FromSeconds(5), Stopping);
    }

    [Fact]
    public async Task Start_that_fails_carries_QEMUs_own_words_and_can_be_tried_again()
    {
        await using var lab = await MachineLab.CreateAsync();
        var good = lab.Spec();
        var bad = good with { Nics = [new MachineNic("default", "02:00:00:00:00:01", "gw-missing-tap")] };
        var error = await Assert.ThrowsAsync<MachineException>(() => lab.Host.CreateAsync(bad, MachineStart.Boot, Stopping));
        Assert.Contains("gw-missing-tap", ErrorChain.Describe(error), StringComparison.Ordinal);
        Assert.Contains("it said:", error.Message, StringComparison.Ordinal);
        Assert.Empty(Godwit.Linux.ControlGroups.ControlGroupHost.Detect(TimeProvider.System).ListChildren(lab.ControlGroupParent));

        var machine = await lab.Host.CreateAsync(good, MachineStart.Boot, Stopping);
        Assert.Equal(MachineRunState.Created, machine.RunState);
    }

    [Fact]
    public async Task Console_serves_several_readers_both_ways_and_a_closed_one_leaves_the_rest()
    {
        await using var lab = await MachineLab.CreateAsync();
        var machine = await lab.BootAsync(lab.Spec());
        await using var first = await machine.OpenConsoleAsync(Stopping);
        var second = await machine.OpenConsoleAsync(Stopping);
        await first.WriteAsync("\necho both-\"see\"-this\n"u8.ToArray(), Stopping);
        await first.ReadUntilAsync("both-see-this");
        await second.ReadUntilAsync("both-see-this");

        await second.DisposeAsync();
        await first.WriteAsync("echo still-\"here\"\n"u8.ToArray(), Stopping);
        await first.ReadUntilAsync("still-here");

        await Until.TrueAsync( // QEMU writes to those who read first, and then to the log.
            async () => (await ReadLogAsync(machine, tailLines: 5)).Contains("still-here", StringComparison.Ordinal),
            "the log has what was said last");
    }

    [Fact]
    public async Task Log_of_a_guest_that_never_stops_talking_stays_bounded()
    {
        await using var lab = await MachineLab.CreateAsync(options => options with { LogBytesMax = 64 << 10 });
        var machine = await lab.BootAsync(lab.Spec());
        await using var console = await machine.OpenConsoleAsync(Stopping);
        await console.WriteAsync("\nwhile true; do echo aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa; done\n"u8.ToArray(), Stopping);

        var (log, older) = (lab.ConsoleLog(machine), new FileInfo(lab.ConsoleLog(machine).FullName + ".1"));
        var (longest, cuts, lastCut) = (0L, 0, default(DateTime));
        await Until.TrueAsync(
            () =>
            {
                log.Refresh();
                older.Refresh();
                longest = Math.Max(longest, log.Length);
                cuts += older.Exists && older.LastWriteTimeUtc != lastCut ? 1 : 0;
                lastCut = older.Exists ? older.LastWriteTimeUtc : lastCut;
                return cuts == 2;
            },
            "the log is cut twice");

        Assert.InRange(older.Length, 1, 64 << 10);
        Assert.InRange(longest, 1, 2 << 20); // What the ring brings at once comes on top.
    }

    [Fact]
    public async Task A_QEMU_that_talks_without_end_while_no_agent_lives_fills_nothing_but_its_own_room_and_its_last_words_are_heard()
    {
        await using var lab = await MachineLab.CreateAsync();
        var processId = (await lab.BootAsync(lab.Spec())).ProcessId;
        await lab.Host.DisposeAsync();
        Assert.InRange(Say(processId, "qemu: something is wrong\n", timesMax: 1 << 16), 1 << 17, 1 << 18);

        var adopted = Assert.Single(await lab.RestartAgentAsync());
        var log = lab.QemuLog(adopted);
        await Until.TrueAsync(() => new FileInfo(log).Length == 0, "the agent that returned cuts the log");
        Assert.True(Say(processId, "qemu: these are the last words\n", timesMax: 1) > 0);
        Kill(processId);

        await Until.TrueAsync(() => adopted.RunState == MachineRunState.Gone, "the end is seen");
        Assert.Contains("these are the last words", adopted.RunStateReason, StringComparison.Ordinal);
        await lab.Host.RemoveAsync(adopted.Spec.Id, Stopping);
        Assert.DoesNotContain(Mounts.List(), mount => log.StartsWith(mount.Path + '/', StringComparison.Ordinal) && mount.Type == "tmpfs");
    }

    /// <summary>Writes as QEMU itself does, to its standard error, until there is no room; the answer is how many bytes that took.</summary>
    private static long Say(int processId, string words, int timesMax)
    {
        var bytes = Encoding.ASCII.GetBytes(words);
        using var error = new FileStream($"/proc/{processId}/fd/2", new FileStreamOptions { Mode = FileMode.Append, Access = FileAccess.Write, Share = FileShare.ReadWrite, BufferSize = 0 });
        var said = 0L;
        try
        {
            for (var i = 0; i < timesMax; i++)
            {
                error.Write(bytes);
                said += bytes.Length;
            }
        }
        catch (IOException)
        {
            return said; // Full.
        }

        return timesMax == 1 ? said : throw new InvalidOperationException($"{said} bytes were taken without an end.");
    }

    [Fact]
    public async Task What_a_guest_says_while_no_agent_lives_is_kept_as_far_as_the_ring_goes_and_no_further()
    {
        await using var lab = await MachineLab.CreateAsync();
        var machine = await lab.BootAsync(lab.Spec());
        await lab.Host.DisposeAsync();
        var lengthBefore = lab.ConsoleLog(machine).Length;
        using (var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified))
        {
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(Path.Combine(machine.Place.Folder, "console.sock")), Stopping);
            await using var witness = new NetworkStream(socket);
            await witness.WriteAsync(Encoding.ASCII.GetBytes($"\ni=0; while [ $i -lt 13000 ]; do i=$((i+1)); echo line-$i-{new string('x', 90)}; done; echo all-\"said\"\n"), Stopping);
            await witness.ReadUntilAsync("all-said", TimeSpan.FromMinutes(3));
        }

        Assert.Equal(lengthBefore, lab.ConsoleLog(machine).Length);
        var adopted = Assert.Single(await lab.RestartAgentAsync());
        var log = await ReadLogAsync(adopted, tailLines: null);
        Assert.Contains("\nline-13000-x", log, StringComparison.Ordinal);
        Assert.Contains("all-said", log, StringComparison.Ordinal);
        Assert.DoesNotContain("\nline-100-x", log, StringComparison.Ordinal); // More was said than the ring holds.
        Assert.InRange(lab.ConsoleLog(adopted).Length - lengthBefore, 1 << 19, 1 << 20);
    }

    [Fact]
    public async Task Several_machines_live_side_by_side_each_with_its_own_user()
    {
        await using var lab = await MachineLab.CreateAsync();
        var first = await lab.Host.CreateAsync(lab.Spec(), MachineStart.Boot, Stopping);
        var second = await lab.Host.CreateAsync(lab.Spec(), MachineStart.Boot, Stopping);
        Assert.NotEqual(first.Place.UserId, second.Place.UserId);
        Assert.Equal(first.Place, await lab.Host.ReserveAsync(first.Spec.Id, Stopping));
        Assert.Equal(2, (await lab.RestartAgentAsync()).Count);
    }

    private static async Task<string> ReadLogAsync(IMachine machine, int? tailLines)
    {
        await using var log = await machine.OpenLogAsync(tailLines, follow: false, Stopping);
        return await new StreamReader(log, Encoding.UTF8).ReadToEndAsync(Stopping);
    }

    private static void Kill(int processId)
    {
        using var process = System.Diagnostics.Process.GetProcessById(processId);
        process.Kill();
    }

    private static void AssertEnded(int processId)
    {
        var status = string.Create(CultureInfo.InvariantCulture, $"/proc/{processId}/status");
        Assert.True(!File.Exists(status) || File.ReadAllText(status).Contains("State:\tZ", StringComparison.Ordinal));
    }
}
