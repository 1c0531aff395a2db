using System.Collections.Concurrent;
using Godwit.Api.KubeVirt.V1;
using Godwit.Base;
using Godwit.Client;
using Godwit.Linux;
using Godwit.Machines;
using Godwit.Migration.Protocol;
using Godwit.Node.Peers;
using Microsoft.Extensions.Logging;

namespace Godwit.Node.Migrations;

/// <summary>The moves to this host: takes the sources' orders in, runs one <see cref="IncomingMove"/> each, answers for those that are over.</summary>
internal sealed partial class IncomingMoves(MoveParts parts) : IDisposable
{
    /// <summary>Guests that may be on their way here at once; one more is refused, and can be moved later.</summary>
    public const int MovesMax = 32;

    private readonly ConcurrentDictionary<MoveId, IncomingMove> moves = new();
    private readonly SemaphoreSlim opening = new(1);
    private readonly TaskCompletionSource<CancellationToken> started = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public IReadOnlyCollection<IncomingMove> All => [.. moves.Values];

    public void Map(PeerMethods methods)
    {
        methods.Map(MoveMethods.Order, ReceiveAsync);
        methods.Map(MoveMethods.Frames, (context, message, _) => Task.FromResult(Deliver(context, message)));
        methods.Map(MoveMethods.SharedDisks, (_, question, _) => Task.FromResult(new SharedDisks(parts).Answer(question)));
        methods.Map(MoveMethods.Disks, (_, question, stopping) => new MovingDisks(parts).AnswerAsync(question, stopping));
        methods.Map(MoveMethods.Facts, async (_, _, stopping) => new MoveFacts((await parts.Host.GetFactsAsync(stopping)).PostcopyObstacle));
    }

    /// <summary>Takes up what an earlier agent left, then lets orders in. The machines have been adopted before.</summary>
    public async Task StartAsync(CancellationToken stopping)
    {
        foreach (var record in parts.Journal.All.Where(record => record.Incoming is not null and not TargetRecord.Finished))
        {
            var machine = parts.Machines.Find(record.MachineId);
            if (record.Incoming is TargetRecord.Refused or TargetRecord.Lost && (machine is null || !parts.Journal.IsNewest(record)))
            {
                continue; // Over, and nothing is left of it: a later move brought what is here.
            }

            Run(IncomingMove.Recover(parts, record, await MachineLook.TakeTargetAsync(machine, 0, stopping)), stopping);
        }

        started.TrySetResult(stopping);
    }

    public void Dispose() => opening.Dispose();

    private async Task<MoveReport> ReceiveAsync(PeerContext context, MoveOrder message, CancellationToken stopping)
    {
        var running = await started.Task.WaitAsync(stopping);
        var order = message.ToOrder() ?? throw new PeerRefusedException(PeerRefusal.BadRequest, $"The order {message.Kind} is not known here.");
        var id = new MoveId(message.Move);
        await opening.WaitAsync(stopping);
        try
        {
            if (moves.TryGetValue(id, out var move))
            {
                Check(move.Route, context, message);
                return move.Receive(order, context.Connection);
            }

            if (parts.Journal.Find(id) is { Incoming: { } end } record)
            {
                Check(record, context, message);
                return new() { Move = message.Move, Standing = StandingAfter(end), Reason = record.Reason };
            }

            return await OpenAsync(context, message, order, running);
        }
        finally
        {
            opening.Release();
        }
    }

    /// <summary>From the source of a move, for the guest that it brought, while that is the newest of its guest.</summary>
    private MoveFramesTaken Deliver(PeerContext context, MoveFrames message)
    {
        if (parts.Journal.Find(new(message.Move)) is not { Incoming: TargetRecord.RunGranted or TargetRecord.Finished } record
            || record.Source != context.Peer.Value || !parts.Journal.IsNewest(record))
        {
            throw new PeerRefusedException(PeerRefusal.NotAllowed, "That move did not bring a guest from this node.");
        }

        try
        {
            parts.Network.Deliver(record.MachineId, message.Nic, message.Frames);
        }
        catch (Exception error) when (error is LinuxException or ArgumentException)
        {
            throw new PeerRefusedException(PeerRefusal.BadRequest, ErrorChain.Describe(error));
        }

        return new();
    }

