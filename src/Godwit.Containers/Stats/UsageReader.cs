using System.Globalization;
using Godwit.Linux.ControlGroups;
using Godwit.Linux.Hosts;

namespace Godwit.Containers.Stats;

/// <summary>What a container uses, from its cgroup and its network's counters.</summary>
internal static class UsageReader
{
    private const long NanosecondsPerTick = 10_000_000; // The kernel's user ticks: a hundred a second.
    private const int CpuFields = 8;
    private const int InterfaceFields = 16;

    internal static ContainerUsage Read(Container container, EngineParts parts)
    {
        var none = new ContainerUsage { ReadAt = parts.Time.GetUtcNow(), Id = container.Id, Name = container.Name, MemoryLimitBytes = container.Record.Spec.Resources.MemoryBytes ?? HostFacts.MemoryBytes };
        if (container.State is not ContainerState.Alive alive || parts.ControlGroups.Open(container.ControlGroupPath.TrimStart('/')) is not { Exists: true } group)
        {
            return none;
        }

        ControlGroupDetails details;
        try
        {
            details = parts.ControlGroups.ReadDetails(group.Name);
        }
        catch (IOException)
        {
            return none; // It ended while we looked.
        }

        return none with
        {
            CpuNanoseconds = details.CpuNanoseconds,
            CpuUserNanoseconds = details.CpuUserNanoseconds,
            CpuKernelNanoseconds = details.CpuKernelNanoseconds,
            ThrottledPeriods = details.ThrottledPeriods,
            ThrottledNanoseconds = details.ThrottledNanoseconds,
            HostCpuNanoseconds = ReadHostCpu(File.ReadLines("/proc/stat").First()),
            CpuCount = HostFacts.CpuCount,
            MemoryBytes = details.MemoryBytes,
            MemoryPeakBytes = details.MemoryPeakBytes,
            InactiveFileBytes = details.InactiveFileBytes,
            TaskCount = details.TaskCount,
            TasksMax = container.Record.Spec.Resources.TasksMax,
            BlockReadBytes = details.BlockReadBytes,
            BlockWriteBytes = details.BlockWriteBytes,
            Interfaces = container.Record.Spec.Network.Mode is NetworkMode.Host ? none.Interfaces : ReadInterfaces(alive.Now.ProcessId),
        };
    }

    /// <summary>The first line of <c>/proc/stat</c> (proc(5)): all CPUs, in ticks; guests' time is counted in the users' already.</summary>
    internal static long ReadHostCpu(string line) => line.Split(' ', StringSplitOptions.RemoveEmptyEntries).Skip(1).Take(CpuFields)
        .Sum(text => long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var ticks) ? ticks : 0) * NanosecondsPerTick;

    /// <summary><c>/proc/PID/net/dev</c>, the loopback left out.</summary>
    internal static IReadOnlyDictionary<string, InterfaceUsage> ParseInterfaces(string text)
    {
        var read = new Dictionary<string, InterfaceUsage>(StringComparer.Ordinal);
        foreach (var line in text.Split('\n'))
        {
            if (line.Split(':') is not [var name, var rest] || name.Trim() == "lo")
            {
                continue;
            }

            var fields = rest.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(field => long.TryParse(field, NumberStyles.None, CultureInfo.InvariantCulture, out var value) ? value : 0).ToArray();
            if (fields.Length >= InterfaceFields)
            {
                read[name.Trim()] = new InterfaceUsage(fields[0], fields[1], fields[2], fields[3], fields[8], fields[9], fields[10], fields[11]);
            }
        }

        return read;
    }

    private static IReadOnlyDictionary<string, InterfaceUsage> ReadInterfaces(int processId)
    {
        try
        {
            return ParseInterfaces(File.ReadAllText(string.Create(CultureInfo.InvariantCulture, $"/proc/{processId}/net/dev")));
        }
        catch (IOException)
        {
            return ParseInterfaces("");
        }
    }
}
