using Godwit.Api;
using Godwit.Api.Core.V1;
using Godwit.Api.KubeVirt.V1;
using Godwit.Base;
using Godwit.Client;
using Microsoft.Extensions.Logging;

namespace Godwit.Node.Migrations;

/// <summary>
/// Tells the API how a move goes: the newest state only, so that a slow or absent server never holds a move up. Sends
/// merge patches of what changed since the last one, because an observer writes into the same status.
/// </summary>
internal sealed partial class MoveReporter(MoveParts parts, VirtualMachineInstanceMigration migration)
{
    private static readonly TimeSpan IntervalMin = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan TargetsWordMax = TimeSpan.FromSeconds(2);
    private static readonly Backoff Backoff = new(TimeSpan.FromMilliseconds(250), TimeSpan.FromSeconds(15));

    private readonly ResourceClient<VirtualMachineInstanceMigration> client = parts.Cluster.For<VirtualMachineInstanceMigration>();
    private readonly Signal wanted = new(parts.Time);
    private readonly Signal urgent = new(parts.Time);
    private readonly Lock gate = new();
    private VirtualMachineInstanceMigrationStatus sent = migration.Status;
    private VirtualMachineInstanceMigrationStatus newest = migration.Status;
    private bool isLast;

    public VirtualMachineInstanceMigrationStatus Newest
    {
        get
        {
            lock (gate)
            {
                return newest;
            }
        }
    }

    /// <summary>Notes a new state; never waits.</summary>
    public void Publish(MoveView view, bool last)
    {
        string? entered;
        bool isUrgent;
        lock (gate)
        {
            var before = newest;
            newest = MoveStatus.For(view, before);
            isLast |= last;
            isUrgent = IsUrgent(before, newest, last);
            entered = newest.Progress?.Phase != before.Progress?.Phase || newest.Phase != before.Phase ? newest.Phase : null;
        }

        if (entered is not null)
        {
            var failed = entered == MigrationPhases.Failed;
            parts.Events.Record(migration, failed ? EventTypes.Warning : EventTypes.Normal, view.Phase.GetType().Name, Sentence(view.Phase.Describe()));
        }

        wanted.Set();
        if (isUrgent)
        {
            urgent.Set();
        }
    }

    /// <summary>
    /// What is told at once and not after <see cref="IntervalMin"/>: that the move has succeeded or failed, which people wait for, though cleaning up goes on; what a service's guest has to say,
    /// for all of the service may stand still until it is heard; and the last word.
    /// </summary>
    internal static bool IsUrgent(VirtualMachineInstanceMigrationStatus before, VirtualMachineInstanceMigrationStatus next, bool isLast) =>
        isLast || next.Service != before.Service || (MigrationPhases.IsFinal(next.Phase) && !MigrationPhases.IsFinal(before.Phase));

    /// <summary>Writes until the last state is written, or the object is gone.</summary>
    public async Task RunAsync(CancellationToken stopping)
    {
        var failures = 0;
        while (true)
        {
            await wanted.WaitAsync(stopping);
            VirtualMachineInstanceMigrationStatus next;
            bool last;
            lock (gate)
            {
                next = newest;
                last = isLast;
            }

            try
            {
                if (MigrationPhases.IsFinal(next.Phase) && !MigrationPhases.IsFinal(sent.Phase))
                {
                    await WaitForTargetsWordAsync(parts.Guests, migration, next, parts.Time, stopping);
                }

                if (await SendAsync(next, stopping) && last)
                {
                    return;
                }

                failures = 0;
                await urgent.WaitAsync(IntervalMin, stopping);
            }
            catch (ApiException error) when (error.IsNotFound)
            {
                return; // Its finalizer was taken off by force: nobody is left to tell.
            }
            catch (Exception error) when (error is ApiException or ClusterUnreachableException)
            {
                Log.NotWritten(parts.Logger, ResourceKey.Of(migration), ErrorChain.Describe(error));
                await Task.Delay(Backoff.DelayFor(failures++, Random.Shared.NextDouble()), parts.Time, stopping);
                wanted.Set();
            }
        }
    }

    /// <summary>
    /// Who reads that the move has succeeded asks next where the guest is. That is told by the guest's own object, which the target's agent writes: so first it must say so here too. Not for
    /// long, because the target's agent may be down while its guest runs, and not of a guest that is gone.
    /// </summary>
    internal static async Task WaitForTargetsWordAsync(
        ResourceCache<VirtualMachineInstance> guests, VirtualMachineInstanceMigration migration, VirtualMachineInstanceMigrationStatus next, TimeProvider time, CancellationToken stopping)
    {
        if (next.Phase != MigrationPhases.Succeeded)
        {
            return;
        }

        var target = next.MigrationState?.TargetNode;
        using var due = new CancellationTokenSource(TargetsWordMax, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(stopping, due.Token);
        try
        {
            await guests.WaitUntilAsync(known => known.Find(migration.Metadata.Namespace, migration.Spec.VmiName) is not { } guest || guest.Status.NodeName == target, either.Token);
        }
        catch (OperationCanceledException) when (!stopping.IsCancellationRequested)
        {
        }
    }

    private async Task<bool> SendAsync(VirtualMachineInstanceMigrationStatus next, CancellationToken stopping)
    {
        var patch = MergePatch.Between(ToObject(sent), ToObject(next));
        if (patch.Count > 0)
        {
            parts.Migrations.Observe(await client.PatchStatusAsync(ResourceKey.Of(migration), patch, stopping));
            sent = next;
        }

        return true;
    }

    private static System.Text.Json.Nodes.JsonObject ToObject(VirtualMachineInstanceMigrationStatus status) =>
        GodwitJson.ToObject(new VirtualMachineInstanceMigration { Status = status });

    private static string Sentence(string words) => words.Length == 0 ? words : char.ToUpperInvariant(words[0]) + words[1..] + (words.EndsWith('.') ? "" : ".");

    private static partial class Log
    {
        [LoggerMessage(EventId = 2341, Level = LogLevel.Warning, Message = "The status of migration {Migration} could not be written; trying again: {Reason}")]
        public static partial void NotWritten(ILogger logger, ResourceKey migration, string reason);
    }
}
