using Godwit.Qmp;

namespace Godwit.Machines;

/// <summary>The VMs of this host. Processes outlive this object: a new one adopts what it finds in the data folder.</summary>
public interface IMachineHost
{
    /// <summary>What QEMU on this host can do, and whether KVM serves guests here. Measured once, then remembered.</summary>
    Task<MachineHostFacts> GetFactsAsync(CancellationToken stopping);

    /// <summary>What runs, or stopped and was not yet removed, as found in the data folder; QMP is connected for the living ones.</summary>
    Task<IReadOnlyList<IMachine>> AdoptAsync(CancellationToken stopping);

    /// <summary>
    /// Gives the machine its folder and its user, before taps and disks are made for them. Idempotent by id; what was
    /// reserved stays so until <see cref="RemoveAsync"/>, across restarts of the agent.
    /// </summary>
    Task<MachinePlace> ReserveAsync(MachineId id, CancellationToken stopping);

    /// <summary>Starts QEMU in the machine's place with the guest's CPUs stopped. Idempotent by id: a machine that lives is returned as it is.</summary>
    /// <exception cref="MachineException">What was tried, on what, why it failed (QEMU's own words), what to do. No process is left behind.</exception>
    Task<IMachine> CreateAsync(MachineSpec spec, MachineStart start, CancellationToken stopping);

    /// <summary>
    /// Starts another QEMU of the same machine, which waits for its guest, in the place that it has. Only for a guest of
    /// which it is durably recorded that it lies in a file: the QEMU before is ended, whatever it does.
    /// </summary>
    /// <exception cref="MachineException">What was tried and why it failed; no process is left behind, and it may be tried again.</exception>
    Task<IMachine> RestoreAsync(MachineId id, CancellationToken stopping);

    /// <summary>Ends the process if it still runs (SIGKILL), waits for its end, removes its folder, user and cgroup. Idempotent.</summary>
    Task RemoveAsync(MachineId id, CancellationToken stopping);
}

/// <summary>Where a machine lives: its folder (mode 0700) and the user that owns the folder, the process and nothing else.</summary>
public sealed record MachinePlace(MachineId Id, string Folder, uint UserId)
{
    /// <summary>
    /// A unix socket for a migration stream, reachable for the machine's user. As source, the agent listens there (and
    /// chowns it to <see cref="UserId"/>); as target, QEMU does.
    /// </summary>
    public string MigrationSocket(string channel) => Path.Combine(Folder, $"migrate-{channel}.sock");

    /// <summary>Where a suspended guest lies.</summary>
    public string StateFile => Path.Combine(Folder, "guest.state");
}

public enum Accelerator
{
    Kvm,
    Tcg,
}

/// <summary>What a host offers to machines; preflight compares two of these.</summary>
public sealed record MachineHostFacts
{
    public required Version QemuVersion { get; init; }

    public required Accelerator Accelerator { get; init; }

    /// <summary>Why that accelerator, in words: what was booted and what it did.</summary>
    public required string AcceleratorReason { get; init; }

    /// <summary>Versioned machine types, for example <c>pc-i440fx-10.0</c>.</summary>
    public required IReadOnlyList<string> MachineTypes { get; init; }

    /// <summary>CPU models that run here with every feature they name.</summary>
    public required IReadOnlyList<string> CpuModels { get; init; }

    /// <summary>Post-copy needs userfaultfd for an unprivileged QEMU; when it is not there, why, and how to allow it.</summary>
    public string? PostcopyObstacle { get; init; }
}

/// <summary>How QEMU starts: to boot, or to wait for an incoming guest (which never runs before <see cref="IMachine.ResumeAsync"/>).</summary>
public enum MachineStart
{
    Boot,
    Incoming,
}

/// <summary>What a machine does now, as QEMU says; QEMU is started so that a guest's own shutdown keeps the process and its reason.</summary>
public enum MachineRunState
{
    /// <summary>QEMU is up, the guest has not executed anything.</summary>
    Created,
    Running,

    /// <summary>The guest's CPUs stand still: by order, before a switch-over, or for a disk error (see the reason).</summary>
    Paused,

    /// <summary>Waits for, or receives, a guest; executes nothing.</summary>
    Incoming,

    /// <summary>The guest's state was sent away; this copy must not run.</summary>
    PostMigrate,

    /// <summary>The guest shut itself down; the process waits to be removed.</summary>
    Shutdown,

    /// <summary>The guest panicked or the virtual machine cannot go on.</summary>
    Crashed,

    /// <summary>The process ended without the guest having shut down.</summary>
    Gone,

    /// <summary>The process lives but its monitor does not answer: the guest may run. Connecting is tried again until one or the other ends.</summary>
    Unresponsive,
}

/// <summary>One VM on this host.</summary>
public interface IMachine : IAsyncDisposable
{
    MachineSpec Spec { get; }

    MachinePlace Place { get; }

    /// <summary>0 once the process is gone.</summary>
    int ProcessId { get; }

    MachineRunState RunState { get; }