    private async Task<MoveReport> OpenAsync(PeerContext context, MoveOrder message, Order order, CancellationToken running)
    {
        if (order is Order.Ask)
        {
            return new() { Move = message.Move, Standing = TargetStanding.Unknown };
        }

        var preparation = message.Preparation ?? new("", "", "", new());
        if (order is Order.Prepare)
        {
            await CheckMayPrepareAsync(context, message, preparation, running);
        }

        var route = new MoveRecord
        {
            Move = message.Move,
            Machine = message.Machine,
            Source = context.Peer.Value,
            Target = parts.Node.Value,
            Preparation = preparation,
        };
        var move = IncomingMove.Open(parts, route, order)!;
        var report = move.Receive(new Order.Ask(), context.Connection);
        Run(move, running);
        return report;
    }

    /// <summary>A node may send only a guest that the API places on it, by a migration object that names it and this node.</summary>
    private async Task CheckMayPrepareAsync(PeerContext context, MoveOrder message, MovePreparation preparation, CancellationToken stopping)
    {
        if (moves.Count >= MovesMax)
        {
            throw new PeerRefusedException(PeerRefusal.Busy, $"{MovesMax} guests are on their way to this node already; try again later.");
        }

        if (parts.Machines.Find(new MachineId(message.Machine)) is { } there)
        {
            throw new PeerRefusedException(PeerRefusal.NotAllowed, $"This node has a machine of that guest already ({there.RunState}).");
        }

        var guest = await parts.Cluster.For<VirtualMachineInstance>().FindAsync(new(preparation.GuestNamespace, preparation.GuestName), stopping);
        var migration = await parts.Cluster.For<VirtualMachineInstanceMigration>().FindAsync(new(preparation.GuestNamespace, preparation.MigrationName), stopping);
        var agreed = guest is not null && migration is not null
            && guest.Metadata.Uid == message.Machine.ToString("D")
            && guest.Status.NodeName == context.Peer.Value
            && migration.Metadata.Uid == message.Move.ToString("D")
            && migration.Status.MigrationState?.SourceNode == context.Peer.Value
            && migration.Status.MigrationState?.TargetNode == parts.Node.Value;
        if (!agreed)
        {
            throw new PeerRefusedException(
                PeerRefusal.NotAllowed,
                $"The API has no migration of {preparation.GuestNamespace}/{preparation.GuestName} from node {context.Peer} to {parts.Node} under these identities.");
        }
    }

    private static void Check(MoveRecord record, PeerContext context, MoveOrder message)
    {
        if (record.Source != context.Peer.Value || record.Machine != message.Machine)
        {
            throw new PeerRefusedException(PeerRefusal.NotAllowed, "That move is not this node's.");
        }
    }

    private void Run(IncomingMove move, CancellationToken stopping)
    {
        moves[move.Route.MoveId] = move;
        _ = RunAsync(move, stopping);
    }

    private async Task RunAsync(IncomingMove move, CancellationToken stopping)
    {
        try
        {
            await move.RunAsync(stopping);
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            return;
        }
        catch (Exception error)
        {
            // The journal holds where it was; the next start of the agent goes on from there.
            Log.Broke(parts.Logger, move.Route.MoveId, ErrorChain.Describe(error), error);
            return;
        }

        moves.TryRemove(move.Route.MoveId, out _);
        move.Dispose();
    }

    private static TargetStanding StandingAfter(TargetRecord record) => record switch
    {
        TargetRecord.Finished => TargetStanding.Completed,
        TargetRecord.Refused => TargetStanding.Refused,
        TargetRecord.Lost => TargetStanding.Lost,
        _ => TargetStanding.Preparing, // A move whose driver broke: it is not over, and nothing may be concluded.
    };

    private static partial class Log
    {
        [LoggerMessage(EventId = 2331, Level = LogLevel.Error, Message = "The arrival {Move} broke down and stands as its journal says: {Reason}")]
        public static partial void Broke(ILogger logger, MoveId move, string reason, Exception error);
    }
}
