using Godwit.Api.KubeVirt.V1;
using Godwit.Api.Migrations.V1Alpha1;
using Godwit.Client;
using Godwit.Linux.Hosts;
using Godwit.Machines;
using Godwit.Node.Guests;
using Godwit.Node.Hosting;
using Godwit.Node.Serving;
using Microsoft.Extensions.Logging;
using Forecast = Godwit.Api.Forecasts.V1Alpha1.Forecast;

namespace Godwit.Node.Migrations;

/// <summary>All of an agent's part in moves, put together: guests that leave, guests that arrive, forecasts.</summary>
internal sealed class MoveAgent : IHandoverRecords, IDisposable
{
    private static readonly TimeSpan PruneInterval = TimeSpan.FromHours(1);

    private readonly MoveParts parts;
    private readonly IncomingMoves incoming;
    private readonly MoveSync outgoing;
    private readonly ForecastSync forecasts;
    private readonly ResourceCache<Forecast> asked;

    /// <summary>Reads the journal and maps what other agents may ask; before the first of them connects.</summary>
    public MoveAgent(AgentServices services)
    {
        var folder = Path.Combine(services.Options.DataFolder, "journal");
        var logger = services.Loggers.CreateLogger<MoveAgent>();
        parts = new()
        {
            Node = services.Options.Node,
            DataFolder = services.Options.DataFolder,
            Cluster = services.Client,
            Guests = services.Instances,
            Migrations = new(services.Client.For<VirtualMachineInstanceMigration>(), ListOptions.All, services.Time, logger),
            Policies = new(services.Client.For<MigrationPolicy>(), ListOptions.All, services.Time, logger),
            Nodes = services.Nodes,
            Events = services.Events,
            Host = services.MachineHost,
            Machines = services.Machines,
            Incarnations = services.Incarnations,
            Room = new((services.Options.MemoryBytes ?? HostFacts.MemoryBytes) - services.Options.ReservedMemoryBytes, services.Machines, () => HostFacts.MemoryAvailableBytes),
            Builder = services.Builder,
            Network = services.Network,
            Dialer = services.PeerDialer,
            Links = services.PeerLinks,
            Rates = services.LinkRates,
            Incoming = services.IncomingStreams,
            Journal = new(Path.Combine(folder, "moves"), services.Time),
            Time = services.Time,
            Logger = logger,
        };
        var history = new MoveHistory(Path.Combine(folder, "history"));
        var making = new Forecasts(parts, history, new CostHistory(Path.Combine(folder, "costs")));
        asked = new(services.Client.For<Forecast>(), ListOptions.All, services.Time, logger);
        incoming = new(parts);
        outgoing = new(parts, making);
        forecasts = new(parts, making, asked);
        services.PeerMethods.Map(MoveMethods.Lessons, (context, lessons, _) => Task.FromResult(history.Hear(parts.Journal, context.Peer, lessons)));
        incoming.Map(services.PeerMethods);
        outgoing.Map(services.PeerMethods);
    }

    public HandoverClaim ClaimOn(MachineId id) => parts.Journal.ClaimOn(id);

    public bool IsRefused(MachineId id) => parts.Journal.IsRefused(id);

    public void RequestEnd(MachineId id, string reason) => outgoing.EndMovesOf(id, reason);

    public void Subscribe(Action<MachineId> claimChanged) => parts.Journal.Subscribe(claimChanged);

    /// <summary>For Prometheus.</summary>
    public IEnumerable<MetricSample> Metrics() => outgoing.Progress.SelectMany(move => MoveMetrics.Of(move.Preparation, move.Progress));

    /// <summary>Takes up what an earlier agent left before orders are let in. The machines have been adopted before.</summary>
    public async Task RunAsync(CancellationToken stopping)
    {
        await incoming.StartAsync(stopping);
        await Task.WhenAll(
            parts.Migrations.RunAsync(stopping),
            parts.Policies.RunAsync(stopping),
            asked.RunAsync(stopping),
            outgoing.RunAsync(stopping),
            forecasts.RunAsync(stopping),
            PruneAsync(stopping));
    }

    public void Dispose()
    {
        incoming.Dispose();
        outgoing.Dispose();
        forecasts.Dispose();
    }

    private async Task PruneAsync(CancellationToken stopping)
    {
        await parts.Guests.WaitForSyncAsync(stopping);
        while (!stopping.IsCancellationRequested)
        {
            parts.Journal.Prune(
                id => parts.Guests.Current.Items.Any(guest => guest.Metadata.Uid == id.ToString() && guest.Status.NodeName == parts.Node.Value),
                record => parts.Guests.Current.Items.Any(guest =>
                    guest.Metadata.Uid == record.MachineId.ToString() && guest.Status.NodeName != parts.Node.Value && guest.Status.MigrationState?.MigrationUid == record.Move.ToString("D")));
            await Task.Delay(PruneInterval, parts.Time, stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }
}
