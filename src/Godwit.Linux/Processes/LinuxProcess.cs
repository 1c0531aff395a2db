using System.Buffers.Binary;
using Godwit.Linux.Native;

namespace Godwit.Linux.Processes;

/// <summary>How a process ended. Both are null when it was not our child: then only its parent is told.</summary>
public readonly record struct ProcessExit(int? ExitCode, int? Signal)
{
    public override string ToString() => this switch
    {
        { ExitCode: { } code } => $"exited with code {code}",
        { Signal: { } signal } => $"was ended by signal {signal}",
        _ => "ended (how is known to its parent only)",
    };
}

/// <summary>The signals that we send (signal(7)).</summary>
public enum ProcessSignal
{
    Reload = 1,
    Interrupt = 2,
    Kill = 9,
    Terminate = 15,
    Continue = 18,
    Stop = 19,
}

/// <summary>
/// A hold on one process through a pidfd: signals reach that process or nobody, however PIDs are given out again.
/// Letting go of the hold does nothing to the process; a child's end is still waited for, so that no zombie stays.
/// </summary>
public sealed class LinuxProcess : IDisposable
{
    private const int SignalInfoSize = 128;

    private readonly Descriptor pidfd;
    private readonly TaskCompletionSource<ProcessExit> exited = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly ulong watch;
    private readonly bool isChild;

    /// <summary>Of a child, two let go of the descriptor: the holder and the watcher. The later one closes it.</summary>
    private int letGo;

    private LinuxProcess(ProcessIdentity identity, Descriptor pidfd, bool isChild)
    {
        Identity = identity;
        this.pidfd = pidfd;
        this.isChild = isChild;
        watch = ExitWatcher.Shared.Watch(pidfd, End);
    }

    public ProcessIdentity Identity { get; }

    /// <summary>Ends when the process has ended (a zombie has ended); cancelled when this hold is disposed before.</summary>
    public Task<ProcessExit> Exited => exited.Task;

    /// <summary>CPU time used so far in user and kernel mode, zero once it has ended.</summary>
    public TimeSpan CpuTime => ProcessStat.Read(Identity.ProcessId) is { } stat && stat.StartTimeTicks == Identity.StartTimeTicks
        ? TimeSpan.FromMilliseconds(stat.CpuTicks * 10)
        : TimeSpan.Zero;

    /// <summary>A hold on exactly this process, or null when it has ended (its PID may be another's by now).</summary>
    /// <exception cref="LinuxException">The kernel refused for another reason than the process's end.</exception>
    public static LinuxProcess? TryOpen(ProcessIdentity identity)
    {
        if (ProcessIdentity.Find(identity.ProcessId) != identity)
        {
            return null;
        }

        var value = (int)LibC.SystemCall(SystemCalls.PidfdOpen, identity.ProcessId, 0, 0, 0);
        if (value < 0)
        {
            var refusal = LinuxException.FromLastCall($"open process {identity.ProcessId}");
            return refusal.Error is Errno.ESRCH ? null : throw refusal;
        }

        // Opened first, compared after: had the PID changed hands before the open, the start time would differ now.
        var opened = new Descriptor(value);
        if (ProcessStat.Read(identity.ProcessId) is { IsDead: false } stat && stat.StartTimeTicks == identity.StartTimeTicks)
        {
            return new LinuxProcess(identity, opened, isChild: false);
        }

        opened.Dispose();
        return null;
    }

    /// <summary>As <see cref="TryOpen"/> for a child of ours that nobody has reaped: also when it has ended, so that it is reaped.</summary>
    internal static LinuxProcess? TryOpenChild(ProcessIdentity identity)
    {
        var value = (int)LibC.SystemCall(SystemCalls.PidfdOpen, identity.ProcessId, 0, 0, 0);
        return value >= 0 ? new LinuxProcess(identity, new Descriptor(value), isChild: true) : null;
    }

    /// <summary>Sends a signal; false when the process has ended.</summary>
    public bool Send(ProcessSignal signal)
    {
        if (LibC.SystemCall(SystemCalls.PidfdSendSignal, pidfd.Value, (int)signal, 0, 0) == 0)
        {
            return !exited.Task.IsCompleted;
        }

        var refusal = LinuxException.FromLastCall($"send {signal} to process {Identity.ProcessId}");
        return refusal.Error is Errno.ESRCH ? false : throw refusal;
    }

    /// <summary>Asks the process to end, and ends it when it has not done so in time. Returns when it has ended.</summary>
    /// <exception cref="LinuxException">It did not end within 10 s of SIGKILL: it hangs in the kernel.</exception>
    public async Task<ProcessExit> StopAsync(TimeSpan grace, TimeProvider time, CancellationToken stopping)
    {
        if (grace > TimeSpan.Zero && Send(ProcessSignal.Terminate) && await EndsWithinAsync(grace, time, stopping))
        {
            return await Exited;
        }

        Send(ProcessSignal.Kill);
        return await EndsWithinAsync(TimeSpan.FromSeconds(10), time, stopping)
            ? await Exited
            : throw new LinuxException($"end process {Identity.ProcessId}", Errno.ETIMEDOUT, "it hangs in the kernel: see its /proc/PID/stack");
    }

    public void Dispose()
    {
        if (isChild)
        {
            exited.TrySetCanceled();
            LetGo();
            return;
        }

        ExitWatcher.Shared.Forget(watch, pidfd);
        exited.TrySetCanceled();
        pidfd.Dispose();
    }

    private void End()
    {
        exited.TrySetResult(Reap());
        if (isChild)
        {
            LetGo();
        }
    }

    private void LetGo()
    {
        if (Interlocked.Increment(ref letGo) == 2)
        {
            pidfd.Dispose();
        }
    }

    private async Task<bool> EndsWithinAsync(TimeSpan bound, TimeProvider time, CancellationToken stopping)
    {
        try
        {
            await Exited.WaitAsync(bound, time, stopping);
            return true;
        }
        catch (TimeoutException)
        {
            return false;
        }
    }

    /// <summary>Takes the exit status if the process is our child, so that no zombie stays.</summary>
    private unsafe ProcessExit Reap()
    {
        // Held for the call: a descriptor closed and given out again between the two would reap somebody else.
        var held = false;
        // siginfo_t (sigaction(2)), 64-bit layout: si_code at 8, si_pid at 16, si_status at 24.
        var info = stackalloc byte[SignalInfoSize];
        try
        {
            pidfd.DangerousAddRef(ref held);
            if (LibC.WaitId(WaitConstants.P_PIDFD, pidfd.Value, info, WaitConstants.WEXITED | WaitConstants.WNOHANG) != 0)
            {
                return default;
            }
        }
        catch (ObjectDisposedException)
        {
            return default;
        }
        finally
        {
            if (held)
            {
                pidfd.DangerousRelease();
            }
        }

        var fields = new ReadOnlySpan<byte>(info, SignalInfoSize);
        if (BinaryPrimitives.ReadInt32LittleEndian(fields[16..]) == 0)
        {
            return default;
        }

        var status = BinaryPrimitives.ReadInt32LittleEndian(fields[24..]);
        return BinaryPrimitives.ReadInt32LittleEndian(fields[8..]) == WaitConstants.CLD_EXITED
            ? new ProcessExit(status, null)
            : new ProcessExit(null, status);
    }
}