    /// <summary>Since when the guest's CPUs have stood still, by QEMU's own word and this host's clock; null while they run, and when that was not heard.</summary>
    DateTimeOffset? StoppedAt { get; }

    /// <summary>Why it is in that state, in words: for a stopped, crashed or vanished one QEMU's own where it left any.</summary>
    string RunStateReason { get; }

    /// <summary>
    /// Asks QEMU itself, now. <see cref="RunState"/> is what events have told so far; where a guest's safety hangs on it,
    /// ask. <see cref="MachineRunState.Gone"/> when the process has ended.
    /// </summary>
    /// <exception cref="MachineException">QEMU does not answer; nothing may be concluded.</exception>
    Task<MachineRunState> QueryRunStateAsync(CancellationToken stopping);

    /// <summary>Every change of run state and every QEMU event that matters, in order, from now on; bounded, oldest dropped with a marker.</summary>
    IAsyncEnumerable<MachineEvent> ReadEventsAsync(CancellationToken stopping);

    /// <summary>Lets the guest's CPUs run (QMP <c>cont</c>). The only way a guest ever starts to run.</summary>
    Task ResumeAsync(CancellationToken stopping);

    Task PauseAsync(CancellationToken stopping);

    /// <summary>Asks the guest to shut down (ACPI); after the grace period ends the process.</summary>
    Task StopAsync(TimeSpan grace, CancellationToken stopping);

    Task RestartAsync(CancellationToken stopping);

    Task<MachineUsage> GetUsageAsync(CancellationToken stopping);

    /// <summary>A duplex stream to the serial console; several readers may be attached, what is written goes to the guest.</summary>
    Task<Stream> OpenConsoleAsync(CancellationToken stopping);

    /// <summary>The guest's serial log (bounded on disk), from the given number of lines before the end.</summary>
    Task<Stream> OpenLogAsync(int? tailLines, bool follow, CancellationToken stopping);

    /// <summary>The machine's end of a migration.</summary>
    IMachineMigration Migration { get; }

    /// <summary>The copies of its disks that a migration takes along.</summary>
    IMachineDiskCopies DiskCopies { get; }
}

/// <summary>Resource use as the host sees it: CPU time since start, resident bytes, bytes of disk and network.</summary>
public sealed record MachineUsage(TimeSpan CpuTime, long ResidentBytes, long DiskReadBytes, long DiskWrittenBytes);

public abstract record MachineEvent(DateTimeOffset At)
{
    public sealed record RunStateChanged(DateTimeOffset At, MachineRunState State, string Reason) : MachineEvent(At);

    /// <summary>QEMU's MIGRATION event: its own status word, for example <c>pre-switchover</c>.</summary>
    public sealed record MigrationStatusChanged(DateTimeOffset At, string Status) : MachineEvent(At);

    public sealed record MigrationPassEnded(DateTimeOffset At, long Pass) : MachineEvent(At);

    public sealed record EventsLost(DateTimeOffset At, int Count) : MachineEvent(At);
}

/// <summary>
/// The effects of migration on one QEMU: each method is one QMP conversation, bounded in time, sent out-of-band where
/// the monitor may hang. What to do when is decided elsewhere (<c>Godwit.Migration</c>).
/// </summary>
public interface IMachineMigration
{
    /// <summary>Capabilities and parameters, before the stream starts; later only those parameters that QEMU lets change live.</summary>
    Task ConfigureAsync(MigrationSettings settings, CancellationToken stopping);

    /// <summary>Every channel of the stream that starts next is secured with these, and the other end is known by them alone. After <see cref="ConfigureAsync"/>.</summary>
    /// <param name="credentials">This end's.</param>
    /// <param name="listens">The target's end.</param>
    /// <param name="stopping">Gives up; no key is left on the disk.</param>
    Task SecureAsync(StreamCredentials credentials, bool listens, CancellationToken stopping);

    /// <summary>Source: starts to send to a unix socket (or <c>tcp:host:port</c>) that somebody listens on.</summary>
    Task StartOutgoingAsync(string uri, CancellationToken stopping);

    /// <summary>Target: starts to listen.</summary>
    Task StartIncomingAsync(string uri, CancellationToken stopping);

    /// <summary>A reading. QEMU's main loop gives it, which may hang: in the switch-over window of a dead link, and at a post-copy target whose stream broke.</summary>
    /// <exception cref="MachineException">Not within 2 s, among others.</exception>
    Task<MigrationStatistics> QueryAsync(CancellationToken stopping);

    /// <summary>QEMU's last word on the migration's status, from its events, which come even while its main loop hangs; null before the first.</summary>
    string? LastStatus { get; }

    /// <summary>Changes what may change live.</summary>
    Task AdjustAsync(long? maxBandwidthBytesPerSecond, double? downtimeLimitMs, CancellationToken stopping);

    /// <summary>Leaves the pause-before-switchover barrier.</summary>
    Task ContinueSwitchoverAsync(CancellationToken stopping);

    Task StartPostcopyAsync(CancellationToken stopping);

