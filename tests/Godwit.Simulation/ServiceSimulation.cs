using Godwit.Migration.Protocol;

namespace Godwit.Simulation;

/// <summary>Ways in which a service could be switched over wrongly; each must be caught by an invariant.</summary>
internal enum ServiceMutation
{
    None,

    /// <summary>A member that is ready runs, as a guest that moves alone does.</summary>
    RunsWithoutRecord,

    /// <summary>A restarted agent orders "run" again without a look at the record.</summary>
    RunsAfterCrash,

    /// <summary>A member that has waited for too long returns without being told to.</summary>
    ReturnsUnasked,

    /// <summary>The record is written by a plain write.</summary>
    Overwrites,

    /// <summary>One member is forgotten.</summary>
    DecidesWithoutAll,
}

/// <summary>
/// Two or three guests that are one service, each a <see cref="Simulation"/> with its own hosts, network and faults, in one
/// world with the one record that decides for them. The server that holds it can be away, and what passes between it and the
/// agents is late, lost or older than what came before. Some begin later than the others. Beside the invariants of each member:
/// <list type="bullet">
/// <item><b>ServiceIsWhole</b>: a guest runs at its target only by <c>RunAll</c>, and none runs at its source after it, unless that
/// one's QEMU or host was killed, or its target could not run it; at the end all run at their targets or all at their sources, but for these.</item>
/// </list>
/// </summary>
internal sealed class ServiceSimulation
{
    /// <summary>The controller's, shorter than the real one so that both sides' bounds are met before the faults end.</summary>
    private static readonly ServicePatience Patience = new() { Gathering = TimeSpan.FromSeconds(25) };

    private readonly World world;
    private readonly ServiceMutation mutation;
    private readonly List<Member> members = [];
    private readonly DateTimeOffset beganAt;
    private ServiceRecord record = ServiceRecord.New;
    private bool serverUp = true;

    public ServiceSimulation(int seed, ServiceMutation mutation = ServiceMutation.None, bool keepsLog = false)
    {
        world = new(seed, keepsLog);
        this.mutation = mutation;
        beganAt = world.Now;
        for (var i = world.Chance(0.7) ? 2 : 3; i > 0; i--)
        {
            members.Add(new Member(this, $"{i} "));
        }
    }

    public string Story => world.Story;

    public ServiceDecision Decision => record.Decision;

    public IEnumerable<string> Seen => members.SelectMany(member => member.Move.Faults.Seen);

    /// <summary>Runs to the end; the answer is the broken invariant, or null.</summary>
    public string? Run()
    {
        foreach (var member in members)
        {
            world.Member = member.Name;
            member.Begin(member == members[0] || world.Chance(0.6) ? TimeSpan.Zero : world.Between(100, 6000));
        }

        world.Member = "";
        ScheduleOutages();
        Control();
        world.Run(Simulation.Limit, () => world.Elapsed > TimeSpan.FromMilliseconds(50) && members.TrueForAll(member => member.Move.Ended()));
        if (world.Violation is null)
        {
            members.ForEach(member => member.Move.CheckEnd());
            CheckWhole(atEnd: true);
        }

        return world.Violation;
    }

    private void ScheduleOutages()
    {
        for (var count = world.Random.Next(3); count > 0; count--)
        {
            world.After(world.Between(0, 6000), () =>
            {
                serverUp = false;
                world.Log("server", () => "away");
                world.After(world.Between(50, world.Chance(0.5) ? 1500 : 15000), () => serverUp = true);
            });
        }

        world.After(FaultPlan.Calm, () => serverUp = true);
    }

    /// <summary>The controller looks again and again at what the members have told.</summary>
    private void Control() => world.After(world.Between(5, 80), () =>
    {
        if (serverUp || world.Elapsed > FaultPlan.Calm)
        {
            var asked = mutation == ServiceMutation.DecidesWithoutAll ? members.Take(1) : members;
            var before = mutation == ServiceMutation.Overwrites ? record with { Decision = ServiceDecision.Undecided } : record;
            var next = before.Next([.. asked.Select(member => member.Told)], beganAt, Patience, world.Now);
            if (next != before)
            {
                record = next;
                world.Log("controller", () => $"{next}");
            }
        }

        Control();
    });

