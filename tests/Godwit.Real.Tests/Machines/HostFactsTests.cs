using Godwit.Machines;

namespace Godwit.Real.Tests.Machines;

/// <summary>What the host says of itself must be what it then does.</summary>
[Trait("Needs", "root")]
public sealed class HostFactsTests
{
    private static CancellationToken Stopping => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Accelerator_is_chosen_by_a_guest_that_ran_and_a_real_one_boots_with_it()
    {
        await using var lab = await MachineLab.CreateAsync(options => options with { Accelerator = null });
        var facts = await lab.Host.GetFactsAsync(Stopping);
        TestContext.Current.SendDiagnosticMessage($"{facts.Accelerator}: {facts.AcceleratorReason}");
        Assert.NotEmpty(facts.AcceleratorReason);
        Assert.Contains("pc-q35-10.0", facts.MachineTypes);
        Assert.Contains("max", facts.CpuModels);
        Assert.True(facts.QemuVersion.Major >= 10);
        Assert.Empty(Directory.GetFileSystemEntries(Path.Combine(lab.DataFolder, "machines")));

        var machine = await lab.BootAsync(lab.Spec());
        Assert.Equal(MachineRunState.Running, machine.RunState);
    }

    [Fact]
    public async Task Second_agent_of_the_same_boot_remembers_the_probe()
    {
        await using var lab = await MachineLab.CreateAsync(options => options with { Accelerator = null });
        var first = await lab.Host.GetFactsAsync(Stopping);
        var remembered = Path.Combine(lab.DataFolder, "records", "accelerator.json");
        var existed = File.Exists("/dev/kvm");
        Assert.Equal(existed || first.Accelerator is Accelerator.Tcg, File.Exists(remembered));
        var written = File.GetLastWriteTimeUtc(remembered);
        await lab.RestartAgentAsync();
        Assert.Equal(first.AcceleratorReason, (await lab.Host.GetFactsAsync(Stopping)).AcceleratorReason);
        Assert.Equal(written, File.GetLastWriteTimeUtc(remembered));
    }

    [Fact]
    public async Task Missing_QEMU_is_told_with_its_package()
    {
        await using var lab = await MachineLab.CreateAsync(options => options with { QemuProgram = "/nonexistent/qemu" });
        var error = await Assert.ThrowsAsync<MachineException>(() => lab.Host.GetFactsAsync(Stopping));
        Assert.Contains("qemu-system-x86", error.Message, StringComparison.Ordinal);
    }
}
