using System.Text.Json.Nodes;
using Godwit.Api;
using Godwit.Api.Core.V1;
using Godwit.Api.Machinery;
using Godwit.Api.Storage.V1;
using Godwit.ApiServer.Requests;
using Godwit.Base;
using Godwit.Store;

namespace Godwit.ApiServer.Resources;

/// <summary>Gives a new claim that names no class the default one, and lets a claim grow only where its class allows that.</summary>
internal sealed class StorageAdmission(IRevisionStore store, ServedResources resources)
{
    private readonly ServedResource? classes = resources.Find(StorageClass.Type.Group, StorageClass.Type.Version, StorageClass.Type.Plural);

    public async Task ApplyAsync(WriteContext write, JsonObject resource)
    {
        if (classes is null || !IsClaim(write) || resource.At("spec", "storageClassName") is not null)
        {
            return;
        }

        var list = await store.ListAsync(new StoreListQuery(classes.KeyPrefix), write.Stopping);
        if (StorageClass.DefaultOf(list.Items.Select(Read)) is { } chosen)
        {
            resource.GetOrAddObject("spec")["storageClassName"] = chosen.Metadata.Name;
        }
    }

    /// <exception cref="StatusException">403: it may not grow.</exception>
    public async Task CheckUpdateAsync(WriteContext write, JsonObject updated, JsonObject existing)
    {
        if (classes is null || !IsClaim(write) || write.Subresource.Length > 0 || Size(updated) is not { } now || Size(existing) is not { } before || now <= before)
        {
            return;
        }

        var name = updated.TextAt("spec", "storageClassName") ?? "";
        var kind = name.Length > 0 && await store.GetAsync(classes.Key("", name), write.Stopping) is { } item ? Read(item) : null;
        if (kind?.AllowVolumeExpansion != true)
        {
            throw StatusException.Forbidden(write.Subject, "only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize");
        }
    }

    private static bool IsClaim(WriteContext write) => write.Resource.Definition is { Group: "", Plural: "persistentvolumeclaims" };

    private static Quantity? Size(JsonObject claim) =>
        claim.TextAt("spec", "resources", "requests", Quantities.Storage) is { } text && Quantity.TryParse(text, out var size) ? size : null;

    private StorageClass Read(StoreItem item) => GodwitJson.FromNode<StorageClass>(classes!.Form.Decode(item.Value.Span, item.ModRevision));
}
