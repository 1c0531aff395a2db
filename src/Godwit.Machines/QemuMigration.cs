using Godwit.Qmp;

namespace Godwit.Machines;

/// <summary>
/// One QEMU's end of a migration, in QMP. Bounds matter more here than anywhere: in the switch-over window QEMU holds its
/// main lock while it writes to the stream, so with a dead link every ordinary command hangs; <c>yank</c>, out-of-band,
/// is what gets it loose.
/// </summary>
internal sealed class QemuMigration(Monitor? monitor, string displayName, KeyHandover keys, string reclaimSocket, TimeProvider clock) : IMachineMigration
{
    /// <summary>A reading that is late is worthless: the next one is due.</summary>
    private static readonly TimeSpan ReadingBound = TimeSpan.FromSeconds(2);

    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(10);
    private static readonly TimeSpan SampleSlack = TimeSpan.FromSeconds(10);

    /// <summary>To be answered by the stand-in, and to end: milliseconds, and more the more memory the guest has.</summary>
    private static readonly TimeSpan ReclaimBound = TimeSpan.FromSeconds(20);

    private static readonly TimeSpan SampleMin = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan SampleMax = TimeSpan.FromSeconds(60);

    private volatile string? lastStatus;
    private string? credentialsId;

    public string? LastStatus => lastStatus;

    public async Task ConfigureAsync(MigrationSettings settings, CancellationToken stopping)
    {
        // In one command, because QEMU checks the set that results: what was left from an attempt before must go together with it.
        await TellAsync("choose how to migrate", QmpCommands.MigrateSetCapabilities(Capabilities(settings)), stopping);
        await TellAsync(
            "set the bounds of the migration of",
            QmpCommands.MigrateSetParameters(new QmpMigrationParameters
            {
                MaxBandwidth = settings.MaxBandwidthBytesPerSecond,
                MaxPostcopyBandwidth = settings.MaxBandwidthBytesPerSecond,
                DowntimeLimit = WholeMilliseconds(settings.DowntimeLimitMs),
                MultifdChannels = settings.MultifdChannels > 0 ? settings.MultifdChannels : null,
                CpuThrottleInitial = settings.AutoConverge ? settings.ThrottleInitialPercent : null,
                CpuThrottleIncrement = settings.AutoConverge ? settings.ThrottleIncrementPercent : null,
                XbzrleCacheSize = settings.XbzrleCacheBytes > 0 ? settings.XbzrleCacheBytes : null,
                TlsCreds = "", // Of a stream before: without SecureAsync the next one is in the clear, or the agents'.
                TlsHostname = "",
            }),
            stopping);
        if (Interlocked.Exchange(ref credentialsId, null) is { } old)
        {
            await TellAsync("forget the keys of", QmpCommands.DeleteObject(old), stopping);
        }
    }

    public async Task SecureAsync(StreamCredentials credentials, bool listens, CancellationToken stopping)
    {
        var id = $"stream-{Guid.NewGuid():N}"; // New each time: an agent that was killed may have left one.
        await keys.HandOverAsync(credentials, listens ? "server" : "client", folder => TellAsync("give the keys to", QmpCommands.AddTlsCredentials(id, folder, listens), stopping));
        credentialsId = id;
        await TellAsync("secure the stream of", QmpCommands.MigrateSetParameters(new QmpMigrationParameters { TlsCreds = id, TlsHostname = credentials.PeerName }), stopping);
    }

    public async Task StartOutgoingAsync(string uri, CancellationToken stopping) =>
        await TellAsync("start to migrate", QmpCommands.Migrate(uri), stopping);

    public async Task StartIncomingAsync(string uri, CancellationToken stopping) =>
        await TellAsync("listen for the incoming guest of", QmpCommands.MigrateIncoming(uri), stopping);

    public async Task<MigrationStatistics> QueryAsync(CancellationToken stopping) =>
        ToStatistics(await TellAsync("read the progress of", QmpCommands.QueryMigrate with { Bound = ReadingBound }, stopping));

    public async Task AdjustAsync(long? maxBandwidthBytesPerSecond, double? downtimeLimitMs, CancellationToken stopping) =>
        await TellAsync(
            "change the bounds of the migration of",
            QmpCommands.MigrateSetParameters(new QmpMigrationParameters
            {
                MaxBandwidth = maxBandwidthBytesPerSecond,
                DowntimeLimit = downtimeLimitMs is { } limit ? WholeMilliseconds(limit) : null,
            }) with { Bound = ReadingBound },
            stopping);

