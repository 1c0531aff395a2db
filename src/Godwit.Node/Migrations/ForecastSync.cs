using System.Net;
using Godwit.Api;
using Godwit.Api.Forecasts.V1Alpha1;
using Godwit.Base;
using Godwit.Client;
using Godwit.Machines;
using Godwit.Migration.Forecasts;
using Godwit.Node.Peers;
using Forecast = Godwit.Api.Forecasts.V1Alpha1.Forecast;

namespace Godwit.Node.Migrations;

/// <summary>Answers Forecast objects about guests of this host: measures, compares all modes, writes the status.</summary>
internal sealed class ForecastSync : IDisposable
{
    private readonly MoveParts parts;
    private readonly Forecasts forecasts;
    private readonly ResourceCache<Forecast> cache;
    private readonly WorkQueue<ResourceKey> queue;
    private readonly ReconcileLoop<ResourceKey> loop;

    public ForecastSync(MoveParts parts, Forecasts forecasts, ResourceCache<Forecast> cache)
    {
        this.parts = parts;
        this.forecasts = forecasts;
        this.cache = cache;
        queue = new(parts.Time, new Backoff(TimeSpan.FromMilliseconds(250), TimeSpan.FromSeconds(15)));
        loop = new("forecasts", queue, ReconcileAsync, parts.Logger);
        cache.Subscribe(change => queue.Add(change.Key));
    }

    public async Task RunAsync(CancellationToken stopping)
    {
        await cache.WaitForSyncAsync(stopping);
        await loop.RunAsync(workers: 1, stopping); // One at a time: measuring a link twice at once measures half of it.
    }

    public void Dispose() => queue.Dispose();

    internal async Task<NextLook> ReconcileAsync(ResourceKey key, CancellationToken stopping)
    {
        if (cache.Current.Find(key) is not { Status.Phase: ForecastPhases.Scheduled or ForecastPhases.Measuring } asked
            || asked.Status.SourceNode != parts.Node.Value)
        {
            return NextLook.OnChange;
        }

        var answer = await AnswerAsync(asked, stopping);
        cache.Observe(await parts.Cluster.For<Forecast>().ChangeStatusAsync(asked, asked with { Status = answer }, stopping));
        return NextLook.OnChange;
    }

    private async Task<ForecastStatus> AnswerAsync(Forecast asked, CancellationToken stopping)
    {
        try
        {
            var guest = parts.Guests.Current.Find(new(asked.Metadata.Namespace, asked.Spec.VmiName));
            var machine = guest is not null && Guid.TryParseExact(guest.Metadata.Uid, "D", out var uid) ? parts.Machines.Find(new(uid)) : null;
            if (machine is not { RunState: MachineRunState.Running })
            {
                return Fail(asked, $"guest {asked.Spec.VmiName} does not run on {parts.Node}");
            }

            var node = parts.Nodes.Current.Find(new("", asked.Status.TargetNode ?? ""));
            if (!NodeName.TryParse(asked.Status.TargetNode, out var target)
                || !PeerEndpoint.TryParse(target, node?.Metadata.Annotations.GetValueOrDefault(AnnotationNames.PeerEndpoint), out var endpoint))
            {
                return Fail(asked, $"node '{asked.Status.TargetNode}' does not say where its agent listens for others");
            }

            var (forecast, input, observed) = await forecasts.ForGuestAsync(machine, endpoint, await new MovingDisks(parts).ExpectAsync(guest!, machine, endpoint, stopping), stopping);
            var wanted = forecast.Modes.Select(mode => ForecastWords.Compare(mode, input))
                .Where(mode => asked.Spec.Modes.Count == 0 || asked.Spec.Modes.Contains(mode.Mode));
            return asked.Status with
            {
                Phase = ForecastPhases.Completed,
                Observed = ForecastWords.Observed(observed),
                Modes = [.. wanted],
                RecommendedMode = ForecastWords.ModeName(forecast.Recommended),
                Reason = forecast.RecommendedReason,
            };
        }
        catch (Exception error) when (error is MachineException or PeerException or PeerRefusedException or MoveRefusedException)
        {
            return Fail(asked, ErrorChain.Describe(error));
        }
    }

    private static ForecastStatus Fail(Forecast asked, string reason) => asked.Status with { Phase = ForecastPhases.Failed, Reason = reason };
}
