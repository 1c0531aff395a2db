using Godwit.Api.Forecasts.V1Alpha1;
using Godwit.Api.Migrations.V1Alpha1;
using Godwit.Migration;
using Godwit.Migration.Convergence;
using Godwit.Migration.Protocol;

namespace Godwit.Node.Migrations;

/// <summary>What is asked of a move, before it is known how the hosts are.</summary>
internal sealed record MoveWish
{
    public required string Mode { get; init; }

    public required MigrationPolicySpec Policy { get; init; }

    public required long MemoryBytes { get; init; }

    /// <summary>The guest is one of a service.</summary>
    public bool IsOfService { get; init; }

    /// <summary>Why this pair of hosts cannot do post-copy; null: it can.</summary>
    public string? PostcopyObstacle { get; init; }
}

/// <summary>How a move is going to be made: for the engine, and for both QEMUs.</summary>
internal sealed record MoveDesign(MigrationMode Mode, ConvergenceSettings Convergence, StreamSettings Stream)
{
    public MigrationPlan ToPlan(MoveId id, NodeName source, OutgoingRoute route) => new()
    {
        Id = id,
        Source = new(source.Value),
        Target = new(route.Target.Node.Value),
        Mode = Mode,
        Convergence = Convergence,
        BandwidthBytesPerSecond = Stream.BandwidthBytesPerSecond,
        PostcopyOpen = Stream.Postcopy,
        MovesDisks = route.Preparation.Disks.Count > 0,
        IsOfService = route.Preparation.Service is not null,
    };
}

/// <summary>Chooses by mode and policy; pure.</summary>
internal static class MovePlanner
{
    public const double DowntimeBudgetMsDefault = 300;

    /// <summary>A move that takes longer than this for each GiB is ended by the rule Deadline. KubeVirt's default.</summary>
    public const long SecondsPerGiBDefault = 150;

    private const double GiB = 1L << 30;

    /// <summary>The design, or why there is none for this wish.</summary>
    public static (MoveDesign? Design, string? Refusal) Design(MoveWish wish)
    {
        MigrationMode? known = wish.Mode switch
        {
            MigrationModes.Auto or "" => MigrationMode.Auto,
            MigrationModes.Cold => MigrationMode.Cold,
            MigrationModes.Precopy => MigrationMode.Precopy,
            MigrationModes.Postcopy => MigrationMode.Postcopy,
            MigrationModes.Hybrid => MigrationMode.Hybrid,
            _ => null,
        };
        if (known is not { } mode)
        {
            return (null, $"the mode '{wish.Mode}' is not known: it is one of auto, cold, precopy, postcopy, hybrid");
        }

        if (wish.IsOfService && mode is not (MigrationMode.Auto or MigrationMode.Precopy))
        {
            return (null, $"a guest that is one of a service moves by pre-copy, not by {wish.Mode}: one that runs at its target before the others are there could not return");
        }

        mode = wish.IsOfService ? MigrationMode.Precopy : mode;
        var obstacle = wish.Policy.AllowPostCopy == false ? "the migration policy forbids it" : wish.PostcopyObstacle;
        if (mode is MigrationMode.Postcopy or MigrationMode.Hybrid && obstacle is not null)
        {
            return (null, $"post-copy is not possible here: {obstacle}");
        }

        // In auto the later choice stays open: what is not switched on before the start cannot be used at all.
        var postcopy = mode is MigrationMode.Postcopy or MigrationMode.Hybrid || (mode == MigrationMode.Auto && obstacle is null);
        var budget = Budget(wish.Policy, postcopy, wish.MemoryBytes);
        var slows = !postcopy && mode != MigrationMode.Cold && SlowsGuest(wish.Policy);
        var convergence = budget.ApplyTo(new ConvergenceSettings { OnePassOnly = mode == MigrationMode.Postcopy, SlowsGuest = slows });
        var stream = new StreamSettings
        {
            Postcopy = postcopy,
            AutoConverge = slows,
            Direct = wish.Policy.Godwit?.Transport == MigrationTransports.Direct,
            BandwidthBytesPerSecond = budget.BandwidthBytesPerSecond,
            DowntimeLimitMs = wish.IsOfService ? ServicePace.DowntimeLimitMs : convergence.DowntimeLimitFirstMs,
        };
        return (new(mode, convergence, stream), null);
    }

    /// <summary>What a move may cost by this policy, also one that is changed while the move runs.</summary>
    /// <param name="policy">With the move's own wishes in it.</param>
    /// <param name="postcopy">The stream was opened, or is going to be opened, so that post-copy can follow.</param>
    /// <param name="memoryBytes">The guest's.</param>
    public static MoveBudget Budget(MigrationPolicySpec policy, bool postcopy, long memoryBytes) => new()
    {
        DowntimeBudgetMs = policy.Godwit?.DowntimeLimitMs ?? DowntimeBudgetMsDefault,
        Action = ActionFor(policy, postcopy),
        Termination = TerminationFor(policy, memoryBytes),
        BandwidthBytesPerSecond = policy.BandwidthPerMigration?.ToInt64() ?? 0,
    };

    /// <summary>The policy lets a guest that writes too much be slowed down.</summary>
    public static bool SlowsGuest(MigrationPolicySpec policy) => policy.AllowAutoConverge == true || policy.Godwit?.OnNotConverging == NotConvergingActions.AutoConverge;

    private static NonConvergenceAction ActionFor(MigrationPolicySpec policy, bool postcopy) => policy.Godwit?.OnNotConverging switch
    {
        NotConvergingActions.GiveUp => NonConvergenceAction.GiveUp,
        NotConvergingActions.SwitchOver => NonConvergenceAction.SwitchOver,
        _ => postcopy ? NonConvergenceAction.Postcopy : NonConvergenceAction.SwitchOver,
    };

    private static TerminationSettings TerminationFor(MigrationPolicySpec policy, long memoryBytes)
    {
        var usual = new TerminationSettings();
        var seconds = (policy.CompletionTimeoutPerGiB ?? SecondsPerGiBDefault) * Math.Max(1, memoryBytes / GiB);
        return new()
        {
            RoundsMax = policy.Godwit?.RoundsMax ?? usual.RoundsMax,
            CopiedFactorMax = policy.Godwit?.CopiedMemoryFactorMax ?? usual.CopiedFactorMax,
            ThresholdBytes = policy.Godwit?.ThresholdBytes ?? usual.ThresholdBytes,
            Deadline = TimeSpan.FromSeconds(Math.Clamp(seconds, 1, TimeSpan.FromDays(7).TotalSeconds)),
        };
    }
}
