using System.Text.Json.Nodes;
using Godwit.ApiServer.Requests;
using Godwit.ApiServer.Resources;
using Godwit.ApiServer.Security;
using Godwit.Store;
using Microsoft.Extensions.Logging;

namespace Godwit.ApiServer.Serving;

/// <summary>
/// Empties namespaces that are being deleted, and lets each go when nothing is left in it. What finalizers hold is asked
/// to go once and then waited for; every deletion in the namespace is a reason to look again. A stop in the middle loses
/// nothing: the next start looks at all namespaces.
/// </summary>
internal sealed partial class NamespaceReaper(IRevisionStore store, ServedResources resources, (ListHandler Lists, ObjectWriter Writer) objects, TimeProvider clock, ILogger<NamespaceReaper> logger)
{
    private static readonly TimeSpan RetryDelay = TimeSpan.FromSeconds(1);
    private static readonly User Self = new(User.ServerName, [User.MastersGroup]);

    public async Task RunAsync(CancellationToken stopping)
    {
        if (resources.Find("", "v1", "namespaces") is not { } namespaces)
        {
            return;
        }

        while (!stopping.IsCancellationRequested)
        {
            try
            {
                await FollowAsync(namespaces, stopping);
            }
            catch (OperationCanceledException) when (stopping.IsCancellationRequested)
            {
                return;
            }
            catch (Exception error)
            {
                Log.Failed(logger, error);
                await Task.Delay(RetryDelay, clock, stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    /// <summary>Looks at all namespaces, then at each whose own change, or whose content's end, the log tells of.</summary>
    private async Task FollowAsync(ServedResource namespaces, CancellationToken stopping)
    {
        var terminating = new HashSet<string>(StringComparer.Ordinal);
        var list = await store.ListAsync(new StoreListQuery(namespaces.KeyPrefix), stopping);
        foreach (var item in list.Items)
        {
            Note(terminating, namespaces.Object(item));
        }

        await SweepAsync(namespaces, terminating, terminating.ToList(), stopping);
        await foreach (var batch in store.WatchAsync("", list.Revision, stopping))
        {
            var touched = new HashSet<string>(StringComparer.Ordinal);
            foreach (var change in batch.Events)
            {
                if (resources.FindByKey(change.Item.Key) is not { } resource)
                {
                    continue;
                }

                var changed = resource.Object(change.Item);
                if (resource == namespaces && change.Kind != StoreEventKind.Deleted)
                {
                    Note(terminating, changed);
                    touched.Add(changed.Name.ToString());
                }
                else if (terminating.Count > 0 && change.Kind == StoreEventKind.Deleted)
                {
                    touched.Add(changed.Namespace.ToString());
                }
            }

            await SweepAsync(namespaces, terminating, touched.Where(terminating.Contains).ToList(), stopping);
        }
    }

    private static void Note(HashSet<string> terminating, StoredObject item)
    {
        if (Meta.Of(item.Resource.Form.Decode(item.Value.Span, item.Revision)).IsDeleting)
        {
            terminating.Add(item.Name.ToString());
        }
    }

    private async Task SweepAsync(ServedResource namespaces, HashSet<string> terminating, List<string> names, CancellationToken stopping)
    {
        foreach (var name in names)
        {
            if (await EmptyAsync(name, stopping))
            {
                await ReleaseAsync(namespaces, name, stopping);
                terminating.Remove(name);
            }
        }
    }

    /// <summary>Asks everything in the namespace to go; true when nothing is left.</summary>
    private async Task<bool> EmptyAsync(string ns, CancellationToken stopping)
    {
        var empty = true;
        foreach (var resource in resources.All.Where(resource => resource.Definition is { Namespaced: true, Conversion: null }))
        {
            await foreach (var page in objects.Lists.ReadAllAsync(new ObjectFilter(resource, ns, ""), default, stopping))
            {
                foreach (var item in page.Items)
                {
                    var write = new WriteContext { Resource = resource, Namespace = ns, Name = item.Name.ToString(), User = Self, Stopping = stopping };
                    empty &= await objects.Writer.TryDeleteAsync(write, new Api.Meta.V1.DeleteOptions());
                }
            }
        }

        return empty;
    }

    private async Task ReleaseAsync(ServedResource namespaces, string name, CancellationToken stopping)
    {
        var write = new WriteContext { Resource = namespaces, Namespace = "", Name = name, Subresource = "finalize", User = Self, Stopping = stopping };
        try
        {
            await objects.Writer.UpdateAsync(write, found =>
            {
                if (found["spec"] is JsonObject spec && spec["finalizers"] is JsonArray finalizers)
                {
                    var others = finalizers.Select(item => (string?)item).Where(item => item != Finalizers.NamespaceContent).Select(item => (JsonNode?)JsonValue.Create(item));
                    spec["finalizers"] = new JsonArray([.. others]);
                }

                return found;
            });
        }
        catch (StatusException error) when (error.Reason == "NotFound")
        {
            // Somebody else released it.
        }
    }

    private static partial class Log
    {
        [LoggerMessage(1301, LogLevel.Warning, "Emptying namespaces that are being deleted failed; it is tried again.")]
        public static partial void Failed(ILogger logger, Exception error);
    }
}
