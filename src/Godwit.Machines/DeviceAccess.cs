using Godwit.Linux;
using Godwit.Linux.Files;
using Godwit.Linux.Processes;
using Microsoft.Extensions.Logging;

namespace Godwit.Machines;

/// <summary>
/// Lets machines' users open the devices that QEMU needs, and nobody else who could not before. A device that has a
/// group of its own keeps it, and machines join that group; one that is root's alone gets the group of the options.
/// </summary>
internal sealed partial class DeviceAccess(uint fallbackGroupId, ILogger log)
{
    public const string Kvm = "/dev/kvm";

    /// <summary>Post-copy's page faults, for users without privileges (userfaultfd(2); since Linux 6.1).</summary>
    public const string PageFaults = "/dev/userfaultfd";

    /// <summary>Taps. Most hosts let everybody open it (a tap still wants its owner); where it is root's alone, machines need it too.</summary>
    public const string Tap = "/dev/net/tun";

    private const UnixFileMode ForOthers = UnixFileMode.OtherRead | UnixFileMode.OtherWrite;
    private const UnixFileMode ForGroup = UnixFileMode.GroupRead | UnixFileMode.GroupWrite;

    /// <summary>The group through which a machine's user may open the device; null when it needs none, or there is no such device.</summary>
    public uint? Grant(string device)
    {
        try
        {
            if (FileIdentity.Find(device) is not { Kind: FileKind.CharacterDevice } found)
            {
                return null;
            }

            var mode = File.GetUnixFileMode(device);
            if ((mode & ForOthers) == ForOthers)
            {
                return null;
            }

            if (found.GroupId != 0 && (mode & ForGroup) == ForGroup)
            {
                return found.GroupId;
            }

            Ownership.Change(device, new ProcessUser(found.UserId, fallbackGroupId));
            File.SetUnixFileMode(device, mode | ForGroup);
            return fallbackGroupId;
        }
        catch (Exception error) when (error is LinuxException or IOException or UnauthorizedAccessException)
        {
            Log.NotGranted(log, device, error);
            return null;
        }
    }

    private static partial class Log
    {
        [LoggerMessage(1, LogLevel.Warning, "Machines cannot be given access to {Device}")]
        public static partial void NotGranted(ILogger log, string device, Exception error);
    }
}
