using Godwit.Machines;

namespace Godwit.Node.Guests;

/// <summary>
/// What this host remembers of one incarnation of a guest, on disk, so that a guest boots once and no more:
/// <code>
/// (nothing) ─▶ Started ─▶ Ended ─▶ (forgotten, once the object is gone)
///                │   ▲
///   is paused    ▼   │ runs
///          Suspending ──▶ Suspended ──▶ Resuming ──▶ Started
///                 file whole, on disk   loaded, before "cont"
///   who is the guest:
///          its QEMU       the file      the QEMU that loaded it
/// </code>
/// <see cref="Started"/> is written before the guest's CPUs run for the first time. Whoever finds it never boots that
/// incarnation again, whatever the API and the process table say. <see cref="Suspended"/> is written when the file is whole,
/// before the QEMU that wrote it ends; <see cref="Resuming"/> when another QEMU has loaded it, before that lets the guest
/// run. So at each moment one of the two is the guest, and a file is used once: whatever QEMU is found beside a
/// <see cref="Suspended"/> has not run since the file was written.
/// </summary>
internal abstract record Incarnation
{
    private Incarnation(MachineId id, string guestNamespace, string guestName)
    {
        Id = id;
        GuestNamespace = guestNamespace;
        GuestName = guestName;
    }

    public MachineId Id { get; }

    public string GuestNamespace { get; }

    public string GuestName { get; }

    public sealed record Started(MachineId Id, string GuestNamespace, string GuestName) : Incarnation(Id, GuestNamespace, GuestName);

    /// <summary>Its QEMU still has it, and is about to write it into a file, or does.</summary>
    public sealed record Suspending(MachineId Id, string GuestNamespace, string GuestName) : Incarnation(Id, GuestNamespace, GuestName);

    /// <summary>It is the file in its machine's folder, and no QEMU may run it before <see cref="Resuming"/> is written.</summary>
    public sealed record Suspended(MachineId Id, string GuestNamespace, string GuestName, long StateBytes) : Incarnation(Id, GuestNamespace, GuestName);

    /// <summary>The QEMU that has loaded it has it, and is to let it run. The file is used up.</summary>
    public sealed record Resuming(MachineId Id, string GuestNamespace, string GuestName) : Incarnation(Id, GuestNamespace, GuestName);

    /// <summary>It ran, or could not be run, and is over.</summary>
    public sealed record Ended(MachineId Id, string GuestNamespace, string GuestName, GuestOutcome Outcome) : Incarnation(Id, GuestNamespace, GuestName);
}

/// <summary>How an incarnation ended.</summary>
/// <param name="Succeeded">The guest shut down by itself or was stopped as asked; else it failed.</param>
/// <param name="Reason">One word for programs.</param>
/// <param name="Message">A sentence for people.</param>
internal sealed record GuestOutcome(bool Succeeded, string Reason, string Message);
