namespace Godwit.Qmp;

/// <summary>The arguments of commands, as they go over the wire.</summary>
internal static class QmpArguments
{
    internal sealed record Capabilities(IReadOnlyList<string> Enable);

    internal sealed record MigrationCapabilities(IReadOnlyList<MigrationCapability> Capabilities);

    internal sealed record MigrationCapability(string Capability, bool State);

    internal sealed record Migrate(string Uri, bool Resume);

    internal sealed record MigrateIncoming(string Uri, bool ExitOnError);

    internal sealed record MigrateContinue(string State);

    internal sealed record MigrateRecover(string Uri);

    internal sealed record Yank(IReadOnlyList<YankInstance> Instances);

    internal sealed record YankInstance(string Type);

    /// <summary>All in milliseconds, save the rounds.</summary>
    internal sealed record Announce(int Initial, int Max, int Rounds, int Step);

    internal sealed record CalculateDirtyRate(long CalcTime, string CalcTimeUnit, string Mode);

    internal sealed record Balloon(long Value);
}

/// <summary>Parameters of <c>migrate-set-parameters</c>; what is null stays as it is.</summary>
public sealed record QmpMigrationParameters
{
    /// <summary>Bytes a second.</summary>
    public long? MaxBandwidth { get; init; }

    /// <summary>Bytes a second after the switch to post-copy; 0 is unlimited.</summary>
    public long? MaxPostcopyBandwidth { get; init; }

    /// <summary>Whole milliseconds.</summary>
    public long? DowntimeLimit { get; init; }

    public int? MultifdChannels { get; init; }

    /// <summary>Percent.</summary>
    public int? CpuThrottleInitial { get; init; }

    /// <summary>Percent.</summary>
    public int? CpuThrottleIncrement { get; init; }

    /// <summary>Percent.</summary>
    public int? MaxCpuThrottle { get; init; }

    public int? ThrottleTriggerThreshold { get; init; }

    /// <summary>Bytes; a power of two.</summary>
    public long? XbzrleCacheSize { get; init; }

    public string? MultifdCompression { get; init; }
}
