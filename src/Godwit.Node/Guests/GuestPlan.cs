using Godwit.Api;
using Godwit.Api.KubeVirt.V1;
using Godwit.Machines;

namespace Godwit.Node.Guests;

/// <summary>
/// Decides what to do next for one guest on this host. Pure: the same view gives the same steps. Three rules stand above
/// the rest, in this order:
/// <list type="number">
/// <item>While a move is under way, or has taken the guest away, the move decides: nothing here touches the machine.</item>
/// <item>A guest is booted only if the API places it here as Scheduled and nothing on this host says that it ever ran.</item>
/// <item>A guest is stopped only if the server itself says that its object is gone or being deleted, and it is ours.</item>
/// </list>
/// <code>
///   Scheduled, no record ──Start──▶ Created ──▶ Running ⇄ Paused
///                                                 │ shuts down      │ crashes, vanishes
///                                                 ▼                 ▼
///                                 RecordEnd ─▶ PublishStatus ─▶ EndProcess      (kept for its log)
///                                                 │ object deleted or gone
///                                                 ▼
///                                 Remove ─▶ ReleaseObject ─▶ ForgetRecord
/// </code>
/// Guests that are suspended, or to be: GuestPlan.Suspended.cs. A record is written before the status, and the status before anything is removed: whatever is cut short is found again.
/// </summary>
internal static partial class GuestPlan
{
    public static readonly TimeSpan DefaultGrace = TimeSpan.FromSeconds(30);

    public static IReadOnlyList<GuestStep> For(GuestView view) => view.Object switch
    {
        GuestObject.Present { Instance: var instance } => ForPresent(view, instance),
        GuestObject.Absent => ForAbsent(view),
        _ => [],
    };

    /// <summary>True when QEMU has executed something of the guest, so that a boot would be a second one.</summary>
    private static bool HasRun(MachineView machine) =>
        machine.RunState is not (MachineRunState.Created or MachineRunState.Incoming);

    private static bool IsAlive(MachineView machine) =>
        machine.RunState is MachineRunState.Created or MachineRunState.Running or MachineRunState.Paused;

    private static bool IsLeftToTheMove(HandoverClaim claim) =>
        claim is HandoverClaim.Moving or HandoverClaim.Arriving or HandoverClaim.HandedOver;

    private static IReadOnlyList<GuestStep> ForAbsent(GuestView view) => view switch
    {
        { Claim: HandoverClaim.Moving } => [new GuestStep.EndMove("the guest's object was deleted")],
        { Claim: HandoverClaim.Arriving or HandoverClaim.HandedOver } => [],
        { Machine: null, Record: null } => [],
        { Machine: null } => [new GuestStep.ForgetRecord()],
        { Machine: { RunState: MachineRunState.Running or MachineRunState.Paused } } => [new GuestStep.ShutDown(DefaultGrace)],
        _ => [new GuestStep.Remove(), new GuestStep.ForgetRecord()],
    };

    private static IReadOnlyList<GuestStep> ForPresent(GuestView view, VirtualMachineInstance instance)
    {
        var isDeleted = instance.Metadata.DeletionTimestamp is not null;
        if (IsLeftToTheMove(view.Claim))
        {
            return view.Claim == HandoverClaim.Moving && isDeleted ? [new GuestStep.EndMove("the guest is being deleted")] : [];
        }

        // Where the API names another node although a move ended with us as the owner, it is the API that lags; also when nothing is left of the guest since, for nobody else
        // will ever say so: the source has handed it over.
        var isOurs = IsPlacedHere(view, instance) || view.Claim == HandoverClaim.Owner;
        return !isOurs ? ForPlacedElsewhere(view, instance)
            : isDeleted ? ForDeleted(view, instance)
            : ForWanted(view, instance);
    }

    private static bool IsPlacedHere(GuestView view, VirtualMachineInstance instance) =>
        string.Equals(instance.Status.NodeName, view.Node.Value, StringComparison.Ordinal);

