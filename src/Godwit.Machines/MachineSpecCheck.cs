using System.Text.RegularExpressions;

namespace Godwit.Machines;

/// <summary>
/// What a spec must be before anything is made of it. Its values come from the API and go to QEMU's command line, so each
/// is held to the characters and bounds that it needs.
/// </summary>
internal static partial class MachineSpecCheck
{
    private const long MemoryBytesMin = 16L << 20;
    private const long MemoryBytesMax = 4L << 40;
    private const int CpuCountMax = 255;
    private const int CommandLineLengthMax = 2047; // COMMAND_LINE_SIZE of x86 less its zero.

    /// <exception cref="MachineException">The first thing that is wrong, by its name.</exception>
    public static void Require(MachineSpec spec)
    {
        foreach (var (isSound, complaint) in Rules(spec))
        {
            if (!isSound)
            {
                throw new MachineException($"Machine {spec.Id} cannot be made: {complaint}.");
            }
        }
    }

    private static IEnumerable<(bool IsSound, string Complaint)> Rules(MachineSpec spec)
    {
        yield return (spec.Id.Value != Guid.Empty, "it has no id");
        yield return (spec.DisplayName.Length is > 0 and <= 320 && !spec.DisplayName.Any(char.IsControl), "its display name is empty, longer than 320 characters, or has control characters");
        yield return (spec.CpuCount is >= 1 and <= CpuCountMax, $"it asks for {spec.CpuCount} CPUs; 1 to {CpuCountMax} are possible");
        yield return (
            spec.MemoryBytes is >= MemoryBytesMin and <= MemoryBytesMax && spec.MemoryBytes % (1 << 20) == 0,
            $"it asks for {spec.MemoryBytes} bytes of memory; {MemoryBytesMin >> 20} MiB to {MemoryBytesMax >> 20} MiB in whole MiB are possible");
        yield return (MachineTypePattern().IsMatch(spec.MachineType), $"'{spec.MachineType}' is no versioned machine type such as pc-q35-10.0");
        yield return (CpuModelPattern().IsMatch(spec.CpuModel), $"'{spec.CpuModel}' is no CPU model");
        yield return (spec.Kernel is not null || spec.Disks.Count > 0, "it has neither a kernel nor a disk to boot from");
        if (spec.Kernel is { } kernel)
        {
            yield return (IsAbsolute(kernel.KernelPath) && (kernel.InitrdPath is null || IsAbsolute(kernel.InitrdPath)), "its kernel and initial memory disk need absolute paths");
            yield return (kernel.CommandLine.Length <= CommandLineLengthMax && !kernel.CommandLine.Any(char.IsControl), $"its kernel command line is longer than {CommandLineLengthMax} characters or has control characters");
        }

        yield return (spec.Nics.Count <= QemuCommandLine.NicsMax, $"it has {spec.Nics.Count} NICs; at most {QemuCommandLine.NicsMax} are possible");
        yield return (spec.Nics.Select(nic => nic.Name).Distinct(StringComparer.Ordinal).Count() == spec.Nics.Count, "two of its NICs have one name");
        foreach (var nic in spec.Nics)
        {
            yield return (MacPattern().IsMatch(nic.MacAddress), $"'{nic.MacAddress}' is no MAC address of a guest (six pairs of hexadecimal digits, the first one even)");
            yield return (TapPattern().IsMatch(nic.TapName), $"'{nic.TapName}' is no name of a tap");
            yield return (nic.MtuBytes is null or (>= 68 and <= 65535), $"an MTU of {nic.MtuBytes} bytes is not possible");
        }

        yield return (spec.Disks.Count <= QemuCommandLine.DisksMax, $"it has {spec.Disks.Count} disks; at most {QemuCommandLine.DisksMax} are possible");
        yield return (spec.Disks.Select(disk => disk.Name).Distinct(StringComparer.Ordinal).Count() == spec.Disks.Count, "two of its disks have one name");
        foreach (var disk in spec.Disks)
        {
            yield return (DiskNamePattern().IsMatch(disk.Name), $"'{disk.Name}' is no name of a disk");
            yield return (IsAbsolute(disk.Path), $"the disk {disk.Name} needs an absolute path");
        }
    }

    private static bool IsAbsolute(string path) => Path.IsPathFullyQualified(path) && !path.Any(char.IsControl);

    [GeneratedRegex(@"\Apc-(q35|i440fx)-[0-9]{1,2}\.[0-9]{1,2}\z", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex MachineTypePattern();

    [GeneratedRegex(@"\A[A-Za-z0-9][A-Za-z0-9_.+=,-]{0,500}\z", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex CpuModelPattern();

    [GeneratedRegex(@"\A[0-9a-fA-F][02468aceACE](:[0-9a-fA-F]{2}){5}\z", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex MacPattern();

    [GeneratedRegex(@"\A[A-Za-z0-9][A-Za-z0-9_.-]{0,14}\z", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex TapPattern();

    [GeneratedRegex(@"\A[A-Za-z0-9][A-Za-z0-9_.-]{0,62}\z", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex DiskNamePattern();
}
