using System.Globalization;
using System.Net;
using Godwit.Api.Coordination.V1;
using Godwit.Base;

namespace Godwit.Controllers;

/// <summary>
/// Says for one server that it is there and where pods reach it, by a Lease in <c>kube-system</c> that it renews. Every server has one; whoever leads puts those that are
/// renewed behind the service <c>kubernetes</c>. It is written through the server itself, so a server that answers nobody is soon not there.
/// </summary>
public static partial class ServerPresence
{
    /// <summary>A server that has not renewed for so long, by the clock of whoever looks, is not there.</summary>
    public static readonly TimeSpan SilentAfter = TimeSpan.FromSeconds(15);

    internal const string Identity = "godwit-server";

    private static readonly TimeSpan RenewPeriod = TimeSpan.FromSeconds(5);

    /// <summary>Renews until cancelled; what fails is tried again at the next turn.</summary>
    /// <param name="cluster">This server, as the controllers reach it.</param>
    /// <param name="endpoint">Where pods reach it.</param>
    /// <param name="holder">This process.</param>
    public static async Task RunAsync(ClusterClient cluster, IPEndPoint endpoint, string holder, TimeProvider clock, ILogger logger, CancellationToken stopping)
    {
        var leases = cluster.For<Lease>();
        while (!stopping.IsCancellationRequested)
        {
            try
            {
                await RenewAsync(leases, endpoint, holder, clock, stopping);
            }
            catch (Exception error) when (error is ApiException or ClusterUnreachableException)
            {
                Log.NotRenewed(logger, endpoint, ErrorChain.Describe(error));
            }
            catch (OperationCanceledException) when (stopping.IsCancellationRequested)
            {
                return;
            }

            await Task.Delay(RenewPeriod, clock, stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>Where the server is that renews this lease; null when the lease is something else.</summary>
    internal static IPEndPoint? EndpointOf(Lease lease) =>
        lease.Metadata.Labels.GetValueOrDefault(LabelNames.ServerIdentity) == Identity && lease.Metadata.Annotations.TryGetValue(AnnotationNames.ServerEndpoint, out var text)
            && IPEndPoint.TryParse(text, out var endpoint) && endpoint is { AddressFamily: System.Net.Sockets.AddressFamily.InterNetwork, Port: > 0 } ? endpoint : null;

    internal static Lease LeaseOf(IPEndPoint endpoint, string holder, DateTimeOffset now) => new()
    {
        Metadata = new ObjectMeta
        {
            Namespace = NamespaceNames.KubeSystem,
            Name = $"{Identity}-{endpoint.Address.ToString().Replace('.', '-')}-{endpoint.Port.ToString(CultureInfo.InvariantCulture)}",
            Labels = new Dictionary<string, string>(StringComparer.Ordinal) { [LabelNames.ServerIdentity] = Identity },
            Annotations = new Dictionary<string, string>(StringComparer.Ordinal) { [AnnotationNames.ServerEndpoint] = endpoint.ToString() },
        },
        Spec = new LeaseSpec { HolderIdentity = holder, LeaseDurationSeconds = (int)SilentAfter.TotalSeconds, AcquireTime = now, RenewTime = now },
    };

    private static async Task RenewAsync(ResourceClient<Lease> leases, IPEndPoint endpoint, string holder, TimeProvider clock, CancellationToken stopping)
    {
        var wanted = LeaseOf(endpoint, holder, clock.GetUtcNow());
        if (await leases.FindAsync(ResourceKey.Of(wanted), stopping) is not { } lease)
        {
            await leases.CreateAsync(wanted, stopping);
            return;
        }

        var acquired = lease.Spec.HolderIdentity == holder ? lease.Spec.AcquireTime : wanted.Spec.AcquireTime;
        await leases.ChangeAsync(
            lease,
            lease with { Metadata = lease.Metadata with { Labels = wanted.Metadata.Labels, Annotations = wanted.Metadata.Annotations }, Spec = wanted.Spec with { AcquireTime = acquired } },
            stopping);
    }

    private static partial class Log
    {
        [LoggerMessage(1, LogLevel.Warning, "Could not say that there is a server at {Endpoint}; it is tried again: {Reason}")]
        public static partial void NotRenewed(ILogger logger, IPEndPoint endpoint, string reason);
    }
}
