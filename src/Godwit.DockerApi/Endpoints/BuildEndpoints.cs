using Godwit.Builder;
using Godwit.Builder.Contexts;
using Godwit.DockerApi.Mapping;
using Godwit.DockerApi.Serving;
using Godwit.DockerApi.Streams;
using Godwit.DockerApi.Wire;
using Godwit.Images;

namespace Godwit.DockerApi.Endpoints;

/// <summary>Images from Dockerfiles, as clients without BuildKit ask for them: the context is the request's body, what happens its answer.</summary>
internal sealed class BuildEndpoints(EngineServices services)
{
    private const string DefaultDockerfile = "Dockerfile";

    public IEnumerable<Endpoint> List() =>
    [
        new("POST", "build", BuildAsync),
        new("POST", "build/prune", PruneAsync),
    ];

    private async Task BuildAsync(Exchange exchange)
    {
        var wish = BuildReader.Read(exchange, services.Images);
        using var context = await BuildContext.ReceiveAsync(exchange.Body, services.BuildsFolder, exchange.Stopping);
        var dockerfile = exchange.Query("dockerfile") is { Length: > 0 } path ? path : DefaultDockerfile;
        var request = wish with { ContextFolder = context.Folder, Dockerfile = context.ReadDockerfile(dockerfile) };
        using var lines = new JsonLines(exchange);
        await lines.CarryAsync(async () =>
        {
            await using var relay = new BuildRelay(lines, isQuiet: exchange.QueryFlag("q"), exchange.Stopping);
            var built = await services.Builder.BuildAsync(request, relay, exchange.Stopping);
            await relay.DrainAsync();
            if (exchange.QueryFlag("q"))
            {
                await lines.WriteAsync(new ProgressLine { Stream = $"{built.Id}\n" });
            }

            foreach (var tag in built.Tags.Where(tag => request.Names.Any(name => name.WithDefaultTag().ToString() == tag.ToString())))
            {
                ImageEndpoints.Tell(services, "tag", built.Id.ToString(), tag.ToString());
            }
        });
    }

    private Task PruneAsync(Exchange exchange)
    {
        services.Builder.PruneCache();
        return exchange.WriteJsonAsync(new PruneBuildAnswer([], 0), DockerJson.Default.PruneBuildAnswer);
    }
}
