using Godwit.Api.KubeVirt.V1;

namespace Godwit.Node.Guests;

/// <summary>One thing to do for a guest. Each may be done twice without harm; a plan that is cut short is made anew.</summary>
internal abstract record GuestStep
{
    private GuestStep()
    {
    }

    /// <summary>Puts our finalizer and node label on the object, so that it cannot vanish while its machine exists.</summary>
    public sealed record ClaimObject : GuestStep;

    /// <summary>Makes disks, tap and names, starts QEMU, writes the start record, lets the guest run; or begins to fetch the images that this takes.</summary>
    public sealed record Start : GuestStep;

    /// <summary>Writes the start record of a guest that was found to have run.</summary>
    public sealed record RecordStart : GuestStep;

    public sealed record RecordEnd(GuestOutcome Outcome) : GuestStep;

    /// <summary>Asks the guest to shut down and ends its process after the grace. Goes on in the background; a shorter grace replaces a longer one.</summary>
    public sealed record ShutDown(TimeSpan Grace) : GuestStep;

    /// <summary>Pauses the guest and writes it into a file, in the background; at its end the file is the guest, or the guest stands still as it was found.</summary>
    public sealed record Suspend : GuestStep;

    /// <summary>Lets a guest run again that was to be suspended and is still its QEMU's.</summary>
    public sealed record CallOffSuspend : GuestStep;

    /// <summary>Loads a suspended guest into a new QEMU, in the background, and lets it run.</summary>
    public sealed record Wake : GuestStep;

    /// <summary>Ends the process of a guest that runs no longer, so that its memory is free; its log stays.</summary>
    public sealed record EndProcess : GuestStep;

    /// <summary>Removes all that the host keeps for the guest, but the record.</summary>
    public sealed record Remove : GuestStep;

    public sealed record ForgetRecord : GuestStep;

    /// <summary>Takes our finalizer off: the object may go.</summary>
    public sealed record ReleaseObject : GuestStep;

    public sealed record PublishStatus(VirtualMachineInstanceStatus Status) : GuestStep;

    /// <summary>An event for people.</summary>
    public sealed record Report(bool IsWarning, string Reason, string Message) : GuestStep;

    /// <summary>Asks a running move to end first.</summary>
    public sealed record EndMove(string Reason) : GuestStep;
}
