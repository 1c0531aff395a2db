using System.Security.Cryptography;
using Godwit.DockerApi.Serving;
using Godwit.DockerApi.Wire;
using Godwit.Volumes.Containers;

namespace Godwit.DockerApi.Endpoints;

/// <summary>Named volumes.</summary>
internal sealed class VolumeEndpoints(EngineServices services)
{
    private static readonly IReadOnlyDictionary<string, string> Nothing = new Dictionary<string, string>(StringComparer.Ordinal);

    private readonly VolumeEngine volumes = services.Containers.Volumes;

    public IEnumerable<Endpoint> List() =>
    [
        new("GET", "volumes", ListAsync),
        new("GET", "volumes/{name}", exchange => exchange.WriteJsonAsync(Write(Find(exchange.Name)), DockerJson.Default.VolumeBody)),
        new("POST", "volumes/create", CreateAsync),
        new("POST", "volumes/prune", PruneAsync),
        new("DELETE", "volumes/{name}", RemoveAsync),
    ];

    public static VolumeBody Write(ContainerVolume volume) => new()
    {
        Name = volume.Name,
        CreatedAt = Moments.Write(volume.CreatedAt),
        Labels = volume.Labels,
        Mountpoint = volume.Path,
    };

    private ContainerVolume Find(string name) => volumes.Find(name) ?? throw DockerException.NotThere($"get {name}: no such volume");

    private async Task ListAsync(Exchange exchange)
    {
        var filters = exchange.Filters().Allow("dangling", "driver", "label", "label!", "name");
        var dangling = filters.Flag("dangling");
        var found = volumes.List().Where(volume =>
            filters.Fits("name", name => volume.Name.Contains(name.Trim('^', '$'), StringComparison.Ordinal))
            && filters.Fits("driver", driver => driver is "local")
            && filters.FitsLabels(volume.Labels)
            && (dangling is null || dangling == (volumes.CountUsers(volume.Name) == 0)));
        await exchange.WriteJsonAsync(new VolumeListAnswer([.. found.Select(Write)], []), DockerJson.Default.VolumeListAnswer);
    }

    private async Task CreateAsync(Exchange exchange)
    {
        var body = await exchange.ReadJsonAsync(DockerJson.Default.CreateVolumeBody) ?? new CreateVolumeBody(null, null, null, null);
        if (body.Driver is not (null or "" or "local"))
        {
            throw DockerException.NotThere($"error looking up volume plugin {body.Driver}: plugin \"{body.Driver}\" not found: godwit has the driver local");
        }

        var name = string.IsNullOrEmpty(body.Name) ? Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(32)) : body.Name;
        var labels = string.IsNullOrEmpty(body.Name)
            ? new Dictionary<string, string>(body.Labels ?? Nothing, StringComparer.Ordinal) { [AnonymousLabel] = "" }
            : body.Labels ?? Nothing;
        var isNew = volumes.Find(name) is null;
        var volume = volumes.Create(name, labels, body.DriverOpts ?? Nothing);
        if (isNew)
        {
            Tell("create", name);
        }

        await exchange.WriteJsonAsync(201, Write(volume), DockerJson.Default.VolumeBody);
    }

    private Task RemoveAsync(Exchange exchange)
    {
        if (volumes.Find(exchange.Name) is null && exchange.QueryFlag("force"))
        {
            return exchange.EndAsync(204);
        }

        Find(exchange.Name);
        volumes.Remove(exchange.Name);
        Tell("destroy", exchange.Name);
        return exchange.EndAsync(204);
    }

    /// <summary>Those without a name of their own; all that are not used only when asked for them.</summary>
    private async Task PruneAsync(Exchange exchange)
    {
        var filters = exchange.Filters().Allow("all", "label", "label!");
        var all = filters.Flag("all") ?? exchange.Version < NamedAreKeptSince;
        var (removed, bytes) = volumes.Prune(volume => (all || IsAnonymous(volume)) && filters.FitsLabels(volume.Labels));
        await exchange.WriteJsonAsync(new PruneVolumesAnswer(removed, bytes), DockerJson.Default.PruneVolumesAnswer);
    }

    private const string AnonymousLabel = "com.docker.volume.anonymous";

    private static readonly ApiVersion NamedAreKeptSince = new(1, 42);

    private static bool IsAnonymous(ContainerVolume volume) => volume.Labels.ContainsKey(AnonymousLabel) || (volume.Name.Length == 64 && volume.Name.All(char.IsAsciiHexDigitLower));

    private void Tell(string action, string name) =>
        services.Containers.Events.Add("volume", action, name, new Dictionary<string, string>(StringComparer.Ordinal) { ["driver"] = "local" });
}
