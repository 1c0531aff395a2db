using System.Globalization;
using Godwit.Containers;
using Godwit.DockerApi.Serving;

namespace Godwit.DockerApi.Mapping;

/// <summary>Which containers a listing shows.</summary>
internal sealed class ContainerFilter
{
    private static readonly string[] Words = ["created", "running", "paused", "restarting", "removing", "exited", "dead"];

    private readonly Filters filters;
    private readonly IReadOnlyList<string> ancestors;
    private readonly DateTimeOffset? before;
    private readonly DateTimeOffset? since;

    /// <param name="filters">As the client sent them.</param>
    /// <param name="find">Another container, by name or id.</param>
    /// <param name="imageId">The id of an image, by name; null when there is none.</param>
    public ContainerFilter(Filters filters, Func<string, ContainerSnapshot> find, Func<string, string?> imageId)
    {
        this.filters = filters.Allow("ancestor", "before", "expose", "exited", "health", "id", "isolation", "is-task", "label", "name", "network", "publish", "since", "status", "volume");
        ancestors = [.. filters["ancestor"].Select(name => imageId(name) ?? name)];
        before = filters["before"] is [var older, ..] ? find(older).CreatedAt : null;
        since = filters["since"] is [var newer, ..] ? find(newer).CreatedAt : null;
        if (filters["status"].FirstOrDefault(status => !Words.Contains(status)) is { } unknown)
        {
            throw DockerException.Invalid($"invalid filter 'status={unknown}'");
        }
    }

    /// <summary>Asks for what only those at rest can have.</summary>
    public bool ImpliesAll => filters.Has("status") || filters.Has("exited") || before is not null || since is not null;

    public bool Fits(ContainerSnapshot container) =>
        filters.Fits("id", id => container.Id.Value.StartsWith(id, StringComparison.Ordinal))
        && filters.Fits("name", name => FitsName(container.Name, name))
        && filters.Fits("status", status => container.State.Word == status)
        && filters.Fits("exited", code => container.State is ContainerState.Exited exited && exited.Exit.Code.ToString(CultureInfo.InvariantCulture) == code)
        && filters.Fits("health", health => (container.Spec.HealthCheck is null ? "none" : StatusText.Word(container.Health?.Status ?? HealthStatus.Starting)) == health)
        && filters.Fits("volume", volume => container.Mounts.Any(mount => mount.Name == volume || mount.Target == volume || mount.Source == volume))
        && filters.Fits("network", network => FitsNetwork(container, network))
        && filters.Fits("publish", port => container.Ports.Any(bound => FitsPort(port, bound.HostPort, bound.Protocol)))
        && filters.Fits("expose", port => container.Spec.Network.ExposedPorts.Select(NetworkReader.ReadPort).Any(exposed => FitsPort(port, exposed.Port, exposed.Protocol)))
        && filters.Fits("is-task", task => task is "false" or "0")
        && filters.FitsLabels(container.Spec.Labels)
        && (ancestors.Count == 0 || ancestors.Any(image => container.Spec.ImageId == image || container.Spec.Image == image))
        && (before is null || container.CreatedAt < before)
        && (since is null || container.CreatedAt > since);

    /// <summary>Docker takes a regular expression; clients send parts of names, with <c>^</c>, <c>/</c> and <c>$</c> at their ends.</summary>
    private static bool FitsName(string name, string wanted)
    {
        try
        {
            return System.Text.RegularExpressions.Regex.IsMatch(name, wanted, System.Text.RegularExpressions.RegexOptions.NonBacktracking)
                || System.Text.RegularExpressions.Regex.IsMatch("/" + name, wanted, System.Text.RegularExpressions.RegexOptions.NonBacktracking);
        }
        catch (Exception reason) when (reason is ArgumentException or NotSupportedException)
        {
            throw DockerException.Invalid($"invalid filter 'name={wanted}'", reason);
        }
    }

    private static bool FitsNetwork(ContainerSnapshot container, string network) => container.Spec.Network.Mode switch
    {
        NetworkMode.Host => network is "host" || network == BuiltInNetworks.HostId,
        NetworkMode.None => network is "none" || network == BuiltInNetworks.NoneId,
        _ => container.Endpoints.Values.Any(endpoint => endpoint.NetworkName == network || endpoint.NetworkId.StartsWith(network, StringComparison.Ordinal)),
    };

    private static bool FitsPort(string wanted, ushort port, string protocol)
    {
        var text = port.ToString(CultureInfo.InvariantCulture);
        return wanted == text || wanted == $"{text}/{protocol}";
    }
}
