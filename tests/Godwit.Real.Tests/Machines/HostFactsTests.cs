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
    [Fact]
    public async Task A_QEMU_that_dies_while_it_is_asked_is_asked_again_and_guests_boot()
    {
        using var program = DyingQemu.Create(deaths: 2);
        await using var lab = await MachineLab.CreateAsync(options => options with { QemuProgram = program.Path });
        Assert.Contains("max", (await lab.Host.GetFactsAsync(Stopping)).CpuModels);
        Assert.Equal(3, program.Starts);
        Assert.Equal(MachineRunState.Running, (await lab.BootAsync(lab.Spec())).RunState);
    }

    [Fact]
    public async Task A_QEMU_that_always_dies_is_told_with_its_end_and_its_words_and_asked_a_bounded_number_of_times()
    {
        using var program = DyingQemu.Create(deaths: int.MaxValue);
        await using var lab = await MachineLab.CreateAsync(options => options with { QemuProgram = program.Path });
        var error = await Assert.ThrowsAsync<MachineException>(() => lab.Host.GetFactsAsync(Stopping));
        Assert.Contains("exited with code 3, and said: no good today", error.Message, StringComparison.Ordinal);
        Assert.Equal(3, program.Starts);
        Assert.Empty(Directory.GetFileSystemEntries(Path.Combine(lab.DataFolder, "machines")));
    }

    /// <summary>A program in QEMU's place that dies as often as it is told and is QEMU from then on.</summary>
    private sealed class DyingQemu : IDisposable
    {
        private readonly DirectoryInfo folder;

        private DyingQemu(DirectoryInfo folder) => this.folder = folder;

        public string Path => System.IO.Path.Combine(folder.FullName, "qemu");

        private string StartsPath => System.IO.Path.Combine(folder.FullName, "starts");

        public int Starts => File.ReadAllLines(StartsPath).Length;

        public static DyingQemu Create(int deaths)
        {
            var made = new DyingQemu(Directory.CreateTempSubdirectory("gw-dying-"));
            File.WriteAllText(made.StartsPath, "");
            File.WriteAllText(made.Path, $"""
                #!/bin/sh
                echo start >> {made.StartsPath}
                if [ "$(wc -l < {made.StartsPath})" -le {deaths} ]; then
                  echo no good today >&2
                  exit 3
                fi
                exec /usr/bin/qemu-system-x86_64 "$@"
                """);
            const UnixFileMode readable = UnixFileMode.UserRead | UnixFileMode.GroupRead | UnixFileMode.OtherRead;
            const UnixFileMode executable = UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;
            File.SetUnixFileMode(made.folder.FullName, readable | executable | UnixFileMode.UserWrite);
            File.SetUnixFileMode(made.Path, readable | executable);
            File.SetUnixFileMode(made.StartsPath, readable | UnixFileMode.UserWrite | UnixFileMode.GroupWrite | UnixFileMode.OtherWrite); // QEMU's user writes it.
            return made;
        }

        public void Dispose() => folder.Delete(recursive: true);
    }
}
