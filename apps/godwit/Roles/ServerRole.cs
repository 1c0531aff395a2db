using System.Net;
using System.Security.Cryptography;
using System.Text;
using Godwit.Api.Kinds;
using Godwit.Api.Machinery;
using Godwit.App.Clusters;
using Godwit.ApiServer;
using Godwit.ApiServer.Auditing;
using Godwit.Client;
using Godwit.Controllers;
using Godwit.Linux.Files;
using Godwit.Node.Observer;
using Godwit.Store;
using Microsoft.Extensions.Logging;

namespace Godwit.App.Roles;

/// <summary>What <c>godwit server</c> is told.</summary>
internal sealed record ServerRoleOptions
{
    public required string DataFolder { get; init; }

    public required StoreChoice Store { get; init; }

    /// <summary>Where the admin's kubeconfig is written.</summary>
    public required string KubeconfigPath { get; init; }

    public required IReadOnlyList<IPEndPoint> Listen { get; init; }

    /// <summary>Where requests are written down; null: nowhere.</summary>
    public AuditLogOptions? Audit { get; init; }

    /// <summary>Names and addresses that clients use, for the certificate; the first is the one in kubeconfigs.</summary>
    public required IReadOnlyList<string> AdvertisedNames { get; init; }

    /// <summary>This host's address on the network between the nodes; null: the server does not join the guests' network, so nothing observes moves from outside.</summary>
    public IPAddress? UnderlayAddress { get; init; }

    public required ClusterNetworkSettings Network { get; init; }

    /// <summary>What this host's links to the guests' network begin with.</summary>
    public required string LinkPrefix { get; init; }

    /// <summary>Whether this process is the agent of its host too, and the only node's: then pods reach the server at their gateway.</summary>
    public bool IsWithAgent { get; init; }

    /// <summary>What must be free for it to start.</summary>
    /// <param name="owner">The command that runs it.</param>
    /// <param name="flag">That command's way to choose another address.</param>
    public IReadOnlyList<Door> Doors(string owner, string flag) => [.. Listen.Select(address => new Door(owner, "the API", address, flag))];
}

/// <summary>
/// The control plane in one process: store, API server, and, as ordinary clients of that server, the controllers and the
/// observer that looks at moves from a third place.
/// </summary>
internal static partial class ServerRole
{
    /// <summary>In the data folder; held by the one server that runs on it.</summary>
    public const string LockFileName = "lock";

    /// <summary>Runs until cancelled; throws when a part of it cannot go on. <paramref name="answering"/> is set once the API answers.</summary>
    public static async Task RunAsync(ServerRoleOptions options, ILoggerFactory loggers, TaskCompletionSource? answering, CancellationToken stopping)
    {
        var time = TimeProvider.System;
        using var only = Claim(options.DataFolder);
        var sharesStore = options.Store is StoreChoice.InEtcd;
        await using var store = await options.Store.OpenAsync(time, loggers, stopping);
        var registry = new ResourceRegistry(BuiltInKinds.All);
        var place = await ServerPlace.FindAsync(options, store, registry, stopping);
        ControllerHost? controllers = null;
        await using var server = await ApiServerHost.StartAsync(
            new ApiServerOptions
            {
                DataFolder = options.DataFolder,
                Store = store,
                SharesStore = sharesStore,
                Registry = registry,
                Listen = options.Listen,
                ListenLater = place is { IsLater: true, Endpoint: { } later } ? [later] : [],
                ServerNames = [.. options.AdvertisedNames, place.ServiceAddress.ToString(), .. place.Endpoint is { } at ? new[] { at.Address.ToString() } : []],
                AdvertisedHost = options.AdvertisedNames[0],
                Audit = options.Audit,
                Clock = time,
                Loggers = loggers,
                MoreMetrics = () => controllers?.WriteMetrics() ?? "",
            },
            stopping);
        DurableFile.Write(options.KubeconfigPath, Encoding.UTF8.GetBytes(server.AdminKubeconfig));
        var connection = Kubeconfig.Parse(server.ControllersKubeconfig, options.DataFolder, "the controllers' kubeconfig");
        using var cluster = new ClusterClient(connection, time, loggers.CreateLogger<ClusterClient>());
        await options.Network.EnsureAsync(cluster, sharesStore, stopping);

        // Hosts may have the same name, and processes in containers the same number.
        var identity = $"{Environment.MachineName}-{Environment.ProcessId}-{RandomNumberGenerator.GetHexString(8, lowercase: true)}";
        controllers = new ControllerHost(cluster, new ControllerOptions { Identity = identity }, time, loggers);
        var history = new HistoryKeeper(store, HistoryKeeper.DefaultPeriod, time, loggers.CreateLogger<HistoryKeeper>());
        answering?.TrySetResult();
        List<Func<CancellationToken, Task>> parts = [controllers.RunAsync, history.RunAsync];
        var logger = loggers.CreateLogger(nameof(ServerRole));
        if (place.Endpoint is { } endpoint)
        {
            parts.Add(part => ServerPresence.RunAsync(cluster, endpoint, identity, time, logger, part));
        }
        else
        {
            Log.OutOfReach(logger);
        }

        if (options.UnderlayAddress is { } underlay)
        {
            var observer = new ObserverOptions { Connection = connection, UnderlayAddress = underlay, LinkPrefix = options.LinkPrefix };
            parts.Add(part => ObserverHost.RunAsync(observer, time, loggers, part));
        }

        await Parts.RunAsync(parts, stopping);
    }

    private static FileLock Claim(string folder)
    {
        try
        {
            Directory.CreateDirectory(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        }
        catch (Exception error) when (error is UnauthorizedAccessException or IOException)
        {
            throw new ClusterException($"The server cannot make its data folder {folder}: run it with sudo, or choose another folder with --data", error);
        }

        var only = FileLock.TryAcquire(Path.Combine(folder, LockFileName))
            ?? throw new ClusterException($"Another server runs on the data folder {folder}: stop it, or give this one its own with --data");
        DurableFile.RemoveLeftovers(folder);
        return only;
    }

    private static partial class Log
    {
        [LoggerMessage(EventId = 9102, Level = LogLevel.Warning, Message = "Pods cannot reach this server, for it listens on the loopback alone: the service default/kubernetes leads nowhere. Give it an address of this host with --listen")]
        public static partial void OutOfReach(ILogger logger);
    }
}
