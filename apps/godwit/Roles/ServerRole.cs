using System.Net;
using System.Text;
using Godwit.Api.Kinds;
using Godwit.Api.Machinery;
using Godwit.App.Clusters;
using Godwit.ApiServer;
using Godwit.Client;
using Godwit.Controllers;
using Godwit.Linux.Files;
using Godwit.Node.Observer;
using Godwit.Store;
using Godwit.Store.Caching;
using Godwit.Store.Sqlite;
using Microsoft.Extensions.Logging;

namespace Godwit.App.Roles;

/// <summary>What <c>godwit server</c> is told.</summary>
internal sealed record ServerRoleOptions
{
    public required string DataFolder { get; init; }

    /// <summary>Where the admin's kubeconfig is written.</summary>
    public required string KubeconfigPath { get; init; }

    public required IReadOnlyList<IPEndPoint> Listen { get; init; }

    /// <summary>Names and addresses that clients use, for the certificate; the first is the one in kubeconfigs.</summary>
    public required IReadOnlyList<string> AdvertisedNames { get; init; }

    /// <summary>This host's address on the network between the nodes; null: the server does not join the guests' network, so nothing observes moves from outside.</summary>
    public IPAddress? UnderlayAddress { get; init; }

    public required ClusterNetworkSettings Network { get; init; }

    /// <summary>What this host's links to the guests' network begin with.</summary>
    public required string LinkPrefix { get; init; }

    /// <summary>What must be free for it to start.</summary>
    /// <param name="owner">The command that runs it.</param>
    /// <param name="flag">That command's way to choose another address.</param>
    public IReadOnlyList<Door> Doors(string owner, string flag) => [.. Listen.Select(address => new Door(owner, "the API", address, flag))];
}

/// <summary>
/// The control plane in one process: store, API server, and, as ordinary clients of that server, the controllers and the
/// observer that looks at moves from a third place.
/// </summary>
internal static class ServerRole
{
    /// <summary>In the data folder; held by the one server that runs on it.</summary>
    public const string LockFileName = "lock";

    /// <summary>Runs until cancelled; throws when a part of it cannot go on. <paramref name="answering"/> is set once the API answers.</summary>
    public static async Task RunAsync(ServerRoleOptions options, ILoggerFactory loggers, TaskCompletionSource? answering, CancellationToken stopping)
    {
        var time = TimeProvider.System;
        using var only = Claim(options.DataFolder);
        var storeOptions = new SqliteStoreOptions(Path.Combine(options.DataFolder, Commands.StoreCommand.StoreFileName)) { Logger = loggers.CreateLogger<SqliteRevisionStore>() };
        await using var store = new CachingRevisionStore(SqliteRevisionStore.Open(storeOptions), new CacheOptions { Time = time, Logger = loggers.CreateLogger<CachingRevisionStore>() });
        ControllerHost? controllers = null;
        await using var server = await ApiServerHost.StartAsync(
            new ApiServerOptions
            {
                DataFolder = options.DataFolder,
                Store = store,
                Registry = new ResourceRegistry(BuiltInKinds.All),
                Listen = options.Listen,
                ServerNames = options.AdvertisedNames,
                AdvertisedHost = options.AdvertisedNames[0],
                Clock = time,
                Loggers = loggers,
                MoreMetrics = () => controllers?.WriteMetrics() ?? "",
            },
            stopping);
        DurableFile.Write(options.KubeconfigPath, Encoding.UTF8.GetBytes(server.AdminKubeconfig));
        var connection = Kubeconfig.Parse(server.ControllersKubeconfig, options.DataFolder, "the controllers' kubeconfig");
        using var cluster = new ClusterClient(connection, time, loggers.CreateLogger<ClusterClient>());
        await options.Network.EnsureAsync(cluster, stopping);
        controllers = new ControllerHost(cluster, new ControllerOptions { Identity = $"{Environment.MachineName}-{Environment.ProcessId}" }, time, loggers);
        var history = new HistoryKeeper(store, HistoryKeeper.DefaultPeriod, time, loggers.CreateLogger<HistoryKeeper>());
        answering?.TrySetResult();
        List<Func<CancellationToken, Task>> parts = [controllers.RunAsync, history.RunAsync];
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
}