    public async Task ContinueSwitchoverAsync(CancellationToken stopping) =>
        await TellAsync("continue the switch-over of", QmpCommands.MigrateContinue(), stopping);

    public async Task StartPostcopyAsync(CancellationToken stopping) =>
        await TellAsync("switch to post-copy", QmpCommands.MigrateStartPostcopy, stopping);

    public async Task LimitPostcopyAsync(long backgroundBytesPerSecond, CancellationToken stopping) =>
        await TellAsync(
            "bound the background of post-copy of",
            QmpCommands.MigrateSetParameters(new QmpMigrationParameters { MaxPostcopyBandwidth = backgroundBytesPerSecond }) with { Bound = ReadingBound },
            stopping);

    public async Task PauseStreamAsync(CancellationToken stopping) =>
        await TellAsync("pause the stream of", QmpCommands.MigratePause, stopping);

    public async Task RecoverAsync(string uri, bool outgoing, CancellationToken stopping) =>
        await TellAsync("recover the stream of", outgoing ? QmpCommands.Migrate(uri, resume: true) : QmpCommands.MigrateRecover(uri), stopping);

    public async Task CutStreamAsync(CancellationToken stopping) =>
        await TellAsync("cut the stream of", QmpCommands.YankMigration, stopping);

    public async Task ReclaimAsync(CancellationToken stopping)
    {
        if (await HasEndedAsync(stopping))
        {
            return;
        }

        var blocks = MemoryBlocks.Parse(await TellAsync("read the blocks of memory of", QmpCommands.DescribeMemoryBlocks, stopping));
        await TellAsync("take the keys from", QmpCommands.MigrateSetParameters(new QmpMigrationParameters { TlsCreds = "", TlsHostname = "" }), stopping);
        using var late = new CancellationTokenSource(ReclaimBound, clock);
        using var bound = CancellationTokenSource.CreateLinkedTokenSource(stopping, late.Token);
        using var standIn = PostcopyStandIn.Listen(reclaimSocket, blocks);
        var answering = standIn.AnswerAsync(bound.Token);
        try
        {
            await TellAsync("resume the stream of", QmpCommands.Migrate($"unix:{reclaimSocket}", resume: true), stopping);
            await answering;
        }
        catch (OperationCanceledException error) when (!stopping.IsCancellationRequested)
        {
            throw new MachineException($"cannot take {displayName} back from post-copy: QEMU did not go through with it within {ReclaimBound.TotalSeconds:0} s.", error);
        }
        finally
        {
            await bound.CancelAsync();
            await answering.ContinueWith(_ => { }, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        }

        if (!await EndsWithinAsync(ReclaimBound, stopping))
        {
            throw new MachineException($"cannot take {displayName} back from post-copy: QEMU still says that it is under way {ReclaimBound.TotalSeconds:0} s after it was told of its end.");
        }
    }

    public async Task CancelAsync(TimeSpan bound, CancellationToken stopping)
    {
        if (await HasEndedAsync(stopping))
        {
            return;
        }

        try
        {
            await TellAsync("cancel the migration of", QmpCommands.MigrateCancel with { Bound = bound }, stopping);
            if (await EndsWithinAsync(bound, stopping))
            {
                return;
            }
        }
        catch (MachineException error) when (MainLoopHangs(error))
        {
            // The knife below does not need the main loop.
        }

        await CutStreamAsync(stopping);
        if (!await EndsWithinAsync(bound, stopping))
        {
            throw new MachineException($"cannot cancel the migration of {displayName}: QEMU still says that it is under way {bound.TotalSeconds:0.#} s after its stream was cut.");
        }
    }

    public async Task AnnounceAsync(CancellationToken stopping) =>
        await TellAsync("announce", QmpCommands.AnnounceSelf(initialMs: 50, maxMs: 550, rounds: 5, stepMs: 100), stopping);

    public async Task<DirtyRateSample> SampleDirtyRateAsync(TimeSpan window, CancellationToken stopping)
    {
        var bounded = window < SampleMin ? SampleMin : window > SampleMax ? SampleMax : window;
        await TellAsync("measure the dirty rate of", QmpCommands.CalculateDirtyRate(bounded), stopping);
        await Task.Delay(bounded, clock, stopping);
        var started = clock.GetTimestamp();
        while (true)
        {
            var reading = await TellAsync("read the dirty rate of", QmpCommands.QueryDirtyRate, stopping);
            if (reading.Status == "measured")
            {
                return new DirtyRateSample((reading.DirtyRateMiBPerSecond ?? 0) * (double)(1 << 20), bounded);
            }

            if (clock.GetElapsedTime(started) > SampleSlack)
            {
                throw new MachineException($"cannot measure the dirty rate of {displayName}: QEMU says '{reading.Status}' {SampleSlack.TotalSeconds:0} s after the window ended.");
            }

            await Task.Delay(Look, clock, stopping);
        }
    }

    /// <summary>Pure. Where QEMU says nothing yet there is zero, or null where zero would be a claim.</summary>
    internal static MigrationStatistics ToStatistics(QmpMigration migration)
    {
        var memory = migration.Ram ?? new QmpMigrationRam();
        return new MigrationStatistics
        {
            Status = migration.Status ?? "none",
            ErrorDescription = migration.ErrorDescription,
            TotalTimeMs = migration.TotalTime ?? 0,
            DowntimeMs = migration.Downtime,
            ExpectedDowntimeMs = migration.ExpectedDowntime,
            SetupTimeMs = migration.SetupTime ?? 0,
            TransferredBytes = memory.Transferred,
            RemainingBytes = memory.Remaining,
            TotalBytes = memory.Total,
            NormalPages = memory.Normal,
            ZeroPages = memory.Duplicate,
            DirtyPagesPerSecond = memory.DirtyPagesRate,
            DirtySyncCount = memory.DirtySyncCount,
            PostcopyRequests = memory.PostcopyRequests,
            ThroughputMbitPerSecond = memory.Mbps,
            ThrottlePercent = migration.CpuThrottlePercentage ?? 0,
            PageSizeBytes = memory.PageSize > 0 ? memory.PageSize : 4096,
        };
    }

    /// <summary>QEMU's words for "nothing migrates": before the first, and after each end.</summary>
    internal static bool IsOver(string status) => status is "none" or "cancelled" or "failed" or "completed";

    internal static IReadOnlyList<KeyValuePair<string, bool>> Capabilities(MigrationSettings settings) =>
    [
        new("events", true),
        new("return-path", settings.ReturnPath),
        new("pause-before-switchover", settings.PauseBeforeSwitchover),

        // A guest that arrived opens its disks for writing with "cont" only: until then the source can take it back.
        new("late-block-activate", true),
        new("postcopy-ram", settings.Postcopy),
        new("postcopy-preempt", settings.PostcopyPreempt),
        new("auto-converge", settings.AutoConverge),
        new("multifd", settings.MultifdChannels > 0),
        new("xbzrle", settings.XbzrleCacheBytes > 0),
    ];

    internal void Heard(string status) => lastStatus = status;

    private static long WholeMilliseconds(double milliseconds) => Math.Max(0, (long)Math.Round(milliseconds));

    /// <summary>It does not answer what it was asked, or not even a new agent that connects.</summary>
    private bool MainLoopHangs(MachineException error) => error.InnerException is QmpTimeoutException || monitor is { Connection: null, HasProcess: true };

    private async Task<bool> HasEndedAsync(CancellationToken stopping)
    {
        try
        {
            return IsOver((await QueryAsync(stopping)).Status);
        }
        catch (MachineException error) when (MainLoopHangs(error))
        {
            return false;
        }
    }

    private async Task<bool> EndsWithinAsync(TimeSpan bound, CancellationToken stopping)
    {
        var started = clock.GetTimestamp();
        while (!await HasEndedAsync(stopping))
        {
            if (clock.GetElapsedTime(started) > bound)
            {
                return false;
            }

            await Task.Delay(Look, clock, stopping);
        }

        return true;
    }

    private Task<TReply> TellAsync<TReply>(string purpose, QmpCommand<TReply> command, CancellationToken stopping) =>
        monitor is null
            ? throw new MachineException($"cannot {purpose} {displayName}: its QEMU has ended.")
            : monitor.TellAsync(purpose, command, stopping);
}
