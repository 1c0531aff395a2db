using System.Net;
using Godwit.Api.Core.V1;
using Godwit.Api.KubeVirt.V1;
using Godwit.Client;
using Godwit.Linux.Networking;
using Godwit.Networks.Overlays;
using Godwit.Node.Hosting;
using Godwit.Node.Networking;
using Microsoft.Extensions.Logging;
using KubeNode = Godwit.Api.Core.V1.Node;

namespace Godwit.Node.Observer;

/// <summary>What an observer needs to know.</summary>
public sealed record ObserverOptions
{
    /// <summary>The API, as somebody who may write the status of migrations.</summary>
    public required ClusterConnection Connection { get; init; }

    /// <summary>This host's address towards the nodes; it must be among the <c>members</c> of the network's ConfigMap.</summary>
    public required IPAddress UnderlayAddress { get; init; }

    /// <summary>What names of links and rules on this host begin with; unlike that of an agent in the same network namespace.</summary>
    public string LinkPrefix { get; init; } = "gwo";
}

/// <summary>
/// A member of the guests' network that is no node: it watches migrations and says, from this third place, for how long
/// a moving guest did not answer and whether it answers in the end.
/// </summary>
public static class ObserverHost
{
    /// <summary>Runs until cancelled, then leaves the guests' network without a trace.</summary>
    public static async Task RunAsync(ObserverOptions options, TimeProvider time, ILoggerFactory loggers, CancellationToken stopping)
    {
        using var client = new ClusterClient(options.Connection, time, loggers.CreateLogger<ClusterClient>());
        var names = new OverlayNames(options.LinkPrefix);
        var guests = Cache<VirtualMachineInstance>(client, ListOptions.All, time, loggers);
        var nodes = Cache<KubeNode>(client, ListOptions.All, time, loggers);
        var settings = Cache<ConfigMap>(client, new ListOptions { Namespace = ClusterNetwork.SettingsKey.Namespace }, time, loggers);
        var migrations = Cache<VirtualMachineInstanceMigration>(client, ListOptions.All, time, loggers);
        var overlay = new OverlaySync(
            new OverlayMember(names, options.UnderlayAddress, Node: null), new OverlayCaches(settings, nodes, guests), names: null, time, loggers);
        var observer = new MigrationObserver(
            new ProbeStarter(names, settings, time), client.For<VirtualMachineInstanceMigration>(), new ObserverCaches(migrations, guests), time, loggers.CreateLogger<MigrationObserver>());
        try
        {
            await TaskGroup.RunAsync(
                stopping,
                ("guests' objects", guests.RunAsync),
                ("nodes' objects", nodes.RunAsync),
                ("network settings", settings.RunAsync),
                ("migrations", migrations.RunAsync),
                ("network", overlay.RunAsync),
                ("observation", async ending =>
                {
                    await overlay.Ready.WaitAsync(ending);
                    await observer.RunAsync(ending);
                }));
        }
        finally
        {
            await new Overlay(NetworkNamespace.Own, time, loggers.CreateLogger<Overlay>()).RemoveAsync(names, CancellationToken.None);
        }
    }

    private static ResourceCache<T> Cache<T>(ClusterClient client, ListOptions options, TimeProvider time, ILoggerFactory loggers)
        where T : Api.Resource, Api.IResource<T> =>
        new(client.For<T>(), options, time, loggers.CreateLogger<ResourceCache<T>>());
}
