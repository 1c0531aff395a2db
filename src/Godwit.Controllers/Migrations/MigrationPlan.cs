using Godwit.Api.Forecasts.V1Alpha1;
using Godwit.Scheduling;

namespace Godwit.Controllers.Migrations;

/// <summary>What to do about one migration object now.</summary>
internal abstract record MigrationPlan
{
    private MigrationPlan()
    {
    }

    public sealed record Nothing : MigrationPlan;

    /// <summary>It keeps its place in the queue; the reason is one word for programs.</summary>
    public sealed record Wait(string Reason, string Message) : MigrationPlan;

    /// <summary>It will not be tried.</summary>
    public sealed record Fail(string Reason, string Message) : MigrationPlan;

    /// <summary>Hand it to the source's agent.</summary>
    public sealed record Schedule(MigrationState State) : MigrationPlan;

    /// <summary>It belongs to an agent that is not heard of: say so, and touch nothing else.</summary>
    public sealed record Explain(string Reason, string Message) : MigrationPlan;

    /// <summary>It has ended, and no agent will take the finalizer off: its object may go.</summary>
    public sealed record Release : MigrationPlan;
}

/// <summary>
/// Decides about moves up to the moment when the source's agent takes over.
/// <code>
///            controller                                  │ source's agent
///  (new) ──▶ Pending ──▶ Scheduled ──────────────────────┼─▶ PreparingTarget ─▶ … ─▶ Succeeded | Failed
///              │ its turn, a target, no obstacle         │
///              ├─ obstacle, or deleted (cancel) ─▶ Failed│
///              └─ limit, guest not up yet or not said
///                 to have arrived: wait, say why         │
/// </code>
/// From Scheduled on this controller never changes the outcome, however long nothing is heard: only the agents know who
/// owns the guest. It says in a condition what is waited for.
/// </summary>
internal static class MigrationPlanner
{
    public const string WaitingForGuest = "WaitingForGuest";
    public const string WaitingForTurn = "WaitingForTurn";
    public const string WaitingForTargetAgent = "WaitingForTargetAgent";
    public const string WaitingForSourceAgent = "WaitingForSourceAgent";
    public const string TargetBusy = "TargetBusy";
    public const string Cancelled = "Cancelled";

    /// <summary>An agent that has not taken a scheduled move after this long is worth a word.</summary>
    public static readonly TimeSpan TakenWithin = TimeSpan.FromSeconds(15);

    public static MigrationPlan For(VirtualMachineInstanceMigration migration, MigrationWorld world)
    {
        if (MigrationPhases.IsFinal(migration.Status.Phase))
        {
            return IsOursToRelease(migration, world) ? new MigrationPlan.Release() : new MigrationPlan.Nothing();
        }

        if (!MigrationWorld.IsWaiting(migration))
        {
            return WatchAgent(migration, world);
        }

        if (migration.Metadata.DeletionTimestamp is not null)
        {
            return new MigrationPlan.Fail(Cancelled, "it was deleted before it began; the guest was not touched");
        }

        var vmi = GuestOf(migration, world);
        return AskGuest(migration, vmi, world) ?? AskQueue(migration, vmi!, world) ?? ChooseTarget(migration, vmi!, world);
    }

    /// <summary>
    /// The agent that drove a move takes the finalizer off when it has cleaned up; here it is done where no agent ever will. Not before the guest's object says how the move ended: nothing else would.
    /// </summary>
    private static bool IsOursToRelease(VirtualMachineInstanceMigration migration, MigrationWorld world)
    {
        var state = migration.Status.MigrationState;
        var hadAgent = !string.IsNullOrEmpty(state?.TargetNode);
        return migration.Metadata.Finalizers.Contains(FinalizerNames.Migration)
            && (!hadAgent || world.Cluster.Find(state?.SourceNode ?? "") is null)
            && !(GuestOf(migration, world) is { } vmi && GuestPlace.IsSaidToMove(vmi) && vmi.Status.MigrationState!.MigrationUid == migration.Metadata.Uid);
    }

    public static Preflight PreflightOf(VirtualMachineInstanceMigration migration, VirtualMachineInstance vmi, MigrationWorld world) => new()
    {
        Vmi = vmi,
        Source = world.Cluster.Find(vmi.Status.NodeName ?? ""),
        Mode = migration.Metadata.Annotations.GetValueOrDefault(AnnotationNames.Mode) ?? MigrationModes.Auto,
        IsPostcopyAllowed = PolicyChoice.For(vmi, world.NamespaceLabels(vmi.Metadata.Namespace), world.Policies)?.Spec.AllowPostCopy != false,
    };

