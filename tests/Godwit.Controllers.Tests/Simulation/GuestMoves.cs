extern alias agent;

using System.Text.Json.Nodes;
using agent::Godwit.Node.Guests;
using Godwit.Machines;

namespace Godwit.Controllers.Tests.Simulation;

/// <summary>
/// Moves from and to one host, by the three rules of docs/migration.md and no more: "run" is ordered when the guest stands still at the source and the source has written down that it may order it; after that
/// the source lets the guest run only upon the target's refusal; the target writes down that it may run the guest before it does. Everything follows from what is on the two disks, so an agent that dies goes
/// on from there. How bytes go, rounds and their end, is <c>tests/Godwit.Simulation</c>'s.
/// </summary>
internal sealed class GuestMoves(GuestHost host, ClusterWorld world, GuestWitness witness)
{
    private const double MessageLost = 0.15;
    private const double GivenUp = 0.05;
    private const double RoundsEnd = 0.4;
    private const double MuteAtArrival = 0.3;

    private readonly HashSet<string> ending = new(StringComparer.Ordinal);

    private enum Order
    {
        Prepare,
        Run,
        Abort,
    }

    /// <summary>Asks the moves of a guest to end, which those do that can.</summary>
    public void End(string uid) => ending.Add(uid);

    public void Look()
    {
        foreach (var arrival in host.Incoming.Where(each => each.Value.Stage == ArrivalStage.Granted).ToList())
        {
            Run(arrival.Key, arrival.Value);
        }

        foreach (var outgoing in host.Outgoing.Values.ToList())
        {
            Drive(outgoing);
        }

        foreach (var move in witness.Moves.Values.Where(move => move.Status.MigrationState?.SourceNode == host.Node && !host.Outgoing.ContainsKey(move.Metadata.Uid)).ToList())
        {
            Take(move);
        }
    }

    /// <summary>A move that is not under way here: it begins, or its object may go.</summary>
    private void Take(VirtualMachineInstanceMigration move)
    {
        var guest = new ResourceKey(move.Metadata.Namespace, move.Spec.VmiName);
        if (MigrationPhases.IsFinal(move.Status.Phase) || move.Metadata.DeletionTimestamp is not null)
        {
            if (move.Metadata.Finalizers.Contains(FinalizerNames.Migration) && NoteEndOnGuest(guest, move))
            {
                var rest = move.Metadata.Finalizers.Where(name => name != FinalizerNames.Migration).Select(name => (JsonNode?)name).ToArray();
                witness.Write(host, move, new JsonObject { ["metadata"] = new JsonObject { ["resourceVersion"] = move.Metadata.ResourceVersion, ["finalizers"] = new JsonArray(rest) } });
            }
        }
        else if (move.Status.Phase == MigrationPhases.Scheduled)
        {
            var uid = witness.Instances.GetValueOrDefault(guest)?.Metadata.Uid ?? "";
            if (host.Machines.GetValueOrDefault(uid) is not { State: MachineRunState.Running } || host.ClaimOn(uid) is HandoverClaim.Moving or HandoverClaim.Arriving)
            {
                Say(ResourceKey.Of(move), MigrationPhases.Failed, $"guest {guest} does not run on {host.Node}");
                return;
            }

            if (!NoteOnGuest(guest, move))
            {
                return;
            }

            host.Outgoing[move.Metadata.Uid] = new OutgoingGuest(uid, guest, move.Metadata.Uid, ResourceKey.Of(move), move.Status.MigrationState!.TargetNode!, MoveStage.Preparing);
        }
        else if (move.Status.Phase is MigrationPhases.PreparingTarget or MigrationPhases.TargetReady or MigrationPhases.Running)
        {
            Say(ResourceKey.Of(move), MigrationPhases.Failed, "the source's agent had not written down that it began");
        }
    }

