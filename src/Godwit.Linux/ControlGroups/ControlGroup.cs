using System.Globalization;
using Godwit.Linux.Processes;

namespace Godwit.Linux.ControlGroups;

/// <summary>What a group may use at most; null sets no bound.</summary>
public sealed record ControlGroupLimits
{
    /// <summary>Memory charged to the group, page cache included; above it the kernel reclaims, then kills inside the group.</summary>
    public long? MemoryBytes { get; init; }

    /// <summary>Share of the CPUs when they are short: 1 to 10000, where 100 is what a group without a setting has.</summary>
    public int? CpuWeight { get; init; }

    /// <summary>CPUs' worth of time it may use, for example 1.5; held over each 100 ms.</summary>
    public double? CpuCount { get; init; }

    /// <summary>Processes and threads.</summary>
    public int? TasksMax { get; init; }
}

/// <summary>What a group uses.</summary>
/// <param name="MemoryBytes">Charged now, page cache included.</param>
/// <param name="CpuTime">Used by all its tasks since it was made.</param>
/// <param name="TaskCount">Processes and threads in it now.</param>
/// <param name="OutOfMemoryKills">How often the kernel killed inside it for its memory bound.</param>
public sealed record ControlGroupUsage(long MemoryBytes, TimeSpan CpuTime, int TaskCount, long OutOfMemoryKills);

/// <summary>One cgroup: a set of processes that are counted, bounded and ended together. It exists in the kernel, not in this object.</summary>
public abstract class ControlGroup
{
    private protected const int CpuPeriodMicroseconds = 100_000;

    private static readonly TimeSpan EmptyLook = TimeSpan.FromMilliseconds(5);
    private static readonly TimeSpan EmptyBound = TimeSpan.FromSeconds(20);

    private readonly TimeProvider time;

    private protected ControlGroup(string name, TimeProvider time)
    {
        Name = name;
        this.time = time;
    }

    public string Name { get; }

    public bool Exists => Folders.All(Directory.Exists);

    /// <summary>The processes in it now, without those of groups inside it.</summary>
    public IReadOnlyList<int> ProcessIds => ReadProcessIds(Folders[0]);

    /// <summary>Its folder in each hierarchy that it has a part in.</summary>
    internal abstract IReadOnlyList<string> Folders { get; }

    /// <summary>Where there may be something to remove of it: others may have made groups of its name, or inside it, in hierarchies that we have no part in.</summary>
    private protected virtual IEnumerable<string> Traces => Folders;

    /// <summary>Moves a process (all its threads) into the group.</summary>
    public void Add(int processId)
    {
        foreach (var folder in Folders)
        {
            Write(folder, "cgroup.procs", processId.ToString(CultureInfo.InvariantCulture));
        }
    }

    /// <summary>Sets the bounds that are not null.</summary>
    public abstract void SetLimits(ControlGroupLimits limits);

    public abstract ControlGroupUsage ReadUsage();

    /// <summary>Ends every process in it, those that they fork meanwhile too. Returns when none runs.</summary>
    /// <exception cref="LinuxException">Some did not end in 20 s: they hang in the kernel.</exception>
    public async Task KillAsync(CancellationToken stopping)
    {
        var start = time.GetTimestamp();
        while (Exists && ProcessIds.Count > 0)
        {
            if (time.GetElapsedTime(start) > EmptyBound)
            {
                throw new LinuxException($"end the processes {string.Join(", ", ProcessIds)} of cgroup {Name}", Errno.ETIMEDOUT, "they hang in the kernel: see their /proc/PID/stack");
            }

            KillOnce();
            await Task.Delay(EmptyLook, time, stopping);
        }
    }

    /// <summary>Removes the group, which must hold no group and no process that runs. Idempotent.</summary>
    public async Task RemoveAsync(CancellationToken stopping)
    {
        var start = time.GetTimestamp();
        foreach (var folder in Traces)
        {
            // A process that has just ended stays in the books of its group for a moment.
            while (!TryRemove(folder, out var refusal))
            {
                if (time.GetElapsedTime(start) > EmptyBound)
                {
                    throw new IOException($"cannot remove cgroup {folder}, which holds {ReadProcessIds(folder).Count} processes", refusal);
                }

                await Task.Delay(EmptyLook, time, stopping);
            }
        }
    }

    /// <summary>Makes the folders and turns on what <see cref="SetLimits"/> needs.</summary>
    internal abstract void Make();

    /// <summary>Sends SIGKILL to what is in it at this moment.</summary>
    private protected abstract void KillOnce();

    private protected void KillEach()
    {
        foreach (var processId in ProcessIds)
        {
            if (ProcessIdentity.Find(processId) is { } identity)
            {
                using var process = LinuxProcess.TryOpen(identity);
                process?.Send(ProcessSignal.Kill);
            }
        }
    }

    private protected static void MakeFolder(string folder)
    {
        try
        {
            Directory.CreateDirectory(folder);
        }
        catch (Exception refusal) when (refusal is IOException or UnauthorizedAccessException)
        {
            throw new IOException($"cannot make cgroup {folder}: run as root, or delegate the hierarchy", refusal);
        }
    }

    internal static void Write(string folder, string file, string text)
    {
        var path = Path.Combine(folder, file);
        try
        {
            // One write call, no truncation to follow: a cgroup file is a command, not contents.
            using var handle = File.OpenHandle(path, FileMode.Open, FileAccess.Write);
            RandomAccess.Write(handle, System.Text.Encoding.ASCII.GetBytes(text), 0);
        }
        catch (Exception refusal) when (refusal is IOException or UnauthorizedAccessException)
        {
            throw new IOException($"cannot write '{text}' to {path}", refusal);
        }
    }

    private protected static long ReadNumber(string folder, string file) =>
        long.TryParse(File.ReadAllText(Path.Combine(folder, file)).AsSpan().Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out var value) ? value : 0;

    /// <summary>A value of a file of lines <c>key value</c>; zero when the key is not there.</summary>
    private protected static long ReadKeyed(string folder, string file, string key)
    {
        var path = Path.Combine(folder, file);
        foreach (var line in File.Exists(path) ? File.ReadLines(path) : [])
        {
            if (line.Split(' ') is [var name, var text] && name == key && long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var value))
            {
                return value;
            }
        }

        return 0;
    }

    private static List<int> ReadProcessIds(string folder)
    {
        var path = Path.Combine(folder, "cgroup.procs");
        try
        {
            return [.. File.ReadLines(path).Select(line => int.TryParse(line, NumberStyles.None, CultureInfo.InvariantCulture, out var id) ? id : 0).Where(id => id > 0)];
        }
        catch (Exception gone) when (gone is FileNotFoundException or DirectoryNotFoundException)
        {
            return [];
        }
    }

    private static bool TryRemove(string folder, out IOException? refusal)
    {
        refusal = null;
        try
        {
            Directory.Delete(folder);
        }
        catch (DirectoryNotFoundException)
        {
            // Removed before.
        }
        catch (IOException busy)
        {
            refusal = busy;
        }

        return refusal is null;
    }
}
