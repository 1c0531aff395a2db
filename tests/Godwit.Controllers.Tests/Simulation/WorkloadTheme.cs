using System.Text.Json.Nodes;

namespace Godwit.Controllers.Tests.Simulation;

/// <summary>Pods and what keeps them: <see cref="ClusterWishes"/> says which. In the end one node after the other is drained under a budget.</summary>
internal sealed class WorkloadTheme(ClusterSimulation simulation) : IClusterTheme
{
    /// <summary>In this time a node is empty that is drained, when nothing else happens.</summary>
    private static readonly TimeSpan DrainBound = TimeSpan.FromMinutes(3);

    private readonly ClusterWorld world = simulation.World;
    private readonly ClusterWishes wishes = new(simulation.World);

    public TimeSpan WaitsLonger => TimeSpan.Zero;

    public void Ask() => wishes.Ask();

    public void Change() => wishes.Change();

    /// <summary>Much is to be bound at once, while what has been bound is not seen.</summary>
    public void Press()
    {
        wishes.Scale(0, ClusterWishes.DatabaseMax);
        simulation.Pass(world.Between(5, 20));
        simulation.Lag("pods");
        wishes.Scale(ClusterWishes.WebMax, ClusterWishes.DatabaseMax);
    }

    public void Tend()
    {
    }

    public void Heal()
    {
    }

    public (string Invariant, string What)? Missing() => wishes.Missing() is { Length: > 0 } missing ? ("AsAsked", missing) : null;

    public void Conclude()
    {
        wishes.Protect();
        simulation.Settle();
        Drain();
        simulation.Settle();
    }

    /// <summary>Somebody empties one node after the other of its web, by evictions, asking again for those that were refused.</summary>
    private void Drain()
    {
        world.HealthyMin = ClusterWishes.HealthyMin;
        foreach (var node in world.Nodes)
        {
            world.Tell("drain", $"{node.Name} is drained");
            world.Server.TryPatch<Node>("", node.Name, new JsonObject { ["spec"] = new JsonObject { ["unschedulable"] = true } });
            for (var until = world.Now + DrainBound; !world.IsOver && wishes.WebOn(node.Name) is { Count: > 0 } left;)
            {
                world.Check(world.Now < until, "DrainEnds", () => $"{left.Count} web are on {node.Name}");
                foreach (var pod in left.Where(pod => pod.Metadata.DeletionTimestamp is null))
                {
                    world.Seen.Add($"evicted {simulation.Answers.Evict(pod)}");
                    world.Observe();
                }

                simulation.Pass(TimeSpan.FromSeconds(1));
            }

            world.Server.TryPatch<Node>("", node.Name, new JsonObject { ["spec"] = new JsonObject { ["unschedulable"] = false } });
        }

        world.HealthyMin = 0;
    }
}