    /// <summary>Bounds what post-copy pushes unasked, before it starts or while it runs; zero: no bound. Pages that the guest asks for are not bounded.</summary>
    Task LimitPostcopyAsync(long backgroundBytesPerSecond, CancellationToken stopping);

    /// <summary>
    /// At the source, in post-copy: stops the stream on purpose so that it can be recovered. QEMU refuses it in every other
    /// state, in which a cut would give the guest back to the source. Not for the target: QEMU reads the stream there
    /// without a lock, and ends by a segmentation fault, its guest with it, when the stream breaks in the same moment.
    /// There <see cref="CutStreamAsync"/> does the same, under QEMU's lock.
    /// </summary>
    Task PauseStreamAsync(CancellationToken stopping);

    /// <summary>Post-copy that was paused: the target listens anew, the source (<paramref name="outgoing"/>) sends anew.</summary>
    Task RecoverAsync(string uri, bool outgoing, CancellationToken stopping);

    /// <summary>
    /// Source, in post-copy that was paused, of a target that is dead and never ran the guest: QEMU lets go of the stream and has the guest again, as it
    /// was when it was stopped (<see cref="PostcopyStandIn"/>). A guest that was stopped by order before the switch stands still after it. Returns when
    /// QEMU says that nothing migrates any more; also when it said so before.
    /// </summary>
    /// <exception cref="MachineException">QEMU did not let go: it is in post-copy as before, paused or about to be.</exception>
    Task ReclaimAsync(CancellationToken stopping);

    /// <summary>
    /// Cuts the migration's sockets out-of-band (<c>yank</c>), which works while everything else hangs. In pre-copy and in
    /// the switch-over window the migration then fails and the source's guest runs on or again; so end the target first.
    /// In post-copy it pauses the stream, which can be recovered.
    /// </summary>
    Task CutStreamAsync(CancellationToken stopping);

    /// <summary>Cancels, and yanks out-of-band if QEMU has not cancelled within the bound. A guest that ran before runs on, or again: QEMU sees to that itself. Returns when QEMU says that nothing migrates any more.</summary>
    Task CancelAsync(TimeSpan bound, CancellationToken stopping);

    /// <summary>Announces the guest's addresses from its NICs (RARP), several times.</summary>
    Task AnnounceAsync(CancellationToken stopping);

    /// <summary>Size of memory dirtied in a window while no move runs, in bytes, by page sampling; zero when the guest is too small to tell.</summary>
    Task<DirtyRateSample> SampleDirtyRateAsync(TimeSpan window, CancellationToken stopping);
}

/// <summary>What is fixed before a stream starts. See <c>docs/migration.md</c> for why each is chosen.</summary>
public sealed record MigrationSettings
{
    public bool Postcopy { get; init; }

    public bool PostcopyPreempt { get; init; }

    public bool AutoConverge { get; init; }

    /// <summary>Zero is off. Sends what changed within a page instead of the page, for pages in a cache of this size (a power of two).</summary>
    public long XbzrleCacheBytes { get; init; }

    public int MultifdChannels { get; init; }

    public bool PauseBeforeSwitchover { get; init; } = true;

    public bool ReturnPath { get; init; } = true;

    /// <summary>Zero is unlimited.</summary>
    public long MaxBandwidthBytesPerSecond { get; init; }

    public double DowntimeLimitMs { get; init; } = 300;

    public int ThrottleInitialPercent { get; init; } = 20;

    public int ThrottleIncrementPercent { get; init; } = 10;
}

/// <summary>A reading of <c>query-migrate</c>; names as QEMU's, units spelled out. Zero where QEMU does not say yet.</summary>
public sealed record MigrationStatistics
{
    public required string Status { get; init; }

    public string? ErrorDescription { get; init; }

    public double TotalTimeMs { get; init; }

    public double? DowntimeMs { get; init; }

    public double? ExpectedDowntimeMs { get; init; }

    public double SetupTimeMs { get; init; }

    public long TransferredBytes { get; init; }

    public long RemainingBytes { get; init; }

    public long TotalBytes { get; init; }

    public long NormalPages { get; init; }

    public long ZeroPages { get; init; }

    public long DirtyPagesPerSecond { get; init; }

    public long DirtySyncCount { get; init; }

    public long PostcopyRequests { get; init; }

    public double ThroughputMbitPerSecond { get; init; }

    public int ThrottlePercent { get; init; }

    public int PageSizeBytes { get; init; } = 4096;
}

public sealed record DirtyRateSample(double DirtyBytesPerSecond, TimeSpan Window);

/// <summary>A failure on one machine: what was tried, on what, why, what to do.</summary>
public sealed class MachineException : Exception
{
    public MachineException(string message)
        : base(message)
    {
    }

    public MachineException(string message, Exception cause)
        : base(message, cause)
    {
    }

    /// <summary>QEMU was told, and did not answer: it may have obeyed, or may yet.</summary>
    public bool IsOutcomeUnknown => InnerException is QmpTimeoutException or QmpClosedException or QmpProtocolException;
}
