extern alias agent;

using System.Text.Json.Nodes;
using agent::Godwit.Node.Guests;
using Godwit.Machines;
using Godwit.Store;

namespace Godwit.Controllers.Tests.Simulation;

/// <summary>
/// All guests and moves as the server has them, the hosts that run them, and what must never be. The invariants, by the names that a failure prints:
/// <list type="bullet">
/// <item><b>NeverTwoCopies</b>: no two copies of a guest run at the same time, on whatever hosts and of whatever incarnation.</item>
/// <item><b>NeverBootedTwice</b>: an incarnation boots once.</item>
/// <item><b>GuestNeverGoneWhileRunning</b>: an incarnation's object does not go while a host still runs it.</item>
/// <item><b>MoveLeavesOne</b>: a move that has succeeded leaves nothing that runs at its source, one that has failed leaves nothing that runs at its target; and the guest's object says no other end of it.</item>
/// <item><b>NeverFromElsewhere</b>: no move is given to the agent of a node that has given the guest away.</item>
/// <item><b>OwnerIsHeard</b>: the server refuses an agent nothing that it has to say of its guests and moves, though it holds each to its own.</item>
/// <item><b>RunsAgain</b>, in the end: exactly one copy runs of each guest that is wanted, where its object says and as it says, and none of the others.</item>
/// <item><b>MoveEnds</b>, in the end: no move is under way, and no object of one waits for anybody.</item>
/// <item><b>EvacuationEnds</b>: a node that is emptied when nothing else happens is empty in a bounded time.</item>
/// </list>
/// </summary>
internal sealed class GuestWitness(ClusterWorld world) : IClusterWitness
{
    private readonly HashSet<string> booted = new(StringComparer.Ordinal);

    public SortedDictionary<ResourceKey, VirtualMachineInstance> Instances { get; } = [];

    public SortedDictionary<ResourceKey, VirtualMachineInstanceMigration> Moves { get; } = [];

    public List<GuestHost> Hosts { get; } = [];

    public void See(StoreEvent change)
    {
        if (world.Server.IsOf<VirtualMachineInstance>(change))
        {
            See(change, world.Server.Decode<VirtualMachineInstance>(change));
        }
        else if (world.Server.IsOf<VirtualMachineInstanceMigration>(change))
        {
            See(change, world.Server.Decode<VirtualMachineInstanceMigration>(change));
        }
    }

    /// <summary>The incarnation of that identity, if the server has it.</summary>
    public VirtualMachineInstance? Find(string uid) => Instances.Values.FirstOrDefault(instance => instance.Metadata.Uid == uid);

    public VirtualMachineInstanceMigration? FindMove(string uid) => Moves.Values.FirstOrDefault(move => move.Metadata.Uid == uid);

    /// <summary>An agent writes, with its node's rights. False: it was not written; the object has changed or is gone, or the agent does not reach the server.</summary>
    public bool Write<T>(GuestHost host, T resource, JsonObject patch, string? subresource = null)
        where T : Resource, IResource<T>
    {
        if (world.Now < host.MuteUntil)
        {
            return false;
        }

        var (code, body) = world.Server.Patch(host.Node, resource, patch, subresource);
        world.Check(code is 200 or 404 or 409, "OwnerIsHeard", () => $"{host.Node} writes {patch.ToJsonString()} to {ResourceKey.Of(resource)}, and the server says {body}");
        world.Observe();
        return code == 200;
    }

    /// <summary>The nodes on which a copy of the guest runs.</summary>
    public List<string> RunsOn(ResourceKey guest) =>
        [.. Hosts.SelectMany(host => host.Machines.Values.Where(machine => machine.Guest == guest && machine.State == MachineRunState.Running).Select(_ => host.Node))];

    /// <summary>A host is about to boot an incarnation.</summary>
    public void CheckBoot(GuestHost host, string uid, ResourceKey guest) =>
        world.Check(booted.Add(uid), "NeverBootedTwice", () => $"{guest} ({uid}) is booted on {host.Node}, and was booted before");

