using System.Globalization;
using Godwit.Linux.ControlGroups;
using Godwit.Linux.Processes;
using Microsoft.Extensions.Logging;

namespace Godwit.Machines;

/// <summary>What every machine of a host is given.</summary>
internal sealed record MachineContext(MachineHostOptions Options, TimeProvider Clock, ILogger Log);

/// <summary>The parts that a machine stands on; without a process it has ended before.</summary>
internal sealed record MachineParts(MachineFiles Files, MachineSpec Spec, MachinePlace Place, LinuxProcess? Process, ControlGroup Group);

/// <summary>What a process holds in memory.</summary>
public static class ResidentMemory
{
    /// <summary>Zero when the process has ended.</summary>
    public static long ReadBytes(int processId)
    {
        try
        {
            // The second number of statm: resident pages (proc_pid_statm(5)).
            var words = File.ReadAllText(string.Create(CultureInfo.InvariantCulture, $"/proc/{processId}/statm")).Split(' ');
            return words.Length > 1 && long.TryParse(words[1], NumberStyles.None, CultureInfo.InvariantCulture, out var pages) ? pages * Environment.SystemPageSize : 0;
        }
        catch (IOException)
        {
            return 0;
        }
    }
}
