using System.Net;
using Godwit.App.Clusters;
using Godwit.Node;
using Microsoft.Extensions.Logging;

namespace Godwit.App.Roles;

/// <summary>
/// Control plane and agent in one process on one host. Between the two lies the same HTTPS as between hosts: the agent
/// joins with the bootstrap token and knows no shortcut.
/// </summary>
internal static class OneHostRole
{
    public static async Task RunAsync(Places places, int port, string nodeName, ILoggerFactory loggers, CancellationToken stopping)
    {
        var server = new ServerRoleOptions
        {
            DataFolder = places.ServerFolder,
            KubeconfigPath = places.KubeconfigPath,
            Listen = [new IPEndPoint(IPAddress.Loopback, port)],
            AdvertisedNames = [IPAddress.Loopback.ToString()],
            Network = ClusterNetworkSettings.For(null, ClusterNetworkSettings.NetworkIdDefault, null),
            LinkPrefix = places.LinkPrefix,
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
            ControlGroupParent = $"{places.ControlGroup}/{nodeName}",
            LinkPrefix = places.LinkPrefix,
        };
        var answering = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await Parts.RunAsync(
            [
                part => ServerRole.RunAsync(server, loggers, answering, part),
                async part =>
                {
                    await answering.Task.WaitAsync(part);
                    await AgentHost.RunAsync(agent, TimeProvider.System, loggers, part);
                },
            ],
            stopping);
    }
}
