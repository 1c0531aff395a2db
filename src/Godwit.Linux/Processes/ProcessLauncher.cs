using System.Globalization;
using System.Text;
using Godwit.Linux.Native;

namespace Godwit.Linux.Processes;

/// <summary>
/// Starts processes that outlive us, so that at no instant there is one that nobody could find again:
/// <code>
///   us                                         the child
///   ──                                         ─────────
///   posix_spawn ─────────────────────────────▶ /bin/sh, own session, waits at the gate (a pipe)
///   cgroup.procs ◀─ its PID
///   resource limits ◀─ its PID
///   record(identity): durable if the caller so wishes
///   open the gate ───────────────────────────▶ exec setpriv: groups, gid, uid, no_new_privs
///   wait for the exec, or for the end           exec the program
/// </code>
/// If we die before the gate opens, the pipe closes and the child ends without having run a byte of the program. PID and
/// start time stay the same through each exec, so what was recorded is what runs.
/// </summary>
public sealed class ProcessLauncher(TimeProvider time)
{
    private const string Shell = "/bin/sh";
    private const string ShellName = "godwit-launch";

    // $1 is the working directory, the rest the command. Nothing in it is ever read as shell text.
    private const string GateScript = "read -r go <&3 || exit 125; exec 3<&-; umask 022; cd \"$1\" || exit 126; shift; exec \"$@\"";

    private const string Waiting = Shell + "\0-c\0" + GateScript;
    private const int RefusalBytesMax = 2048;

    /// <summary>Between the gate and the program's first instruction lie two small programs; a host that swaps may take a while.</summary>
    private static readonly TimeSpan ExecBound = TimeSpan.FromSeconds(30);

    private static readonly TimeSpan ExecLook = TimeSpan.FromMilliseconds(1);

    private static readonly string? Privileges = new[] { "/usr/bin/setpriv", "/bin/setpriv" }.FirstOrDefault(File.Exists);

    /// <summary>Starts the process and returns when its program runs.</summary>
    /// <param name="launch">What to start.</param>
    /// <param name="record">Called with the process's identity before it runs any of the program; if it throws, the program never runs.</param>
    /// <param name="stopping">Cancels up to the program's start; the child is then ended.</param>
    /// <exception cref="ProcessLaunchException">It could not be started, and what it said; nothing is left running.</exception>
    /// <exception cref="LinuxException">The kernel refused; nothing is left running.</exception>
    public async Task<LinuxProcess> LaunchAsync(ProcessLaunch launch, Action<ProcessIdentity>? record, CancellationToken stopping)
    {
        var command = BuildCommand(launch);
        using var output = OpenOutput(launch.OutputPath, out var outputStart);
        var (childGate, ourGate) = Descriptor.OpenPipe();
        using var gate = ourGate;
        int processId;
        using (childGate)
        {
            string[] shell = [Shell, "-c", GateScript, ShellName, launch.WorkingDirectory, .. command];
            processId = launch.NetworkNamespace.Run(() => NativeSpawn.Start(shell, launch.Environment, childGate, output));
        }

        // A child of ours that nobody has reaped keeps its PID, so this finds it even if it has ended already.
        var identity = ProcessIdentity.Find(processId) ?? throw new ProcessLaunchException(launch.Program, "its PID is unknown to /proc: is /proc mounted?");
        var process = LinuxProcess.TryOpen(identity) ?? throw Refused(launch, outputStart);
        try
        {
            launch.ControlGroup?.Add(processId);
            NativeSpawn.Limit(processId, launch.Limits);
            record?.Invoke(identity);
            gate.Write("\n"u8, $"to the gate of process {processId}");
            await WaitForExecAsync(process, launch, outputStart, stopping);
            return process;
        }
        catch
        {
            process.Send(ProcessSignal.Kill);
            await process.Exited.WaitAsync(ExecBound, time, CancellationToken.None);
            process.Dispose();
            throw;
        }
    }

    private static List<string> BuildCommand(ProcessLaunch launch)
    {
        if (!Path.IsPathFullyQualified(launch.Program) || !File.Exists(launch.Program))
        {
            throw new ProcessLaunchException(launch.Program, "there is no such file: is its package installed? (the path must be absolute)");
        }

        var command = new List<string>();
        if (launch.User is not null || launch.NoNewPrivileges)
        {
            command.Add(Privileges ?? throw new ProcessLaunchException("setpriv", "not found: install the package util-linux"));
        }

        if (launch.User is { } user)
        {
            command.Add(string.Create(CultureInfo.InvariantCulture, $"--reuid={user.UserId}"));
            command.Add(string.Create(CultureInfo.InvariantCulture, $"--regid={user.GroupId}"));
            command.Add(user.SupplementaryGroupIds.Count == 0 ? "--clear-groups" : "--groups=" + string.Join(',', user.SupplementaryGroupIds));
            command.Add("--inh-caps=-all");
        }

        if (launch.NoNewPrivileges)
        {
            command.Add("--no-new-privs");
        }

        if (command.Count > 0)
        {
            command.Add("--");
        }

        command.Add(launch.Program);
        command.AddRange(launch.Arguments);
        return command;
    }

    private static Descriptor OpenOutput(string path, out long length)
    {
        var output = Descriptor.Open(path, OpenFlags.O_WRONLY | OpenFlags.O_APPEND | OpenFlags.O_CREAT | OpenFlags.O_NOFOLLOW, 0x180);
        length = new FileInfo(path) is { Exists: true } file ? file.Length : 0;
        return output;
    }

    private async Task WaitForExecAsync(LinuxProcess process, ProcessLaunch launch, long outputStart, CancellationToken stopping)
    {
        var start = time.GetTimestamp();
        while (!HasReachedProgram(process.Identity.ProcessId))
        {
            if (process.Exited.IsCompleted)
            {
                // A program that has come and gone within our look looks the same as one that never came, but for its exit code.
                var exit = await process.Exited;
                if (exit.ExitCode is null or 125 or 126 or 127)
                {
                    throw Refused(launch, outputStart);
                }

                return;
            }

            if (time.GetElapsedTime(start) > ExecBound)
            {
                throw new ProcessLaunchException(launch.Program, $"not running {ExecBound.TotalSeconds} s after its start: is the host out of memory, or its disk stuck?");
            }

            await Task.Delay(ExecLook, time, stopping);
        }
    }

    /// <summary>Whether the command line is no longer that of the two programs before it. Empty while an exec is under way, and for a zombie.</summary>
    private static bool HasReachedProgram(int processId)
    {
        try
        {
            var line = File.ReadAllText(string.Create(CultureInfo.InvariantCulture, $"/proc/{processId}/cmdline"));
            return line.Length > 0
                && !line.StartsWith(Waiting, StringComparison.Ordinal)
                && !line.StartsWith(Privileges + "\0--", StringComparison.Ordinal);
        }
        catch (IOException)
        {
            return false; // It has ended; the caller looks at that.
        }
    }

    private static ProcessLaunchException Refused(ProcessLaunch launch, long outputStart)
    {
        var words = "no word from it";
        if (launch.OutputPath != "/dev/null" && File.Exists(launch.OutputPath))
        {
            using var output = File.OpenRead(launch.OutputPath);
            output.Seek(Math.Min(outputStart, output.Length), SeekOrigin.Begin);
            var buffer = new byte[RefusalBytesMax];
            var text = Encoding.UTF8.GetString(buffer, 0, output.ReadAtLeast(buffer, buffer.Length, throwOnEndOfStream: false)).Trim();
            words = text.Length > 0 ? text : words;
        }

        return new ProcessLaunchException(launch.Program, words);
    }
}
