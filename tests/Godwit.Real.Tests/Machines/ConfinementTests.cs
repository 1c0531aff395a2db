using System.Diagnostics;
using System.Globalization;
using Godwit.Linux.ControlGroups;
using Godwit.Machines;

namespace Godwit.Real.Tests.Machines;

/// <summary>What a guest that breaks out of its virtual machine would find: as little as possible.</summary>
[Trait("Needs", "root")]
public sealed class ConfinementTests
{
    private static CancellationToken Stopping => TestContext.Current.CancellationToken;

    [Fact]
    public async Task QEMU_runs_as_its_own_user_without_privileges_and_behind_a_seccomp_filter()
    {
        await using var lab = await MachineLab.CreateAsync();
        var machine = await lab.Host.CreateAsync(lab.Spec(), MachineStart.Boot, Stopping);
        var status = File.ReadAllLines(string.Create(CultureInfo.InvariantCulture, $"/proc/{machine.ProcessId}/status"))
            .Select(line => line.Split(':', 2)).ToDictionary(pair => pair[0], pair => pair[1].Trim(), StringComparer.Ordinal);
        var user = machine.Place.UserId.ToString(CultureInfo.InvariantCulture);
        Assert.Equal(string.Join('\t', user, user, user, user), status["Uid"]);
        Assert.Equal(string.Join('\t', user, user, user, user), status["Gid"]);
        Assert.Equal(("2", "1"), (status["Seccomp"], status["NoNewPrivs"]));
        Assert.All(["CapInh", "CapPrm", "CapEff", "CapAmb"], set => Assert.Equal("0000000000000000", status[set]));
    }

    [Fact]
    public async Task No_machine_can_read_its_neighbour_or_the_agents_records()
    {
        await using var lab = await MachineLab.CreateAsync();
        var mine = await lab.Host.CreateAsync(lab.Spec(), MachineStart.Boot, Stopping);
        var neighbour = await lab.Host.CreateAsync(lab.Spec(), MachineStart.Boot, Stopping);
        var user = mine.Place.UserId;

        Assert.True(await CanAsync(user, "ls", mine.Place.Folder)); // The test can succeed at all.
        Assert.False(await CanAsync(user, "ls", neighbour.Place.Folder));
        Assert.False(await CanAsync(user, "cat", lab.ConsoleLog(neighbour).FullName));
        Assert.False(await CanAsync(user, "ls", Path.Combine(lab.DataFolder, "records")));
        Assert.False(await CanAsync(user, "cat", Path.Combine(lab.DataFolder, "records", mine.Spec.Id.ToString(), "spec.json")));
        Assert.False(await CanAsync(user, "ls", Path.Combine(lab.DataFolder, "machines")));
    }

    [Fact]
    public async Task Memory_of_a_machine_is_bounded_by_its_cgroup()
    {
        await using var lab = await MachineLab.CreateAsync();
        var machine = await lab.Host.CreateAsync(lab.Spec(), MachineStart.Boot, Stopping);
        var group = ControlGroupHost.Detect(TimeProvider.System).Open($"{lab.ControlGroupParent}/vm-{machine.Spec.Id}");
        Assert.Contains(machine.ProcessId, group.ProcessIds);
        Assert.InRange(group.ReadUsage().MemoryBytes, 1, 1L << 30);
    }

    [Fact]
    public async Task Monitor_of_another_process_in_the_place_of_its_own_is_not_spoken_to()
    {
        await using var lab = await MachineLab.CreateAsync(options => options with { AdoptBound = TimeSpan.FromSeconds(1) });
        var victim = await lab.Host.CreateAsync(lab.Spec(), MachineStart.Boot, Stopping);
        var rogue = await lab.Host.CreateAsync(lab.Spec(), MachineStart.Boot, Stopping);
        await lab.Host.DisposeAsync();
        var socket = Path.Combine(rogue.Place.Folder, "qmp.sock");
        File.Delete(socket);
        File.CreateSymbolicLink(socket, Path.Combine(victim.Place.Folder, "qmp.sock"));

        var adopted = await lab.RestartAgentAsync();
        Assert.Equal(MachineRunState.Unresponsive, Assert.Single(adopted, machine => machine.Spec.Id == rogue.Spec.Id).RunState);
        Assert.Equal(MachineRunState.Created, Assert.Single(adopted, machine => machine.Spec.Id == victim.Spec.Id).RunState);
    }

    private static async Task<bool> CanAsync(uint user, string program, string path)
    {
        var id = user.ToString(CultureInfo.InvariantCulture);
        using var process = Process.Start(new ProcessStartInfo("/usr/bin/setpriv", [$"--reuid={id}", $"--regid={id}", "--clear-groups", program, path])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        await process.StandardOutput.ReadToEndAsync(Stopping);
        await process.WaitForExitAsync(Stopping);
        return process.ExitCode == 0;
    }
}
