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

    internal sealed record NbdServer(NbdServerAddress Addr, int MaxConnections);

    internal sealed record NbdServerAddress(string Type, UnixPath Data);

    internal sealed record UnixPath(string Path);

    internal sealed record UnixAddress(string Type, string Path);

    internal sealed record BlockExport(string Type, string Id, string NodeName, string Name, bool Writable);

    internal sealed record NbdNode(string Driver, string NodeName, UnixAddress Server, string Export, string Discard, string DetectZeroes);

    internal sealed record Node(string NodeName);

    internal sealed record BlockMirror(
        string JobId, string Device, string Target, string Sync, long Speed, string CopyMode, string OnSourceError, string OnTargetError, bool AutoDismiss);

    internal sealed record BlockJobSpeed(string Device, long Speed);

    internal sealed record BlockJobChange(string Id, string Type, string CopyMode);

    internal sealed record BlockActivation(bool Active);

    internal sealed record BlockJobCancel(string Device, bool Force);

    internal sealed record Job(string Id);

    /// <summary>A <c>tls-creds-x509</c> object: <paramref name="Dir"/> holds ca-cert.pem and, by <paramref name="Endpoint"/>, server- or client-cert.pem and -key.pem.</summary>
    internal sealed record AddTlsCredentials(string QomType, string Id, string Dir, string Endpoint, bool VerifyPeer);

    internal sealed record DeleteObject(string Id);

    internal sealed record RingBufferRead(string Device, int Size, string Format);

    internal sealed record HumanMonitorCommand(string CommandLine);
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

    /// <summary>The id of a <c>tls-creds-x509</c> object that every channel is secured with; empty: none.</summary>
    public string? TlsCreds { get; init; }

    /// <summary>The name that the target's certificate must carry; empty: the host of the URI.</summary>
    public string? TlsHostname { get; init; }
}
