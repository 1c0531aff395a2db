using System.Runtime.InteropServices;

namespace Godwit.DockerApi.Mapping;

/// <summary>What clients are told of the host. None of it changes while it runs.</summary>
internal static class HostFacts
{
    public static string Kernel { get; } = ReadLine("/proc/sys/kernel/osrelease");

    /// <summary>In the words of uname(1).</summary>
    public static string Machine { get; } = RuntimeInformation.OSArchitecture switch
    {
        Architecture.X64 => "x86_64",
        Architecture.Arm64 => "aarch64",
        var other => other.ToString().ToLowerInvariant(),
    };

    public static string MachineId { get; } = ReadLine("/etc/machine-id");

    public static string SystemName { get; } = ReadRelease("PRETTY_NAME");

    public static string SystemVersion { get; } = ReadRelease("VERSION_ID");

    public static string ControlGroupVersion { get; } = File.Exists("/sys/fs/cgroup/cgroup.controllers") ? "2" : "1";

    public static long MemoryBytes { get; } = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;

    private static string ReadRelease(string name)
    {
        const string path = "/etc/os-release";
        var line = File.Exists(path) ? File.ReadLines(path).FirstOrDefault(line => line.StartsWith(name + "=", StringComparison.Ordinal)) : null;
        return line?[(name.Length + 1)..].Trim('"') ?? "";
    }

    private static string ReadLine(string path) => File.Exists(path) ? File.ReadAllText(path).Trim() : "";
}
