using Godwit.Api;
using Godwit.Api.Core.V1;
using Godwit.Api.Discovery.V1;
using Godwit.Client;
using Godwit.Networks.Services;
using Godwit.Node.Networking;
using Microsoft.Extensions.Logging;
using KubeNode = Godwit.Api.Core.V1.Node;

namespace Godwit.Node.Services;

/// <summary>
/// Announces the addresses that <see cref="AnnouncementPlan"/> gives this node, and says so in an event of the service. What was announced last stays while the server is away: nobody else would
/// take it over then.
/// </summary>
internal sealed partial class AddressAnnouncements(NodeName node, AddressAnnouncer announcer, ResourceCache<KubeNode> nodes, EventRecorder events, ILogger logger) : IDisposable
{
    private HashSet<Announcement> announced = [];

    /// <summary>Called when a node has changed, and perhaps who announces.</summary>
    public void Subscribe(Action changed) => nodes.Subscribe(_ => changed());

    /// <summary>Announces what is this node's to announce. After the rules that lead what comes then.</summary>
    /// <exception cref="Godwit.Linux.LinuxException">The kernel refused.</exception>
    public void Apply(ClusterNetwork network, IReadOnlyCollection<Service> services, IReadOnlyCollection<EndpointSlice> slices)
    {
        var wanted = AnnouncementPlan.For(node, new AnnouncementFacts(network.LoadBalancerRange, services, slices, [.. nodes.Current.Items])).ToHashSet();
        announcer.Apply([.. wanted.Select(each => each.Address)]);
        foreach (var gone in announced.Where(each => !wanted.Contains(each)))
        {
            Log.Ended(logger, gone.Address, gone.Service);
        }

        foreach (var fresh in wanted.Where(each => !announced.Contains(each)))
        {
            Log.Began(logger, fresh.Address, fresh.Service);
            events.Record(services.First(service => ResourceKey.Of(service) == fresh.Service), EventTypes.Normal, "NodeAssigned", $"node {node} announces {fresh.Address} on its link");
        }

        announced = wanted;
    }

    public void Dispose() => announcer.Dispose();

    private static partial class Log
    {
        [LoggerMessage(EventId = 2422, Level = LogLevel.Information, Message = "Announces {Address} of {Service}")]
        public static partial void Began(ILogger logger, System.Net.IPAddress address, ResourceKey service);

        [LoggerMessage(EventId = 2423, Level = LogLevel.Information, Message = "No longer announces {Address} of {Service}")]
        public static partial void Ended(ILogger logger, System.Net.IPAddress address, ResourceKey service);
    }
}
