using System.Text.Json.Nodes;

namespace Godwit.Controllers.Tests.Simulation;

/// <summary>The faults of a run: what happens to nodes, to the processes, and between these and the server.</summary>
internal sealed partial class ClusterSimulation
{
    private const int DeletedAtOnce = 4;

    private void Happen()
    {
        var node = world.Nodes[world.Random.Next(world.Nodes.Count)];
        switch (world.Random.Next(19))
        {
            case 0 or 1:
                node.IsSilent = !node.IsSilent;
                world.Tell("silence", $"{node.Name} is {(node.IsSilent ? "silent" : "heard of")}");
                break;
            case 2:
                node.LosePower();
                world.Tell("power", $"{node.Name} has lost its power");
                break;
            case 3 when node.IsSilent:
                if (world.Mutation != ClusterMutation.RemovesWhatRuns)
                {
                    node.LosePower();
                }

                world.Server.Delete<Node>("", node.Name);
                world.Tell("removal", $"{node.Name} is removed, and off");
                break;
            case 3 or 4:
                var isCordoned = world.Chance(0.5);
                world.Server.TryPatch<Node>("", node.Name, new JsonObject { ["spec"] = new JsonObject { ["unschedulable"] = isCordoned } });
                world.Tell("cordon", $"{node.Name} is {(isCordoned ? "cordoned" : "uncordoned")}");
                break;
            case 5 or 6:
                Kill();
                break;
            case 7:
                foreach (var watch in processes.SelectMany(process => process.Watches).Where(_ => world.Chance(0.7)))
                {
                    watch.Lines.End(new IOException("the connection broke"));
                }

                world.Tell("cut", "watches break");
                break;
            case 8:
                Lag(null);
                break;
            case 9:
                world.Tell("jump", "seven minutes pass at once");
                world.Clock.Advance(TimeSpan.FromMinutes(7));
                break;
            case 10:
                Forget();
                break;
            case 11:
                BindAgain();
                break;
            case 12:
                Return(node);
                break;
            case 13 or 14 or 15:
                theme.Press();
                break;
            default:
                theme.Change();
                break;
        }

        world.Observe();
    }

    /// <param name="plural">The kind whose watches lag; null for any of them.</param>
    public void Lag(string? plural)
    {
        world.Tell("lag", $"watches of {plural ?? "some"} lag");
        foreach (var watch in processes.SelectMany(process => process.Watches).Where(watch => plural is null ? world.Chance(0.3) : watch.Plural == plural))
        {
            watch.NotBefore = world.Now + (plural is null ? world.Between(1, 20) : world.Between(10, 20));
        }
    }

    /// <summary>A node that was silent for so long that it is called so is heard of, and its word that it is ready comes long before its Lease does.</summary>
    private void Return(SimulatedNode node)
    {
        world.Tell("return", $"{node.Name} is silent for a minute, and heard of while watches of leases lag");
        node.IsSilent = true;
        Pass(TimeSpan.FromMinutes(1));
        node.IsSilent = false;
        Lag("leases");
    }

    /// <summary>A process that stood still since it led, and thinks that it leads, binds a pod that has a node by now to another.</summary>
    private void BindAgain()
    {
        var bound = world.Pods.Values.Where(pod => !string.IsNullOrEmpty(pod.Spec.NodeName) && pod.Metadata.DeletionTimestamp is null && !PodPhases.IsFinal(pod.Status.Phase)).ToList();
        if (bound.Count == 0)
        {
            return;
        }

        var pod = bound[world.Random.Next(bound.Count)];
        var node = world.Nodes.Where(node => node.Name != pod.Spec.NodeName).OrderBy(node => node.IsSilent).First();
        var code = answers.Bind(pod, node.Name);
        world.Tell("bound again", $"{pod.Metadata.Name}, which is on {pod.Spec.NodeName}, is bound to {node.Name} too, and the server says {code}");
    }

    /// <summary>An answer does not come back from the server, and some of the watches of the same process stand still with it.</summary>
    private void Break(SimulatedProcess process, SentRequest request)
    {
        world.Seen.Add("broken");
        request.Break();
        foreach (var watch in process.Watches.Where(watch => world.Chance(0.5) || (request.IsBinding && watch.Plural == "pods") || (request.IsStart && watch.Plural == "jobs")))
        {
            watch.NotBefore = world.Now + world.Between(1, 10);
        }
    }

    /// <summary>Watches break, pods are deleted and go, and when the watches are opened again the history of that is gone: that they went is to be seen by the list alone.</summary>
    private void Forget()
    {
        world.Tell("forgotten", "watches break, and what happens until they are opened again is forgotten");
        foreach (var watch in processes.SelectMany(process => process.Watches))
        {
            watch.Lines.End(new IOException("the connection broke"));
        }

        var there = world.Pods.Values.Where(pod => pod.Metadata.DeletionTimestamp is null).ToArray();
        world.Random.Shuffle(there);
        foreach (var pod in there.Take(DeletedAtOnce))
        {
            world.Log($"{pod.Metadata.Name} is deleted");
            world.Server.Delete<Pod>(pod.Metadata.Namespace!, pod.Metadata.Name);
            world.Observe();
        }

        foreach (var node in world.Nodes.Where(node => !node.IsSilent))
        {
            node.Look(); // They end,
            node.Look(); // and are let go.
        }

        forgotten = world.Server.Revision;
    }

    private void Heal()
    {
        world.Log("all faults are over");
        foreach (var node in world.Nodes)
        {
            node.IsSilent = false;
            node.Beat();
            world.Server.TryPatch<Node>("", node.Name, new JsonObject { ["spec"] = new JsonObject { ["unschedulable"] = false } });
        }

        theme.Heal();
    }

    /// <summary>The process that leads, if one does, is no more; another is started and waits for its turn.</summary>
    private void Kill()
    {
        var victim = processes.Find(process => process.Host.IsLeading) ?? processes[0];
        world.Tell(victim.Requests.Count > 0 ? "killed while asking" : "killed", $"{victim.Name} is killed");
        victim.Kill();
        processes.Remove(victim);
        Bear();
    }

    private void Bear() => processes.Add(new SimulatedProcess($"controllers-{++born}", world.Clock, world.Random, error => world.Check(false, "NothingStrays", () => error.ToString())));
}
