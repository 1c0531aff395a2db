using Godwit.Migration.Convergence;
using Godwit.Migration.Protocol;

namespace Godwit.Simulation;

internal enum FaultKind
{
    CrashSource,
    CrashTarget,
    KillSourceQemu,
    KillTargetQemu,
    LoseSourceHost,
    LoseTargetHost,
    RebootSourceHost,
    RebootTargetHost,
    CutLink,
    ResetStream,
    FailSourceDisk,
    FailTargetDisk,
    Cancel,

    /// <summary>No fault, but as untimely: what the move may cost is another from now on.</summary>
    ChangeBudget,
}

/// <summary>One fault and when it strikes: a moment after a phase is entered, which finds every narrow window, or at a time.</summary>
internal sealed record Fault(FaultKind Kind, string? Phase, TimeSpan Delay);

/// <summary>What goes wrong in one run, drawn from its seed.</summary>
internal sealed class FaultPlan
{
    /// <summary>After this no new fault strikes, links and agents are back for good, and everything must come to its end.</summary>
    public static readonly TimeSpan Calm = TimeSpan.FromSeconds(40);

    /// <summary>No phase of an engine, but of QEMU: the end of post-copy, before the receipt of its last page.</summary>
    public const string LastPageSent = "qemu:LastPageSent";

    /// <summary>Every phase that a fault can wait for: all but the source's ends, after which nothing can go wrong.</summary>
    public static readonly string[] Phases =
    [
        "source:Recording", "source:Preparing", "source:Arming", "source:Precopying", "source:EndingRounds", "source:SwitchingOver",
        "source:Activating", "source:Postcopying", "source:Recovering", "source:TurningBack", "source:Fencing", "source:Completing", "source:Losing",
        "source:Reclaiming", "source:Asking", LastPageSent,
        "target:Recording", "target:Preparing", "target:Waiting", "target:Arrived", "target:Granting", "target:Starting",
        "target:Running", "target:Refusing", "target:Refused", "target:Completed", "target:Burying",
    ];

    /// <summary>The phases of those moves that take disks along.</summary>
    public static readonly string[] DiskPhases = ["source:Mirroring", "source:FinishingDisks"];

    /// <summary>The phases of those moves that are one service together.</summary>
    public static readonly string[] ServicePhases = ["source:Gathering", "source:Awaiting"];

    /// <summary>Where a changed budget can be obeyed, or just not any more.</summary>
    private static readonly string[] BudgetPhases =
    [
        "source:Preparing", "source:Arming", "source:Opening", "source:Precopying", "source:Precopying", "source:EndingRounds", "source:SwitchingOver", "source:Postcopying",
    ];

    private readonly World world;
    private readonly Simulation simulation;
    private readonly List<Fault> pending = [];

    public FaultPlan(World world, Simulation simulation)
    {
        this.world = world;
        this.simulation = simulation;
        FaultKind[] kinds = [.. Enum.GetValues<FaultKind>().Where(kind => kind != FaultKind.ChangeBudget)];
        var count = world.Random.Next(simulation.Member is null ? 5 : 3); // Of each member.
        string[] own = simulation.Member is null ? Phases : [.. Phases, .. ServicePhases, .. ServicePhases];
        string[] phases = simulation.MovesDisks ? [.. own, .. DiskPhases, .. DiskPhases] : own;
        for (var i = 0; i < count; i++)
        {
            var phase = world.Chance(0.8) ? phases[world.Random.Next(phases.Length)] : null;
            var delay = phase is null ? world.Between(0, 6000) : world.Chance(0.4) ? TimeSpan.Zero : world.Between(0, world.Chance(0.5) ? 10 : 300);
            pending.Add(new(kinds[world.Random.Next(kinds.Length)], phase, delay));
        }

        for (var changes = world.Chance(0.3) ? world.Random.Next(1, 4) : 0; changes > 0; changes--)
        {
            var phase = world.Chance(0.5) ? BudgetPhases[world.Random.Next(BudgetPhases.Length)] : null;
            pending.Add(new(FaultKind.ChangeBudget, phase, world.Between(0, phase is null ? 3000 : 300)));
        }
    }

