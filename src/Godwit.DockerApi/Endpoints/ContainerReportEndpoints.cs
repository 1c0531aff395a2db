using Godwit.Containers;
using Godwit.DockerApi.Mapping;
using Godwit.DockerApi.Serving;
using Godwit.DockerApi.Streams;
using Godwit.DockerApi.Wire;

namespace Godwit.DockerApi.Endpoints;

/// <summary>What is told of containers.</summary>
internal sealed class ContainerReportEndpoints(EngineServices services)
{
    private static readonly TimeSpan SamplePeriod = TimeSpan.FromSeconds(1);

    private readonly ContainerEngine engine = services.Containers;

    public IEnumerable<Endpoint> List() =>
    [
        new("GET", "containers/json", ListAsync),
        new("GET", "containers/{id}/json", InspectAsync),
        new("GET", "containers/{id}/top", ListProcessesAsync),
        new("GET", "containers/{id}/stats", MeasureAsync),
        new("GET", "containers/{id}/changes", ListChangesAsync),
    ];

    private async Task ListAsync(Exchange exchange)
    {
        var filter = new ContainerFilter(exchange.Filters(), engine.Get, ancestor => services.Images.Find(ancestor)?.Id.ToString());
        var limit = exchange.QueryNumber("limit") is > 0 and var most ? most : (int?)null;
        var all = exchange.QueryFlag("all") || limit is not null || filter.ImpliesAll;
        var found = engine.List().Where(container => (all || container.State is ContainerState.Alive or ContainerState.Restarting) && filter.Fits(container)).Take(limit ?? int.MaxValue);
        var now = services.Time.GetUtcNow();
        var entries = found.Select(container => ContainerWriter.List(container, now)).ToList();
        if (exchange.QueryFlag("size"))
        {
            for (var at = 0; at < entries.Count; at++)
            {
                var written = await engine.MeasureAsync(entries[at].Id, exchange.Stopping);
                entries[at] = entries[at] with { SizeRw = written, SizeRootFs = written + SizeOf(entries[at].ImageID) };
            }
        }

        await exchange.WriteJsonAsync(entries, DockerJson.Default.IReadOnlyListContainerListEntry);
    }

    /// <summary>Of an image that may be gone.</summary>
    private long SizeOf(string image) => services.Images.Find(image)?.SizeBytes ?? 0;

    private async Task InspectAsync(Exchange exchange)
    {
        var container = engine.Get(exchange.Name);
        var answer = ContainerWriter.Inspect(container);
        if (exchange.QueryFlag("size"))
        {
            var written = await engine.MeasureAsync(exchange.Name, exchange.Stopping);
            answer = answer with { SizeRw = written, SizeRootFs = written + SizeOf(container.Spec.ImageId) };
        }

        await exchange.WriteJsonAsync(answer, DockerJson.Default.ContainerInspection);
    }

    private async Task ListProcessesAsync(Exchange exchange)
    {
        var arguments = (exchange.Query("ps_args") ?? "").Split(' ', StringSplitOptions.RemoveEmptyEntries);
        var table = await engine.ListProcessesAsync(exchange.Name, arguments, exchange.Stopping);
        await exchange.WriteJsonAsync(new TopAnswer(table.Titles, table.Processes), DockerJson.Default.TopAnswer);
    }

    private async Task ListChangesAsync(Exchange exchange)
    {
        var changes = await engine.ListChangesAsync(exchange.Name, exchange.Stopping);
        await exchange.WriteJsonAsync([.. changes.Select(change => new ChangeEntry(change.Path, (int)change.Kind))], DockerJson.Default.IReadOnlyListChangeEntry);
    }

    /// <summary>A sample a second until the client has enough or the container is gone; or one, with what it needs to compute rates.</summary>
    private async Task MeasureAsync(Exchange exchange)
    {
        var before = exchange.QueryFlag("one-shot") ? null : engine.ReadUsage(exchange.Name);
        var stream = exchange.QueryFlag("stream", otherwise: true);
        using var lines = new JsonLines(exchange);
        using var timer = new PeriodicTimer(SamplePeriod, services.Time);
        if (stream && before is not null)
        {
            await lines.WriteAsync(StatsWriter.Write(before, before: null), DockerJson.Default.StatsAnswer);
        }

        do
        {
            if (before is not null)
            {
                await timer.WaitForNextTickAsync(exchange.Stopping);
            }

            try
            {
                var now = engine.ReadUsage(exchange.Name);
                await lines.WriteAsync(StatsWriter.Write(now, before), DockerJson.Default.StatsAnswer);
                before = now;
            }
            catch (NotThereException) when (exchange.Http.Response.HasStarted)
            {
                return;
            }
        }
        while (stream);
    }
}
