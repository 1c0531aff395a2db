using Godwit.Migration;
using Godwit.Migration.Convergence;
using Godwit.Migration.Protocol;

namespace Godwit.Simulation;

/// <summary>Ways in which the protocol could be got wrong; each must be caught by an invariant.</summary>
internal enum Mutation
{
    None,
    ResumesOnTimeout,
    RunsBeforeCompleted,
    RunsOnArrival,
    HandingOverNotRecorded,
    GrantNotRecorded,
    RefusalNotRecorded,
    RefusesWithoutKilling,
    TrustsOldReadings,
    FinishesNoDisks,
    ObeysNoBudget,
    OpensWithoutLimit,
    HoldsNothingBack,
    WaitsForTheUnready,
    SwitchesWhileRunning,
    ReclaimsUnasked,
}

/// <summary>Where a member stands in its service; a guest that moves alone has none.</summary>
internal interface IServiceMember
{
    /// <summary>The source's agent entered a phase, or had time to tell and to ask.</summary>
    void Exchange();

    /// <summary>A copy of the guest runs now.</summary>
    void GuestRuns();

    /// <summary>An agent that comes back knows that the guest is one of a service.</summary>
    bool IsKnownAfterCrash { get; }
}

/// <summary>
/// One move of one guest from a seed: two agents with their engines and journals, two QEMUs, a bad network and a plan of
/// faults. The invariants, by the names that a failure prints:
/// <list type="bullet">
/// <item><b>OneOwner</b>: never do both engines take themselves for the guest's owner.</item>
/// <item><b>NeverTwoRunning</b>: never do both copies run.</item>
/// <item><b>NeverBackInTime</b>: the source's copy never runs once the target's has.</item>
/// <item><b>RunsOnlyWhatArrived</b>: the target is never told to run what has not arrived.</item>
/// <item><b>StopsForTheReady</b>: a guest that writes in each round, or of which it is known how much is not zero, is not stopped before the target's QEMU runs, and none leaves the barrier.</item>
/// <item><b>StandsForTheReady</b>: one that was stopped all the same stands still for a second at most, or for its downtime budget.</item>
/// <item><b>DiskOfTheSameMoment</b>: the target never runs with a disk that is not of the moment of its memory, and QEMU never leaves the barrier with a mirror.</item>
/// <item><b>NoneLostUnlessHostLost</b>: at the end one copy runs, unless a host or a QEMU was killed.</item>
/// <item><b>AbortReturnsToSource</b>: a move that was turned back leaves the guest running on the source.</item>
/// <item><b>WithinItsBudget</b>: while rounds go on QEMU's bounds are never wider than the newest budget that the engine has taken.</item>
/// <item><b>NothingLeftBehind</b>: at the end there is no second QEMU.</item>
/// <item><b>EverythingEnds</b>: once faults stop, every move comes to an end.</item>
/// </list>
/// </summary>
internal sealed class Simulation
{
    public static readonly TimeSpan Limit = TimeSpan.FromMinutes(6);

    private readonly World world;

    public Simulation(int seed, Mutation mutation = Mutation.None, bool keepsLog = false)
        : this(new World(seed, keepsLog), movesDisks: seed % 4 == 2, mutation)
    {
    }

    /// <summary>One of several moves in one world; those of a service have a <paramref name="member"/>.</summary>
    public Simulation(World world, bool movesDisks, Mutation mutation = Mutation.None, IServiceMember? member = null)
    {
        this.world = world;
        Mutation = mutation;
        MovesDisks = movesDisks;
        Member = member;
        Network = new(world) { LossShare = world.Chance(0.5) ? 0 : 0.2, DuplicateShare = world.Chance(0.5) ? 0 : 0.2 };
        Machines = new(world, Network)
        {
            TargetAgentAlive = () => Target!.Alive,
            MovesDisks = MovesDisks,
            DowntimeLimitMs = member is null ? 30 : 1,
            IsFirstPassKnown = () => Source!.Plan.ExpectedFirstPassBytes is not null,
            GuestRuns = () => member?.GuestRuns(),
            LastPageIsSent = () => Faults!.Entered(FaultPlan.LastPageSent),
            SwitchesWhileRunning = Mutation == Mutation.SwitchesWhileRunning,
            Plan = () => Source!.Plan,
        };
        Faults = new(world, this);
        Source = new(world, this, Plan());
        Target = new(world, this);
    }

    public Mutation Mutation { get; }

    /// <summary>In every fourth run the guest has disks that go along.</summary>
    public bool MovesDisks { get; }

    public IServiceMember? Member { get; }

    public SimulatedNetwork Network { get; }

    public SimulatedMachines Machines { get; }

    public FaultPlan Faults { get; }

    public SimulatedSource Source { get; }

    public SimulatedTarget Target { get; }

    public string Story => world.Story;

    public TimeSpan Elapsed => world.Elapsed;

