using System.Text.Json.Nodes;
using Godwit.Api;
using Godwit.Api.Core.V1;
using Godwit.ApiServer.Requests;
using Godwit.ApiServer.Resources;
using Godwit.ApiServer.Security;
using Godwit.Store;
using Microsoft.Extensions.Logging;

namespace Godwit.ApiServer.Serving;

/// <summary>
/// Writes into each quota's status how much there is, by following the store: every change in a namespace with quotas is a reason to count again.
/// For people only: <see cref="QuotaGate"/> counts for itself.
/// </summary>
internal sealed partial class QuotaKeeper(IRevisionStore store, ServedResources resources, ObjectWriter writer, QuotaUses uses, TimeProvider clock, ILogger<QuotaKeeper> logger)
{
    private static readonly TimeSpan RetryDelay = TimeSpan.FromSeconds(1);
    private static readonly User Self = new(User.ServerName, [User.MastersGroup]);

    private readonly ServedResource? quotas = resources.Find("", "v1", ResourceQuota.Type.Plural);

    public async Task RunAsync(CancellationToken stopping)
    {
        while (quotas is not null && !stopping.IsCancellationRequested)
        {
            try
            {
                var all = await store.ListAsync(new StoreListQuery(quotas.KeyPrefix), stopping);
                foreach (var ns in all.Items.Select(item => quotas.Object(item).Namespace.ToString()).Distinct(StringComparer.Ordinal))
                {
                    await CountAsync(quotas, ns, stopping);
                }

                await foreach (var batch in store.WatchAsync("", all.Revision, stopping))
                {
                    foreach (var ns in batch.Events.Select(NamespaceOf).Where(ns => ns.Length > 0).Distinct(StringComparer.Ordinal))
                    {
                        await CountAsync(quotas, ns, stopping);
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

    private string NamespaceOf(StoreEvent change) => resources.FindByKey(change.Item.Key)?.Object(change.Item).Namespace.ToString() ?? "";

    private async Task CountAsync(ServedResource kind, string ns, CancellationToken stopping)
    {
        var list = await store.ListAsync(new StoreListQuery(kind.ListPrefix(ns)), stopping);
        foreach (var item in list.Items)
        {
            var quota = GodwitJson.FromNode<ResourceQuota>(kind.Form.Decode(item.Value.Span, item.ModRevision));
            var status = GodwitJson.ToObject(new ResourceQuotaStatus { Hard = quota.Spec.Hard, Used = await uses.CountAsync(ns, quota.Spec, stopping) });
            var write = new WriteContext { Resource = kind, Namespace = ns, Name = quota.Metadata.Name, Subresource = "status", User = Self, Stopping = stopping };
            try
            {
                await writer.UpdateAsync(write, stored =>
                {
                    if (!JsonNode.DeepEquals(stored["status"], status) && Meta.Of(stored).Uid == quota.Metadata.Uid)
                    {
                        stored["status"] = status.DeepClone();
                    }

                    return stored;
                });
            }
            catch (StatusException error) when (error.Reason is "NotFound" or "Conflict")
            {
                // It is gone, or others write all the time, and each of these writes is a reason to count again.
            }
        }
    }

    private static partial class Log
    {
        [LoggerMessage(1304, LogLevel.Warning, "Counting what quotas bound failed; it is tried again.")]
        public static partial void Failed(ILogger logger, Exception error);
    }
}
