using Godwit.Containers;
using Godwit.DockerApi.Mapping;
using Godwit.DockerApi.Serving;
using Godwit.DockerApi.Streams;
using Godwit.DockerApi.Wire;

namespace Godwit.DockerApi.Endpoints;

/// <summary>What happens, as it happens.</summary>
internal sealed class EventEndpoints(EngineServices services)
{
    public IEnumerable<Endpoint> List() => [new("GET", "events", StreamAsync)];

    private async Task StreamAsync(Exchange exchange)
    {
        var now = services.Time.GetUtcNow();
        var filters = exchange.Filters().Allow("config", "container", "daemon", "event", "image", "label", "network", "node", "plugin", "scope", "secret", "service", "type", "volume");
        var since = exchange.Query("since") is { Length: > 0 } from ? Moments.ParseAgo("since", from, now) : (DateTimeOffset?)null;
        var until = exchange.Query("until") is { Length: > 0 } to ? Moments.ParseAgo("until", to, now) : (DateTimeOffset?)null;

        // Asked for before the client has its headers: who has them misses nothing.
        var events = services.Containers.Events.ReadAsync(since, until, exchange.Stopping).GetAsyncEnumerator(exchange.Stopping);
        await using (events)
        {
            var next = events.MoveNextAsync();
            await exchange.BeginAsync(Exchange.JsonType);
            using var lines = new JsonLines(exchange);
            while (await next)
            {
                if (EventWriter.Fits(events.Current, filters))
                {
                    await lines.WriteAsync(EventWriter.Write(events.Current), DockerJson.Default.EventAnswer);
                }

                next = events.MoveNextAsync();
            }
        }
    }
}
