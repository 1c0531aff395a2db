using Godwit.Containers;
using Godwit.DockerApi.Serving;
using Godwit.DockerApi.Wire;

namespace Godwit.DockerApi.Mapping;

/// <summary>Events as clients read them. Pure.</summary>
internal static class EventWriter
{
    private const string ContainerKind = "container";
    private const string ImageKind = "image";

    public static EventAnswer Write(ContainerEvent happened) => new()
    {
        // The first three are of old; new clients read the others.
        Status = happened.Kind is ContainerKind or ImageKind ? happened.Action : null,
        Id = happened.Kind is ContainerKind or ImageKind ? happened.Id : null,
        From = happened.Kind is ContainerKind ? happened.Attributes.GetValueOrDefault("image") : null,
        Type = happened.Kind,
        Action = happened.Action,
        Actor = new EventActor(happened.Id, happened.Attributes),
        Time = happened.At.ToUnixTimeSeconds(),
        TimeNano = Moments.Nanoseconds(happened.At),
    };

    public static bool Fits(ContainerEvent happened, Filters filters) =>
        filters.Fits("type", type => happened.Kind == type)
        && filters.Fits("event", action => happened.Action == action || happened.Action.StartsWith(action + ":", StringComparison.Ordinal))
        && filters.Fits("scope", scope => scope is "local")
        && filters.FitsLabels(happened.Attributes)
        && FitsKind(happened, filters, ContainerKind)
        && FitsKind(happened, filters, "network")
        && FitsKind(happened, filters, "volume")
        && filters.Fits(ImageKind, image => happened.Kind is ImageKind ? Names(happened, image) : happened.Attributes.GetValueOrDefault(ImageKind) == image);

    private static bool FitsKind(ContainerEvent happened, Filters filters, string kind) => filters.Fits(kind, wanted => happened.Kind == kind && Names(happened, wanted));

    private static bool Names(ContainerEvent happened, string wanted) =>
        happened.Id.StartsWith(wanted, StringComparison.Ordinal) || happened.Attributes.GetValueOrDefault("name") is { } name && (name == wanted || "/" + name == wanted);
}
