using Godwit.Machines;

namespace Godwit.Node.Guests;

/// <summary>What the migration journal of this host says about one machine.</summary>
internal enum HandoverClaim
{
    /// <summary>No move ever touched it here: it belongs to the node that started it.</summary>
    None,

    /// <summary>A move ended with this host as the owner: it arrived, or it stayed.</summary>
    Owner,

    /// <summary>It is being moved away. The move decides what happens to it; nobody else starts, stops or removes it.</summary>
    Moving,

    /// <summary>It is being moved here and has not run here. The move decides, as above.</summary>
    Arriving,

    /// <summary>It was given to another host. This copy never runs again; the move removes it.</summary>
    HandedOver,
}

/// <summary>
/// The migration journal as the rest of the agent sees it. It is asked before anything is done to a machine, because the
/// API may lag behind: the journal is written before the guest changes hands, the API after.
/// </summary>
internal interface IHandoverRecords
{
    HandoverClaim ClaimOn(MachineId id);

    /// <summary>The last that is known here of a guest is that its arrival was refused: a machine of it is what that move left, never ran, and is being removed by the move.</summary>
    bool IsRefused(MachineId id);

    /// <summary>Asks a running move of this machine to end, because its object is being deleted. Returns at once.</summary>
    void RequestEnd(MachineId id, string reason);

    /// <summary>Calls back after a claim has changed. The callback only notes it.</summary>
    void Subscribe(Action<MachineId> claimChanged);
}
