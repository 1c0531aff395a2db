using System.Globalization;

namespace Godwit.Linux.Processes;

/// <summary>
/// A process that cannot be mistaken for another: a PID alone is given out again, a PID with its start time is not within one boot,
/// and the boot has a name. Fit to be written to disk and read after the agent, or the host, started anew.
/// </summary>
/// <param name="ProcessId">The PID as this host's agent sees it.</param>
/// <param name="StartTimeTicks">Clock ticks from boot to the process's start: field 22 of <c>/proc/PID/stat</c> (proc_pid_stat(5)).</param>
/// <param name="BootId">The kernel's random name for this boot.</param>
public readonly record struct ProcessIdentity(int ProcessId, ulong StartTimeTicks, Guid BootId)
{
    /// <summary>The process that has this PID now, also while it is a zombie; null when there is none.</summary>
    public static ProcessIdentity? Find(int processId) =>
        ProcessStat.Read(processId) is { } stat ? new ProcessIdentity(processId, stat.StartTimeTicks, Boot.Id) : null;

    /// <summary>Whether it waits for something that may be interrupted (state S): not while it runs, wants to run, is stopped or is gone.</summary>
    public bool IsAsleep => ProcessStat.Read(ProcessId) is { State: 'S' } stat && stat.StartTimeTicks == StartTimeTicks;

    /// <summary>
    /// Whether its end has begun. The first process of a PID namespace stays so until all others in it have ended and been waited for by their parents, wherever those are
    /// (pid_namespaces(7)).
    /// </summary>
    public bool IsExiting => ProcessStat.Read(ProcessId) is { IsExiting: true } stat && stat.StartTimeTicks == StartTimeTicks;

    /// <summary>The form that <see cref="ToString"/> writes.</summary>
    public static bool TryParse(string? text, out ProcessIdentity identity)
    {
        identity = default;
        var parts = text?.Trim().Split('/');
        if (parts is not [var boot, var process, var start]
            || !Guid.TryParseExact(boot, "D", out var bootId)
            || !int.TryParse(process, NumberStyles.None, CultureInfo.InvariantCulture, out var processId)
            || !ulong.TryParse(start, NumberStyles.None, CultureInfo.InvariantCulture, out var ticks)
            || processId <= 0)
        {
            return false;
        }

        identity = new ProcessIdentity(processId, ticks, bootId);
        return true;
    }

    /// <summary><c>boot/pid/start</c>.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{BootId:D}/{ProcessId}/{StartTimeTicks}");

    private static class Boot
    {
        internal static readonly Guid Id = Guid.Parse(File.ReadAllText("/proc/sys/kernel/random/boot_id").AsSpan().Trim());
    }
}
