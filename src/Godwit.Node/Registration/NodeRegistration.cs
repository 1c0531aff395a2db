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

    private const int LeaseDurationSeconds = 40;
    private const int PublishAttemptsMax = 3;

    private readonly ResourceClient<KubeNode> nodes = client.For<KubeNode>();
    private readonly ResourceClient<Lease> leases = client.For<Lease>();

    private ResourceKey LeaseKey => new(NamespaceNames.KubeNodeLease, options.Node.Value);

    /// <summary>Heartbeats until cancelled; a failure is told once until it is mended.</summary>
    public async Task RunAsync(CancellationToken stopping)
    {
        var isTrouble = false;
        while (!stopping.IsCancellationRequested)
        {
            try
            {
                await HeartbeatAsync(stopping);
                if (isTrouble)
                {
                    Log.Mended(logger);
                }

                isTrouble = false;
            }
            catch (OperationCanceledException) when (stopping.IsCancellationRequested)
            {
                return;
            }
            catch (Exception error)
            {
                if (!isTrouble)
                {
                    Log.Silent(logger, ErrorChain.Describe(error));
                }

                isTrouble = true;
            }

            await Task.Delay(HeartbeatInterval, time, stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

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
