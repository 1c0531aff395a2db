using System.Text;
using Godwit.Linux.Files;

namespace Godwit.Containers.Runtime;

/// <summary>Devices of the host, looked up by their paths.</summary>
internal static class HostDevices
{
    private const int DevicesMax = 10_000;

    /// <summary>What crun makes for every container, and what is mounted there.</summary>
    private static readonly string[] OwnInContainers = ["/dev/pts", "/dev/shm", "/dev/mqueue", "/dev/console", "/dev/ptmx"];

    /// <summary>Those asked for; for a privileged container, all.</summary>
    /// <exception cref="InvalidRequestException">One is not there.</exception>
    internal static IReadOnlyList<HostDevice> Find(IsolationSpec isolation)
    {
        var asked = isolation.Devices.SelectMany(Expand).ToList();
        if (!isolation.Privileged)
        {
            return asked;
        }

        var options = new EnumerationOptions { RecurseSubdirectories = true, IgnoreInaccessible = true, AttributesToSkip = FileAttributes.ReparsePoint };
        var all = Directory.EnumerateFiles("/dev", "*", options)
            .Where(path => !OwnInContainers.Any(own => path == own || path.StartsWith(own + "/", StringComparison.Ordinal)))
            .Take(DevicesMax)
            .Select(path => Look(new DeviceSpec(path, path)))
            .OfType<HostDevice>();
        return [.. asked, .. all.Where(device => asked.All(one => one.Spec.Path != device.Spec.Path))];
    }

    /// <summary>Numbers of the block devices that I/O bounds name; one that is not there is missing here.</summary>
    internal static IReadOnlyDictionary<string, (long Major, long Minor)> FindThrottled(ResourceSpec resources)
    {
        var paths = resources.ReadBytesPerSecond.Concat(resources.WriteBytesPerSecond).Concat(resources.ReadOperationsPerSecond).Concat(resources.WriteOperationsPerSecond)
            .Select(throttle => throttle.Path).Distinct(StringComparer.Ordinal);
        return paths.Select(path => Look(new DeviceSpec(path, path))).OfType<HostDevice>().ToDictionary(device => device.Spec.HostPath, device => (device.Major, device.Minor), StringComparer.Ordinal);
    }

    /// <summary>A folder stands for the devices in it.</summary>
    private static IEnumerable<HostDevice> Expand(DeviceSpec spec)
    {
        if (Directory.Exists(spec.HostPath))
        {
            return Directory.EnumerateFiles(spec.HostPath).Take(DevicesMax)
                .Select(path => Look(spec with { HostPath = path, Path = Path.Combine(spec.Path, Path.GetFileName(path)) })).OfType<HostDevice>();
        }

        return [Look(spec) ?? throw new InvalidRequestException($"cannot give the container {spec.HostPath}: the host has no such device")];
    }

    private static HostDevice? Look(DeviceSpec spec)
    {
        var target = File.ResolveLinkTarget(spec.HostPath, returnFinalTarget: true)?.FullName ?? spec.HostPath;
        if (Path.GetDirectoryName(target) is not { } folder || !Directory.Exists(folder))
        {
            return null;
        }

        using var held = HeldFolder.Open(folder);
        return held.Find(Encoding.UTF8.GetBytes(Path.GetFileName(target))) is { Kind: FileKind.CharacterDevice or FileKind.BlockDevice } found
            ? new HostDevice(spec, found.Kind is FileKind.BlockDevice ? "b" : "c", found.DeviceMajor, found.DeviceMinor, found.Mode, found.UserId, found.GroupId)
            : null;
    }
}
