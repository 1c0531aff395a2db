using System.Text.Json.Nodes;
using Godwit.Api;
using Godwit.Api.Core.V1;
using Godwit.Api.Machinery;
using Godwit.ApiServer.Requests;
using Godwit.ApiServer.Resources;
using Godwit.ApiServer.Security;
using Godwit.Store;
using Microsoft.Extensions.Logging;

namespace Godwit.ApiServer.Serving;

/// <summary>
/// Gives each namespace what programs in its pods reach the server by: the service account <c>default</c>, and the ConfigMap
/// <c>kube-root-ca.crt</c> with the authority's certificate. Before whoever made the namespace is told that it is there; and again
/// when one of them was deleted or changed, by following the store, which also completes what a stop in the middle left.
/// </summary>
internal sealed partial class NamespaceFurnisher(IRevisionStore store, ServedResources resources, ObjectWriter writer, string authorityPem, TimeProvider clock, ILogger<NamespaceFurnisher> logger)
{
    public const string DefaultAccount = "default";
    public const string AuthorityMap = "kube-root-ca.crt";
    private const string CoreKeys = "core/";

    private static readonly TimeSpan RetryDelay = TimeSpan.FromSeconds(1);
    private static readonly User Self = new(User.ServerName, [User.MastersGroup]);

    private readonly ServedResource? namespaces = resources.Find("", "v1", Namespace.Type.Plural);
    private readonly ServedResource? accounts = resources.Find("", "v1", ServiceAccount.Type.Plural);
    private readonly ServedResource? maps = resources.Find("", "v1", ConfigMap.Type.Plural);

    /// <summary>Gives one namespace what is missing there. One that is going, or gone, is left as it is.</summary>
    public async Task EnsureAsync(string ns, CancellationToken stopping)
    {
        await EnsureAsync(accounts, ns, DefaultAccount, [], (_, _) => false, stopping);
        var content = new JsonObject { ["data"] = new JsonObject { ["ca.crt"] = authorityPem + "\n" } };
        await EnsureAsync(maps, ns, AuthorityMap, content, (there, wanted) => !JsonNode.DeepEquals(there["data"], wanted["data"]), stopping);
    }

    /// <summary>As <see cref="EnsureAsync(string, CancellationToken)"/>, for all that there are.</summary>
    /// <returns>Up to which revision of the store.</returns>
    public async Task<long> EnsureAllAsync(CancellationToken stopping)
    {
        if (namespaces is null)
        {
            return await store.GetCurrentRevisionAsync(stopping);
        }

        var list = await store.ListAsync(new StoreListQuery(namespaces.KeyPrefix), stopping);
        foreach (var item in list.Items)
        {
            await EnsureAsync(item.Key[namespaces.KeyPrefix.Length..], stopping);
        }

        return list.Revision;
    }

    public async Task RunAsync(CancellationToken stopping)
    {
        while (!stopping.IsCancellationRequested)
        {
            try
            {
                await foreach (var batch in store.WatchAsync(CoreKeys, await EnsureAllAsync(stopping), stopping))
                {
                    foreach (var ns in batch.Events.Select(NamespaceToLookAt).OfType<string>().Distinct(StringComparer.Ordinal))
                    {
                        await EnsureAsync(ns, stopping);
                    }
                }
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

    private string? NamespaceToLookAt(StoreEvent change)
    {
        var key = change.Item.Key;
        return namespaces is not null && key.StartsWith(namespaces.KeyPrefix, StringComparison.Ordinal) ? (change.Previous is null ? key[namespaces.KeyPrefix.Length..] : null)
            : accounts is not null && change.Kind == StoreEventKind.Deleted && key.StartsWith(accounts.KeyPrefix, StringComparison.Ordinal) && key.EndsWith($"/{DefaultAccount}", StringComparison.Ordinal) ? accounts.Object(change.Item).Namespace.ToString()
            : maps is not null && change.Previous is not null && key.StartsWith(maps.KeyPrefix, StringComparison.Ordinal) && key.EndsWith($"/{AuthorityMap}", StringComparison.Ordinal) ? maps.Object(change.Item).Namespace.ToString()
            : null;
    }

    private async Task EnsureAsync(ServedResource? resource, string ns, string name, JsonObject content, Func<JsonObject, JsonObject, bool> differs, CancellationToken stopping)
    {
        if (resource is null)
        {
            return;
        }

        var write = new WriteContext { Resource = resource, Namespace = ns, Name = name, User = Self, Stopping = stopping };
        try
        {
            if (await store.GetAsync(write.Key, stopping) is not { } item)
            {
                var made = content.DeepClone().AsObject();
                made["metadata"] = new JsonObject { ["name"] = name, ["namespace"] = ns };
                await writer.CreateAsync(write, made);
            }
            else if (differs(resource.Form.Decode(item.Value.Span, item.ModRevision), content))
            {
                await writer.UpdateAsync(write, there =>
                {
                    foreach (var (field, value) in content)
                    {
                        there[field] = value?.DeepClone();
                    }

                    return there;
                });
            }
        }
        catch (StatusException error) when (error.Reason is "AlreadyExists" or "NotFound" or "Forbidden" or "Conflict")
        {
            // Somebody else made it, or the namespace is going.
        }
        catch (StatusException error) when (error.Reason is "Invalid")
        {
            Log.Refused(logger, resource.Definition.Plural, ns, name, error); // Somebody made it immutable; pods will see that it is another's.
        }
    }

    private static partial class Log
    {
        [LoggerMessage(1302, LogLevel.Warning, "Giving namespaces their service account and the authority's certificate failed; it is tried again.")]
        public static partial void Failed(ILogger logger, Exception error);

        [LoggerMessage(1303, LogLevel.Warning, "The {Plural} {Namespace}/{Name} cannot be made what it has to be.")]
        public static partial void Refused(ILogger logger, string plural, string @namespace, string name, Exception error);
    }
}
