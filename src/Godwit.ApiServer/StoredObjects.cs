using System.Text.Json.Nodes;
using Godwit.Api;
using Godwit.Api.Machinery;
using Godwit.ApiServer.Resources;
using Godwit.Store;

namespace Godwit.ApiServer;

/// <summary>Reads what a server stored, before one runs: for what must be known to start it.</summary>
public static class StoredObjects
{
    /// <returns>Null when there is no such object.</returns>
    /// <exception cref="InvalidDataException">What lies there was not written by a server.</exception>
    public static async Task<JsonObject?> FindAsync(IRevisionStore store, ResourceRegistry registry, ResourceType type, string @namespace, string name, CancellationToken stopping)
    {
        var served = new ServedResources(registry).Find(type.Group, type.Version, type.Plural) ?? throw new ArgumentException($"{type.Plural} are not served.", nameof(type));
        return await store.GetAsync(served.Key(@namespace, name), stopping) is { } item ? served.Form.Decode(item.Value.Span, item.ModRevision) : null;
    }
}
