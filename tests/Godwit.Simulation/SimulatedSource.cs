using Godwit.Migration.Protocol;

namespace Godwit.Simulation;

/// <summary>The source's agent: the engine, and a driver that may die at any moment and come back to disk and QEMU.</summary>
internal sealed class SimulatedSource
{
    private readonly World world;
    private readonly Simulation simulation;
    private readonly MigrationPlan plan;
    private readonly MachineWorker<SourceEffect.Machine> worker;
    private SourceEngine? engine;
    private DateTimeOffset phaseSince;
    private int epoch;

    public SimulatedSource(World world, Simulation simulation, MigrationPlan plan)
    {
        this.world = world;
        this.simulation = simulation;
        this.plan = plan;
        Disk = new(world) { Lies = record => simulation.Mutation == Mutation.HandingOverNotRecorded && record == SourceRecord.HandingOver };
        simulation.Machines.DisksFinished = () => Input(new SourceInput.DisksFinished());
        worker = new(world, Execute, effect => simulation.Machines.SourceMonitorHangs && effect is not SourceEffect.CancelStream)
        {
            Done = (effect, error) =>
            {
                if (error is not null)
                {
                    Input(new SourceInput.MachineFailed(effect, error));
                }

                Look();
            },
        };
    }

    /// <summary>As long as a guest may stand still for a target that is not ready, and the engine two ticks to see it.</summary>
    private TimeSpan StandMax => TimeSpan.FromMilliseconds(Math.Clamp(Plan.Convergence.DowntimeBudgetMs, 1000, 4000) + 150);

    public SimulatedDisk<SourceRecord> Disk { get; }

    public bool Alive { get; private set; }

    public SourcePhase? Phase => engine?.Phase;

    public MigrationPlan Plan => engine?.Phase.Plan ?? plan;

    /// <summary>How the move ended, as the last life of the agent saw it.</summary>
    public SourcePhase? End { get; private set; }

    public void Begin()
    {
        Alive = true;
        Take(SourceEngine.Begin(plan, world.Now));
        Tick(epoch);
    }

    public void Crash()
    {
        if (!Alive)
        {
            return;
        }

        world.Log("source", () => $"agent dies in {engine?.Phase.GetType().Name}");
        Alive = false;
        epoch++;
        engine = null;
        Disk.Crash();
        worker.Crash();
        simulation.Machines.AgentDied();
    }

    public void Restart()
    {
        if (Alive)
        {
            return;
        }

        Alive = true;
        world.Log("source", () => $"agent is back, record {Disk.Durable?.ToString() ?? "none"}");
        if (Disk.Durable is { } record)
        {
            var known = simulation.Member is null ? plan : plan with { IsOfService = simulation.Member.IsKnownAfterCrash };
            Take(SourceEngine.Recover(known, record, simulation.Machines.ReadSource(0), world.Now));
        }

        Tick(epoch);
    }

    public void Input(SourceInput input)
    {
        if (Alive && engine is { } current)
        {
            Take(current.Step(input, world.Now));
        }
    }

    private void Take(SourceStep step)
    {
        var before = engine?.Phase.GetType();
        engine = step.Engine;
        var current = epoch;
        foreach (var effect in step.Effects)
        {
            CarryOut(effect, current);
        }

        if (engine.Phase.GetType() != before)
        {
            phaseSince = world.Now;
            var name = engine.Phase.GetType().Name;
            world.Log("source", () => $"{name}: {Phase?.Describe()}");
            End = engine.Phase.IsEnd ? engine.Phase : End;
            simulation.CheckOwners();
            simulation.Faults.Entered("source:" + name);
            simulation.Member?.Exchange();
        }
    }