    private void Drive(OutgoingGuest move)
    {
        var state = host.Machines.GetValueOrDefault(move.Uid)?.State;
        var isHere = state is MachineRunState.Running or MachineRunState.PostMigrate;
        var isToEnd = !isHere || ending.Contains(move.Uid) || witness.FindMove(move.MoveUid) is not { Metadata.DeletionTimestamp: null } || (!world.IsCalm && world.Chance(GivenUp));
        switch (move.Stage)
        {
            case MoveStage.Preparing or MoveStage.Copying or MoveStage.Stopped when isToEnd:
                TurnBack(move);
                break;
            case MoveStage.Preparing:
                Say(move.Move, MigrationPhases.PreparingTarget);
                if (Tell(move, Order.Prepare) is { } answer)
                {
                    Enter(move, answer == ArrivalStage.Arriving ? MoveStage.Copying : MoveStage.TurningBack);
                }

                break;
            case MoveStage.Copying:
                Say(move.Move, MigrationPhases.Running);
                if (world.Mutation == ClusterMutation.RunsBeforeItStopped)
                {
                    Tell(move, Order.Run);
                }

                if (world.Chance(RoundsEnd))
                {
                    host.Put(move.Uid, MachineRunState.PostMigrate);
                    Enter(move, MoveStage.Stopped);
                }

                break;
            case MoveStage.Stopped:
                Enter(move, MoveStage.Ordered); // Before it is sent.
                break;
            case MoveStage.Ordered:
                Hear(move, Tell(move, Order.Run));
                break;
            case MoveStage.TurningBack:
                if (Say(move.Move, MigrationPhases.Failed, $"the guest stayed on {host.Node}") && Tell(move, Order.Abort) is not null)
                {
                    Forget(move);
                }

                break;
            case MoveStage.Completing:
                if (Say(move.Move, MigrationPhases.Succeeded))
                {
                    Forget(move);
                    host.Ends[move.Uid] = HandoverClaim.HandedOver;
                }

                break;
            case MoveStage.Losing:
                if (Say(move.Move, MigrationPhases.Failed, "the guest is lost"))
                {
                    Forget(move);
                }

                break;
        }
    }

    private void Hear(OutgoingGuest move, ArrivalStage? answer)
    {
        switch (answer)
        {
            case ArrivalStage.Finished:
                host.Machines.Remove(move.Uid);
                Enter(move, MoveStage.Completing);
                break;
            case ArrivalStage.Refused:
                TurnBack(move);
                break;
            case ArrivalStage.Lost:
                host.Machines.Remove(move.Uid); // It may have run there: it must never run here.
                Enter(move, MoveStage.Losing);
                break;
        }
    }

    private void TurnBack(OutgoingGuest move)
    {
        if (host.Machines.GetValueOrDefault(move.Uid) is { State: MachineRunState.PostMigrate })
        {
            host.Put(move.Uid, MachineRunState.Running);
            witness.CheckCopies(move.Guest);
        }

        Enter(move, MoveStage.TurningBack);
    }

    private void Enter(OutgoingGuest move, MoveStage stage)
    {
        world.Seen.Add($"move {stage}");
        host.Outgoing[move.MoveUid] = move with { Stage = stage };
    }

    private void Forget(OutgoingGuest move)
    {
        host.Outgoing.Remove(move.MoveUid);
        ending.Remove(move.Uid);
    }

    /// <summary>Sends an order, until it is answered at another look; null: there was no answer, though it may have been obeyed.</summary>
    private ArrivalStage? Tell(OutgoingGuest move, Order order)
    {
        var target = world.Nodes.Find(each => each.Name == move.Target)!;
        if (target.IsSilent || (!world.IsCalm && world.Chance(MessageLost)))
        {
            return null;
        }

        var answer = target.Guests!.Moves.Obey(order, move);
        return !world.IsCalm && world.Chance(MessageLost) ? null : answer;
    }

    /// <summary>At the target. Obeying twice is obeying once.</summary>
    private ArrivalStage Obey(Order order, OutgoingGuest move)
    {
        var known = host.Incoming.GetValueOrDefault(move.MoveUid) ?? new ArrivingGuest(move.Uid, move.Guest, order == Order.Prepare && !host.Machines.ContainsKey(move.Uid) ? ArrivalStage.Arriving : ArrivalStage.Refused);
        if (!host.Incoming.ContainsKey(move.MoveUid) && known.Stage == ArrivalStage.Arriving)
        {
            host.Machines[move.Uid] = new GuestMachine(move.Guest, MachineRunState.Incoming);
            host.Refused.Remove(move.Uid);
        }

        var isThere = host.Machines.ContainsKey(move.Uid);
        var stage = (known.Stage, order) switch
        {
            (ArrivalStage.Arriving, Order.Abort) => ArrivalStage.Refused,
            (ArrivalStage.Arriving, _) when !isThere => ArrivalStage.Refused, // With its host's power.
            (ArrivalStage.Arriving, Order.Run) => ArrivalStage.Granted,
            (ArrivalStage.Granted, _) when !isThere => ArrivalStage.Lost,
            _ => known.Stage,
        };
        host.Incoming[move.MoveUid] = known with { Stage = stage };
        if (stage == ArrivalStage.Refused && host.Machines.GetValueOrDefault(move.Uid) is { State: MachineRunState.Incoming })
        {
            host.Machines.Remove(move.Uid);
            host.Refused.Add(move.Uid);
        }

        return stage;
    }

