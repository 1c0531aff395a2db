using Godwit.Api.KubeVirt.V1;
using Godwit.Machines;

namespace Godwit.Node.Guests;

/// <content>
/// Guests that lie in a file, or are to. <see cref="Incarnation"/> opens with who the guest is at each moment; a wish is
/// the annotation on its object, and is looked at anew after each step.
/// <code>
///                 wished                                 not wished (any more)
///  Started        Suspend                                —
///  Suspending     Suspend again, from where it is        CallOffSuspend: the QEMU lets it run again
///  Suspended      end whatever QEMU is there             Wake: load, write Resuming, run
///  Resuming       Wake: run; then as Started             Wake: run
/// </code>
/// </content>
internal static partial class GuestPlan
{
    /// <summary>Null: the guest is not suspended, nor to be.</summary>
    private static List<GuestStep>? ForSuspended(GuestView view, VirtualMachineInstance instance)
    {
        var isWished = GuestStatus.IsToBeSuspended(instance);
        if (view.IsBetween)
        {
            return []; // It tells when it is through.
        }

        return (view.Record, view.Machine) switch
        {
            // Who let it run knew that the file is no guest any more: a guest that runs is never ended for a file.
            (Incarnation.Suspended, { RunState: MachineRunState.Running }) => [new GuestStep.RecordStart()],
            (Incarnation.Suspended suspended, _) => ForFile(view, instance, suspended, isWished),
            (Incarnation.Suspending or Incarnation.Resuming, null or { RunState: MachineRunState.Gone or MachineRunState.Crashed or MachineRunState.Shutdown }) => null,
            (Incarnation.Suspending, _) when !isWished => [new GuestStep.CallOffSuspend()],
            (Incarnation.Suspending, _) => IsTooEarly(view) ? [.. Publish(view, instance, GuestStatus.Alive(view, instance))] : [new GuestStep.Suspend()],
            (Incarnation.Resuming, _) => [new GuestStep.Wake()],
            (Incarnation.Started, { RunState: MachineRunState.Running or MachineRunState.Paused }) when isWished && IsClaimed(view, instance) && IsPlacedHere(view, instance) =>
                IsTooEarly(view) ? null : [new GuestStep.Suspend()],
            _ => null,
        };
    }

    private static List<GuestStep> ForFile(GuestView view, VirtualMachineInstance instance, Incarnation.Suspended suspended, bool isWished)
    {
        var steps = new List<GuestStep>();
        if (view.Machine is { RunState: not MachineRunState.Gone })
        {
            steps.Add(new GuestStep.EndProcess()); // Of the QEMU that wrote the file, or of one that had loaded it when its agent ended.
        }

        if (!isWished && !IsTooEarly(view))
        {
            steps.Add(new GuestStep.Wake());
        }
        else
        {
            steps.AddRange(Publish(view, instance, GuestStatus.Suspended(view, instance, suspended.StateBytes)));
        }

        return steps;
    }

    private static bool IsTooEarly(GuestView view) => view.StartNotBefore > view.Now;
}
