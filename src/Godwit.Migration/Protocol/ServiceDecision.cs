namespace Godwit.Migration.Protocol;

/// <summary>
/// What was decided for all guests of a service at once: one record in the API, written once. A word that was read holds
/// for ever, so it does not matter how old it is.
/// </summary>
public enum ServiceDecision
{
    Undecided,

    /// <summary>Every member was ready: each runs at its target.</summary>
    RunAll,

    /// <summary>Each stays at its source. Final as the other: no member may be ordered to run any more.</summary>
    ReturnAll,

    /// <summary>There is no such record any more: its object was removed by force. Nobody can be asked.</summary>
    Missing,
}