    /// <summary>At the target: what may run does, and owns itself from then on.</summary>
    private void Run(string moveUid, ArrivingGuest arrival)
    {
        var isThere = host.Machines.ContainsKey(arrival.Uid);
        host.Incoming[moveUid] = arrival with { Stage = isThere ? ArrivalStage.Finished : ArrivalStage.Lost };
        if (isThere)
        {
            host.Put(arrival.Uid, MachineRunState.Running);
            host.Ends[arrival.Uid] = HandoverClaim.Owner;
            witness.CheckCopies(arrival.Guest);
            if (!world.IsCalm && world.Chance(MuteAtArrival))
            {
                world.Tell("mute at an arrival", $"{arrival.Guest} has arrived on {host.Node}, which does not reach the server for a while");
                host.MuteUntil = world.Now + world.Between(2, 90);
            }
        }
    }

    /// <summary>The guest's object names both nodes, as the product's agents write it before they begin.</summary>
    private bool NoteOnGuest(ResourceKey guest, VirtualMachineInstanceMigration move)
    {
        var state = new MigrationState { MigrationUid = move.Metadata.Uid, SourceNode = host.Node, TargetNode = move.Status.MigrationState!.TargetNode, StartTimestamp = world.Now };
        return Note(witness.Instances[guest], state, null);
    }

    /// <summary>And how it ended, before the move's own object may go. False: it could not be written now, and the object stays.</summary>
    private bool NoteEndOnGuest(ResourceKey guest, VirtualMachineInstanceMigration move)
    {
        var isToBeSaid = MigrationPhases.IsFinal(move.Status.Phase) && witness.Instances.GetValueOrDefault(guest) is { } known && GuestPlace.IsSaidToMove(known) && known.Status.MigrationState!.MigrationUid == move.Metadata.Uid;
        return !isToBeSaid || Note(witness.Instances[guest], move.Status.MigrationState, witness.Instances[guest].Metadata.ResourceVersion);
    }

    private bool Note(VirtualMachineInstance guest, MigrationState? state, string? version)
    {
        if (world.Mutation == ClusterMutation.ForgetsMoves)
        {
            return true;
        }

        var patch = MergePatch.Between(GodwitJson.ToObject(guest), GodwitJson.ToObject(guest with { Status = guest.Status with { MigrationState = state } }));
        if (version is not null)
        {
            patch["metadata"] = new JsonObject { ["resourceVersion"] = version };
        }

        return witness.Write(host, guest, patch, "status");
    }

    /// <summary>False: it could not be written now, and is to be said again.</summary>
    private bool Say(ResourceKey key, string phase, string? failure = null)
    {
        if (witness.Moves.GetValueOrDefault(key) is not { } move || MigrationPhases.IsFinal(move.Status.Phase) || move.Status.Phase == phase)
        {
            return true; // Nobody is left to tell, or it is told.
        }

        if (!world.IsCalm && world.Chance(MessageLost))
        {
            return false;
        }

        var status = move.Status with { Phase = phase, PhaseTransitionTimestamps = [.. move.Status.PhaseTransitionTimestamps, new PhaseTransition { Phase = phase, Timestamp = world.Now }] };
        if (MigrationPhases.IsFinal(phase))
        {
            var hasFailed = phase == MigrationPhases.Failed;
            status = status with { MigrationState = status.MigrationState! with { Completed = true, Failed = hasFailed ? true : null, FailureReason = failure, EndTimestamp = world.Now } };
        }

        var patch = MergePatch.Between(GodwitJson.ToObject(move), GodwitJson.ToObject(move with { Status = status }));
        return witness.Write(host, move, patch, "status");
    }
}
