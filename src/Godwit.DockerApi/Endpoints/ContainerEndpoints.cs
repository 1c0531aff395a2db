using Godwit.Containers;
using Godwit.DockerApi.Mapping;
using Godwit.DockerApi.Serving;
using Godwit.DockerApi.Wire;
using Godwit.Images;
using Godwit.Oci;

namespace Godwit.DockerApi.Endpoints;

/// <summary>What is done to containers.</summary>
internal sealed class ContainerEndpoints(EngineServices services)
{
    private readonly ContainerEngine engine = services.Containers;

    public IEnumerable<Endpoint> List() =>
    [
        new("POST", "containers/create", CreateAsync),
        new("POST", "containers/prune", PruneAsync),
        new("POST", "containers/{id}/start", exchange => DoAsync(exchange, engine.StartAsync(exchange.Name, CancellationToken.None))),
        new("POST", "containers/{id}/stop", exchange => DoAsync(exchange, engine.StopAsync(exchange.Name, Patience(exchange), exchange.Stopping))),
        new("POST", "containers/{id}/restart", exchange => DoAsync(exchange, engine.RestartAsync(exchange.Name, Patience(exchange), CancellationToken.None))),
        new("POST", "containers/{id}/kill", exchange => DoAsync(exchange, engine.KillAsync(exchange.Name, exchange.Query("signal") is { Length: > 0 } signal ? signal : "SIGKILL", exchange.Stopping))),
        new("POST", "containers/{id}/pause", exchange => DoAsync(exchange, engine.PauseAsync(exchange.Name, exchange.Stopping))),
        new("POST", "containers/{id}/unpause", exchange => DoAsync(exchange, engine.UnpauseAsync(exchange.Name, exchange.Stopping))),
        new("POST", "containers/{id}/rename", exchange => DoAsync(exchange, engine.RenameAsync(exchange.Name, exchange.Query("name") is { Length: > 0 } name ? name : throw DockerException.Invalid("Neither old nor new names may be empty"), exchange.Stopping))),
        new("POST", "containers/{id}/update", UpdateAsync),
        new("POST", "containers/{id}/wait", WaitAsync),
        new("DELETE", "containers/{id}", RemoveAsync),
    ];

    private static async Task DoAsync(Exchange exchange, Task done)
    {
        await done;
        await exchange.EndAsync(204);
    }

    /// <summary>Null: the container's own; below zero: without end.</summary>
    private static TimeSpan? Patience(Exchange exchange) => exchange.QueryNumber("t") switch
    {
        null => null,
        < 0 => Timeout.InfiniteTimeSpan,
        var seconds => TimeSpan.FromSeconds(seconds.Value),
    };

    private async Task CreateAsync(Exchange exchange)
    {
        var body = await exchange.RequireJsonAsync(DockerJson.Default.CreateContainerBody);
        if (string.IsNullOrEmpty(body.Image))
        {
            throw DockerException.Invalid("invalid reference format: no image is given");
        }

        if (services.Images.Find(body.Image) is null)
        {
            services.Images.ParseReference(body.Image); // What is no name at all is not missing: a client would go and pull it.
        }

        var image = services.Images.Get(body.Image);
        CheckPlatform(exchange.Query("platform"), image);
        await exchange.WriteJsonAsync(201, await CreateAsync(exchange, image, body), DockerJson.Default.IdAndWarnings);
    }

    /// <summary>A client that hears of something that is not there takes it for the image, and pulls that: so only the image is missing with that status.</summary>
    private async Task<IdAndWarnings> CreateAsync(Exchange exchange, StoredImage image, CreateContainerBody body)
    {
        try
        {
            var spec = new SpecReader(image, engine.Get, engine.HasUserNamespaces).Read(body);
            var id = await engine.CreateAsync(exchange.Query("name") is { Length: > 0 } name ? name : null, spec, exchange.Stopping);
            return new IdAndWarnings(id.Value, engine.FindUnheld(spec.Resources));
        }
        catch (Exception missing) when (missing is not ImageException && DockerErrors.Describe(missing) is (404, { } words))
        {
            throw DockerException.Invalid(words);
        }
    }

    private static void CheckPlatform(string? wanted, StoredImage image)
    {
        try
        {
            if (!string.IsNullOrEmpty(wanted) && Platform.Parse(wanted).Rank(image.Config.Platform) == 0)
            {
                throw DockerException.NotThere($"No such image: {image.DisplayName} for platform {wanted}: the one here is for {image.Config.Platform}");
            }
        }
        catch (FormatException reason)
        {
            throw DockerException.Invalid(reason.Message, reason);
        }
    }

    private async Task UpdateAsync(Exchange exchange)
    {
        var body = await exchange.RequireJsonAsync(DockerJson.Default.UpdateContainerBody);
        var update = new ContainerUpdate
        {
            Resources = ResourceReader.ReadUpdate(body),
            Restart = string.IsNullOrEmpty(body.RestartPolicy?.Name) ? null : SpecReader.ReadRestart(body.RestartPolicy),
        };
        await engine.UpdateAsync(exchange.Name, update, exchange.Stopping);
        await exchange.WriteJsonAsync(new UpdateAnswer(update.Resources is null ? [] : engine.FindUnheld(update.Resources)), DockerJson.Default.UpdateAnswer);
    }

    /// <summary>Clients wait before they start: they take the headers for the sign that nothing will be missed.</summary>
    private async Task WaitAsync(Exchange exchange)
    {
        var condition = exchange.Query("condition") switch
        {
            null or "" or "not-running" => WaitCondition.NotRunning,
            "next-exit" => WaitCondition.NextExit,
            "removed" => WaitCondition.Removed,
            var unknown => throw DockerException.Invalid($"invalid condition: \"{unknown}\""),
        };
        var ended = engine.WaitAsync(exchange.Name, condition, exchange.Stopping);
        await exchange.BeginAsync(Exchange.JsonType);
        var answer = System.Text.Json.JsonSerializer.SerializeToUtf8Bytes(new WaitAnswer((await ended).Code), DockerJson.Default.WaitAnswer);
        await exchange.Output.WriteAsync(answer, exchange.Stopping);
    }

    private async Task RemoveAsync(Exchange exchange)
    {
        if (exchange.QueryFlag("link"))
        {
            throw DockerException.NotSupported("removing a link");
        }

        // Not given up half way, even when the client has gone.
        await engine.RemoveAsync(exchange.Name, new RemoveOptions(exchange.QueryFlag("force"), exchange.QueryFlag("v")), CancellationToken.None);
        await exchange.EndAsync(204);
    }

    private async Task PruneAsync(Exchange exchange)
    {
        var filters = exchange.Filters().Allow("until", "label", "label!");
        var before = filters["until"] is [var until, ..] ? Moments.ParseAgo("until", until, services.Time.GetUtcNow()) : (DateTimeOffset?)null;
        var report = await engine.PruneAsync(container => (before is null || container.CreatedAt < before) && filters.FitsLabels(container.Spec.Labels), exchange.Stopping);
        await exchange.WriteJsonAsync(new PruneContainersAnswer(report.Removed, report.ReclaimedBytes), DockerJson.Default.PruneContainersAnswer);
    }
}
