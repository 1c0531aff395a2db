using Godwit.Machines;

namespace Godwit.Node.Guests;

/// <summary>
/// What this host remembers of one incarnation of a guest, on disk, so that a guest boots once and no more:
/// <code>
/// (nothing) ─▶ Started ─▶ Ended ─▶ (forgotten, once the object is gone)
/// </code>
/// <see cref="Started"/> is written before the guest's CPUs run for the first time. Whoever finds it never boots that
/// incarnation again, whatever the API and the process table say.
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

    /// <summary>It ran, or could not be run, and is over.</summary>
    public sealed record Ended(MachineId Id, string GuestNamespace, string GuestName, GuestOutcome Outcome) : Incarnation(Id, GuestNamespace, GuestName);
}

/// <summary>How an incarnation ended.</summary>
/// <param name="Succeeded">The guest shut down by itself or was stopped as asked; else it failed.</param>
/// <param name="Reason">One word for programs.</param>
/// <param name="Message">A sentence for people.</param>
internal sealed record GuestOutcome(bool Succeeded, string Reason, string Message);
