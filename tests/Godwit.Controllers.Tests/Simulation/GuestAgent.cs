extern alias agent;

using System.Text.Json.Nodes;
using agent::Godwit.Node;
using agent::Godwit.Node.Guests;
using Godwit.Machines;

namespace Godwit.Controllers.Tests.Simulation;

/// <summary>
/// The guests' part of a node's agent. What it does for each is what the product's own <see cref="GuestPlan"/> says, carried out on a <see cref="GuestHost"/> that runs nothing; a plan may be cut short between
/// any two steps. Moves are driven by <see cref="GuestMoves"/>.
/// </summary>
internal sealed class GuestAgent
{
    private const double CutShort = 0.05;
    private const double PowerLostAtStart = 0.15;

    private readonly SimulatedNode node;
    private readonly ClusterWorld world;
    private readonly GuestWitness witness;

    public GuestAgent(SimulatedNode node, ClusterWorld world, GuestWitness witness)
    {
        (this.node, this.world, this.witness) = (node, world, witness);
        Host = new GuestHost(node.Name);
        Moves = new GuestMoves(Host, world, witness);
        witness.Hosts.Add(Host);
    }

    public GuestHost Host { get; }

    public GuestMoves Moves { get; }

    /// <summary>What runs goes, what was written down stays.</summary>
    public void LosePower() => Host.Machines.Clear();

    /// <summary>The agent looks at its guests, and at the moves from and to its node.</summary>
    public void Look()
    {
        foreach (var uid in Host.Machines.Keys.Concat(Host.Records.Keys).Concat(witness.Instances.Values.Select(instance => instance.Metadata.Uid)).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal).ToList())
        {
            if (!node.IsSilent)
            {
                Tend(uid);
            }
        }

        if (!node.IsSilent)
        {
            Moves.Look();
        }
    }

    private void Tend(string uid)
    {
        var instance = witness.Find(uid);
        var view = new GuestView
        {
            Node = NodeName.Parse(Host.Node),
            Now = world.Now,
            Object = instance is null ? new GuestObject.Absent() : new GuestObject.Present(instance),
            Machine = Host.Machines.TryGetValue(uid, out var machine) ? new MachineView(machine.State, "", "pc-q35-10.0") : null,
            Record = Host.Records.GetValueOrDefault(uid),
            Claim = Host.ClaimOn(uid),
            IsRefused = Host.Refused.Contains(uid),
        };
        foreach (var step in GuestPlan.For(view))
        {
            if (!world.IsCalm && world.Chance(CutShort))
            {
                world.Seen.Add("plan cut short");
                return;
            }

            Do(uid, step);
            if (step is GuestStep.Start && !world.IsCalm && world.Chance(PowerLostAtStart))
            {
                world.Tell("power at a start", $"{Host.Node} loses its power when {uid} has begun to run");
                node.LosePower();
                return;
            }
        }
    }

    private void Do(string uid, GuestStep step)
    {
        var id = new MachineId(Guid.Parse(uid));
        switch (step)
        {
            case GuestStep.ClaimObject:
                Claim(witness.Find(uid)!);
                break;
            case GuestStep.Start:
                Start(uid, ResourceKey.Of(witness.Find(uid)!));
                break;
            case GuestStep.RecordStart:
                Host.Records[uid] = StartedOf(id, Host.Machines[uid].Guest);
                break;
            case GuestStep.RecordEnd end:
                var guest = witness.Find(uid)!.Metadata;
                Host.Records[uid] = new Incarnation.Ended(id, guest.Namespace, guest.Name, end.Outcome);
                break;
            case GuestStep.ShutDown:
                Host.Put(uid, MachineRunState.Shutdown);
                break;
            case GuestStep.EndProcess:
                Host.Put(uid, MachineRunState.Gone);
                break;
            case GuestStep.Remove:
                Host.Machines.Remove(uid);
                break;
            case GuestStep.ForgetRecord:
                Host.Records.Remove(uid);
                break;
            case GuestStep.ReleaseObject when world.Mutation == ClusterMutation.HoldsGuests:
                break;
            case GuestStep.ReleaseObject:
                var held = witness.Find(uid)!;
                Change(held, held with { Metadata = held.Metadata with { Finalizers = [.. held.Metadata.Finalizers.Where(name => name != FinalizerNames.Agent)] } }, null);
                break;
            case GuestStep.PublishStatus publish:
                var known = witness.Find(uid)!;
                Change(known, known with { Status = publish.Status }, "status");
                break;
            case GuestStep.EndMove:
                Moves.End(uid);
                break;
            case GuestStep.Report:
                break; // For people.
            default:
                throw new InvalidOperationException($"Nothing in the simulation asks for {step}.");
        }
    }

    /// <summary>The record before the guest's first instruction: then nobody boots this incarnation again.</summary>
    private void Start(string uid, ResourceKey guest)
    {
        if (world.Mutation != ClusterMutation.ForgetsBoots)
        {
            Host.Records[uid] = StartedOf(new MachineId(Guid.Parse(uid)), guest);
        }

        witness.CheckBoot(Host, uid, guest);
        Host.Machines[uid] = new GuestMachine(guest, MachineRunState.Running);
        witness.CheckCopies(guest);
    }

    private void Claim(VirtualMachineInstance instance)
    {
        var labels = new Dictionary<string, string>(instance.Metadata.Labels, StringComparer.Ordinal) { [LabelNames.NodeName] = Host.Node };
        Change(instance, instance with { Metadata = instance.Metadata with { Labels = labels, Finalizers = [.. instance.Metadata.Finalizers.Union([FinalizerNames.Agent])] } }, null);
    }

    private void Change(VirtualMachineInstance before, VirtualMachineInstance after, string? subresource)
    {
        var patch = MergePatch.Between(GodwitJson.ToObject(before), GodwitJson.ToObject(after));
        if (patch.Count > 0)
        {
            var metadata = patch["metadata"] as JsonObject ?? [];
            metadata["resourceVersion"] = before.Metadata.ResourceVersion;
            patch["metadata"] = metadata;
            witness.Write(Host, before, patch, subresource);
        }
    }

    private static Incarnation.Started StartedOf(MachineId id, ResourceKey guest) => new(id, guest.Namespace, guest.Name);
}