    /// <summary>The API names another node, or none, and no journal says otherwise: nobody is started and nobody is stopped on that alone.</summary>
    private static IReadOnlyList<GuestStep> ForPlacedElsewhere(GuestView view, VirtualMachineInstance instance)
    {
        if (view.Machine is null || view.IsRefused)
        {
            return [];
        }

        var where = string.IsNullOrEmpty(instance.Status.NodeName) ? "no node" : $"node {instance.Status.NodeName}";
        return
        [
            new GuestStep.Report(
                IsWarning: true,
                "OwnerUnclear",
                $"The API places the guest on {where}, but {view.Node} holds a machine of it ({view.Machine.RunState}) and no record of a move. "
                + "Nothing is done to it; an operator must say which copy is the guest."),
        ];
    }

    private static List<GuestStep> ForDeleted(GuestView view, VirtualMachineInstance instance)
    {
        switch (view.Machine)
        {
            case { RunState: MachineRunState.Running or MachineRunState.Paused }:
                return [new GuestStep.ShutDown(GraceOf(instance))];
            case { RunState: MachineRunState.Incoming or MachineRunState.PostMigrate } when view.Record is not (Incarnation.Suspending or Incarnation.Suspended):
                return []; // Left by a move whose journal is about to say what it is.
        }

        var steps = new List<GuestStep>();
        var outcome = (view.Record as Incarnation.Ended)?.Outcome
            ?? new GuestOutcome(Succeeded: true, "Stopped", "The guest was stopped because it was deleted.");
        if (view.Record is not (null or Incarnation.Ended))
        {
            steps.Add(new GuestStep.RecordEnd(outcome));
        }

        if (!VirtualMachineInstancePhases.IsFinal(instance.Status.Phase))
        {
            steps.AddRange(Publish(view, instance, GuestStatus.Over(view, instance, outcome)));
        }

        if (view.Machine is not null)
        {
            steps.Add(new GuestStep.Remove());
        }

        if (instance.Metadata.Finalizers.Contains(FinalizerNames.Agent))
        {
            steps.Add(new GuestStep.ReleaseObject());
        }

        return steps;
    }

    private static IReadOnlyList<GuestStep> ForWanted(GuestView view, VirtualMachineInstance instance)
    {
        if (view.Record is Incarnation.Ended ended)
        {
            return ForEnded(view, instance, ended.Outcome);
        }

        if (VirtualMachineInstancePhases.IsFinal(instance.Status.Phase))
        {
            // Over by somebody's word other than ours (the node was declared lost, say): the API wins, the guest stops.
            return view.Machine is { } machine && IsAlive(machine) ? [new GuestStep.ShutDown(GraceOf(instance))] : [];
        }

        if (ForSuspended(view, instance) is { } suspended)
        {
            return suspended;
        }

        return view.Machine switch
        {
            null => ForNoMachine(view, instance),
            { RunState: MachineRunState.Running or MachineRunState.Paused } => ForRunning(view, instance),
            { RunState: MachineRunState.Created } => ForCreated(view, instance),
            { RunState: MachineRunState.Shutdown } => End(view, instance, new GuestOutcome(true, "GuestShutdown", "The guest shut itself down.")),
            { RunState: MachineRunState.Crashed, Reason: var why } => End(view, instance, new GuestOutcome(false, "GuestCrashed", $"The guest crashed: {why}")),
            { RunState: MachineRunState.Gone, Reason: var why } => End(view, instance, new GuestOutcome(false, "MachineGone", $"The guest's QEMU ended: {why}")),
            _ => [],
        };
    }

    private static List<GuestStep> ForEnded(GuestView view, VirtualMachineInstance instance, GuestOutcome outcome)
    {
        var steps = Publish(view, instance, GuestStatus.Over(view, instance, outcome));
        if (view.Machine is { RunState: not MachineRunState.Gone })
        {
            steps.Add(new GuestStep.EndProcess());
        }

        return steps;
    }

