using System.Globalization;

namespace Godwit.Linux.Files;

public sealed unsafe partial class HeldFolder
{
    /// <summary>A path by which other programs of this host reach the folder while it is held, whatever its name has become. It leads on to where the folder is now.</summary>
    public string PathForOthers => string.Create(CultureInfo.InvariantCulture, $"/proc/{Environment.ProcessId}/fd/{descriptor.Value}");
}