    private void CheckWhole(bool atEnd)
    {
        foreach (var member in members)
        {
            var machines = member.Move.Machines;
            var isExcused = machines.AllowedLoss is not null || machines.TargetCouldNotRun;
            var state = $"{record.Decision}, member {member.Name}source {machines.SourceGuest}, target {machines.TargetGuest}";
            world.Check(!machines.TargetEverRan || record.Decision == ServiceDecision.RunAll, "ServiceIsWhole", () => state);
            world.Check(
                record.Decision != ServiceDecision.RunAll || machines.SourceGuest != GuestState.Running || isExcused,
                "ServiceIsWhole",
                () => state);
            world.Check(
                !atEnd || isExcused || (record.Decision == ServiceDecision.RunAll ? machines.TargetGuest : machines.SourceGuest) == GuestState.Running,
                "ServiceIsWhole",
                () => state);
        }
    }

    private sealed class Member : IServiceMember
    {
        private readonly ServiceSimulation service;
        private DateTimeOffset? readySince;

        public Member(ServiceSimulation service, string name)
        {
            this.service = service;
            Name = name;
            service.world.Member = name;
            Move = new(service.world, movesDisks: service.world.Chance(0.2), member: this);
        }

        public string Name { get; }

        public Simulation Move { get; }

        /// <summary>What it has told of itself, as far as it was heard.</summary>
        public ServiceMember Told { get; private set; }

        /// <summary>A shorter move begins later than the others, unless something has been decided before or its guest is gone.</summary>
        public void Begin(TimeSpan later) => Move.Begin(later, () =>
        {
            if (Move.Machines.SourceGuest != GuestState.Running)
            {
                Told = new(ServiceStanding.Returns, "it ended before its turn came");
            }

            return Told.Standing == ServiceStanding.Coming && service.record.Decision == ServiceDecision.Undecided;
        });

        public bool IsKnownAfterCrash => service.mutation != ServiceMutation.RunsAfterCrash;

        public void Exchange()
        {
            var world = service.world;
            Break(world.Now);
            if (!service.serverUp || world.Chance(0.1))
            {
                return;
            }

            var word = (Move.Source.Phase is { } phase ? ServiceMember.Of(phase) : null) ?? Told;
            world.After(world.Between(0.5, world.Chance(0.1) ? 400 : 20), () => Told = word);
            var (decided, ordered) = (service.record.Decision, service.record.SwitchoverOrderedAt is not null);
            world.After(world.Between(0.5, world.Chance(0.1) ? 400 : 20), () =>
            {
                if (ordered)
                {
                    Move.Source.Input(new SourceInput.SwitchoverOrdered());
                }

                if (decided != ServiceDecision.Undecided)
                {
                    Move.Source.Input(new SourceInput.Decided(decided, "all of the service return"));
                }
            });
        }

        public void GuestRuns() => service.CheckWhole(atEnd: false);

        private void Break(DateTimeOffset now)
        {
            readySince = Move.Source.Phase is SourcePhase.Awaiting { IsReady: true } ? readySince ?? now : null;
            if (readySince is not { } since)
            {
                return;
            }

            if (service.mutation == ServiceMutation.RunsWithoutRecord)
            {
                service.world.After(TimeSpan.Zero, () => Move.Source.Input(new SourceInput.Decided(ServiceDecision.RunAll, "")));
            }
            else if (service.mutation == ServiceMutation.ReturnsUnasked && now - since > TimeSpan.FromMilliseconds(100))
            {
                service.world.After(TimeSpan.Zero, () => Move.Source.Input(new SourceInput.Decided(ServiceDecision.ReturnAll, "")));
            }
        }
    }
}
