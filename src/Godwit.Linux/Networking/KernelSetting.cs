namespace Godwit.Linux.Networking;

/// <summary>A setting under <c>/proc/sys/net</c> of one network namespace (sysctl(8)).</summary>
public static class KernelSetting
{
    /// <summary>Sets it; false when this kernel has no such setting (for example without IPv6).</summary>
    /// <param name="place">Whose setting.</param>
    /// <param name="path">Below <c>/proc/sys/net</c>: <c>ipv4/ip_forward</c>.</param>
    /// <param name="value">As it is written.</param>
    public static bool TrySet(NetworkNamespace place, string path, string value) => place.Run(() =>
    {
        var file = Path.Combine("/proc/sys/net", path);
        if (!File.Exists(file))
        {
            return false;
        }

        if (File.ReadAllText(file).Trim() != value)
        {
            File.WriteAllText(file, value);
        }

        return true;
    });

    /// <summary>Its value, or null when this kernel has no such setting.</summary>
    public static string? Read(NetworkNamespace place, string path) => place.Run(() =>
    {
        var file = Path.Combine("/proc/sys/net", path);
        return File.Exists(file) ? File.ReadAllText(file).Trim() : null;
    });
}
