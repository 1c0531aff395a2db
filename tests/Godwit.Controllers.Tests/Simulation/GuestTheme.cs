using System.Text.Json.Nodes;
using Godwit.Controllers.Nodes;
using Godwit.Controllers.VirtualMachines;
using Godwit.Machines;

namespace Godwit.Controllers.Tests.Simulation;

/// <summary>
/// Virtual machines that somebody starts, stops, deletes, moves and evacuates, and guests that end by themselves. <see cref="GuestAgent"/> runs them, <see cref="GuestWitness"/> says what must never be. In the
/// end each node is emptied of them once, by evictions.
/// </summary>
internal sealed class GuestTheme(ClusterSimulation simulation) : IClusterTheme
{
    private const string Namespace = "default";

    /// <summary>Two nodes hold all of them and one does not: with what QEMU takes for itself, three fit on a node.</summary>
    private const int GuestMebibytes = 64;

    private static readonly string[] Names = ["mail", "shop", "wiki", "wall"];

    private static readonly TimeSpan AskInterval = TimeSpan.FromSeconds(5);

    /// <summary>A drain that does not get on is given up after this time.</summary>
    private static readonly TimeSpan EvacuationPatience = TimeSpan.FromMinutes(2);

    /// <summary>In this time a node is empty that is emptied when nothing else happens: three moves, one after the other.</summary>
    private static readonly TimeSpan EvacuationBound = TimeSpan.FromMinutes(3);

    private readonly ClusterWorld world = simulation.World;
    private readonly GuestWitness witness = new(simulation.World);
    private readonly HashSet<string> halted = new(StringComparer.Ordinal);
    private readonly HashSet<string> lookedAt = new(StringComparer.Ordinal);
    private string? leaving;
    private DateTimeOffset leavingSince;
    private DateTimeOffset lastAsked;
    private int moves;

    /// <summary>A guest that failed again and again waits before it is started anew.</summary>
    public TimeSpan WaitsLonger => VirtualMachinePlanner.BackoffLimit;

    private SimulatedServer Server => world.Server;

    public void Ask()
    {
        world.Witnesses.Add(witness);
        foreach (var node in world.Nodes)
        {
            node.Guests = new GuestAgent(node, world, witness);
        }

        foreach (var name in Names)
        {
            AskFor(name);
        }
    }

    public void Change()
    {
        var name = Names[world.Random.Next(Names.Length)];
        switch (world.Random.Next(8))
        {
            case 0:
                world.Tell("guest deleted", $"{name} is deleted, and asked for anew");
                halted.Remove(name);
                Server.Delete<VirtualMachine>(Namespace, name);
                AskFor(name);
                break;
            case 1:
                var isHalted = halted.Remove(name) || !halted.Add(name);
                world.Tell("strategy", $"{name} is {(isHalted ? "started" : "halted")}");
                Server.TryPatch<VirtualMachine>(Namespace, name, new JsonObject { ["spec"] = new JsonObject { ["runStrategy"] = isHalted ? RunStrategies.Always : RunStrategies.Halted } });
                break;
            case 2:
                world.Tell("incarnation deleted", $"the incarnation of {name} is deleted");
                Server.Delete<VirtualMachineInstance>(Namespace, name);
                break;
            case 3:
                End(name);
                break;
            case 4:
                Cancel();
                break;
            case 5 when leaving is null:
                Leave(world.Nodes[world.Random.Next(world.Nodes.Count)]);
                break;
            default:
                Move(name);
                break;
        }
    }

    /// <summary>All guests are to move at once, and a node falls silent while they do.</summary>
    public void Press()
    {
        foreach (var name in Names)
        {
            Move(name);
        }

        simulation.Pass(world.Between(2, 15));
        var arrivedAt = Unclaimed().Select(each => each.Last.TargetNode).FirstOrDefault();
        var node = world.Nodes.Find(each => each.Name == arrivedAt) ?? world.Nodes[world.Random.Next(world.Nodes.Count)];
        if (world.Chance(0.25))
        {
            Remove(node);
        }
        else if (world.Chance(0.5))
        {
            world.Tell("silence in a move", $"{node.Name} is silent");
            node.IsSilent = true;
        }
        else
        {
            world.Tell("power in a move", $"{node.Name} has lost its power");
            node.LosePower();
        }

        simulation.Pass(world.Between(1, 20));
        node.IsSilent = world.Chance(0.3);
    }

