namespace Godwit.Migration.Protocol;

/// <summary>What a QEMU's CPUs do.</summary>
public enum GuestState
{
    /// <summary>There is no process.</summary>
    Gone,

    /// <summary>It waits for an incoming stream (QEMU: <c>inmigrate</c>).</summary>
    Waiting,

    Running,

    /// <summary>It stands still, for whatever reason but the next.</summary>
    Paused,

    /// <summary>It was sent away: QEMU will not run it again unless told to (<c>postmigrate</c>).</summary>
    PostMigrate,
}

/// <summary>QEMU's migration status, by its own words.</summary>
public enum StreamStatus
{
    None,
    Setup,
    Active,

    /// <summary>The barrier: the guest stands still, nothing more is sent until the word to continue.</summary>
    PreSwitchover,

    Device,
    Completed,
    PostcopyActive,
    PostcopyPaused,
    PostcopyRecovering,
    Cancelling,
    Cancelled,
    Failed,
}

/// <summary>
/// A look at one QEMU. <paramref name="EffectCount"/> is how many of the engine's effects on it had been carried out
/// when the look was taken: the engine ignores a look older than its last effect, which would show the world before it.
/// </summary>
public sealed record QemuReading(GuestState Guest, StreamStatus Stream, int EffectCount)
{
    /// <summary>QEMU's pass number: 1 is the first copy.</summary>
    public long Round { get; init; }

    public long TransferredBytes { get; init; }

    public long RemainingBytes { get; init; }

    public long MemoryBytes { get; init; }

    /// <summary>The stop of the guest as this QEMU counts it; null until it has ended, and at a target.</summary>
    public double? DowntimeMs { get; init; }

    /// <summary>How long the stream has taken so far, as this QEMU counts it; zero where there is none, and at a target.</summary>
    public double StreamMs { get; init; }

    /// <summary>Since when the guest's CPUs have stood still, where QEMU said it; null: they run, or that was not heard.</summary>
    public DateTimeOffset? StoppedAt { get; init; }

    /// <summary>QEMU's own words about a failure.</summary>
    public string Failure { get; init; } = "";

    /// <summary>Its stream holds memory of both hosts: the source's QEMU cannot take the guest back.</summary>
    public bool InPostcopy => Stream is StreamStatus.PostcopyActive or StreamStatus.PostcopyPaused or StreamStatus.PostcopyRecovering;

    /// <summary>The stream has failed, and the guest, which was stopped before, stands still.</summary>
    public bool HasLetGo => Guest == GuestState.Paused && Stream is StreamStatus.Failed or StreamStatus.Cancelled;

    /// <summary>An outgoing stream exists and could still stop the guest.</summary>
    public bool StreamLives => Stream is StreamStatus.Setup or StreamStatus.Active or StreamStatus.PreSwitchover or StreamStatus.Device or StreamStatus.Cancelling;
}