    /// <summary>Null when the guest can be moved now, as far as it and its node are concerned.</summary>
    private static MigrationPlan? AskGuest(VirtualMachineInstanceMigration migration, VirtualMachineInstance? vmi, MigrationWorld world)
    {
        if (vmi is null)
        {
            return new MigrationPlan.Fail(
                ObstacleReasons.GuestNotRunning, $"there is no VirtualMachineInstance {migration.Spec.VmiName} in namespace {migration.Metadata.Namespace}");
        }

        var isComing = vmi.Metadata.DeletionTimestamp is null
            && vmi.Status.Phase is null or VirtualMachineInstancePhases.Pending or VirtualMachineInstancePhases.Scheduling or VirtualMachineInstancePhases.Scheduled;
        if (isComing)
        {
            return new MigrationPlan.Wait(WaitingForGuest, $"the guest {migration.Spec.VmiName} is not running yet");
        }

        var isThere = vmi.Metadata.DeletionTimestamp is null && vmi.Status.Phase == VirtualMachineInstancePhases.Running;
        if (isThere && AskPlace(migration, vmi, world) is { } unsettled)
        {
            return unsettled;
        }

        var obstacles = PreflightOf(migration, vmi, world).FindSourceObstacles().ToList();
        return obstacles switch
        {
            [] => null,
            [{ Reason: ObstacleReasons.SourceNotReady } silent] => new MigrationPlan.Wait(silent.Reason, Sentence(silent)),
            _ => new MigrationPlan.Fail(obstacles[0].Reason, string.Join("; ", obstacles.Select(Sentence))),
        };
    }

    /// <summary>
    /// Null when the guest is where its object says. A move from a node that has given the guest away fails there, and what is noted of it would stand in place of the move that counts. The wait ends with the
    /// word of the target's agent, or with the guest: that of a target that was removed for good is ended (<see cref="Nodes.NodeLifecyclePlanner"/>).
    /// </summary>
    private static MigrationPlan.Wait? AskPlace(VirtualMachineInstanceMigration migration, VirtualMachineInstance vmi, MigrationWorld world)
    {
        if (GuestPlace.Unclaimed(vmi, world.Migrations.Items) is { } moved)
        {
            return new MigrationPlan.Wait(WaitingForTargetAgent, $"the guest was moved from {moved.SourceNode} to {moved.TargetNode}, and the agent of {moved.TargetNode} has not said yet that it runs there");
        }

        return MigrationWorld.IsUnsettled(vmi, world.Migrations.Items) && vmi.Status.MigrationState?.MigrationUid != migration.Metadata.Uid
            ? new MigrationPlan.Wait(ObstacleReasons.MigrationInProgress, "the guest is said to move already, and how that ends is not known yet")
            : null;
    }

    /// <summary>Null when it is this move's turn.</summary>
    private static MigrationPlan.Wait? AskQueue(VirtualMachineInstanceMigration migration, VirtualMachineInstance vmi, MigrationWorld world)
    {
        var ahead = world.Active.Concat(world.Queue.TakeWhile(each => ResourceKey.Of(each) != ResourceKey.Of(migration))).ToList();
        if (ahead.FirstOrDefault(each => MigrationWorld.IsOfSameGuest(each, migration)) is { } other)
        {
            return new MigrationPlan.Wait(ObstacleReasons.MigrationInProgress, $"migration {other.Metadata.Name} moves the guest first");
        }

        var source = vmi.Status.NodeName!;
        var fromSource = ahead.Count(each => SourceOf(each, world) == source && !MigrationWorld.IsOfSameService(each, migration));
        return fromSource < world.Limits.OutboundForEachNode
            ? null
            : new MigrationPlan.Wait(
                WaitingForTurn, $"{fromSource} other moves from node {source} come first, {world.Limits.OutboundForEachNode} may run at a time");
    }

    private static string? SourceOf(VirtualMachineInstanceMigration migration, MigrationWorld world) =>
        migration.Status.MigrationState?.SourceNode ?? (GuestOf(migration, world) is { } vmi ? GuestPlace.NodeOf(vmi, world.Migrations.Items) : null);

