extern alias agent;

using agent::Godwit.Node.Guests;
using Godwit.Machines;

namespace Godwit.Controllers.Tests.Simulation;

/// <summary>A QEMU of a host.</summary>
internal sealed record GuestMachine(ResourceKey Guest, MachineRunState State);

/// <summary>
/// How far a move is, as the source's disk has it. Who owns the guest follows from that and from the target's disk (<see cref="ArrivalStage"/>), as in docs/migration.md:
/// <code>
///   Preparing ─▶ Copying ─▶ Stopped ══ written down ══▶ Ordered ─▶ Completing    (the target has it)
///       └───────────┴──────────┴──▶ TurningBack            │  └───▶ Losing        (nobody has it)
///                                       ▲      "refused"   │
///                                       └──────────────────┘
/// </code>
/// </summary>
internal enum MoveStage
{
    Preparing,
    Copying,

    /// <summary>The guest stands still here, and the target was not told to run it.</summary>
    Stopped,

    /// <summary>The target may have been told to run it: nothing but its word leads back.</summary>
    Ordered,
    TurningBack,
    Completing,
    Losing,
}

/// <summary>What the target's disk says of a move.</summary>
internal enum ArrivalStage
{
    Arriving,

    /// <summary>It may run the guest, and may have begun to.</summary>
    Granted,
    Finished,

    /// <summary>It never ran the guest, and never will.</summary>
    Refused,

    /// <summary>It may have run it, and nothing is left of it.</summary>
    Lost,
}

internal sealed record OutgoingGuest(string Uid, ResourceKey Guest, string MoveUid, ResourceKey Move, string Target, MoveStage Stage);

internal sealed record ArrivingGuest(string Uid, ResourceKey Guest, ArrivalStage Stage);

/// <summary>What one host holds of guests: QEMUs, which go with its power, and what its agent has written down, which stays.</summary>
internal sealed class GuestHost(string node)
{
    public string Node { get; } = node;

    /// <summary>Until then the agent's requests do not reach the server, though it is heard of, and other agents reach it.</summary>
    public DateTimeOffset MuteUntil { get; set; }

    /// <summary>By the uid of the incarnation.</summary>
    public SortedDictionary<string, GuestMachine> Machines { get; } = new(StringComparer.Ordinal);

    /// <summary>By the uid of the incarnation.</summary>
    public SortedDictionary<string, Incarnation> Records { get; } = new(StringComparer.Ordinal);

    /// <summary>Moves from here that have not ended, by their uid.</summary>
    public SortedDictionary<string, OutgoingGuest> Outgoing { get; } = new(StringComparer.Ordinal);

    /// <summary>Moves to here, by their uid.</summary>
    public SortedDictionary<string, ArrivingGuest> Incoming { get; } = new(StringComparer.Ordinal);

    /// <summary>How the last move ended that made this host the owner or gave the guest away, by the uid of the incarnation.</summary>
    public SortedDictionary<string, HandoverClaim> Ends { get; } = new(StringComparer.Ordinal);

    /// <summary>Incarnations of which the last that is known here is that their arrival was refused.</summary>
    public HashSet<string> Refused { get; } = new(StringComparer.Ordinal);

    /// <summary>A move under way decides; else the newest end does.</summary>
    public HandoverClaim ClaimOn(string uid) =>
        Outgoing.Values.Any(move => move.Uid == uid) ? HandoverClaim.Moving
        : Incoming.Values.Any(arrival => arrival.Uid == uid && arrival.Stage is ArrivalStage.Arriving or ArrivalStage.Granted) ? HandoverClaim.Arriving
        : Ends.GetValueOrDefault(uid, HandoverClaim.None);

    public void Put(string uid, MachineRunState state) => Machines[uid] = Machines[uid] with { State = state };
}
