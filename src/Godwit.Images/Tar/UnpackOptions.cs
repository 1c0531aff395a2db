using Godwit.Linux.Processes;

namespace Godwit.Images.Tar;

/// <summary>Which devices of an archive are made. Making one for anything else would hand a piece of the host to whoever may open it.</summary>
public enum DevicePolicy
{
    /// <summary>Only those that give nothing away (<c>null</c>, <c>zero</c>, <c>full</c>, <c>random</c>, <c>urandom</c>, <c>tty</c>, <c>console</c>, <c>ptmx</c>); others are left out and counted.</summary>
    Harmless,

    /// <summary>None; all are left out and counted.</summary>
    None,
}

/// <summary>The character devices that give nothing of the host away. Source: the kernel's list of devices, majors 1 and 5.</summary>
internal static class HarmlessDevices
{
    private static readonly HashSet<(uint Major, uint Minor)> Known = [(1, 3), (1, 5), (1, 7), (1, 8), (1, 9), (5, 0), (5, 1), (5, 2)];

    public static bool Has(TarKind kind, uint major, uint minor) => kind is TarKind.CharacterDevice && Known.Contains((major, minor));
}

/// <summary>How a tar becomes a tree.</summary>
public sealed record UnpackOptions
{
    public UnpackLimits Limits { get; init; } = new();

    /// <summary>The tar is an image's layer: its <c>.wh.</c> marks become overlayfs's own. Else they are plain names.</summary>
    public bool IsLayer { get; init; }

    public DevicePolicy Devices { get; init; } = DevicePolicy.Harmless;

    /// <summary>Who gets everything; null leaves it to the archive.</summary>
    public (uint UserId, uint GroupId)? Owner { get; init; }

    /// <summary>The host's ids that stand behind the archive's, where the tree belongs to a user namespace; null: they are the same.</summary>
    public IdMap? Ids { get; init; }

    /// <summary>Refuse to put a folder in place of something else, and the other way round.</summary>
    public bool KeepKinds { get; init; }
}

/// <summary>What unpacking made.</summary>
/// <param name="Entries">Members of the archive.</param>
/// <param name="SizeBytes">Length of its files, each once, however many names it has.</param>
/// <param name="DevicesLeftOut">Devices that the policy did not let through.</param>
public readonly record struct UnpackResult(int Entries, long SizeBytes, int DevicesLeftOut);