    /// <summary>Guests that were moved, and that their new node has not spoken of yet.</summary>
    private IEnumerable<(VirtualMachineInstance Guest, MigrationState Last)> Unclaimed() => witness.Instances.Values
        .Select(instance => (Guest: instance, Last: GuestPlace.Unclaimed(instance, witness.Moves.Values)))
        .Where(each => each.Last is not null)
        .Select(each => (each.Guest, each.Last!));

    /// <summary>Of a guest that was moved, and that its new node has not spoken of yet, another move is asked for, and the object of the last one may be deleted.</summary>
    private void Disturb()
    {
        foreach (var (guest, last) in Unclaimed().ToList())
        {
            if (!lookedAt.Add(last.MigrationUid!))
            {
                continue;
            }

            if (world.Chance(0.7))
            {
                world.Seen.Add("move unclaimed");
                Move(guest.Metadata.Name);
            }

            if (world.Chance(0.3) && witness.FindMove(last.MigrationUid!) is { } move)
            {
                world.Tell("unclaimed deleted", $"{move.Metadata.Name}, which has moved {guest.Metadata.Name} to {last.TargetNode}, is deleted");
                Server.Delete<VirtualMachineInstanceMigration>(Namespace, move.Metadata.Name);
            }
        }

        world.Observe();
    }

    /// <summary>Who empties a node asks for one guest after the other, again and again, as kubectl does.</summary>
    public void Tend()
    {
        if (!world.IsCalm)
        {
            Disturb();
        }

        if (leaving is null || world.Now - lastAsked < AskInterval)
        {
            return;
        }

        lastAsked = world.Now;
        var left = On(leaving);
        foreach (var name in left)
        {
            world.Seen.Add($"evicted {simulation.Answers.Evict(Namespace, $"virt-launcher-{name}")}");
            world.Observe();
        }

        if (left.Count == 0 || (!world.IsCalm && world.Now - leavingSince > EvacuationPatience))
        {
            Stay();
        }
    }

    public void Heal()
    {
        Stay();
        foreach (var host in witness.Hosts)
        {
            host.MuteUntil = DateTimeOffset.MinValue;
        }
    }

    public (string Invariant, string What)? Missing()
    {
        if (witness.Moves.Values.FirstOrDefault(move => !MigrationPhases.IsFinal(move.Status.Phase) || move.Metadata.DeletionTimestamp is not null) is { } move)
        {
            return ("MoveEnds", $"{ResourceKey.Of(move)} of {move.Spec.VmiName}{(move.Metadata.DeletionTimestamp is null ? "" : ", which is deleted,")} is {GodwitJson.Serialize(move.Status)}");
        }

        foreach (var name in Names)
        {
            if (WhatIsWrongWith(name) is { } wrong)
            {
                return ("RunsAgain", wrong);
            }
        }

        return null;
    }

    public void Conclude()
    {
        foreach (var node in world.Nodes)
        {
            Leave(node);
            for (var until = world.Now + EvacuationBound; !world.IsOver && leaving is not null;)
            {
                world.Check(world.Now < until, "EvacuationEnds", () => $"{string.Join(", ", On(node.Name))} are on {node.Name}; moves: {string.Join(", ", witness.Moves.Values.Select(each => $"{each.Spec.VmiName} {each.Status.Phase} {each.Status.MigrationState?.FailureReason}"))}");
                simulation.Pass(TimeSpan.FromSeconds(1));
            }

            simulation.Settle();
        }
    }

    /// <summary>A host is off for good: who knows it says so, when its node has been silent for a while.</summary>
    private void Remove(SimulatedNode node)
    {
        world.Tell("removal", $"{node.Name} is silent, switched off and removed");
        node.IsSilent = true;
        simulation.Pass(NodeLifecyclePlanner.SilentAfter + world.Between(1, 20));
        if (world.Mutation != ClusterMutation.RemovesWhatRuns)
        {
            node.LosePower();
        }

        Server.Delete<Node>("", node.Name);
        simulation.Pass(world.Between(5, 30));
    }

    private List<string> On(string node) => [.. witness.Instances.Values.Where(instance => instance.Status.NodeName == node).Select(instance => instance.Metadata.Name)];

