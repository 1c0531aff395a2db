using System.Text.Json.Nodes;
using Godwit.Api;
using Godwit.Api.Machinery;
using Godwit.Api.Meta.V1;

namespace Godwit.ApiServer.Resources;

/// <summary>What keeps an object in being after its deletion was asked for.</summary>
internal static class Finalizers
{
    /// <summary>In a Namespace's spec: held until its content is gone.</summary>
    public const string NamespaceContent = "kubernetes";

    /// <summary>True while anything still has work to do before the object may go.</summary>
    public static bool HoldBack(JsonObject resource, ResourceDefinition definition) =>
        Meta.Of(resource).Finalizers.Count > 0 || (IsNamespace(definition) && resource["spec"]?["finalizers"] is JsonArray { Count: > 0 });

    /// <summary>Marks an object as being deleted. Marking again only ever shortens the grace.</summary>
    public static void Mark(JsonObject resource, DeleteOptions options, DateTimeOffset now, ResourceDefinition definition)
    {
        var meta = Meta.Of(resource);
        var finalizer = options.PropagationPolicy switch
        {
            PropagationPolicies.Foreground => FinalizerNames.ForegroundDeletion,
            PropagationPolicies.Orphan => FinalizerNames.Orphan,
            _ => null,
        };
        if (finalizer is not null && !meta.Finalizers.Contains(finalizer, StringComparer.Ordinal))
        {
            meta.SetFinalizers([.. meta.Finalizers, finalizer]);
        }

        if ((options.GracePeriodSeconds ?? GraceOf(resource, definition)) is { } grace && (meta["deletionGracePeriodSeconds"]?.GetValue<long>() is not { } earlier || grace < earlier))
        {
            meta.SetNumber("deletionGracePeriodSeconds", grace);
        }

        if (meta.IsDeleting)
        {
            return;
        }

        meta.DeletionTimestamp = Meta.Time(now);
        if (definition.Strategy.TracksGeneration)
        {
            meta.Generation++;
        }

        if (IsNamespace(definition))
        {
            resource["status"] = new JsonObject { ["phase"] = "Terminating" };
        }
    }

    /// <summary>The grace that a pod gives its own containers; other kinds name none.</summary>
    private static long? GraceOf(JsonObject resource, ResourceDefinition definition) =>
        definition is { Group: "", Plural: "pods" } ? JsonAccess.AsInt64(resource.At("spec", "terminationGracePeriodSeconds")) : null;

    public static bool IsNamespace(ResourceDefinition definition) => definition is { Group: "", Plural: "namespaces" };
}
