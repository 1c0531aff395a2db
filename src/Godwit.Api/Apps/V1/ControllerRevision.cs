namespace Godwit.Api.Apps.V1;

/// <summary>What a controller wanted at one time, to go back to. Cannot be changed.</summary>
public sealed record ControllerRevision() : Resource(Type), IResource<ControllerRevision>
{
    public static ResourceType Type { get; } = new("apps", "v1", "ControllerRevision", "controllerrevisions", Namespaced: true);

    public System.Text.Json.Nodes.JsonNode? Data { get; init; }

    public long Revision { get; init; }
}
