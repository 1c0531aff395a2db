using System.Collections.Concurrent;
using Godwit.Api;
using Godwit.Api.KubeVirt.V1;
using Godwit.Api.Migrations.V1Alpha1;
using Godwit.Base;
using Godwit.Client;
using Godwit.Machines;
using Godwit.Migration.Protocol;
using Godwit.Node.Peers;
using Microsoft.Extensions.Logging;

namespace Godwit.Node.Migrations;

/// <summary>
/// Makes the moves from this host match the API: a migration that is Scheduled with this node as its source begins, one
/// that is being deleted is cancelled, and what an earlier agent left in the journal goes on. Looks by key at what is
/// there, as every reconciler.
/// </summary>
internal sealed partial class MoveSync : IDisposable
{
    private const int Workers = 4;

    private readonly MoveParts parts;
    private readonly Forecasts forecasts;
    private readonly WorkQueue<ResourceKey> queue;
    private readonly ReconcileLoop<ResourceKey> loop;
    private static readonly TimeSpan TeachBound = TimeSpan.FromSeconds(5);

    private readonly ConcurrentDictionary<MoveId, Running> moves = new();

    public MoveSync(MoveParts parts, Forecasts forecasts)
    {
        this.parts = parts;
        this.forecasts = forecasts;
        queue = new(parts.Time, new Backoff(TimeSpan.FromMilliseconds(100), TimeSpan.FromSeconds(15)));
        loop = new("moves", queue, ReconcileAsync, parts.Logger);
        parts.Migrations.Subscribe(change => queue.Add(change.Key));
        parts.Policies.Subscribe(_ => HeedPolicies());
    }

    /// <summary>How each move from here goes.</summary>
    public IEnumerable<(MovePreparation Preparation, MigrationProgress Progress)> Progress =>
        moves.Values.Where(running => running.Progress is not null).Select(running => (running.Move.Route.Preparation, running.Progress!));

    /// <summary>Takes the targets' reports in.</summary>
    public void Map(PeerMethods methods) => methods.MapNotice(MoveMethods.Report, MoveJson.Default.MoveReport, (context, report, _) =>
    {
        if (moves.TryGetValue(new(report.Move), out var running) && running.Move.Route.Target.Node == context.Peer)
        {
            running.Move.Hear(report);
        }

        return Task.CompletedTask;
    });

    /// <summary>Runs until cancelled. The machines have been adopted before.</summary>
    public async Task RunAsync(CancellationToken stopping)
    {
        // Beside each other: a QEMU that does not answer must not keep the moves of others waiting.
        var recoveries = parts.Journal.All.Where(record => record.Outgoing is not null)
            .Select(record => (Record: record, Target: TargetOf(record))).ToArray()
            .Select(left => RecoverAsync(left.Record, left.Target, stopping)).ToArray();
        try
        {
            // All three: a move that was asked for while no agent lived would else be refused for a guest that is only not known yet.
            await Task.WhenAll(parts.Migrations.WaitForSyncAsync(stopping), parts.Nodes.WaitForSyncAsync(stopping), parts.Guests.WaitForSyncAsync(stopping));
            await loop.RunAsync(Workers, stopping);
            await Task.WhenAll(recoveries);
        }
        finally
        {
            await Task.WhenAll(moves.Values.Select(running => running.Ended)); // They give back what they can, within a bound.
        }
    }

    public void Dispose() => queue.Dispose();

    internal async Task<NextLook> ReconcileAsync(ResourceKey key, CancellationToken stopping)
    {
        if (parts.Migrations.Current.Find(key) is not { } migration || migration.Status.MigrationState?.SourceNode != parts.Node.Value)
        {
            return NextLook.OnChange;
        }

        var deleted = migration.Metadata.DeletionTimestamp is not null;
        if (Guid.TryParseExact(migration.Metadata.Uid, "D", out var uid) && moves.TryGetValue(new(uid), out var running))
        {
            running.Attach(parts, migration, stopping);
            running.Heed(migration);
            if (deleted)
            {
                running.Move.Cancel("its migration object was deleted");
            }

            return NextLook.OnChange;
        }

        if (parts.Journal.Find(new(uid)) is { Outgoing: not null })
        {
            return NextLook.OnChange; // An earlier agent's, and about to go on: its QEMU has yet to answer.
        }

        if (MigrationPhases.IsFinal(migration.Status.Phase) || deleted)
        {
            awaited.TryRemove(new MoveId(uid), out _);
            await ReleaseAsync(migration, stopping);
        }
        else if (migration.Status.Phase == MigrationPhases.Scheduled)
        {
            return await BeginAsync(migration, new MoveId(uid), stopping);
        }
        else if (migration.Status.Phase is MigrationPhases.PreparingTarget or MigrationPhases.TargetReady or MigrationPhases.Running)
        {
            await FailAsync(migration, "the source's agent was restarted before it had written down that it began; the guest was not touched", stopping);
        }

        return NextLook.OnChange;
    }

