using System.Globalization;
using System.Text;
using System.Text.Json;
using Godwit.Api.Meta.V1;

namespace Godwit.Client;

/// <summary>Reads and writes objects of one kind. All methods throw <see cref="ApiException"/> and <see cref="ClusterUnreachableException"/>.</summary>
public sealed class ResourceClient<T>(ClusterClient cluster)
    where T : Resource, IResource<T>
{
    /// <summary>A list is read in pages of this many objects.</summary>
    public const int PageItems = 500;

    /// <summary>The server is asked to end a watch after this time, so that a forgotten one cannot live for ever; it is opened again.</summary>
    public static readonly TimeSpan WatchDuration = TimeSpan.FromMinutes(10);

    internal Func<double> Chance => cluster.Chance;

    /// <exception cref="ApiException">Also when there is no such object.</exception>
    public async Task<T> GetAsync(ResourceKey key, CancellationToken stopping) =>
        Read(await cluster.SendForBytesAsync(new ClusterRequest(HttpMethod.Get, PathOf(key)), stopping));

    /// <summary>The object, or null when there is none.</summary>
    public async Task<T?> FindAsync(ResourceKey key, CancellationToken stopping)
    {
        try
        {
            return await GetAsync(key, stopping);
        }
        catch (ApiException error) when (error.IsNotFound)
        {
            return null;
        }
    }

    /// <summary>All objects at one revision, which is the list's <c>metadata.resourceVersion</c>.</summary>
    public async Task<ResourceList<T>> ListAsync(ListOptions options, CancellationToken stopping)
    {
        var items = new List<T>();
        string? next = null;
        while (true)
        {
            var query = options.ToQuery(("limit", PageItems.ToString(CultureInfo.InvariantCulture)), ("continue", next));
            var body = await cluster.SendForBytesAsync(new ClusterRequest(HttpMethod.Get, T.Type.Path(options.Namespace) + query), stopping);
            var page = Parse<ResourceList<T>>(body);
            items.AddRange(page.Items);
            next = page.Metadata.Continue;
            if (string.IsNullOrEmpty(next))
            {
                return page with { Items = items };
            }
        }
    }

    /// <summary>
    /// Changes after a revision, with bookmarks, until the server ends the watch (after <see cref="WatchDuration"/>) or
    /// the connection breaks.
    /// </summary>
    /// <exception cref="ApiException"><see cref="ApiException.IsExpired"/>: that history is gone, list again.</exception>
    public async IAsyncEnumerable<ResourceEvent<T>> WatchAsync(
        ListOptions options, string resourceVersion, [EnumeratorCancellation] CancellationToken stopping)
    {
        var seconds = ((int)WatchDuration.TotalSeconds).ToString(CultureInfo.InvariantCulture);
        var query = options.ToQuery(
            ("watch", "true"), ("allowWatchBookmarks", "true"), ("resourceVersion", resourceVersion), ("timeoutSeconds", seconds));
        var request = new ClusterRequest(HttpMethod.Get, T.Type.Path(options.Namespace) + query) { IsStream = true };
        using var response = await cluster.SendAsync(request, stopping);
        await using var body = await response.Content.ReadAsStreamAsync(stopping);
        await foreach (var line in WatchLines.ReadAsync(body, stopping))
        {
            yield return WatchLines.Parse<T>(line, request);
        }
    }

    public async Task<T> CreateAsync(T resource, CancellationToken stopping) =>
        Read(await cluster.SendForBytesAsync(
            Write(HttpMethod.Post, CollectionPathOf(resource), Serialize(resource)), stopping));

    /// <summary>Replaces the object if it still has the resource version that <paramref name="resource"/> names.</summary>
    public async Task<T> UpdateAsync(T resource, CancellationToken stopping) =>
        Read(await cluster.SendForBytesAsync(Write(HttpMethod.Put, PathOf(ResourceKey.Of(resource)), Serialize(resource)), stopping));

    /// <summary>The same for the status alone.</summary>
    public async Task<T> UpdateStatusAsync(T resource, CancellationToken stopping) =>
        Read(await cluster.SendForBytesAsync(
            Write(HttpMethod.Put, PathOf(ResourceKey.Of(resource), "status"), Serialize(resource)), stopping));

    /// <summary>Merges a patch (RFC 7386) into the object; unconditional unless the patch names a resource version.</summary>
    public async Task<T> PatchAsync(ResourceKey key, JsonObject patch, CancellationToken stopping) =>
        Read(await cluster.SendForBytesAsync(Merge(PathOf(key), patch), stopping));

    /// <summary>The same for the status alone.</summary>
    public async Task<T> PatchStatusAsync(ResourceKey key, JsonObject patch, CancellationToken stopping) =>
        Read(await cluster.SendForBytesAsync(Merge(PathOf(key, "status"), patch), stopping));

    /// <summary>
    /// Sends what differs between two states of one object, on the condition that the server still has the first;
    /// <see cref="ApiException.IsConflict"/> when not. Nothing is sent when nothing differs.
    /// </summary>
    public Task<T> ChangeAsync(T before, T after, CancellationToken stopping) => ChangeAsync(before, after, null, stopping);

    /// <summary>The same for the status alone.</summary>
    public Task<T> ChangeStatusAsync(T before, T after, CancellationToken stopping) => ChangeAsync(before, after, "status", stopping);

    /// <summary>Asks for a verb of an object that is written as a subresource, such as a pod's <c>binding</c>; the answer is not the object.</summary>
    public Task PostAsync(ResourceKey key, string subresource, JsonObject body, CancellationToken stopping) =>
        cluster.SendForBytesAsync(Write(HttpMethod.Post, PathOf(key, subresource), Encoding.UTF8.GetBytes(body.ToJsonString())), stopping);

    /// <summary>Asks a question that is posed as a subresource, such as a service account's <c>token</c>; the answer has the question's form.</summary>
    public async Task<TQuestion> AskAsync<TQuestion>(ResourceKey key, string subresource, TQuestion question, CancellationToken stopping) =>
        Parse<TQuestion>(await cluster.SendForBytesAsync(Write(HttpMethod.Post, PathOf(key, subresource), GodwitJson.SerializeToUtf8(question)), stopping));

    /// <summary>Asks for deletion; an object with finalizers goes when the last of them has been taken off.</summary>
    public async Task DeleteAsync(ResourceKey key, DeleteOptions options, CancellationToken stopping) =>
        await cluster.SendForBytesAsync(Write(HttpMethod.Delete, PathOf(key), GodwitJson.SerializeToUtf8(options)), stopping);

    /// <summary>The same; false when there was no such object, or another one by that name (see <see cref="Preconditions.Uid"/>).</summary>
    public async Task<bool> TryDeleteAsync(ResourceKey key, DeleteOptions options, CancellationToken stopping)
    {
        try
        {
            await DeleteAsync(key, options, stopping);
            return true;
        }
        catch (ApiException error) when (error.IsNotFound || (error.IsConflict && options.Preconditions is { Uid: not null, ResourceVersion: null }))
        {
            return false;
        }
    }

    private async Task<T> ChangeAsync(T before, T after, string? subresource, CancellationToken stopping)
    {
        var patch = MergePatch.Between(ToNode(before), ToNode(after));
        if (patch.Count == 0)
        {
            return before;
        }

        var metadata = patch["metadata"] as JsonObject ?? [];
        metadata["resourceVersion"] = before.Metadata.ResourceVersion;
        patch["metadata"] = metadata;
        return Read(await cluster.SendForBytesAsync(Merge(PathOf(ResourceKey.Of(before), subresource), patch), stopping));
    }

    private static string CollectionPathOf(T resource) =>
        T.Type.Path(T.Type.Namespaced ? RequireSegment(resource.Metadata.Namespace) : null);

    private static string PathOf(ResourceKey key, string? subresource = null) =>
        T.Type.Path(T.Type.Namespaced ? RequireSegment(key.Namespace) : null, RequireSegment(key.Name), subresource);

    // An empty segment would turn the path of one object into that of a list, and a DELETE into something worse.
    private static string RequireSegment(string segment) =>
        segment.Length > 0 ? segment : throw new ArgumentException($"A {T.Type.Kind} needs a name, and a namespace if it is in one.", nameof(segment));

    private static JsonObject ToNode(T resource) => GodwitJson.ToObject(resource);

    private static byte[] Serialize(T resource) => GodwitJson.SerializeToUtf8(resource);

    private static T Read(byte[] body) => Parse<T>(body);

    private static ClusterRequest Write(HttpMethod method, string path, byte[] body) =>
        new(method, path) { Body = body, ContentType = MediaTypes.Json };

    private static ClusterRequest Merge(string path, JsonObject patch) =>
        new(HttpMethod.Patch, path) { Body = Encoding.UTF8.GetBytes(patch.ToJsonString()), ContentType = MediaTypes.MergePatch };

    private static TValue Parse<TValue>(byte[] body)
    {
        try
        {
            return GodwitJson.Deserialize<TValue>(body);
        }
        catch (JsonException error)
        {
            throw new ClusterUnreachableException($"The server's answer is no valid {T.Type.Kind}: is this the right server?", error);
        }
    }
}

public enum ResourceEventKind
{
    Added,
    Modified,
    Deleted,

    /// <summary>Only the resource version counts: everything up to it has been sent.</summary>
    Bookmark,
}

/// <summary>One event of a watch.</summary>
public sealed record ResourceEvent<T>(ResourceEventKind Kind, T Object)
    where T : Resource, IResource<T>;
