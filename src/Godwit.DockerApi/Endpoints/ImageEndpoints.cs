using Godwit.Containers;
using Godwit.DockerApi.Mapping;
using Godwit.DockerApi.Serving;
using Godwit.DockerApi.Wire;
using Godwit.Images;
using Godwit.Oci;

namespace Godwit.DockerApi.Endpoints;

/// <summary>The images of this host.</summary>
internal sealed class ImageEndpoints(EngineServices services)
{
    private readonly ImageStore images = services.Images;

    public IEnumerable<Endpoint> List() =>
    [
        new("GET", "images/json", ListAsync),
        new("POST", "images/prune", PruneAsync),
        new("GET", "images/{name*}/json", exchange => exchange.WriteJsonAsync(ImageWriter.Inspect(images.Get(exchange.Name)), DockerJson.Default.ImageInspection)),
        new("GET", "images/{name*}/history", exchange => exchange.WriteJsonAsync(ImageWriter.History(images.Get(exchange.Name), id => images.Find(id.ToString())), DockerJson.Default.IReadOnlyListHistoryAnswer)),
        new("POST", "images/{name*}/tag", TagAsync),
        new("DELETE", "images/{name*}", RemoveAsync),
    ];

    /// <summary>A name out of the two parameters that clients split it into; null when there is none.</summary>
    /// <exception cref="ImageException">It is no name.</exception>
    public static ImageReference? ReadName(ImageStore images, string? repository, string? tag)
    {
        if (string.IsNullOrEmpty(repository))
        {
            return null;
        }

        repository = Shorten(repository);
        var name = images.ParseReference(string.IsNullOrEmpty(tag) ? repository : tag.Contains(':', StringComparison.Ordinal) ? $"{repository}@{tag}" : $"{repository}:{tag}");
        return name.WithDefaultTag();
    }

    /// <summary>
    /// Younger clients write some names out in full, with their own default registry and that registry's <c>library</c> in front: read back, it is the short name that
    /// the person typed, and will type again.
    /// </summary>
    private static string Shorten(string name) => name.Split('/') is [_, "library", var shorter] ? shorter : name;

    /// <summary>Tells those who listen to events.</summary>
    public static void Tell(EngineServices services, string action, string id, string name) =>
        services.Containers.Events.Add("image", action, id, new Dictionary<string, string>(StringComparer.Ordinal) { ["name"] = name });

    private async Task ListAsync(Exchange exchange)
    {
        var filters = exchange.Filters().Allow("dangling", "label", "label!", "before", "since", "until", "reference");
        var before = filters["before"] is [var older, ..] ? images.Get(older).Config.Created : null;
        var since = filters["since"] is [var newer, ..] ? images.Get(newer).Config.Created : null;
        var dangling = filters.Flag("dangling");
        var all = exchange.QueryFlag("all");
        var users = services.Containers.List().CountBy(container => container.Spec.ImageId).ToDictionary(StringComparer.Ordinal);
        var found = images.List().Where(image =>
            (all || image.Tags.Count > 0 || image.RepositoryDigests.Count > 0 || !images.HasChildren(image.Id))
            && (dangling is null || dangling == (image.Tags.Count == 0))
            && filters.FitsLabels(image.Config.Config?.Labels)
            && filters.Fits("reference", pattern => image.Tags.Concat(image.RepositoryDigests).Any(name => ReferencePattern.Fits(name, pattern)))
            && (before is null || image.Config.Created < before)
            && (since is null || image.Config.Created > since));
        await exchange.WriteJsonAsync([.. found.Select(image => ImageWriter.List(image, users.GetValueOrDefault(image.Id.ToString())))], DockerJson.Default.IReadOnlyListImageListEntry);
    }

    private Task TagAsync(Exchange exchange)
    {
        var image = images.Get(exchange.Name);
        var name = ReadName(images, exchange.Query("repo"), exchange.Query("tag")) ?? throw DockerException.Invalid("invalid reference format: repo is missing");
        images.Tag(image.Id, name);
        Tell(services, "tag", image.Id.ToString(), name.ToString());
        return exchange.EndAsync(201);
    }

    private async Task RemoveAsync(Exchange exchange)
    {
        var report = images.Remove(exchange.Name, exchange.QueryFlag("force"), exchange.QueryFlag("noprune"), IsRunning);
        TellRemovals(report);
        await exchange.WriteJsonAsync([.. report.Steps.Select(ImageWriter.Removal)], DockerJson.Default.IReadOnlyListImageRemovalEntry);
    }

    private async Task PruneAsync(Exchange exchange)
    {
        var filters = exchange.Filters().Allow("dangling", "label", "label!", "until");
        var report = images.Prune(new PruneFilter
        {
            DanglingOnly = filters.Flag("dangling") ?? true,
            CreatedBefore = filters["until"] is [var until, ..] ? Moments.ParseAgo("until", until, services.Time.GetUtcNow()) : null,
            Labels = filters["label"],
            WithoutLabels = filters["label!"],
        });
        TellRemovals(report);
        await exchange.WriteJsonAsync(new PruneImagesAnswer([.. report.Steps.Select(ImageWriter.Removal)], report.ReclaimedBytes), DockerJson.Default.PruneImagesAnswer);
    }

    private void TellRemovals(RemovalReport report)
    {
        foreach (var step in report.Steps)
        {
            var (action, subject) = step switch
            {
                ImageRemoval.Untagged untagged => ("untag", untagged.Name.ToString()),
                ImageRemoval.Deleted deleted => ("delete", deleted.Id.ToString()),
                _ => ("delete", ""),
            };
            Tell(services, action, subject, subject);
        }
    }

    private bool IsRunning(string containerId) => services.Containers.List().Any(container => container.Id.Value == containerId && container.State.IsAlive);
}
