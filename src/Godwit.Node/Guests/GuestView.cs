using Godwit.Api.KubeVirt.V1;
using Godwit.Machines;

namespace Godwit.Node.Guests;

/// <summary>What the API says about a guest.</summary>
internal abstract record GuestObject
{
    private GuestObject()
    {
    }

    /// <summary>The server cannot be asked, or has not answered yet. Nothing follows from it: guests run on.</summary>
    public sealed record Unknown : GuestObject;

    /// <summary>The server was asked and has no object of this uid.</summary>
    public sealed record Absent : GuestObject;

    public sealed record Present(VirtualMachineInstance Instance) : GuestObject;
}

/// <summary>A machine as it stands on this host.</summary>
internal sealed record MachineView(MachineRunState RunState, string Reason, string MachineType);

/// <summary>All that a plan is made from: one guest, at one moment, on one host.</summary>
internal sealed record GuestView
{
    public required NodeName Node { get; init; }

    public required DateTimeOffset Now { get; init; }

    public required GuestObject Object { get; init; }

    /// <summary>Null when this host has no machine of this id.</summary>
    public MachineView? Machine { get; init; }

    /// <summary>Null when this host has never started it.</summary>
    public Incarnation? Record { get; init; }

    public HandoverClaim Claim { get; init; }

    /// <summary>Its arrival was refused here, and nothing is known of it since: the move removes what is left.</summary>
    public bool IsRefused { get; init; }

    /// <summary>After a start that failed: when the next may be tried; null: now.</summary>
    public DateTimeOffset? StartNotBefore { get; init; }

    /// <summary>What it is to be started from is being fetched.</summary>
    public bool IsFetching { get; init; }

    /// <summary>It is being written to its file, or loaded from it, now.</summary>
    public bool IsBetween { get; init; }

    /// <summary>Why it could not be suspended, or resumed, when that was last tried.</summary>
    public string? SuspensionTrouble { get; init; }

    /// <summary>Measured lately; null when it was not.</summary>
    public ResourceUsage? Usage { get; init; }
}