    /// <summary>A policy changed: each move that runs looks whether it was its own.</summary>
    private void HeedPolicies()
    {
        foreach (var preparation in moves.Values.Select(running => running.Move.Route.Preparation))
        {
            queue.Add(new(preparation.GuestNamespace, preparation.MigrationName));
        }
    }

    private async Task<NextLook> BeginAsync(VirtualMachineInstanceMigration migration, MoveId id, CancellationToken stopping)
    {
        var claimed = migration.Metadata.Finalizers.Contains(FinalizerNames.Migration) ? migration : parts.Migrations.Observe(await parts.Cluster
            .For<VirtualMachineInstanceMigration>()
            .ChangeAsync(migration, migration with { Metadata = migration.Metadata with { Finalizers = [.. migration.Metadata.Finalizers, FinalizerNames.Migration] } }, stopping));
        try
        {
            var (route, design) = await DesignAsync(claimed, stopping);
            await NoteOnGuestAsync(claimed, stopping);
            var running = new Running(parts, claimed);
            running.Begin(OutgoingMove.Begin(parts, route, design.ToPlan(id, parts.Node, route), running.Changed));
            moves[id] = running;
            running.Ended = RunAsync(id, running, stopping);
            _ = ExpectAsync(running, design, stopping);
        }
        catch (MoveRefusedException refusal)
        {
            await FailAsync(claimed, refusal.Message, stopping);
        }
        catch (MoveNotYetException wait)
        {
            return await AwaitAsync(claimed, id, wait.Message, stopping);
        }

        awaited.TryRemove(id, out _);
        return NextLook.OnChange;
    }

    private async Task<(OutgoingRoute Route, MoveDesign Design)> DesignAsync(VirtualMachineInstanceMigration migration, CancellationToken stopping)
    {
        var guestKey = new ResourceKey(migration.Metadata.Namespace, migration.Spec.VmiName);
        var guest = parts.Guests.Current.Find(guestKey);
        if (guest is null || !Guid.TryParseExact(guest.Metadata.Uid, "D", out var guestUid) || parts.Machines.Find(new(guestUid)) is not { } machine)
        {
            throw new MoveRefusedException($"guest {guestKey} does not run on {parts.Node}");
        }

        var suspended = IsSuspended(guest, machine);
        if (machine.RunState != MachineRunState.Running && !suspended)
        {
            throw new MoveRefusedException($"guest {guestKey} is {machine.RunState} ({machine.RunStateReason}); only a running guest is moved, or a suspended one");
        }

        if (parts.Journal.ClaimOn(machine.Spec.Id) is Guests.HandoverClaim.Moving or Guests.HandoverClaim.Arriving)
        {
            throw new MoveRefusedException($"guest {guestKey} is being moved already");
        }

        var target = EndpointOf(migration.Status.MigrationState!.TargetNode);
        var policyName = migration.Status.MigrationState.MigrationPolicyName;
        var policy = string.IsNullOrEmpty(policyName) ? null : await parts.Cluster.For<MigrationPolicy>().FindAsync(new("", policyName), stopping);
        if (policy is not null)
        {
            parts.Policies.Observe(policy); // A watch that is late must not seem to change it back.
        }

        var (wished, unreadable) = MoveOverrides.Apply(policy?.Spec ?? new(), migration.Metadata.Annotations);
        if (unreadable is not null)
        {
            throw new MoveRefusedException(unreadable);
        }

        ServiceReference? service = null;
        if (migration.Metadata.Annotations.GetValueOrDefault(AnnotationNames.Service) is { } named && (service = ServiceReference.Parse(named)) is null)
        {
            throw new MoveRefusedException($"the annotation {AnnotationNames.Service} does not name a group: it has the form NAME/UID/ATTEMPT, and the group controller sets it");
        }

        var facts = await parts.Host.GetFactsAsync(stopping);
        var (design, refusal) = MovePlanner.Design(new()
        {
            Mode = suspended ? Api.Forecasts.V1Alpha1.MigrationModes.Cold : migration.Metadata.Annotations.GetValueOrDefault(AnnotationNames.Mode, ""),
            Policy = wished,
            MemoryBytes = machine.Spec.MemoryBytes,
            IsOfService = service is not null,
            PostcopyObstacle = facts.PostcopyObstacle ?? await ObstacleAtAsync(target, stopping),
        });
        if (design is null)
        {
            throw new MoveRefusedException(refusal!);
        }

        var preparation = new MovePreparation(migration.Metadata.Namespace, migration.Spec.VmiName, migration.Metadata.Name, design.Stream)
        {
            Disks = await new MovingDisks(parts).AgreeAsync(guest, machine, target, stopping),
            Service = service,
            Suspended = suspended,
        };
        return (new(machine.Spec.Id, target, preparation), design);
    }