    private void CarryOut(SourceEffect effect, int current)
    {
        switch (effect)
        {
            case SourceEffect.Persist persist:
                Disk.Write(persist.Record, written => IfAlive(current, () => Input(written
                    ? new SourceInput.Persisted(persist.Record)
                    : new SourceInput.PersistFailed(persist.Record, "the disk is full"))));
                break;
            case SourceEffect.Forget:
                Forget(current);
                break;
            case SourceEffect.Send send:
                simulation.Network.Send(() => simulation.Target.Receive(send.Order));
                break;
            case SourceEffect.Machine machine:
                worker.Add(machine);
                break;
        }
    }

    private void Forget(int current) => Disk.Write(null, written => IfAlive(current, () =>
    {
        if (!written)
        {
            Forget(current);
        }
    }));

    private void Tick(int current) => world.After(world.Between(40, 60), () => IfAlive(current, () =>
    {
        Input(new SourceInput.Tick());
        simulation.Member?.Exchange();
        if (Phase is SourcePhase.Opening && simulation.Network.LinkUp)
        {
            simulation.Machines.CheckStanding(StandMax);
        }

        Look();
        if (simulation.Mutation == Mutation.ReclaimsUnasked && Phase is SourcePhase.Recovering)
        {
            worker.Add(new SourceEffect.ReclaimGuest());
            worker.Add(new SourceEffect.ResumeGuest());
        }

        if (simulation.Mutation == Mutation.ResumesOnTimeout && Phase is SourcePhase.Activating && world.Now - phaseSince > TimeSpan.FromSeconds(3))
        {
            worker.Add(new SourceEffect.ResumeGuest());
        }

        Tick(current);
    }));

    /// <summary>A look that arrives a moment later, when it may be out of date.</summary>
    private void Look()
    {
        if (!Alive || engine is null || !worker.Idle || simulation.Machines.SourceMonitorHangs)
        {
            return;
        }

        if (Phase is SourcePhase.Precopying && worker.DoneCount == engine.EffectCount)
        {
            simulation.Machines.CheckBudget(Plan);
        }

        var current = epoch;
        var reading = simulation.Machines.ReadSource(worker.DoneCount);
        if (simulation.Mutation == Mutation.RunsBeforeCompleted && reading.Stream == StreamStatus.Device)
        {
            reading = reading with { Stream = StreamStatus.Completed, Guest = GuestState.PostMigrate };
        }

        if (simulation.Mutation == Mutation.TrustsOldReadings)
        {
            reading = reading with { EffectCount = int.MaxValue };
            world.After(world.Between(50, 120), () => IfAlive(current, () => Input(new SourceInput.Observed(reading))));
            return;
        }

        world.After(world.Between(0.1, 5), () => IfAlive(current, () => Input(new SourceInput.Observed(reading))));
        if (Phase is SourcePhase.Mirroring or SourcePhase.Precopying or SourcePhase.Gathering or SourcePhase.EndingRounds && simulation.Machines.ReadDisks(worker.DoneCount) is { } disks)
        {
            world.After(world.Between(0.1, 5), () => IfAlive(current, () => Input(new SourceInput.DisksObserved(disks))));
        }
    }

    private string? Execute(SourceEffect.Machine effect)
    {
        if (simulation.Mutation == Mutation.FinishesNoDisks && effect is SourceEffect.FinishMirrors)
        {
            Input(new SourceInput.DisksFinished());
            return null;
        }

        if (Phase is SourcePhase.Opening && effect is SourceEffect.SetBandwidth && simulation.Mutation == Mutation.HoldsNothingBack)
        {
            return simulation.Machines.Execute(new SourceEffect.SetBandwidth(null));
        }

        if (simulation.Mutation == Mutation.OpensWithoutLimit && effect is SourceEffect.SetDowntimeLimit { LimitMs: <= 1 })
        {
            return simulation.Machines.Execute(new SourceEffect.SetDowntimeLimit(0));
        }

        if (simulation.Mutation == Mutation.ObeysNoBudget && effect is SourceEffect.SetBandwidth)
        {
            return null;
        }

        return simulation.Machines.Execute(effect);
    }

    private void IfAlive(int current, Action action)
    {
        if (current == epoch && Alive)
        {
            action();
        }
    }
}
