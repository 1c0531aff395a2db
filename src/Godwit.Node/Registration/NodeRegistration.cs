using Godwit.Api;
using Godwit.Api.Coordination.V1;
using Godwit.Api.Meta.V1;
using Godwit.Base;
using Godwit.Client;
using Microsoft.Extensions.Logging;
using KubeNode = Godwit.Api.Core.V1.Node;

namespace Godwit.Node.Registration;

/// <summary>
/// Keeps this host's Node object true and its Lease fresh. The Lease is the heartbeat: small, and renewed every
/// <see cref="HeartbeatInterval"/>; the Node is written only when something about it has changed. While the server is
/// away nothing stops here: the heartbeat is what comes first when it is back.
/// </summary>
internal sealed partial class NodeRegistration(
    AgentOptions options, ClusterClient client, Func<NodeDescription> describe, TimeProvider time, ILogger logger)
{
    public static readonly TimeSpan HeartbeatInterval = TimeSpan.FromSeconds(10);

    /// <summary>The waits after heartbeats that failed: a connection that died while the agent stood still, for one, is there again with the next attempt.</summary>
    private static readonly Backoff RetryBackoff = new(TimeSpan.FromMilliseconds(250), HeartbeatInterval);

    private const int LeaseDurationSeconds = 40;
    private const int PublishAttemptsMax = 3;

    private readonly ResourceClient<KubeNode> nodes = client.For<KubeNode>();
    private readonly ResourceClient<Lease> leases = client.For<Lease>();

    private ResourceKey LeaseKey => new(NamespaceNames.KubeNodeLease, options.Node.Value);

    /// <summary>Heartbeats until cancelled; a failure is told once until it is mended.</summary>
    public async Task RunAsync(CancellationToken stopping)
    {
        var failures = 0;
        while (!stopping.IsCancellationRequested)
        {
            var began = time.GetTimestamp();
            try
            {
                await HeartbeatAsync(stopping);
                if (failures > 0)
                {
                    Log.Mended(logger);
                }

                failures = 0;
            }
            catch (OperationCanceledException) when (stopping.IsCancellationRequested)
            {
                return;
            }
            catch (Exception error)
            {
                if (failures++ == 0)
                {
                    Log.Silent(logger, ErrorChain.Describe(error));
                }
            }

            await Task.Delay(WaitAfter(time.GetElapsedTime(began), failures, Random.Shared.NextDouble()), time, stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>
    /// How long to wait before the next heartbeat. They begin an interval apart. One that took longer than that has been overtaken: this process stood still in the middle of it, say, and the controllers
    /// have called the node silent since it looked at the Node and found nothing to write. So the next comes at once.
    /// </summary>
    /// <param name="took">How long the last heartbeat took.</param>
    /// <param name="failures">How many have failed since one succeeded.</param>
    /// <param name="chance">Jitter, uniform in [0, 1).</param>
    internal static TimeSpan WaitAfter(TimeSpan took, int failures, double chance) =>
        failures > 0 ? RetryBackoff.DelayFor(failures - 1, chance)
        : took < HeartbeatInterval ? HeartbeatInterval - took
        : TimeSpan.Zero;

    /// <summary>
    /// One heartbeat: the Lease, then the Node as it should be. In this order, so that a node that was silent is not called ready while its Lease is still the old one, which
    /// would be taken for silence once more; and so that what hinders the Node from being written does not make the host look dead.
    /// </summary>
    public async Task HeartbeatAsync(CancellationToken stopping)
    {
        var isKnown = await RenewAsync(stopping);
        var node = await PublishAsync(stopping);
        if (!isKnown)
        {
            await CreateLeaseAsync(node, stopping);
        }
    }

    /// <summary>The controllers write to it too: their taints of a silent node go as soon as its Lease is renewed. Who is in the way of whom reads again.</summary>
    private async Task<KubeNode> PublishAsync(CancellationToken stopping)
    {
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                return await TryPublishAsync(stopping);
            }
            catch (ApiException conflict) when (conflict.IsConflict && attempt < PublishAttemptsMax)
            {
                // Changed between our look and our write.
            }
        }
    }

    private async Task<KubeNode> TryPublishAsync(CancellationToken stopping)
    {
        var key = new ResourceKey("", options.Node.Value);
        var found = await nodes.FindAsync(key, stopping);
        var description = describe();
        var node = found is null
            ? await nodes.CreateAsync(NodeObject.WithMetadata(new KubeNode(), options, description), stopping)
            : await nodes.ChangeAsync(found, NodeObject.WithMetadata(found, options, description), stopping);
        if (found is null)
        {
            Log.Registered(logger, options.Node);
        }

        return await nodes.ChangeStatusAsync(node, NodeObject.WithStatus(node, options, description, time.GetUtcNow()), stopping);
    }

    /// <returns>False: there is no Lease yet.</returns>
    private async Task<bool> RenewAsync(CancellationToken stopping)
    {
        if (await leases.FindAsync(LeaseKey, stopping) is not { } lease)
        {
            return false;
        }

        await leases.ChangeAsync(
            lease,
            lease with { Spec = lease.Spec with { HolderIdentity = options.Node.Value, RenewTime = time.GetUtcNow(), LeaseDurationSeconds = LeaseDurationSeconds } },
            stopping);
        return true;
    }

    /// <summary>It goes with the Node that it is of.</summary>
    private async Task CreateLeaseAsync(KubeNode node, CancellationToken stopping)
    {
        var now = time.GetUtcNow();
        await leases.CreateAsync(
            new Lease
            {
                Metadata = new ObjectMeta
                {
                    Namespace = LeaseKey.Namespace,
                    Name = LeaseKey.Name,
                    OwnerReferences = [new OwnerReference { ApiVersion = node.ApiVersion, Kind = node.Kind, Name = node.Metadata.Name, Uid = node.Metadata.Uid }],
                },
                Spec = new LeaseSpec { HolderIdentity = options.Node.Value, AcquireTime = now, RenewTime = now, LeaseDurationSeconds = LeaseDurationSeconds },
            },
            stopping);
    }

    private static partial class Log
    {
        [LoggerMessage(EventId = 2301, Level = LogLevel.Information, Message = "Registered as node {Node}")]
        public static partial void Registered(ILogger logger, NodeName node);

        [LoggerMessage(EventId = 2302, Level = LogLevel.Warning, Message = "No heartbeat reaches the server; guests run on, and it is tried again: {Reason}")]
        public static partial void Silent(ILogger logger, string reason);

        [LoggerMessage(EventId = 2303, Level = LogLevel.Information, Message = "Heartbeats reach the server again")]
        public static partial void Mended(ILogger logger);
    }
}