    private static VirtualMachineInstance? GuestOf(VirtualMachineInstanceMigration migration, MigrationWorld world) =>
        world.Instances.Find(migration.Metadata.Namespace, migration.Spec.VmiName);

    private static MigrationPlan ChooseTarget(VirtualMachineInstanceMigration migration, VirtualMachineInstance vmi, MigrationWorld world)
    {
        var preflight = PreflightOf(migration, vmi, world);
        var placement = TargetChoice.For(vmi, migration.Spec.AddedNodeSelector, preflight, world.Cluster, node => Busy(migration, node, world));
        if (placement is Placement.Nowhere nowhere)
        {
            return TargetChoice.IsOnlyBusy(nowhere, TargetBusy)
                ? new MigrationPlan.Wait(TargetBusy, nowhere.Explain())
                : new MigrationPlan.Fail(TargetChoice.MainReason(nowhere, migration.Spec.AddedNodeSelector), nowhere.Explain());
        }

        var target = ((Placement.Chosen)placement).NodeName;
        var policy = PolicyChoice.For(vmi, world.NamespaceLabels(vmi.Metadata.Namespace), world.Policies);
        return new MigrationPlan.Schedule(new MigrationState
        {
            SourceNode = vmi.Status.NodeName,
            TargetNode = target,
            TargetNodeAddress = world.Nodes.Find("", target)?.Metadata.Annotations.GetValueOrDefault(AnnotationNames.PeerEndpoint)?.Split(',')[0],
            MigrationUid = migration.Metadata.Uid,
            MigrationPolicyName = policy?.Metadata.Name,
        });
    }

    private static IEnumerable<Obstacle> Busy(VirtualMachineInstanceMigration migration, NodeFacts node, MigrationWorld world)
    {
        // Guests of one service wait for each other: one that was kept back would keep the others from ending.
        var arriving = world.Active.Where(each => each.Status.MigrationState!.TargetNode == node.Name && !MigrationWorld.IsOfSameService(each, migration)).ToList();
        if (arriving.Count >= world.Limits.InboundForEachNode)
        {
            yield return new Obstacle(TargetBusy, $"{arriving.Count} other guests are on their way there", "it is tried again when one has arrived");
        }
        else if (arriving.Count(each => IsBeingPrepared(each, world)) >= world.Limits.PreparingForEachNode)
        {
            yield return new Obstacle(TargetBusy, "it prepares for another guest", "it is tried again when it is ready for that one");
        }
    }

    /// <summary>One whose source is silent prepares nothing, and nobody waits behind it.</summary>
    private static bool IsBeingPrepared(VirtualMachineInstanceMigration migration, MigrationWorld world) =>
        MigrationWorld.IsPreparing(migration) && world.Cluster.Find(migration.Status.MigrationState!.SourceNode ?? "") is { IsReady: true };

    private static MigrationPlan WatchAgent(VirtualMachineInstanceMigration migration, MigrationWorld world)
    {
        var sourceName = migration.Status.MigrationState?.SourceNode ?? "";
        var source = world.Cluster.Find(sourceName);
        var isCancelled = migration.Metadata.DeletionTimestamp is not null;
        var doing = isCancelled ? "the cancel waits" : "the move waits";
        if (source is not { IsReady: true })
        {
            var why = source is null ? "has been removed from the cluster" : $"is not ready ({source.NotReadyMessage})";
            return new MigrationPlan.Explain(
                ObstacleReasons.SourceNotReady,
                $"{doing}: node {sourceName}, which drives it, {why}. Who owns the guest is known to the agents of {sourceName} and "
                + $"{migration.Status.MigrationState?.TargetNode} only; it is not started anywhere else");
        }

        var scheduledAt = PhaseTransitions.When(migration.Status.PhaseTransitionTimestamps, MigrationPhases.Scheduled);
        var isTaken = migration.Status.Phase != MigrationPhases.Scheduled || migration.Status.Progress is not null;
        return !isTaken && world.Now - scheduledAt >= TakenWithin
            ? new MigrationPlan.Explain(WaitingForSourceAgent, $"{doing} for the agent of node {sourceName} to take it over; see that agent's log")
            : new MigrationPlan.Nothing();
    }

    private static string Sentence(Obstacle obstacle) => $"{obstacle.Message} ({obstacle.Fix})";
}