    /// <param name="later">The world's faults begin at once, the move does then.</param>
    /// <param name="isWanted">Asked when its turn has come; false: it never begins.</param>
    public void Begin(TimeSpan later = default, Func<bool>? isWanted = null)
    {
        Target.Start();
        Target.LookAgain();
        Faults.Start();
        world.After(later + world.Between(1, 20), () =>
        {
            if (isWanted?.Invoke() != false)
            {
                Source.Begin();
            }
        });
        world.After(FaultPlan.Calm, Settle);
    }

    /// <summary>Runs to the end; the answer is the broken invariant, or null.</summary>
    public string? Run()
    {
        Begin();
        world.Run(Limit, () => world.Elapsed > TimeSpan.FromMilliseconds(50) && Ended());
        if (world.Violation is null)
        {
            CheckEnd();
        }

        return world.Violation;
    }

    /// <summary>What an engine thinks that it owns, at every change of phase.</summary>
    public void CheckOwners() => world.Check(
        !(Source.Phase is { } source && source.Owner == source.Plan.Source && Target.Phase is { Owns: true }),
        "OneOwner",
        () => $"source in {Source.Phase?.GetType().Name}, target in {Target.Phase?.GetType().Name}");

    private MigrationPlan Plan()
    {
        if (Member is not null)
        {
            return new()
            {
                Id = new(Guid.Empty),
                Source = new("a"),
                Target = new("b"),
                Mode = MigrationMode.Precopy,
                MovesDisks = MovesDisks,
                Convergence = new() { Action = world.Chance(0.8) ? NonConvergenceAction.SwitchOver : NonConvergenceAction.GiveUp },
                Patience = new() { Gathering = TimeSpan.FromSeconds(20) },
                IsOfService = true,
            };
        }

        MigrationMode[] modes = [MigrationMode.Cold, MigrationMode.Precopy, MigrationMode.Postcopy, MigrationMode.Hybrid];
        var mode = modes[world.Random.Next(modes.Length)];
        var postcopy = mode is MigrationMode.Postcopy or MigrationMode.Hybrid;
        return new()
        {
            Id = new(Guid.Empty),
            Source = new("a"),
            Target = new("b"),
            Mode = mode,
            PostcopyOpen = postcopy,
            MovesDisks = MovesDisks,
            ExpectedFirstPassBytes = world.Chance(0.5) ? SimulatedMachines.FirstPassBytes * (0.8 + (0.3 * world.Random.NextDouble())) : null,
            Patience = Mutation == Mutation.WaitsForTheUnready ? new() { Unready = TimeSpan.FromMinutes(1), Switchover = TimeSpan.FromMinutes(1) } : new(),
            Convergence = new()
            {
                OnePassOnly = mode == MigrationMode.Postcopy,
                Action = postcopy ? NonConvergenceAction.Postcopy : world.Chance(0.5) ? NonConvergenceAction.SwitchOver : NonConvergenceAction.GiveUp,
            },
        };
    }

    /// <summary>The faults are over: links heal, agents return, and an operator vouches for the hosts that do not.</summary>
    private void Settle()
    {
        Network.Heal();
        if (Faults.SourceHostLost)
        {
            Source.Crash();
            Target.Input(new TargetInput.SourceDeclaredDead("the source host is dead"));
        }
        else
        {
            Source.Restart();
        }

        if (Faults.TargetHostLost)
        {
            Target.Crash();
            Source.Input(new SourceInput.TargetDeclaredDead("the target host is dead"));
        }
        else
        {
            Target.Restart();
        }

        // The word of an operator does not get lost either: it is repeated to an agent that comes back or gets so far later.
        world.After(TimeSpan.FromSeconds(1), Settle);
    }

    public bool Ended()
    {
        var sourceEnded = Faults.SourceHostLost
            ? world.Elapsed > FaultPlan.Calm
            : Source.Alive && Source.Phase is null or { IsEnd: true } && Source.Disk.Durable is null;
        var targetEnded = Faults.TargetHostLost
            ? world.Elapsed > FaultPlan.Calm
            : Target.Alive && Target.Phase is null or { IsEnd: true };
        return sourceEnded && targetEnded;
    }

    public void CheckEnd()
    {
        var sourceRuns = Machines.SourceGuest == GuestState.Running;
        var targetRuns = Machines.TargetGuest == GuestState.Running;
        var state = $"source {Source.Phase?.GetType().Name} {Machines.SourceGuest}/{Machines.SourceStream}, "
            + $"target {Target.Phase?.GetType().Name} {Machines.TargetGuest}/{Machines.TargetStream}";
        world.Check(Ended(), "EverythingEnds", () => state);
        world.Check(sourceRuns || targetRuns || Machines.AllowedLoss is not null, "NoneLostUnlessHostLost", () => state);
        world.Check(Source.End is not SourcePhase.Aborted || sourceRuns || Machines.AllowedLoss is not null, "AbortReturnsToSource", () => state);
        world.Check(
            !(sourceRuns && Machines.TargetGuest != GuestState.Gone) && !(targetRuns && Machines.SourceGuest != GuestState.Gone && !Faults.SourceHostLost),
            "NothingLeftBehind",
            () => state);
    }
}