    private string? WhatIsWrongWith(string name)
    {
        var guest = new ResourceKey(Namespace, name);
        var machines = witness.Hosts.SelectMany(host => host.Machines.Where(each => each.Value.Guest == guest).Select(each => (host.Node, Uid: each.Key, each.Value.State))).ToList();
        var instance = witness.Instances.GetValueOrDefault(guest);
        var words = $"{name} is {(halted.Contains(name) ? "not " : "")}to run; its machines are {string.Join(", ", machines)}, its incarnation is "
            + (instance is null ? "not there" : $"{string.Join(", ", witness.Hosts.Select(host => $"{host.ClaimOn(instance.Metadata.Uid)} of {host.Node} ({host.Records.GetValueOrDefault(instance.Metadata.Uid)?.GetType().Name ?? "no record"})"))}, ") + (instance is null ? "" : $"{instance.Metadata.Uid}{(instance.Metadata.DeletionTimestamp is null ? "" : ", being deleted,")} {GodwitJson.Serialize(instance.Status)}");
        if (halted.Contains(name))
        {
            return machines.Count == 0 && instance is null ? null : words;
        }

        var isSaid = instance is { Status.Phase: VirtualMachineInstancePhases.Running, Metadata.DeletionTimestamp: null } && instance.Status.Conditions.Any(condition => condition is { Type: VirtualMachineInstanceConditions.Ready, Status: ConditionStatuses.True });
        var isSo = machines is [{ State: MachineRunState.Running } machine] && machine.Node == instance?.Status.NodeName && machine.Uid == instance.Metadata.Uid;
        var printed = Server.Find<VirtualMachine>(Namespace, name)?.Status.PrintableStatus;
        return isSaid && isSo && printed == PrintableStatuses.Running ? null : $"{words}, and the virtual machine says {printed}";
    }

    private void AskFor(string name)
    {
        if (Server.Find<VirtualMachine>(Namespace, name) is null)
        {
            Server.Create(new VirtualMachine
            {
                Metadata = new ObjectMeta { Namespace = Namespace, Name = name },
                Spec = new VirtualMachineSpec
                {
                    RunStrategy = RunStrategies.Always,
                    Template = new VirtualMachineInstanceTemplate { Spec = new VirtualMachineInstanceSpec { Domain = new DomainSpec { Memory = new Memory { Guest = Quantity.Parse($"{GuestMebibytes}Mi") } } } },
                },
            });
        }
    }

    private void Move(string name)
    {
        world.Tell("move", $"{name} is to move");
        Server.Create(new VirtualMachineInstanceMigration { Metadata = new ObjectMeta { Namespace = Namespace, Name = $"move-{++moves}" }, Spec = new VirtualMachineInstanceMigrationSpec { VmiName = name } });
    }

    private void Cancel()
    {
        if (witness.Moves.Values.FirstOrDefault(move => !MigrationPhases.IsFinal(move.Status.Phase) && move.Metadata.DeletionTimestamp is null) is { } move)
        {
            world.Tell("cancel", $"{move.Metadata.Name} of {move.Spec.VmiName}, which is {move.Status.Phase}, is cancelled");
            Server.Delete<VirtualMachineInstanceMigration>(Namespace, move.Metadata.Name);
        }
    }

    /// <summary>A guest crashes, or shuts itself down.</summary>
    private void End(string name)
    {
        var guest = new ResourceKey(Namespace, name);
        foreach (var host in witness.Hosts)
        {
            if (host.Machines.FirstOrDefault(each => each.Value.Guest == guest && each.Value.State == MachineRunState.Running).Key is { } uid)
            {
                var state = world.Chance(0.5) ? MachineRunState.Crashed : MachineRunState.Shutdown;
                world.Tell($"guest {state}", $"{name} is {state} on {host.Node}");
                host.Put(uid, state);
            }
        }
    }

    private void Leave(SimulatedNode node)
    {
        world.Tell("evacuation", $"{node.Name} is emptied of guests");
        (leaving, leavingSince) = (node.Name, world.Now);
        SetCordon(node.Name, true);
    }

    private void Stay()
    {
        if (leaving is not null)
        {
            SetCordon(leaving, false);
            leaving = null;
        }
    }

    private void SetCordon(string node, bool isCordoned) => Server.TryPatch<Node>("", node, new JsonObject { ["spec"] = new JsonObject { ["unschedulable"] = isCordoned } });
}
