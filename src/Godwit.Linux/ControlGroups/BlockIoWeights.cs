using System.Globalization;

namespace Godwit.Linux.ControlGroups;

/// <summary>
/// A group's weight of block I/O, in the files of the schedulers that know weights. Each has its own, which is there when the scheduler is loaded, whether or not a disk uses it:
/// bfq (the kernel's Documentation/block/bfq-iosched.rst), iocost on version 2 (Documentation/admin-guide/cgroup-v2.rst), and on version 1 cfq, until Linux 5.0.
/// </summary>
public static class BlockIoWeights
{
    public const int Min = 10;
    public const int Max = 1000;

    private const int UnifiedMin = 1;
    private const int UnifiedMax = 10_000;

    /// <summary>Whether a disk of this host has a scheduler that knows weights. Where none has, weights may be told and decide nothing.</summary>
    public static bool DecideSomething() => DecideSomething("/sys");

    /// <param name="system">The mount of sysfs.</param>
    internal static bool DecideSomething(string system)
    {
        var disks = Path.Combine(system, "block");
        var schedulers = Directory.Exists(disks) ? Directory.EnumerateDirectories(disks).Select(disk => Read(Path.Combine(disk, "queue/scheduler"))) : [];
        return schedulers.Any(words => words.Contains("[bfq]", StringComparison.Ordinal) || words.Contains("[cfq]", StringComparison.Ordinal))
            || Read(Path.Combine(system, "fs/cgroup/io.cost.qos")).Contains("enable=1", StringComparison.Ordinal);
    }

    internal static bool WriteUnified(string folder, int weight) =>
        Write(folder, "io.bfq.weight", weight) | Write(folder, "io.weight", UnifiedMin + ((weight - Min) * (UnifiedMax - UnifiedMin) / (Max - Min)));

    internal static bool WriteSeparate(string folder, int weight) => Write(folder, "blkio.bfq.weight", weight) | Write(folder, "blkio.weight", weight);

    private static bool Write(string folder, string file, int weight)
    {
        var there = File.Exists(Path.Combine(folder, file));
        if (there)
        {
            ControlGroup.Write(folder, file, weight.ToString(CultureInfo.InvariantCulture));
        }

        return there;
    }

    private static string Read(string path)
    {
        try
        {
            return File.ReadAllText(path);
        }
        catch (IOException)
        {
            return ""; // No such file, or a disk that has just gone.
        }
    }
}
