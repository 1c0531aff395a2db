using Godwit.Migration.Protocol;

namespace Godwit.Simulation;

/// <summary>The target's agent: the engine, and a driver that may die at any moment and come back to disk and QEMU.</summary>
internal sealed class SimulatedTarget
{
    private readonly World world;
    private readonly Simulation simulation;
    private readonly MachineWorker<TargetEffect.Machine> worker;
    private TargetEngine? engine;
    private int epoch;

    public SimulatedTarget(World world, Simulation simulation)
    {
        this.world = world;
        this.simulation = simulation;
        Disk = new(world)
        {
            Lies = record => (simulation.Mutation == Mutation.GrantNotRecorded && record == TargetRecord.RunGranted)
                || (simulation.Mutation == Mutation.RefusalNotRecorded && record == TargetRecord.Refused),
        };
        worker = new(world, Execute, _ => false)
        {
            IsSlow = effect => effect is TargetEffect.StartMachine,
            SlowMsMax = world.Chance(0.1) ? 8000 : 400, // Some hosts are busy.
            Done = (effect, error) =>
            {
                if (error is not null)
                {
                    Input(new TargetInput.MachineFailed(effect, error));
                }
                else if (effect is TargetEffect.ListenAgain listen)
                {
                    Input(new TargetInput.Listening(listen.Attempt));
                }

                Look();
            },
        };
    }

    public SimulatedDisk<TargetRecord> Disk { get; }

    public bool Alive { get; private set; } = true;

    public TargetPhase? Phase => engine?.Phase;

    public void Start() => Tick(epoch);

    public void Crash()
    {
        if (!Alive)
        {
            return;
        }

        world.Log("target", () => $"agent dies in {engine?.Phase.GetType().Name}");
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
        world.Log("target", () => $"agent is back, record {Disk.Durable?.ToString() ?? "none"}");
        if (Disk.Durable is { } record)
        {
            // A QEMU that lives may not answer the agent that is new to it.
            var reading = simulation.Machines.ReadTarget(0);
            Take(TargetEngine.Recover(record, reading.Guest != GuestState.Gone && world.Chance(0.2) ? null : reading));
        }

        Tick(epoch);
    }

    public void Receive(Order order)
    {
        if (!Alive)
        {
            return;
        }

        world.Log("target", () => $"order {order.GetType().Name}");
        if (engine is not null)
        {
            Input(new TargetInput.Ordered(order));
        }
        else if (TargetEngine.Open(order) is { } step)
        {
            Take(step);
        }
        else
        {
            Report(new(TargetStanding.Unknown));
        }
    }

    public void Input(TargetInput input)
    {
        if (Alive && engine is { } current)
        {
            Take(current.Step(input, world.Now));
        }
    }

    private void Take(TargetStep step)
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
            var name = engine.Phase.GetType().Name;
            world.Log("target", () => $"{name}: {Phase?.Describe()}");
            simulation.CheckOwners();
            simulation.Faults.Entered("target:" + name);
            if (simulation.Mutation == Mutation.RunsOnArrival && engine.Phase is TargetPhase.Arrived)
            {
                worker.Add(new TargetEffect.RunGuest());
            }
        }
    }

    private void CarryOut(TargetEffect effect, int current)
    {
        switch (effect)
        {
            case TargetEffect.Persist persist:
                Disk.Write(persist.Record, written => IfAlive(current, () =>
                {
                    simulation.Machines.TargetCouldNotRun |= !written && persist.Record == TargetRecord.RunGranted;
                    Input(written ? new TargetInput.Persisted(persist.Record) : new TargetInput.PersistFailed(persist.Record, "the disk is full"));
                }));
                break;
            case TargetEffect.Send send:
                Report(send.Report);
                break;
            case TargetEffect.Machine machine:
                worker.Add(machine);
                if (machine is TargetEffect.StartMachine && simulation.Machines.TakeStreamEarly())
                {
                    Report(new(TargetStanding.Preparing) { TakesStream = true });
                }

                break;
        }
    }

    private string? Execute(TargetEffect.Machine effect) =>
        simulation.Mutation == Mutation.RefusesWithoutKilling && effect is TargetEffect.Fence ? null : simulation.Machines.Execute(effect);

    private void Report(Report report)
    {
        world.Log("target", () => $"reports {report.Standing}{(report.ListeningAttempt > 0 ? $" listening {report.ListeningAttempt}" : "")}");
        simulation.Network.Send(() => simulation.Source.Input(new SourceInput.Reported(report)));
    }

    private void Tick(int current) => world.After(world.Between(800, 1200), () => IfAlive(current, () =>
    {
        Input(new TargetInput.Tick());
        Tick(current);
    }));

    /// <summary>Looks all the time while something can happen; a look arrives a moment later, when it may be out of date.</summary>
    public void LookAgain() => world.After(world.Between(4, 30), () =>
    {
        Look();
        LookAgain();
    });

    private void Look()
    {
        if (!Alive || engine is null or { Phase.IsEnd: true } || !worker.Idle)
        {
            return;
        }

        var current = epoch;
        var reading = simulation.Machines.ReadTarget(worker.DoneCount);
        if (simulation.Mutation == Mutation.RefusesWithoutKilling && engine.Phase is TargetPhase.Refusing)
        {
            reading = reading with { Guest = GuestState.Gone };
        }

        world.After(world.Between(0.1, 5), () => IfAlive(current, () => Input(new TargetInput.Observed(reading))));
    }

    private void IfAlive(int current, Action action)
    {
        if (current == epoch && Alive)
        {
            action();
        }
    }
}