    /// <summary>It lies in its file, and nobody is about to wake it.</summary>
    private bool IsSuspended(VirtualMachineInstance guest, IMachine machine) =>
        parts.Incarnations.Find(machine.Spec.Id) is Guests.Incarnation.Suspended && machine.ProcessId == 0 && Guests.GuestStatus.IsToBeSuspended(guest);

    private async Task<string?> ObstacleAtAsync(PeerEndpoint target, CancellationToken stopping)
    {
        try
        {
            return (await parts.Links.RequestAsync(target, MoveMethods.Facts, new MoveFactsRequest(), stopping)).PostcopyObstacle;
        }
        catch (Exception error) when (error is PeerException or PeerRefusedException)
        {
            throw new MoveRefusedException($"the agent of {target.Node} cannot be reached: {ErrorChain.Describe(error)}");
        }
    }

    private PeerEndpoint EndpointOf(string? node)
    {
        var found = parts.Nodes.Current.Find(new("", node ?? ""));
        return NodeName.TryParse(node, out var name) && PeerEndpoint.TryParse(name, found?.Metadata.Annotations.GetValueOrDefault(AnnotationNames.PeerEndpoint), out var endpoint)
            ? endpoint
            : throw new MoveRefusedException($"node '{node}' does not say where its agent listens for others");
    }

    private static PeerEndpoint TargetOf(MoveRecord record) =>
        NodeName.TryParse(record.Target, out var target) && PeerEndpoint.TryParse(target, record.TargetAddress, out var endpoint)
            ? endpoint
            : throw new InvalidDataException($"The record of move {record.MoveId} names no target that can be reached.");

