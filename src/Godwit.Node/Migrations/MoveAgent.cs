using Godwit.Client;
using Godwit.Node.Peers;
using Forecast = Godwit.Api.Forecasts.V1Alpha1.Forecast;

namespace Godwit.Node.Migrations;

/// <summary>All of an agent's part in moves, put together: guests that leave, guests that arrive, forecasts.</summary>
internal sealed class MoveAgent : IDisposable
{
    private static readonly TimeSpan PruneInterval = TimeSpan.FromHours(1);

    private readonly MoveParts parts;
    private readonly IncomingMoves incoming;
    private readonly MoveSync outgoing;
    private readonly ForecastSync forecasts;
    private readonly ResourceCache<Forecast> asked;

    public MoveAgent(MoveParts parts)
    {
        this.parts = parts;
        var making = new Forecasts(parts, new MoveHistory(Path.Combine(parts.DataFolder, "history")));
        asked = new(parts.Cluster.For<Forecast>(), new ListOptions(), parts.Time, parts.Logger);
        incoming = new(parts);
        outgoing = new(parts, making);
        forecasts = new(parts, making, asked);
    }

    /// <summary>What other agents may ask of moves; before the first connection.</summary>
    public void Map(PeerMethods methods)
    {
        incoming.Map(methods);
        outgoing.Map(methods);
    }

    /// <summary>Runs until cancelled. The machines have been adopted before; the caches of the parts are run by the agent.</summary>
    public async Task RunAsync(CancellationToken stopping)
    {
        await incoming.StartAsync(stopping);
        await Task.WhenAll(outgoing.RunAsync(stopping), forecasts.RunAsync(stopping), asked.RunAsync(stopping), PruneAsync(stopping));
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
            parts.Journal.Prune(id => parts.Guests.Current.Items.Any(guest =>
                guest.Metadata.Uid == id.ToString() && guest.Status.NodeName == parts.Node.Value));
            await Task.Delay(PruneInterval, parts.Time, stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }
}
