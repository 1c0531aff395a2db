namespace Godwit.Simulation;

/// <summary>Carries messages between the agents: late, out of order, twice or not at all, until the faults end.</summary>
internal sealed class SimulatedNetwork(World world)
{
    public bool LinkUp { get; private set; } = true;

    public double LossShare { get; set; }

    public double DuplicateShare { get; set; }

    public void Send(Action deliver)
    {
        if (!LinkUp || world.Chance(LossShare))
        {
            return;
        }

        world.After(Delay(), Arrive);
        if (world.Chance(DuplicateShare))
        {
            world.After(Delay() * 20, Arrive);
        }

        void Arrive()
        {
            if (LinkUp)
            {
                deliver();
            }
        }
    }

    public void Cut(TimeSpan duration)
    {
        LinkUp = false;
        world.Log("network", () => $"link cut for {duration.TotalMilliseconds:0} ms");
        world.After(duration, () =>
        {
            LinkUp = true;
            world.Log("network", () => "link back");
        });
    }

    public void Heal()
    {
        LinkUp = true;
        LossShare = 0;
        DuplicateShare = 0;
    }

    private TimeSpan Delay() => world.Chance(0.03) ? world.Between(5, 1500) : world.Between(0.1, 3);
}