    private async Task RecoverAsync(MoveRecord record, PeerEndpoint target, CancellationToken stopping)
    {
        QemuReading? reading;
        while ((reading = await MachineLook.TakeAsync(parts.Machines.Find(record.MachineId), 0, stopping)) is null)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(200), parts.Time, stopping); // Its process lives: it will answer, or end.
        }

        var running = new Running(parts, null);
        var route = new OutgoingRoute(record.MachineId, target, record.Preparation);
        running.Begin(OutgoingMove.Recover(parts, route, record, reading, running.Changed));
        moves[record.MoveId] = running;
        running.Ended = RunAsync(record.MoveId, running, stopping);
        queue.Add(new(record.Preparation.GuestNamespace, record.Preparation.MigrationName));
    }

    private async Task RunAsync(MoveId id, Running running, CancellationToken stopping)
    {
        try
        {
            await running.RunAsync(stopping);
            var lessons = forecasts.Learn(running.Move, running.Forecast);
            await running.Move.DisposeAsync();
            await running.ReportedAsync(stopping);
            moves.TryRemove(id, out _);
            queue.Add(new(running.Move.Route.Preparation.GuestNamespace, running.Move.Route.Preparation.MigrationName));
            await TeachAsync(running.Move.Route.Target, lessons, stopping);
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            await running.Move.DisposeAsync();
        }
        catch (Exception error)
        {
            // The journal holds where it was; the next start of the agent goes on from there.
            Log.Broke(parts.Logger, id, ErrorChain.Describe(error), error);
        }
    }

    /// <summary>Tells the guest's new host what its moves were like. A host that does not hear of it makes a wider forecast, nothing else.</summary>
    private async Task TeachAsync(PeerEndpoint target, MoveLessons? lessons, CancellationToken stopping)
    {
        if (lessons is null)
        {
            return;
        }

        using var late = new CancellationTokenSource(TeachBound, parts.Time);
        using var bound = CancellationTokenSource.CreateLinkedTokenSource(stopping, late.Token);
        try
        {
            await parts.Links.RequestAsync(target, MoveMethods.Lessons, lessons, bound.Token);
        }
        catch (Exception error) when (error is PeerException or PeerRefusedException || (error is OperationCanceledException && !stopping.IsCancellationRequested))
        {
            Log.NotTaught(parts.Logger, lessons.Move, target.Node, ErrorChain.Describe(error));
        }
    }

    /// <summary>Measures while the target prepares; a forecast that fails costs the move nothing.</summary>
    private async Task ExpectAsync(Running running, MoveDesign design, CancellationToken stopping)
    {
        try
        {
            // First the link, alone: a burst beside the stream would see a part of its rate.
            await forecasts.MeasureLinkAsync(running.Move.Route.Target, stopping);
            running.Move.OpenEarly(await forecasts.FirstPassBytesAsync(running.Move.Route.Machine, stopping));
            var forecast = await forecasts.ForMoveAsync(running.Move.Route, design, stopping);
            running.Expect(forecast);
        }
        catch (Exception error) when (error is MachineException or PeerException or PeerRefusedException)
        {
            Log.NoForecast(parts.Logger, running.Move.Phase.Plan.Id, ErrorChain.Describe(error));
        }
    }

    private async Task FailAsync(VirtualMachineInstanceMigration migration, string reason, CancellationToken stopping)
    {
        var now = parts.Time.GetUtcNow();
        var failed = migration with
        {
            Status = migration.Status with
            {
                Phase = MigrationPhases.Failed,
                PhaseTransitionTimestamps = [.. migration.Status.PhaseTransitionTimestamps, new() { Phase = MigrationPhases.Failed, Timestamp = now }],
                MigrationState = (migration.Status.MigrationState ?? new()) with { Failed = true, FailureReason = reason, EndTimestamp = now },
            },
        };
        parts.Migrations.Observe(await parts.Cluster.For<VirtualMachineInstanceMigration>().ChangeStatusAsync(migration, failed, stopping));
        parts.Events.Record(migration, Api.Core.V1.EventTypes.Warning, "MoveRefused", reason);
    }

    private async Task ReleaseAsync(VirtualMachineInstanceMigration migration, CancellationToken stopping)
    {
        if (migration.Metadata.Finalizers.Contains(FinalizerNames.Migration))
        {
            await NoteEndOnGuestAsync(parts.Guests, parts.Cluster.For<VirtualMachineInstance>(), migration, stopping);
            var released = migration with { Metadata = migration.Metadata with { Finalizers = [.. migration.Metadata.Finalizers.Where(name => name != FinalizerNames.Migration)] } };
            await parts.Cluster.For<VirtualMachineInstanceMigration>().ChangeAsync(migration, released, stopping);
        }
    }

    /// <summary>Asks the moves of a guest to end. Those that can no longer be taken back go on.</summary>
    public void EndMovesOf(MachineId machine, string reason)
    {
        foreach (var running in moves.Values.Where(running => running.Move.Route.Machine == machine))
        {
            running.Move.Cancel(reason);
        }
    }

    private static partial class Log
    {
        [LoggerMessage(EventId = 2351, Level = LogLevel.Error, Message = "The move {Move} broke down and stands as its journal says: {Reason}")]
        public static partial void Broke(ILogger logger, MoveId move, string reason, Exception error);

        [LoggerMessage(EventId = 2352, Level = LogLevel.Warning, Message = "Move {Move} goes on without a forecast: {Reason}")]
        public static partial void NoForecast(ILogger logger, MoveId move, string reason);

        [LoggerMessage(EventId = 2353, Level = LogLevel.Information, Message = "Node {Node} was not told what move {Move} showed of the guest: {Reason}")]
        public static partial void NotTaught(ILogger logger, Guid move, NodeName node, string reason);
    }
}

/// <summary>A move that cannot begin, and why; the guest was not touched.</summary>
internal sealed class MoveRefusedException(string reason) : Exception(reason);
