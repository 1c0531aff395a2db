namespace Godwit.Migration.Protocol;

/// <summary>What a guest of a service has told of itself. It rises until the guest is ready; the last may follow at any time.</summary>
public enum ServiceStanding
{
    /// <summary>Its target prepares, or its memory is being copied.</summary>
    Coming,

    /// <summary>In its last rounds, or beyond them: it can be stopped.</summary>
    Gathered,

    /// <summary>All of it has arrived; it stands still, can be run there and be resumed here.</summary>
    Ready,

    /// <summary>It wants all to return, or has returned already.</summary>
    Returns,
}

/// <summary>A guest of a service, and why it returns if it does.</summary>
public readonly record struct ServiceMember(ServiceStanding Standing, string Reason)
{
    /// <summary>What a source's engine has to say; nothing (null) while it asks how things stand, after a restart.</summary>
    public static ServiceMember? Of(SourcePhase phase) => phase switch
    {
        SourcePhase.Awaiting { ReturnReason: { } reason } => new(ServiceStanding.Returns, reason),
        SourcePhase.Awaiting { IsReady: true } => new(ServiceStanding.Ready, ""),
        SourcePhase.Awaiting => null,
        SourcePhase.Gathering or SourcePhase.EndingRounds or SourcePhase.FinishingDisks or SourcePhase.SwitchingOver => new(ServiceStanding.Gathered, ""),
        SourcePhase.TurningBack { Reason.Text: var text } => new(ServiceStanding.Returns, text),
        SourcePhase.Fencing { Reason.Text: var text } => new(ServiceStanding.Returns, text),
        SourcePhase.Aborted { Reason.Text: var text } => new(ServiceStanding.Returns, text),
        SourcePhase.GuestLost lost => new(ServiceStanding.Returns, lost.Describe()),
        SourcePhase.Activating or SourcePhase.Completing or SourcePhase.Completed => new(ServiceStanding.Ready, ""),
        _ => new(ServiceStanding.Coming, ""),
    };
}

/// <summary>
/// The one record that decides for all guests of a service (docs/decisions/0008, 0013). Its keeper alone writes it, by
/// compare-and-swap, each time from what the members have told last:
/// <code>
///  coming ── all gathered ──▶ switching over ── all ready ──▶ RunAll
///     └───── one returns, or the time is over ─────┴────────▶ ReturnAll
/// </code>
/// What a member told may be old: that it is ready stays true until the record says what becomes of it, and that it
/// returns stays true for ever. Pure; a word once decided is never another.
/// </summary>
public sealed record ServiceRecord
{
    public static ServiceRecord New { get; } = new();

    public ServiceDecision Decision { get; init; }

    public string Reason { get; init; } = "";

    /// <summary>When all were told to stop their guests; null: not yet.</summary>
    public DateTimeOffset? SwitchoverOrderedAt { get; init; }

    /// <summary>The record as it is to be written; itself when nothing changes.</summary>
    /// <param name="members">All of them, at least one.</param>
    /// <param name="beganAt">When the first of the moves was begun.</param>
    public ServiceRecord Next(IReadOnlyCollection<ServiceMember> members, DateTimeOffset beganAt, ServicePatience patience, DateTimeOffset now)
    {
        ArgumentOutOfRangeException.ThrowIfZero(members.Count);
        if (Decision != ServiceDecision.Undecided)
        {
            return this;
        }

        if (members.All(member => member.Standing == ServiceStanding.Ready))
        {
            return this with { Decision = ServiceDecision.RunAll, Reason = "every guest has arrived" };
        }

        if (members.Where(member => member.Standing == ServiceStanding.Returns).Select(member => member.Reason).FirstOrDefault() is { } reason)
        {
            return Return(reason);
        }

        return SwitchoverOrderedAt switch
        {
            null when members.All(member => member.Standing is ServiceStanding.Gathered or ServiceStanding.Ready) => this with { SwitchoverOrderedAt = now },
            null when now - beganAt > patience.Gathering => Return($"not all guests came to their last rounds within {patience.Gathering.TotalSeconds:0} s"),
            { } since when now - since > patience.Switchover => Return($"not all guests were ready within {patience.Switchover.TotalSeconds:0} s after they were stopped"),
            _ => this,
        };
    }

    /// <summary>All return, unless it was decided otherwise before.</summary>
    public ServiceRecord Return(string reason) => Decision == ServiceDecision.Undecided ? this with { Decision = ServiceDecision.ReturnAll, Reason = reason } : this;

    /// <summary>When time alone changes the record; null: never.</summary>
    public DateTimeOffset? DueAt(DateTimeOffset beganAt, ServicePatience patience) =>
        Decision != ServiceDecision.Undecided ? null : SwitchoverOrderedAt is { } since ? since + patience.Switchover : beganAt + patience.Gathering;
}

/// <summary>How long the record's keeper waits for all members.</summary>
public sealed record ServicePatience
{
    /// <summary>From the begin until all are in their last rounds: their guests run meanwhile.</summary>
    public TimeSpan Gathering { get; init; } = TimeSpan.FromMinutes(30);

    /// <summary>From the order to stop until all are ready: longer than a member's own patience, so that the one that failed says why.</summary>
    public TimeSpan Switchover { get; init; } = TimeSpan.FromSeconds(8);
}