    /// <summary>A host has let a copy of the guest run.</summary>
    public void CheckCopies(ResourceKey guest)
    {
        var on = RunsOn(guest);
        world.Check(on.Count <= 1, "NeverTwoCopies", () => $"{guest} runs on {string.Join(" and ", on)}");
    }

    private void See(StoreEvent change, VirtualMachineInstance instance)
    {
        var key = ResourceKey.Of(instance);
        if (change.Kind != StoreEventKind.Deleted)
        {
            Instances[key] = instance;
            var told = instance.Status.MigrationState;
            var isElsewhere = told is { Failed: true, MigrationUid: { } uid, TargetNode: { } target } && IsAtTarget(target, uid);
            world.Check(!isElsewhere, "MoveLeavesOne", () => $"{key} says that its move to {told!.TargetNode} has failed, which has it: {told.FailureReason}");
            return;
        }

        Instances.Remove(key);
        var running = Hosts.FirstOrDefault(host => host.Machines.GetValueOrDefault(instance.Metadata.Uid) is { State: MachineRunState.Running });
        world.Check(running is null, "GuestNeverGoneWhileRunning", () => $"{key} is gone and runs on {running!.Node}");
    }

    private void See(StoreEvent change, VirtualMachineInstanceMigration move)
    {
        var key = ResourceKey.Of(move);
        if (change.Kind == StoreEventKind.Deleted)
        {
            Moves.Remove(key);
            return;
        }

        var hasEnded = MigrationPhases.IsFinal(move.Status.Phase) && !MigrationPhases.IsFinal(Moves.GetValueOrDefault(key)?.Status.Phase);
        var isScheduled = move.Status.Phase == MigrationPhases.Scheduled && Moves.GetValueOrDefault(key)?.Status.Phase != MigrationPhases.Scheduled;
        Moves[key] = move;
        if (isScheduled && Instances.GetValueOrDefault(new ResourceKey(move.Metadata.Namespace, move.Spec.VmiName)) is { } guest)
        {
            var from = Hosts.Find(host => host.Node == move.Status.MigrationState?.SourceNode);
            world.Check(from?.ClaimOn(guest.Metadata.Uid) != HandoverClaim.HandedOver, "NeverFromElsewhere", () => $"{key} is to move {move.Spec.VmiName} from {from!.Node}, which has given it away; it is said to be on {guest.Status.NodeName}");
        }

        if (hasEnded && move.Status.MigrationState is { TargetNode: { Length: > 0 } target, SourceNode: { } source })
        {
            world.Seen.Add($"move {move.Status.Phase}");
            CheckEnd(move, new ResourceKey(move.Metadata.Namespace, move.Spec.VmiName), source, target);
        }
    }

    private void CheckEnd(VirtualMachineInstanceMigration move, ResourceKey guest, string source, string target)
    {
        // Of the incarnation that was moved: its source may say so late, and run the next one by then.
        var from = Hosts.Find(host => host.Node == source)!;
        var isAtSource = move.Status.Phase == MigrationPhases.Succeeded
            && from.Outgoing.GetValueOrDefault(move.Metadata.Uid) is { Uid: var moved }
            && from.Machines.GetValueOrDefault(moved) is { State: MachineRunState.Running };
        var isAtTarget = move.Status.Phase == MigrationPhases.Failed && IsAtTarget(target, move.Metadata.Uid);
        world.Check(!isAtSource && !isAtTarget, "MoveLeavesOne", () => $"{ResourceKey.Of(move)} from {source} to {target} is {move.Status.Phase}, and {guest} runs on {(isAtSource ? source : target)}");
    }

    private bool IsAtTarget(string target, string moveUid) =>
        Hosts.Find(host => host.Node == target)!.Incoming.GetValueOrDefault(moveUid) is { Stage: ArrivalStage.Granted or ArrivalStage.Finished };
}
