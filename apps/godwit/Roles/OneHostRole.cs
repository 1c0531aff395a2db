using System.Net;
using Godwit.App.Clusters;
using Godwit.Linux;
using Godwit.Networks.Labs;
using Godwit.Node;
using Godwit.Oci.Distribution;
using Microsoft.Extensions.Logging;

namespace Godwit.App.Roles;

/// <summary>
/// Control plane, agent and container engine in one process on one host. Between the two lies the same HTTPS as between hosts: the agent
/// joins with the bootstrap token and knows no shortcut.
/// </summary>
/// <remarks>
/// Nothing observes moves from outside: there is nowhere to move to, for the server answers on this host alone; and the
/// kernel lets one network namespace join the guests' network only once, which the agent does. The agent's own doors are for
/// this process alone, so they take any free ports and tell the server which.
/// </remarks>
internal static partial class OneHostRole
{
    private const string Command = "godwit up";

    public static async Task RunAsync(Places places, int port, string nodeName, string version, ILoggerFactory loggers, CancellationToken stopping)
    {
        var number = ClusterNumber.ChooseFree(); // Counts at the first start only: the cluster keeps the network that it was made with.
        var server = new ServerRoleOptions
        {
            DataFolder = places.ServerFolder,
            Store = new StoreChoice.InFile(Path.Combine(places.ServerFolder, Commands.StoreCommand.StoreFileName)),
            KubeconfigPath = places.KubeconfigPath,
            Listen = [new IPEndPoint(IPAddress.Loopback, port)],
            AdvertisedNames = [IPAddress.Loopback.ToString()],
            Network = new ClusterNetworkSettings(ClusterNumber.GuestNetwork(number), ClusterNumber.GuestNetworkId(number), Member: null) { ServiceNetwork = ClusterNumber.ServiceNetwork(number) },
            LinkPrefix = places.LinkPrefix,
            IsWithAgent = true,
        };
        var agent = new AgentOptions
        {
            Node = NodeName.Parse(nodeName),
            Servers = [new UriBuilder(Uri.UriSchemeHttps, IPAddress.Loopback.ToString(), port).Uri],
            AuthorityPath = places.AuthorityPath,
            BootstrapTokenPath = places.BootstrapTokenPath,
            DataFolder = places.AgentFolder(nodeName),
            ImagesFolder = places.ImagesFolder,
            UnderlayAddress = IPAddress.Loopback,
            AgentListen = new IPEndPoint(IPAddress.Loopback, 0),
            PeerListen = new IPEndPoint(IPAddress.Loopback, 0),
            ControlGroupParent = $"{places.ControlGroup}/{nodeName}",
            LinkPrefix = places.LinkPrefix,
        };
        await Predecessor.HasEndedAsync(Path.Combine(server.DataFolder, ServerRole.LockFileName), TimeProvider.System, stopping);
        Door.MustBeFree(server.Doors(Command, "--port"));
        var answering = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await Parts.RunAsync(
            [
                part => ServerRole.RunAsync(server, loggers, answering, part),
                async part =>
                {
                    await answering.Task.WaitAsync(part);
                    await AgentHost.RunAsync(agent, TimeProvider.System, loggers, part);
                },
                part => RunEngineAsync(places, version, loggers, part),
            ],
            stopping);
    }

    /// <summary>
    /// The container engine beside them. Machines do not depend on it: where it cannot be (no crun, another engine at work on these folders), that is told and the rest goes on.
    /// </summary>
    private static async Task RunEngineAsync(Places places, string version, ILoggerFactory loggers, CancellationToken stopping)
    {
        var engine = EngineRoleOptions.EngineOf(places);
        var options = new EngineRoleOptions
        {
            SocketPath = places.DockerSocketPath,
            Engine = engine,
            ImagesFolder = EngineRole.ImagesFolderOf(engine),
            Registries = new RegistryOptions(),
            Version = version,
        };
        try
        {
            await EngineRole.RunAsync(options, loggers, answering: null, stopping);
        }
        catch (Exception reason) when (reason is ClusterException or IOException or InvalidOperationException or LinuxException)
        {
            Log.NoEngine(loggers.CreateLogger(nameof(EngineRole)), reason);
            await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private static partial class Log
    {
        [LoggerMessage(EventId = 9101, Level = LogLevel.Error, Message = "There is no container engine on this host; machines are not touched by that")]
        public static partial void NoEngine(ILogger logger, Exception reason);
    }
}
