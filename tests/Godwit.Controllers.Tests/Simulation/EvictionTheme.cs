using System.Text.Json.Nodes;
using Godwit.Controllers.Workloads;

namespace Godwit.Controllers.Tests.Simulation;

/// <summary>
/// The same workloads, of which one has a disruption budget from the beginning, and somebody who drains nodes while everything else happens: pods of the budget are deleted, fall ill and die with their nodes, and
/// who counts them leads no more or has not heard of it. Whatever the budget's status says then, no eviction is to leave fewer healthy than it allows (<b>NeverBelowBudget</b>).
/// </summary>
internal sealed class EvictionTheme(ClusterSimulation simulation) : IClusterTheme
{
    /// <summary>A drain that does not get on is given up after this time.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    /// <summary>In this time a node is empty that is drained when nothing else happens.</summary>
    private static readonly TimeSpan DrainBound = TimeSpan.FromMinutes(3);

    private readonly ClusterWorld world = simulation.World;
    private readonly ClusterWishes wishes = new(simulation.World);
    private SimulatedNode? drained;
    private DateTimeOffset drainedSince;

    public TimeSpan WaitsLonger => TimeSpan.Zero;

    public void Ask()
    {
        wishes.Ask();
        wishes.Protect();
    }

    public void Change()
    {
        switch (world.Random.Next(4))
        {
            case 0:
                FallIll();
                break;
            case 1 when drained is null:
                Begin(world.Nodes[world.Random.Next(world.Nodes.Count)]);
                break;
            case 2:
                wishes.ScaleToProtected(); // So that there is something to evict.
                break;
            default:
                wishes.Change();
                break;
        }
    }

    /// <summary>A node is drained while what is known of its pods is old, and one of those elsewhere falls ill.</summary>
    public void Press()
    {
        wishes.ScaleToProtected();
        simulation.Pass(world.Between(10, 40));
        simulation.Lag("pods");
        FallIll();
        if (drained is null)
        {
            Begin(world.Nodes[world.Random.Next(world.Nodes.Count)]);
        }

        Tend();
    }

    public void Tend()
    {
        if (drained is null)
        {
            return;
        }

        var left = wishes.WebOn(drained.Name);
        foreach (var pod in left.Where(pod => pod.Metadata.DeletionTimestamp is null))
        {
            Evict(pod);
        }

        if (left.Count == 0 || (!world.IsCalm && world.Now - drainedSince > Patience))
        {
            End();
        }
    }

    public void Heal()
    {
        End();
        wishes.ScaleToProtected();
    }

    public (string Invariant, string What)? Missing() => wishes.Missing() is { Length: > 0 } missing ? ("AsAsked", missing) : null;

    public void Conclude()
    {
        world.HealthyMin = ClusterWishes.HealthyMin;
        foreach (var node in world.Nodes)
        {
            Begin(node);
            for (var until = world.Now + DrainBound; !world.IsOver && drained is not null;)
            {
                world.Check(world.Now < until, "DrainEnds", () => $"{wishes.WebOn(node.Name).Count} web are on {node.Name}");
                simulation.Pass(TimeSpan.FromSeconds(1));
            }
        }

        simulation.Settle();
        world.HealthyMin = 0;
    }

    private void Evict(Pod pod)
    {
        var wasReady = PodFacts.IsReady(pod);
        var code = simulation.Answers.Evict(pod.Metadata.Namespace, pod.Metadata.Name);
        world.Seen.Add($"evicted {code}");
        world.Observe();
        if (code == 201)
        {
            var healthy = wishes.HealthyWebCount;
            world.Log($"{pod.Metadata.Name}, {(wasReady ? "healthy" : "ill")}, is evicted from {pod.Spec.NodeName}; {healthy} are healthy");
            world.Check(!wasReady || healthy >= ClusterWishes.HealthyMin, "NeverBelowBudget", () => $"{pod.Metadata.Name} is evicted, which leaves {healthy} healthy web, and {ClusterWishes.HealthyMin} are to be whoever is evicted");
        }
    }

    /// <summary>A web says that it is not ready. It is again at its agent's next look but one.</summary>
    private void FallIll()
    {
        if (wishes.ReadyWeb() is { Count: > 0 } ready)
        {
            var pod = ready[world.Random.Next(ready.Count)];
            if (world.Nodes.Find(node => node.Name == pod.Spec.NodeName) is { IsSilent: false } node)
            {
                world.Tell("ill", $"{pod.Metadata.Name} on {node.Name} falls ill");
                node.FallIll(pod);
            }
        }
    }

    private void Begin(SimulatedNode node)
    {
        world.Tell("drain", $"{node.Name} is drained");
        (drained, drainedSince) = (node, world.Now);
        SetCordon(node, true);
    }

    private void End()
    {
        if (drained is { } node)
        {
            drained = null;
            SetCordon(node, false);
        }
    }

    private void SetCordon(SimulatedNode node, bool isCordoned) => world.Server.TryPatch<Node>("", node.Name, new JsonObject { ["spec"] = new JsonObject { ["unschedulable"] = isCordoned } });
}
