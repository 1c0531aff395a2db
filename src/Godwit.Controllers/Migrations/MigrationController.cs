namespace Godwit.Controllers.Migrations;

/// <summary>
/// Carries out what <see cref="MigrationPlanner"/> decides. Writes VMIM status up to Scheduled, and Failed before an
/// agent took it; after that nothing but a condition that says what is waited for.
/// <para>The finalizer is written before the phase Scheduled, so that a move that an agent may have begun cannot lose
/// its object, which is the cancel's only way to that agent.</para>
/// </summary>
internal sealed partial class MigrationController(ClusterView cluster, MigrationLimits limits, TimeProvider clock, ILogger logger)
    : Controller("migration", clock, logger)
{
    /// <summary>The condition of a migration object that says whether it goes on, and if not, why.</summary>
    public const string Progressing = "Progressing";

    /// <summary>A guest that the server does not have any more is soon known to be gone.</summary>
    private static readonly TimeSpan GoneGuestLook = TimeSpan.FromSeconds(1);

    private readonly ResourceClient<VirtualMachineInstanceMigration> migrations = cluster.ClientOf<VirtualMachineInstanceMigration>();
    private readonly ResourceClient<VirtualMachineInstance> instances = cluster.ClientOf<VirtualMachineInstance>();

    protected override void Subscribe()
    {
        cluster.Migrations.Subscribe(change =>
        {
            Enqueue(change.Key);
            var wasPreparing = change.Before is not null && MigrationWorld.IsPreparing(change.Before);
            if (change.After is null || MigrationPhases.IsFinal(change.After.Status.Phase) || (wasPreparing && !MigrationWorld.IsPreparing(change.After)))
            {
                EnqueueQueue(); // A place became free.
            }
        });
        cluster.Instances.Subscribe(change =>
        {
            if (change.Before?.Status.Phase != change.After?.Status.Phase
                || change.Before?.Status.NodeName != change.After?.Status.NodeName
                || change.Before?.Status.MigrationState != change.After?.Status.MigrationState)
            {
                EnqueueQueue();
                EnqueueNoted((change.After ?? change.Before)!);
            }
        });
        cluster.Nodes.Subscribe(_ => EnqueueAll());
        cluster.Policies.Subscribe(_ => EnqueueQueue());
    }

    protected override IEnumerable<ResourceKey> AllKeys() => cluster.Migrations.Current.Keys;

    protected override async Task<NextLook> ReconcileAsync(ResourceKey key, CancellationToken stopping)
    {
        if (cluster.Migrations.Current.Find(key) is not { } migration)
        {
            return NextLook.OnChange;
        }

        var plan = MigrationPlanner.For(migration, MigrationWorld.Of(cluster, limits, Clock.GetUtcNow()));
        if (plan is MigrationPlan.Schedule)
        {
            // Where the guest is decides whose agent gets the move, so a cache that may be behind is not asked: it may have slept through a whole move. Moves may be seen late, for the guest's object names the last.
            if (await instances.FindAsync(new ResourceKey(migration.Metadata.Namespace, migration.Spec.VmiName), stopping) is not { } guest)
            {
                return NextLook.After(GoneGuestLook);
            }

            cluster.Instances.Observe(guest);
            plan = MigrationPlanner.For(migration, MigrationWorld.Of(cluster, limits, Clock.GetUtcNow()));
        }

        switch (plan)
        {
            case MigrationPlan.Wait wait:
                await WriteAsync(migration, Status(migration, MigrationPhases.Pending, wait.Reason, wait.Message), stopping);
                break;
            case MigrationPlan.Explain explain:
                await WriteAsync(migration, Status(migration, migration.Status.Phase!, explain.Reason, explain.Message), stopping);
                cluster.Events.Record(migration, EventTypes.Warning, explain.Reason, explain.Message);
                break;
            case MigrationPlan.Fail fail:
                await FailAsync(migration, fail, stopping);
                break;
            case MigrationPlan.Schedule schedule:
                await ScheduleAsync(migration, schedule.State, stopping);
                return NextLook.After(MigrationPlanner.TakenWithin);
            case MigrationPlan.Release:
                await WriteFinalizersAsync(migration, [.. migration.Metadata.Finalizers.Where(name => name != FinalizerNames.Migration)], stopping);
                break;
        }

        return MigrationPhases.IsFinal(migration.Status.Phase) ? NextLook.OnChange : NextLook.After(TimeSpan.FromMinutes(1));
    }

    /// <summary>The finalizer of an ended move may wait for its end to be noted on the guest.</summary>
    private void EnqueueNoted(VirtualMachineInstance vmi)
    {
        if (vmi.Status.MigrationState?.MigrationUid is { Length: > 0 } uid && cluster.Migrations.Current.Items.FirstOrDefault(move => move.Metadata.Uid == uid) is { } noted)
        {
            Enqueue(ResourceKey.Of(noted));
        }
    }

    private void EnqueueQueue()
    {
        foreach (var waiting in MigrationWorld.QueueOf(cluster.Migrations.Current))
        {
            Enqueue(ResourceKey.Of(waiting));
        }
    }

    private async Task ScheduleAsync(VirtualMachineInstanceMigration migration, MigrationState state, CancellationToken stopping)
    {
        if (!migration.Metadata.Finalizers.Contains(FinalizerNames.Migration))
        {
            migration = await WriteFinalizersAsync(migration, [.. migration.Metadata.Finalizers, FinalizerNames.Migration], stopping);
        }

        var status = Status(migration, MigrationPhases.Scheduled, "Scheduled", $"to be moved from {state.SourceNode} to {state.TargetNode}") with { MigrationState = state };
        var scheduled = await WriteAsync(migration, status, stopping);
        var words = $"The guest {migration.Spec.VmiName} is to move from {state.SourceNode} to {state.TargetNode}"
            + (state.MigrationPolicyName is null ? "" : $" by policy {state.MigrationPolicyName}");
        cluster.Events.Record(scheduled, EventTypes.Normal, "MigrationScheduled", words);
        Log.Scheduled(Logger, ResourceKey.Of(migration), state.SourceNode, state.TargetNode);
    }

    private async Task FailAsync(VirtualMachineInstanceMigration migration, MigrationPlan.Fail fail, CancellationToken stopping)
    {
        var state = (migration.Status.MigrationState ?? new MigrationState()) with
        {
            MigrationUid = migration.Metadata.Uid,
            Completed = true,
            Failed = true,
            FailureReason = $"{fail.Reason}: {fail.Message}",
            EndTimestamp = Clock.GetUtcNow(),
            AbortRequested = fail.Reason == MigrationPlanner.Cancelled ? true : null,
            AbortStatus = fail.Reason == MigrationPlanner.Cancelled ? "Succeeded" : null,
        };
        var failed = await WriteAsync(migration, Status(migration, MigrationPhases.Failed, fail.Reason, fail.Message) with { MigrationState = state }, stopping);
        cluster.Events.Record(failed, EventTypes.Warning, fail.Reason, $"The guest {migration.Spec.VmiName} is not moved: {fail.Message}");
        if (cluster.Instances.Current.Find(migration.Metadata.Namespace, migration.Spec.VmiName) is { } vmi)
        {
            cluster.Events.Record(vmi, EventTypes.Warning, fail.Reason, $"Migration {migration.Metadata.Name} failed before it began: {fail.Message}");
        }

        Log.Failed(Logger, ResourceKey.Of(migration), fail.Reason, fail.Message);
    }

    private VirtualMachineInstanceMigrationStatus Status(VirtualMachineInstanceMigration migration, string phase, string reason, string message)
    {
        var now = Clock.GetUtcNow();
        var goesOn = phase == MigrationPhases.Scheduled && reason == MigrationPhases.Scheduled;
        return migration.Status with
        {
            Phase = phase,
            PhaseTransitionTimestamps = PhaseTransitions.With(migration.Status.PhaseTransitionTimestamps, phase, now),
            Conditions = Conditions.With(
                migration.Status.Conditions,
                new Condition { Type = Progressing, Status = goesOn ? ConditionStatuses.True : ConditionStatuses.False, Reason = reason, Message = message },
                now),
        };
    }

    private async Task<VirtualMachineInstanceMigration> WriteAsync(
        VirtualMachineInstanceMigration migration, VirtualMachineInstanceMigrationStatus status, CancellationToken stopping) =>
        cluster.Migrations.Observe(await migrations.ChangeStatusAsync(migration, migration with { Status = status }, stopping));

    private async Task<VirtualMachineInstanceMigration> WriteFinalizersAsync(
        VirtualMachineInstanceMigration migration, IReadOnlyList<string> finalizers, CancellationToken stopping) =>
        cluster.Migrations.Observe(
            await migrations.ChangeAsync(migration, migration with { Metadata = migration.Metadata with { Finalizers = finalizers } }, stopping));

    private static partial class Log
    {
        [LoggerMessage(1, LogLevel.Information, "Migration {Migration} is to go from {Source} to {Target}")]
        public static partial void Scheduled(ILogger logger, ResourceKey migration, string? source, string? target);

        [LoggerMessage(2, LogLevel.Information, "Migration {Migration} failed before it began: {Reason}: {Message}")]
        public static partial void Failed(ILogger logger, ResourceKey migration, string reason, string message);
    }
}