    private static IReadOnlyList<GuestStep> ForNoMachine(GuestView view, VirtualMachineInstance instance)
    {
        if (view.Record is null && view.Claim == HandoverClaim.None && instance.Status.Phase == VirtualMachineInstancePhases.Scheduled)
        {
            return Starting(view, instance);
        }

        return instance.Status.Phase is VirtualMachineInstancePhases.Scheduled or VirtualMachineInstancePhases.Running or VirtualMachineInstancePhases.Unknown
            ? End(view, instance, new GuestOutcome(false, "MachineLost", $"The guest ran on {view.Node}, and nothing of it is left there: the host or its disk was lost. It is not booted again under the same identity."))
            : [];
    }

    /// <summary>QEMU waits with the guest's first instruction; whatever the record says, nothing has run.</summary>
    private static IReadOnlyList<GuestStep> ForCreated(GuestView view, VirtualMachineInstance instance) =>
        view.Record is Incarnation.Started && instance.Spec.StartStrategy == GuestStatus.StartPaused
            ? ForRunning(view, instance)
            : IsPlacedHere(view, instance) ? Starting(view, instance)
            : [];

    private static List<GuestStep> ForRunning(GuestView view, VirtualMachineInstance instance)
    {
        var steps = new List<GuestStep>();
        if (view.Record is null && HasRun(view.Machine!))
        {
            steps.Add(new GuestStep.RecordStart());
        }

        if (!IsClaimed(view, instance))
        {
            steps.Add(new GuestStep.ClaimObject());
        }

        var status = GuestStatus.Alive(view, instance);
        if (instance.Status.Phase != VirtualMachineInstancePhases.Running)
        {
            steps.Add(new GuestStep.Report(IsWarning: false, "Started", $"The guest runs on {view.Node}."));
        }

        steps.AddRange(Publish(view, instance, status));
        return steps;
    }

    private static List<GuestStep> End(GuestView view, VirtualMachineInstance instance, GuestOutcome outcome)
    {
        List<GuestStep> steps =
        [
            new GuestStep.RecordEnd(outcome),
            new GuestStep.Report(!outcome.Succeeded, outcome.Reason, outcome.Message),
            .. Publish(view, instance, GuestStatus.Over(view, instance, outcome)),
        ];
        if (view.Machine is { RunState: not MachineRunState.Gone })
        {
            steps.Add(new GuestStep.EndProcess());
        }

        return steps;
    }

    private static IReadOnlyList<GuestStep> Starting(GuestView view, VirtualMachineInstance instance) =>
        view.StartNotBefore > view.Now || view.IsFetching ? [] : Claimed(view, instance, new GuestStep.Start());

    private static IReadOnlyList<GuestStep> Claimed(GuestView view, VirtualMachineInstance instance, GuestStep step) =>
        IsClaimed(view, instance) ? [step] : [new GuestStep.ClaimObject(), step];

    private static bool IsClaimed(GuestView view, VirtualMachineInstance instance) =>
        instance.Metadata.Finalizers.Contains(FinalizerNames.Agent)
        && instance.Metadata.Labels.GetValueOrDefault(LabelNames.NodeName) == view.Node.Value;

    private static List<GuestStep> Publish(GuestView view, VirtualMachineInstance instance, VirtualMachineInstanceStatus status) =>
        GuestStatus.SaysTheSame(instance.Status, status) ? [] : [new GuestStep.PublishStatus(status)];

    private static TimeSpan GraceOf(VirtualMachineInstance instance) =>
        (instance.Metadata.DeletionGracePeriodSeconds ?? instance.Spec.TerminationGracePeriodSeconds) is { } seconds ? TimeSpan.FromSeconds(Math.Clamp(seconds, 0, 86_400)) : DefaultGrace;
}
