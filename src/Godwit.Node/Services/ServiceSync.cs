using System.Threading.Channels;
using Godwit.Api.Core.V1;
using Godwit.Api.Discovery.V1;
using Godwit.Base;
using Godwit.Client;
using Godwit.Networks.Services;
using Godwit.Node.Networking;
using Microsoft.Extensions.Logging;

namespace Godwit.Node.Services;

/// <summary>Where a node's services take effect: rules, names, and who is told of the addresses outside.</summary>
internal sealed record ServiceEffects(ServicePlane Plane, NodeNames Names, AddressAnnouncements Announcements);

/// <summary>
/// Keeps this node's answers at virtual addresses, and to their names, as the API says. One loop applies; whatever changed, it applies all, in one change of the
/// rules. While the server is away, or no agent runs, what was applied last stays; nothing is applied before all is known.
/// </summary>
internal sealed partial class ServiceSync
{
    /// <summary>Changes come in flocks, as when a deployment rolls: they are gathered for so long.</summary>
    private static readonly TimeSpan GatherInterval = TimeSpan.FromMilliseconds(100);

    private static readonly TimeSpan RepairInterval = TimeSpan.FromMinutes(1);
    private static readonly Backoff RetryBackoff = new(TimeSpan.FromMilliseconds(500), TimeSpan.FromSeconds(15));

    private readonly NodeName node;
    private readonly OverlaySync overlay;
    private readonly ServiceEffects effects;
    private readonly TimeProvider time;
    private readonly ILogger logger;
    private readonly ResourceCache<Service> services;
    private readonly ResourceCache<EndpointSlice> slices;
    private readonly Channel<bool> changed = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });

    public ServiceSync(NodeName node, ClusterClient client, OverlaySync overlay, ServiceEffects effects, TimeProvider time, ILoggerFactory loggers)
    {
        this.node = node;
        this.overlay = overlay;
        this.effects = effects;
        this.time = time;
        logger = loggers.CreateLogger<ServiceSync>();
        services = new ResourceCache<Service>(client.For<Service>(), ListOptions.All, time, loggers.CreateLogger<ResourceCache<Service>>());
        slices = new ResourceCache<EndpointSlice>(client.For<EndpointSlice>(), ListOptions.All, time, loggers.CreateLogger<ResourceCache<EndpointSlice>>());
        services.Subscribe(_ => Wake());
        slices.Subscribe(_ => Wake());
        effects.Announcements.Subscribe(Wake);
        overlay.Applied = Wake;
    }

    public async Task RunAsync(CancellationToken stopping)
    {
        try
        {
            await Task.WhenAll(services.RunAsync(stopping), slices.RunAsync(stopping), FollowAsync(stopping));
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
        }
    }

    /// <summary>All services, once the server has told of them.</summary>
    public async Task<IEnumerable<Service>> KnownAsync(CancellationToken stopping)
    {
        await services.WaitForSyncAsync(stopping);
        return services.Current.Items;
    }

    private void Wake() => changed.Writer.TryWrite(true);

    private async Task FollowAsync(CancellationToken stopping)
    {
        await Task.WhenAll(services.WaitForSyncAsync(stopping), slices.WaitForSyncAsync(stopping), overlay.Ready.WaitAsync(stopping));
        var isRepair = false;
        for (var failures = 0; !stopping.IsCancellationRequested;)
        {
            while (changed.Reader.TryRead(out _))
            {
                // What woke us is in the caches; all of it is applied at once.
            }

            try
            {
                await ApplyAsync(isRepair, stopping);
                failures = 0;
                isRepair = !await WaitForChangeAsync(stopping);
            }
            catch (Exception error) when (error is not OperationCanceledException || !stopping.IsCancellationRequested)
            {
                var pause = RetryBackoff.DelayFor(failures++, Random.Shared.NextDouble());
                Log.NotApplied(logger, pause.TotalMilliseconds, ErrorChain.Describe(error));
                await Task.Delay(pause, time, stopping);
            }
        }
    }

    /// <summary>Addresses and names at once: neither is held up by the other's trouble. What is announced is led first.</summary>
    private async Task ApplyAsync(bool isRepair, CancellationToken stopping)
    {
        var (network, all, places) = (overlay.Network!, services.Current.Items.ToList(), slices.Current.Items.ToList());
        var state = new ServiceState
        {
            Network = network.Network,
            StationAddress = overlay.StationAddress,
            Ranges = network.ServiceRanges,
            Places = ServicePlan.PlacesOf(node, all, places),
        };
        await Task.WhenAll(effects.Plane.ApplyAsync(state, isRepair, stopping), effects.Names.ApplyServicesAsync(ServiceNamePlan.NamesOf(network.ClusterDomain, all, places), stopping));
        effects.Announcements.Apply(network, all, places);
    }

    /// <summary>False: nothing has changed for so long that what is in the kernel may be looked after.</summary>
    private async Task<bool> WaitForChangeAsync(CancellationToken stopping)
    {
        using var over = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        var change = changed.Reader.WaitToReadAsync(over.Token).AsTask();
        var isChanged = await Task.WhenAny(change, Task.Delay(RepairInterval, time, over.Token)) == change;
        await over.CancelAsync();
        await Task.Delay(GatherInterval, time, stopping);
        return isChanged;
    }

    private static partial class Log
    {
        [LoggerMessage(EventId = 2421, Level = LogLevel.Warning, Message = "Virtual addresses of services are not as they should be, next try in {DelayMs} ms: {Reason}")]
        public static partial void NotApplied(ILogger logger, double delayMs, string reason);
    }
}
