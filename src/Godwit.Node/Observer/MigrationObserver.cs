using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text.Json.Nodes;
using System.Threading.Channels;
using Godwit.Api.KubeVirt.V1;
using Godwit.Base;
using Godwit.Client;
using Godwit.Networks.Probing;
using Microsoft.Extensions.Logging;

namespace Godwit.Node.Observer;

/// <summary>What the observer follows.</summary>
internal sealed record ObserverCaches(ResourceCache<VirtualMachineInstanceMigration> Migrations, ResourceCache<VirtualMachineInstance> Guests);

/// <summary>
/// Watches each migration from the moment its nodes are chosen until its guest answers steadily after its end, and writes what
/// the network saw into its status. Observation is for people: nothing waits for it, and its failure fails nothing.
/// <code>
/// Scheduled ──▶ probing ──▶ Succeeded ──▶ answers ──▶ networkDowntimeMs, reachable
///                  └──────▶ Failed, deleted ──▶ dropped (Failed: reachable is still said)
/// </code>
/// </summary>
internal sealed partial class MigrationObserver(
    IGuestWatcher watcher, ResourceClient<VirtualMachineInstanceMigration> client, ObserverCaches caches, TimeProvider time, ILogger logger)
{
    /// <summary>Guests watched at once; more moves go unobserved, and the log says so.</summary>
    public const int WatchesMax = 64;

    /// <summary>How long after the move has ended its guest may take to answer steadily before it is reported as it is.</summary>
    public static readonly TimeSpan AfterBound = TimeSpan.FromSeconds(1);

    /// <summary>Answers without a silence that make a guest steady: a fortieth of a second's worth, for the command that asked for the move waits for them.</summary>
    internal const int SteadyReplies = 5;

    private static readonly TimeSpan SteadyLook = TimeSpan.FromMilliseconds(10);

    private const int WriteAttemptsMax = 5;

    private static readonly Backoff WriteBackoff = new(TimeSpan.FromMilliseconds(250), TimeSpan.FromSeconds(4));

    private readonly Channel<ResourceKey> changed = Channel.CreateBounded<ResourceKey>(new BoundedChannelOptions(10_000) { FullMode = BoundedChannelFullMode.DropOldest });
    private readonly Dictionary<ResourceKey, Watch> watches = [];

    public async Task RunAsync(CancellationToken stopping)
    {
        caches.Migrations.Subscribe(change => changed.Writer.TryWrite(change.Key));
        // The two are followed side by side: a migration may be seen before its guest's address is.
        caches.Guests.Subscribe(change =>
        {
            foreach (var migration in caches.Migrations.Current.Items.Where(each => IsUnderWay(each) && each.Metadata.Namespace == change.Key.Namespace && each.Spec.VmiName == change.Key.Name))
            {
                changed.Writer.TryWrite(ResourceKey.Of(migration));
            }
        });
        await Task.WhenAll(caches.Migrations.WaitForSyncAsync(stopping), caches.Guests.WaitForSyncAsync(stopping));
        try
        {
            await foreach (var key in changed.Reader.ReadAllAsync(stopping))
            {
                Look(key, stopping);
            }
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
        }

        await Task.WhenAll(watches.Values.Select(watch => watch.Task));
    }

    private static bool IsUnderWay(VirtualMachineInstanceMigration migration) =>
        migration.Status.MigrationState is { SourceNode.Length: > 0, TargetNode.Length: > 0 }
        && migration.Status.Phase is MigrationPhases.Scheduled or MigrationPhases.PreparingTarget or MigrationPhases.TargetReady or MigrationPhases.Running;

    private void Look(ResourceKey key, CancellationToken stopping)
    {
        foreach (var (done, _) in watches.Where(entry => entry.Value.Task.IsCompleted).ToList())
        {
            watches.Remove(done);
        }

        var migration = caches.Migrations.Current.Find(key);
        if (watches.TryGetValue(key, out var watch))
        {
            if (migration is null || migration.Metadata.Uid != watch.Uid || MigrationPhases.IsFinal(migration.Status.Phase))
            {
                watch.Ended.TrySetResult(migration?.Metadata.Uid == watch.Uid ? migration : null);
            }

            return;
        }

        if (migration is not null && IsUnderWay(migration) && AddressOf(migration) is { } address)
        {
            Begin(key, migration, address, stopping);
        }
    }

    private IPAddress? AddressOf(VirtualMachineInstanceMigration migration)
    {
        var guest = caches.Guests.Current.Find(migration.Metadata.Namespace, migration.Spec.VmiName);
        var text = guest?.Status.Interfaces.FirstOrDefault(nic => !string.IsNullOrEmpty(nic.IpAddress))?.IpAddress;
        return IPAddress.TryParse(text, out var address) && address.AddressFamily == AddressFamily.InterNetwork ? address : null;
    }

    private void Begin(ResourceKey key, VirtualMachineInstanceMigration migration, IPAddress address, CancellationToken stopping)
    {
        if (watches.Count >= WatchesMax)
        {
            Log.TooMany(logger, key, WatchesMax);
            return;
        }

        try
        {
            var ended = new TaskCompletionSource<VirtualMachineInstanceMigration?>(TaskCreationOptions.RunContinuationsAsynchronously);
            var guest = watcher.Watch(address);
            watches[key] = new Watch(migration.Metadata.Uid, ended, ObserveAsync(key, guest, ended.Task, stopping));
        }
        catch (Exception error) when (error is Linux.LinuxException or FormatException)
        {
            Log.CannotWatch(logger, key, ErrorChain.Describe(error));
        }
    }

    private async Task ObserveAsync(ResourceKey key, IGuestWatch guest, Task<VirtualMachineInstanceMigration?> ended, CancellationToken stopping)
    {
        await using (guest)
        {
            try
            {
                var migration = await ended.WaitAsync(stopping);
                if (migration is null)
                {
                    return; // The object is gone: there is nobody to tell.
                }

                var report = await WatchUntilSteadyAsync(guest, stopping);
                Log.Observed(logger, key, DowntimeMs(report) ?? -1, report.IsReachable, report.RepliesReceived, report.ProbesSent);
                await WriteAsync(key, report, migration.Status.Phase == MigrationPhases.Succeeded, stopping);
            }
            catch (OperationCanceledException) when (stopping.IsCancellationRequested)
            {
            }
            catch (Exception error)
            {
                Log.NotWritten(logger, key, ErrorChain.Describe(error));
            }
        }
    }

    private async Task<ProbeReport> WatchUntilSteadyAsync(IGuestWatch guest, CancellationToken stopping)
    {
        var start = time.GetTimestamp();
        while (guest.Report() is var report)
        {
            if (report.SteadyReplies >= SteadyReplies || time.GetElapsedTime(start) >= AfterBound)
            {
                return report;
            }

            await Task.Delay(SteadyLook, time, stopping);
        }

        throw new UnreachableException();
    }

    /// <summary>
    /// The guest's longest silence. Of two, that is the longer which the prober itself cannot have caused: on a busy host
    /// a probe sent late looks like a silence.
    /// </summary>
    internal static long? DowntimeMs(ProbeReport report) =>
        report.Silences.Append(report.LongestSilence).OfType<Silence>().MaxBy(silence => silence.DurationMs - silence.ProberStallMs) is { } longest
            ? (long)Math.Ceiling(longest.DurationMs)
            : null;

    private async Task WriteAsync(ResourceKey key, ProbeReport report, bool hasMoved, CancellationToken stopping)
    {
        var measurement = new JsonObject { ["reachable"] = report.IsReachable };
        if (hasMoved && DowntimeMs(report) is { } downtimeMs)
        {
            measurement["networkDowntimeMs"] = downtimeMs;
        }

        for (var attempt = 0; ; attempt++)
        {
            try
            {
                await client.PatchStatusAsync(key, new JsonObject { ["status"] = new JsonObject { ["measurement"] = measurement.DeepClone() } }, stopping);
                return;
            }
            catch (Exception error) when (attempt + 1 < WriteAttemptsMax && error is ClusterUnreachableException or ApiException { IsConflict: true })
            {
                await Task.Delay(WriteBackoff.DelayFor(attempt, Random.Shared.NextDouble()), time, stopping);
            }
        }
    }

    private sealed record Watch(string Uid, TaskCompletionSource<VirtualMachineInstanceMigration?> Ended, Task Task);

    private static partial class Log
    {
        [LoggerMessage(EventId = 2501, Level = LogLevel.Information, Message = "Migration {Migration}: silent on the network for {DowntimeMs} ms, reachable {IsReachable}, {Replies} of {Probes} probes answered")]
        public static partial void Observed(ILogger logger, ResourceKey migration, long downtimeMs, bool isReachable, long replies, long probes);

        [LoggerMessage(EventId = 2502, Level = LogLevel.Warning, Message = "Migration {Migration} is not observed: {Limit} are already")]
        public static partial void TooMany(ILogger logger, ResourceKey migration, int limit);

        [LoggerMessage(EventId = 2503, Level = LogLevel.Warning, Message = "Migration {Migration} is not observed: {Reason}")]
        public static partial void CannotWatch(ILogger logger, ResourceKey migration, string reason);

        [LoggerMessage(EventId = 2504, Level = LogLevel.Warning, Message = "What the network saw of migration {Migration} was not written: {Reason}")]
        public static partial void NotWritten(ILogger logger, ResourceKey migration, string reason);
    }
}
