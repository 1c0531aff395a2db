namespace Godwit.Linux.Networking;

/// <summary>A device's settings as a port of its bridge (sysfs).</summary>
public static class BridgePort
{
    /// <summary>
    /// Lets a frame leave by the port that it came in by. Where the kernel's bridges pass frames to the IP filter (bridge-nf-call-iptables), a packet that is led back to its sender takes that way.
    /// </summary>
    /// <returns>False when the device is no port of a bridge in this network namespace.</returns>
    public static bool TryAllowHairpin(string device) => TryTurnOn(device, "hairpin_mode");

    /// <summary>Lets no frame pass between this port and another isolated one; the bridge itself reaches both.</summary>
    /// <returns>False when the device is no port of a bridge in this network namespace.</returns>
    public static bool TryIsolate(string device) => TryTurnOn(device, "isolated");

    private static bool TryTurnOn(string device, string name)
    {
        var setting = Path.Combine("/sys/class/net", device, "brport", name);
        if (!File.Exists(setting))
        {
            return false;
        }

        File.WriteAllText(setting, "1");
        return true;
    }
}
