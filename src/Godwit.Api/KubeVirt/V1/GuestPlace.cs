namespace Godwit.Api.KubeVirt.V1;

/// <summary>
/// Where a guest is, as far as the API can tell. <c>status.nodeName</c> is written by the agent that owns the guest, so after a move it names the old source until the target's agent says its first word, and that
/// may be late: it was restarted, or cannot reach the server. The source has nothing of the guest by then.
/// <code>
///   nodeName          source ────────────────────────────────────────────────▶ target
///   migrationState    of an earlier move ─▶ under way ─▶ completed ──────────────────
///                                           │ noted by the   │ the guest is the target's   │ the target's first word
///                                           │ source before  └──── unclaimed ──────────────┘
///                                           │ it begins
/// </code>
/// The guest's own <c>status.migrationState</c> tells of it, and no order of several moves by time is needed: it names the last that was begun, and names it until that has ended and its target has spoken.
/// </summary>
public static class GuestPlace
{
    /// <summary>The guest's last move, if it left the guest with its target and the target's agent has not said so yet; null where <c>status.nodeName</c> holds.</summary>
    /// <param name="guest">The guest.</param>
    /// <param name="moves">Moves, the guest's among them: how one ended stands there before it stands on the guest, and on the guest alone when its object is gone.</param>
    public static MigrationState? Unclaimed(VirtualMachineInstance guest, IEnumerable<VirtualMachineInstanceMigration> moves)
    {
        if (guest.Status.MigrationState is not { MigrationUid: { Length: > 0 } uid, TargetNode: { Length: > 0 } target, Failed: not true } last || target == guest.Status.NodeName)
        {
            return null;
        }

        var isOver = moves.FirstOrDefault(move => move.Metadata.Uid == uid) is { } known ? known.Status.Phase == MigrationPhases.Succeeded : last.Completed == true;
        return isOver ? last : null;
    }

    /// <summary>The node that has the guest; null or empty while it has none.</summary>
    public static string? NodeOf(VirtualMachineInstance guest, IEnumerable<VirtualMachineInstanceMigration> moves) =>
        Unclaimed(guest, moves)?.TargetNode ?? guest.Status.NodeName;

    /// <summary>Whether the guest's object says that a move is under way of which it does not know the end.</summary>
    public static bool IsSaidToMove(VirtualMachineInstance guest) => guest.Status.MigrationState is { Completed: not true, Failed: not true };
}
