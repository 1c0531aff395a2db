using Godwit.Migration.Convergence;

namespace Godwit.Migration.Protocol;

/// <summary>One attempt to move one guest. Every message, journal record and stream carries it; it is never used again.</summary>
public readonly record struct MoveId(Guid Value)
{
    public override string ToString() => Value.ToString("D");
}

/// <summary>A host by its node name.</summary>
public readonly record struct HostName(string Value)
{
    public override string ToString() => Value;
}

/// <summary>What was decided before the move began. Only what it may cost (<see cref="MoveBudget"/>) and what is expected of the guest changes while it runs.</summary>
public sealed record MigrationPlan
{
    public required MoveId Id { get; init; }

    public required HostName Source { get; init; }

    public required HostName Target { get; init; }

    public required MigrationMode Mode { get; init; }

    public ConvergenceSettings Convergence { get; init; } = new();

    /// <summary>What memory, and what disks, may take of the link, in bytes per second; zero: all of it.</summary>
    public long BandwidthBytesPerSecond { get; init; }

    public PatienceSettings Patience { get; init; } = new();

    /// <summary>The stream was opened so that post-copy can follow: it cannot be switched on later.</summary>
    public bool PostcopyOpen { get; init; }

    /// <summary>The guest has disks that the target does not see: they are copied first.</summary>
    public bool MovesDisks { get; init; }

    /// <summary>The guest is one of several that are one service: it is switched over with all of them, or stays with all of them.</summary>
    public bool IsOfService { get; init; }

    /// <summary>About as much of the guest's memory is not zero; null: not known.</summary>
    public double? ExpectedFirstPassBytes { get; init; }

    /// <summary>What QEMU is begun with: it stops the guest as soon as the rest fits that.</summary>
    public double DowntimeLimitFirstMs => IsOfService ? ServicePace.DowntimeLimitMs : Math.Min(Convergence.DowntimeLimitFirstMs, Convergence.DowntimeBudgetMs);

    /// <summary>
    /// The stream may begin before the target's QEMU listens. Not that of a guest that is stopped first, which would stand still for longer, nor one
    /// that follows disks, which only a QEMU can take, nor those of a service, which keep step, nor one that is so small that all of it would be held back.
    /// </summary>
    internal bool OpensEarly => Mode != MigrationMode.Cold && !MovesDisks && !IsOfService && !(ExpectedFirstPassBytes <= OpeningPace.ReserveBytesMin);

    /// <summary>The plan as it is after an agent's restart: only who and where; what was left of the rounds is gone.</summary>
    public static MigrationPlan Resumed(MoveId id, HostName source, HostName target, PatienceSettings patience, bool postcopyOpen = false, bool isOfService = false, long bandwidthBytesPerSecond = 0) => new()
    {
        Id = id,
        Source = source,
        Target = target,
        Mode = MigrationMode.Auto,
        Patience = patience,
        PostcopyOpen = postcopyOpen,
        IsOfService = isOfService,
        BandwidthBytesPerSecond = bandwidthBytesPerSecond,
    };
}

/// <summary>
/// How long things are waited for. None of them decides who owns the guest: each ends in turning back while the source
/// owns it, or in asking again once it may not.
/// </summary>
public sealed record PatienceSettings
{
    /// <summary>For the target to be ready.</summary>
    public TimeSpan Preparation { get; init; } = TimeSpan.FromSeconds(90);

    /// <summary>Without one byte moved while the guest runs on the source; QEMU itself never notices a dead link.</summary>
    public TimeSpan Progress { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Without any progress while disks are copied; longer than for memory, because a target that flushes is silent.</summary>
    public TimeSpan Disks { get; init; } = TimeSpan.FromSeconds(20);

    /// <summary>Standing still for a target that is not ready: more than that the move is not worth, unless its policy lets the guest stand still for longer.</summary>
    public TimeSpan Unready { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>Without any step forward while the guest stands still on the source.</summary>
    public TimeSpan Switchover { get; init; } = TimeSpan.FromSeconds(4);

    /// <summary>In the last round, its guest running, for the other guests of a service to come so far.</summary>
    public TimeSpan Gathering { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>Ready and standing still, for what is decided for all guests of a service, before it asks that all return.</summary>
    public TimeSpan Decision { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Without one byte moved in post-copy, before the stream is stopped and opened anew.</summary>
    public TimeSpan Pull { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>First repetition of an order that has not been answered; doubled each time.</summary>
    public TimeSpan RepeatFirst { get; init; } = TimeSpan.FromMilliseconds(200);

    /// <summary>The longest time between two repetitions; there are as many as it takes.</summary>
    public TimeSpan RepeatMax { get; init; } = TimeSpan.FromSeconds(10);
}

/// <summary>Something asked for that has not been seen done: when to ask again. Time between repetitions doubles up to a bound.</summary>
public readonly record struct Repetition(DateTimeOffset DueAt, TimeSpan Interval)
{
    public static Repetition From(DateTimeOffset now, PatienceSettings patience) => new(now + patience.RepeatFirst, patience.RepeatFirst);

    public Repetition Next(DateTimeOffset now, PatienceSettings patience)
    {
        var interval = Interval * 2 < patience.RepeatMax ? Interval * 2 : patience.RepeatMax;
        return new(now + interval, interval);
    }
}
