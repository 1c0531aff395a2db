using System.Text.Json;
using Godwit.Containers;
using Godwit.DockerApi.Mapping;
using Godwit.DockerApi.Serving;
using Godwit.DockerApi.Wire;

namespace Godwit.DockerApi.Endpoints;

/// <summary>Files in and out of containers, and images out of them.</summary>
internal sealed class ContainerFileEndpoints(EngineServices services)
{
    private const string TarType = "application/x-tar";

    private readonly ContainerEngine engine = services.Containers;

    public IEnumerable<Endpoint> List() =>
    [
        new("HEAD", "containers/{id}/archive", DescribeAsync),
        new("GET", "containers/{id}/archive", CopyOutAsync),
        new("PUT", "containers/{id}/archive", CopyInAsync),
        new("GET", "containers/{id}/export", ExportAsync),
        new("POST", "commit", CommitAsync),
    ];

    private async Task DescribeAsync(Exchange exchange)
    {
        var facts = await engine.GetPathAsync(exchange.Name, ReadPath(exchange), exchange.Stopping);
        var stat = new PathStat
        {
            Name = facts.Name,
            SizeBytes = facts.SizeBytes,
            Mode = GoFileMode.Of(facts.Mode),
            ChangedAt = Moments.Write(facts.ChangedAt),
            LinkTarget = facts.LinkTarget,
        };
        exchange.Http.Response.Headers["X-Docker-Container-Path-Stat"] = Convert.ToBase64String(JsonSerializer.SerializeToUtf8Bytes(stat, DockerJson.Default.PathStat));
        await exchange.EndAsync(200);
    }

    private async Task CopyOutAsync(Exchange exchange)
    {
        await DescribeAsync(exchange);
        exchange.Http.Response.ContentType = TarType;
        await engine.CopyOutAsync(exchange.Name, ReadPath(exchange), exchange.Output, exchange.Stopping);
    }

    private async Task CopyInAsync(Exchange exchange)
    {
        var options = new CopyInOptions(RefuseKindChange: exchange.QueryFlag("noOverwriteDirNonDir"), KeepOwners: exchange.QueryFlag("copyUIDGID"));
        await engine.CopyInAsync(exchange.Name, ReadPath(exchange), exchange.Body, options, exchange.Stopping);
        await exchange.EndAsync(200);
    }

    private async Task ExportAsync(Exchange exchange)
    {
        engine.Get(exchange.Name);
        exchange.Http.Response.ContentType = TarType;
        await engine.ExportAsync(exchange.Name, exchange.Output, exchange.Stopping);
    }

    private async Task CommitAsync(Exchange exchange)
    {
        var container = engine.Get(exchange.Query("container") ?? "");
        var changes = exchange.QueryList("changes").SelectMany(change => change.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        var request = new CommitRequest(exchange.Query("author") ?? "", exchange.Query("comment") ?? "", exchange.QueryFlag("pause", otherwise: true))
        {
            Name = ImageEndpoints.ReadName(services.Images, exchange.Query("repo"), exchange.Query("tag")),
            Config = changes.Aggregate(SpecDefaults.ToImage(container.Spec), ConfigChange.Apply),
        };
        var image = await engine.CommitAsync(container.Id.Value, request, exchange.Stopping);
        await exchange.WriteJsonAsync(201, new IdAnswer(image), DockerJson.Default.IdAnswer);
    }

    private static string ReadPath(Exchange exchange) => exchange.Query("path") is { Length: > 0 } path ? path : throw DockerException.Invalid("bad parameter: missing parameter 'path'");
}
