using Godwit.Linux.Processes;

namespace Godwit.Linux.Tests.Processes;

public sealed class ProcessLauncherTests
{
    private const string Shell = "/bin/sh";
    private static readonly ProcessLauncher Launcher = new(TimeProvider.System);

    private static CancellationToken Stopping => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Arguments_reach_the_program_exactly_as_given()
    {
        using var folder = new TemporaryFolder();
        string[] arguments = ["$HOME", "a b", "'", "\"", "\\", "*", "; exit 9", "", "ünï", "--", "-n"];
        using var process = await Launcher.LaunchAsync(Script("for a in \"$@\"; do printf '<%s>\\n' \"$a\"; done", arguments) with { OutputPath = folder["out"] }, null, Stopping);
        Assert.Equal(new ProcessExit(0, null), await process.Exited.WaitAsync(Stopping));
        Assert.Equal(string.Concat(arguments.Select(argument => $"<{argument}>\n")), await File.ReadAllTextAsync(folder["out"], Stopping));
    }

    [Fact]
    public async Task It_inherits_neither_environment_nor_descriptors_and_has_its_own_session()
    {
        using var folder = new TemporaryFolder();
        using var process = await Launcher.LaunchAsync(
            Script("ls /proc/self/fd; env; cut -d' ' -f6 /proc/$$/stat; echo $$") with
            {
                OutputPath = folder["out"],
                Environment = new Dictionary<string, string> { ["ONLY"] = "this", ["PATH"] = "/usr/bin:/bin" },
            },
            null,
            Stopping);
        await process.Exited.WaitAsync(Stopping);
        var lines = await File.ReadAllLinesAsync(folder["out"], Stopping);
        Assert.Equal(["0", "1", "2", "3"], lines[..4]); // 3 is ls's own look at the folder.
        Assert.Contains("ONLY=this", lines);
        Assert.DoesNotContain(lines, line => line.StartsWith("HOME=", StringComparison.Ordinal) || line.StartsWith("DOTNET", StringComparison.Ordinal));
        Assert.Equal(process.Identity.ProcessId.ToString(), lines[^1]);
        Assert.Equal(lines[^1], lines[^2]);
    }

    [Fact]
    [Trait("Needs", "root")]
    public async Task It_runs_as_its_user_without_privileges_and_within_its_limits()
    {
        Needs.Root();
        using var folder = new TemporaryFolder();
        using var process = await Launcher.LaunchAsync(
            Script("grep -E '^(Uid|Gid|Groups|CapEff|CapPrm|CapInh|NoNewPrivs):' /proc/self/status; ulimit -n; ulimit -c; umask; pwd") with
            {
                OutputPath = folder["out"],
                User = new ProcessUser(61234, 61235) { SupplementaryGroupIds = [61236] },
                Limits = [new(ResourceKind.OpenFiles, 77), new(ResourceKind.CoreDumpBytes, ulong.MaxValue)],
                WorkingDirectory = "/usr",
            },
            null,
            Stopping);
        await process.Exited.WaitAsync(Stopping);
        var lines = (await File.ReadAllLinesAsync(folder["out"], Stopping)).Select(line => line.Replace('\t', ' ').TrimEnd()).ToArray();
        Assert.Contains("Uid: 61234 61234 61234 61234", lines);
        Assert.Contains("Gid: 61235 61235 61235 61235", lines);
        Assert.Contains("Groups: 61236", lines);
        Assert.Contains("CapEff: 0000000000000000", lines);
        Assert.Contains("CapPrm: 0000000000000000", lines);
        Assert.Contains("CapInh: 0000000000000000", lines);
        Assert.Contains("NoNewPrivs: 1", lines);
        Assert.Equal(["77", "0", "0022", "/usr"], lines[^4..].Select(line => line == "unlimited" ? "0" : line));
    }

    [Fact]
    public async Task Its_identity_is_recorded_before_the_program_runs_and_stays_true()
    {
        using var folder = new TemporaryFolder();
        var ranBefore = true;
        ProcessIdentity? recorded = null;
        using var process = await Launcher.LaunchAsync(
            Script("echo ran; sleep 600") with { OutputPath = folder["out"] },
            identity =>
            {
                recorded = identity;
                ranBefore = new FileInfo(folder["out"]).Length > 0;
            },
            Stopping);
        Assert.False(ranBefore);
        Assert.Equal(process.Identity, recorded);
        Assert.Equal(recorded, ProcessIdentity.Find(process.Identity.ProcessId));
        Assert.Equal(new ProcessExit(null, (int)ProcessSignal.Kill), await process.StopAsync(TimeSpan.Zero, TimeProvider.System, Stopping));
    }

    [Fact]
    public async Task A_record_that_fails_means_that_the_program_never_ran()
    {
        using var folder = new TemporaryFolder();
        var identity = default(ProcessIdentity);
        await Assert.ThrowsAsync<IOException>(() => Launcher.LaunchAsync(
            Script("echo ran") with { OutputPath = folder["out"] },
            found =>
            {
                identity = found;
                throw new IOException("the disk is full");
            },
            Stopping));
        Assert.Null(LinuxProcess.TryOpen(identity));
        Assert.Equal("", await File.ReadAllTextAsync(folder["out"], Stopping));
    }

    [Fact]
    public async Task A_program_that_is_not_there_is_named()
    {
        var refusal = await Assert.ThrowsAsync<ProcessLaunchException>(() => Launcher.LaunchAsync(new ProcessLaunch { Program = "/usr/bin/no-such-program" }, null, Stopping));
        Assert.Contains("/usr/bin/no-such-program", refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_program_that_cannot_run_is_refused_with_the_words_of_the_one_who_tried()
    {
        using var folder = new TemporaryFolder();
        await File.WriteAllTextAsync(folder["data"], "not a program", Stopping);
        await File.WriteAllTextAsync(folder["out"], "earlier words\n", Stopping);
        var refusal = await Assert.ThrowsAsync<ProcessLaunchException>(() => Launcher.LaunchAsync(new ProcessLaunch { Program = folder["data"], OutputPath = folder["out"] }, null, Stopping));
        Assert.Contains("Permission denied", refusal.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("earlier words", refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Output_is_never_written_through_a_symbolic_link()
    {
        using var folder = new TemporaryFolder();
        File.CreateSymbolicLink(folder["out"], folder["target"]);
        var refusal = await Assert.ThrowsAsync<LinuxException>(() => Launcher.LaunchAsync(Script("echo x") with { OutputPath = folder["out"] }, null, Stopping));
        Assert.Equal(Errno.ELOOP, refusal.Error);
        Assert.False(File.Exists(folder["target"]));
    }

    private static ProcessLaunch Script(string script, params string[] arguments) => new() { Program = Shell, Arguments = ["-c", script, "script", .. arguments] };
}
