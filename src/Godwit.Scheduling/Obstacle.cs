namespace Godwit.Scheduling;

/// <summary>One thing that stands against running a guest on a node, or against a move.</summary>
/// <param name="Reason">One of <see cref="ObstacleReasons"/>, for programs.</param>
/// <param name="Message">What is the matter, as a clause for people: <c>needs 512Mi memory, 200Mi free</c>.</param>
/// <param name="Fix">What somebody can do about it.</param>
public sealed record Obstacle(string Reason, string Message, string Fix);

/// <summary>Names of obstacles. They are part of the API: scripts compare them.</summary>
public static class ObstacleReasons
{
    public const string TargetMemoryShort = "TargetMemoryShort";
    public const string TargetCpuShort = "TargetCpuShort";
    public const string TargetNotReady = "TargetNotReady";
    public const string TargetUnschedulable = "TargetUnschedulable";
    public const string TargetNotSelected = "TargetNotSelected";
    public const string TargetIsSource = "TargetIsSource";
    public const string TargetMissing = "TargetMissing";
    public const string CpuFeatureMissing = "CpuFeatureMissing";
    public const string AcceleratorDiffers = "AcceleratorDiffers";
    public const string MachineTypeMissing = "MachineTypeMissing";
    public const string QemuVersionOlder = "QemuVersionOlder";
    public const string DiskNotShared = "DiskNotShared";
    public const string NetworkMissing = "NetworkMissing";
    public const string ImageMissing = "ImageMissing";
    public const string HostDeviceAttached = "HostDeviceAttached";
    public const string GuestNotRunning = "GuestNotRunning";
    public const string GuestNotMigratable = "GuestNotMigratable";
    public const string MigrationInProgress = "MigrationInProgress";
    public const string ModeNotAllowed = "ModeNotAllowed";
    public const string SourceNotReady = "SourceNotReady";
}