    public bool SourceHostLost { get; private set; }

    public bool TargetHostLost { get; private set; }

    public void Start()
    {
        foreach (var fault in pending.Where(fault => fault.Phase is null).ToArray())
        {
            Arm(fault);
        }
    }

    /// <summary>Phases entered so far.</summary>
    public HashSet<string> Seen { get; } = [];

    public void Entered(string phase)
    {
        Seen.Add(phase);
        foreach (var fault in pending.Where(fault => fault.Phase == phase).ToArray())
        {
            Arm(fault);
        }
    }

    private void Arm(Fault fault)
    {
        pending.Remove(fault);
        world.After(fault.Delay, () =>
        {
            if (world.Elapsed < Calm)
            {
                world.Log("fault", () => $"{fault.Kind}");
                Strike(fault.Kind);
            }
        });
    }

    private void Strike(FaultKind kind)
    {
        switch (kind)
        {
            case FaultKind.CrashSource when !SourceHostLost:
                simulation.Source.Crash();
                world.After(world.Between(50, 8000), RestartSource);
                break;
            case FaultKind.CrashTarget when !TargetHostLost:
                simulation.Target.Crash();
                world.After(world.Between(50, 8000), RestartTarget);
                break;
            case FaultKind.KillSourceQemu:
                simulation.Machines.FaultKillSource();
                break;
            case FaultKind.KillTargetQemu:
                simulation.Machines.FaultKillTarget();
                break;
            case FaultKind.LoseSourceHost:
                SourceHostLost = true;
                LoseSource();
                break;
            case FaultKind.RebootSourceHost when !SourceHostLost:
                LoseSource();
                world.After(world.Between(2000, 15000), RestartSource);
                break;
            case FaultKind.LoseTargetHost:
                TargetHostLost = true;
                LoseTarget();
                break;
            case FaultKind.RebootTargetHost when !TargetHostLost:
                LoseTarget();
                world.After(world.Between(2000, 15000), RestartTarget);
                break;
            case FaultKind.CutLink:
                simulation.Network.Cut(world.Between(50, world.Chance(0.5) ? 2000 : 20000));
                break;
            case FaultKind.ResetStream:
                simulation.Machines.Break();
                break;
            case FaultKind.FailSourceDisk:
                simulation.Source.Disk.FailsNext = true;
                break;
            case FaultKind.FailTargetDisk:
                simulation.Target.Disk.FailsNext = true;
                break;
            case FaultKind.Cancel:
                simulation.Source.Input(new SourceInput.CancelRequested("asked to"));
                break;
            case FaultKind.ChangeBudget:
                simulation.Source.Input(new SourceInput.BudgetChanged(AnyBudget()));
                break;
        }
    }

    private MoveBudget AnyBudget() => new()
    {
        DowntimeBudgetMs = world.Between(1, world.Chance(0.5) ? 50 : 3000).TotalMilliseconds,
        Termination = new()
        {
            RoundsMax = world.Random.Next(1, 31),
            CopiedFactorMax = 1 + (world.Random.NextDouble() * 2),
            Deadline = world.Chance(0.3) ? world.Between(100, 20_000) : TimeSpan.MaxValue,
        },
        Action = (NonConvergenceAction)world.Random.Next(3),
        BandwidthBytesPerSecond = world.Chance(0.3) ? 0 : world.Random.Next(10_000_000, 200_000_000),
    };

    private void LoseSource()
    {
        simulation.Source.Crash();
        simulation.Machines.FaultKillSource();
    }

    private void LoseTarget()
    {
        simulation.Target.Crash();
        simulation.Machines.FaultLoseTargetHost();
    }

    private void RestartSource()
    {
        if (!SourceHostLost)
        {
            simulation.Source.Restart();
        }
    }

    private void RestartTarget()
    {
        if (!TargetHostLost)
        {
            simulation.Target.Restart();
        }
    }
}
