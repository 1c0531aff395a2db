using System.CommandLine;
using System.Net;
using Godwit.App.Clusters;
using Godwit.App.Roles;
using Godwit.Cli;
using Godwit.Linux.Hosts;
using Godwit.Networks;
using Godwit.Node;

namespace Godwit.App.Commands;

/// <summary><c>godwit agent</c>: makes this host a node of a cluster.</summary>
internal static class AgentCommand
{
    public static Command Create()
    {
        var shared = new HostOptions();
        var nodeName = new Option<string?>("--node-name") { Description = "This node's name in the cluster (default the host name)", HelpName = "NAME" };
        var server = new Option<string[]>("--server") { Description = "Address of an API server, such as https://192.0.2.10:6443; may be repeated", HelpName = "URL", Required = true };
        var token = new Option<string?>("--token-file") { Description = "File with the token to join with; needed the first time only", HelpName = "FILE" };
        var authority = new Option<string>("--ca-file") { Description = "Certificate of the cluster's authority (ca.crt of the server)", HelpName = "FILE", Required = true };
        var underlay = new Option<string>("--underlay-address") { Description = "This host's address towards the other nodes", HelpName = "ADDRESS", Required = true };
        var listen = new Option<string?>("--listen") { Description = $"ADDRESS:PORT or PORT for the server to reach this agent (default port {AgentOptions.AgentPortDefault} of the underlay address)", HelpName = "ADDRESS:PORT" };
        var peerListen = new Option<string?>("--peer-listen") { Description = $"ADDRESS:PORT or PORT for other agents to reach this one (default port {AgentOptions.PeerPortDefault} of the underlay address)", HelpName = "ADDRESS:PORT" };
        var peerAddress = new Option<string[]>("--peer-address") { Description = "Another address of this host, on another link, for agents that cannot reach it by the first; may be repeated", HelpName = "ADDRESS" };
        var storage = new Option<string[]>("--shared-storage") { Description = "Folder on storage that other nodes share too; may be repeated", HelpName = "FOLDER" };
        var label = new Option<string[]>("--label") { Description = "NAME=VALUE label of the node; may be repeated", HelpName = "NAME=VALUE" };
        var memory = new Option<string?>("--memory") { Description = "Memory to offer, such as 8Gi (default all of the host's)", HelpName = "SIZE" };
        var command = new Command("agent", "Run this host as a node: guests, their network, and their moves to and from other nodes")
        { nodeName, server, token, authority, underlay, listen, peerListen, peerAddress, storage, label, memory, shared.Data, shared.Images, shared.LogFormat, shared.LogLevel };
        Help.Add(
            command,
            [
                ("godwit agent --server https://192.0.2.10:6443 --underlay-address 192.0.2.11 --token-file bootstrap-token --ca-file ca.crt", "with the two files from the server's folder /var/lib/godwit/server/pki"),
            ],
            "Once it has joined, the token is not needed any more. Guests outlive it: it may be ended, upgraded and started again at any time.");
        command.SetAction(async (parsed, stopping) =>
        {
            HostOptions.RequireRoot("godwit agent");
            var places = shared.PlacesFrom(parsed);
            var name = parsed.GetValue(nodeName) ?? Dns.GetHostName().ToLowerInvariant();
            var underlayAddress = HostOptions.Address("--underlay-address", parsed.GetValue(underlay))!;
            var options = new AgentOptions
            {
                Node = NodeName.TryParse(name, out var node) ? node : throw new CliException($"'{name}' cannot name a node: use lower-case letters, digits and '-'.", ExitCodes.Usage),
                Servers = [.. parsed.GetValue(server)!.Select(Server)],
                AuthorityPath = parsed.GetValue(authority)!,
                BootstrapTokenPath = parsed.GetValue(token),
                DataFolder = parsed.GetValue(shared.Data) ?? places.AgentFolder(name),
                ImagesFolder = places.ImagesFolder,
                UnderlayAddress = underlayAddress,
                AgentListen = HostOptions.EndPoint("--listen", parsed.GetValue(listen) ?? Text(AgentOptions.AgentPortDefault), underlayAddress),
                PeerListen = HostOptions.EndPoint("--peer-listen", parsed.GetValue(peerListen) ?? Text(AgentOptions.PeerPortDefault), underlayAddress),
                OtherPeerAddresses = [.. (parsed.GetValue(peerAddress) ?? []).Select(address => HostOptions.Address("--peer-address", address)!)],
                SharedStorageFolders = parsed.GetValue(storage) ?? [],
                Labels = Labels(parsed.GetValue(label) ?? []),
                MemoryBytes = parsed.GetValue(memory) is { } text ? Memory(text) : null,
                ControlGroupParent = $"{places.ControlGroup}/{name}",
            };
            if (options.OtherPeerAddresses.Count > 0 && !options.PeerListen!.Address.Equals(IPAddress.Any))
            {
                throw new CliException("--peer-address needs an agent that listens on all addresses: --peer-listen 0.0.0.0:PORT", ExitCodes.Usage);
            }

            await Predecessor.HasEndedAsync(Path.Combine(options.DataFolder, AgentHost.LockFileName), TimeProvider.System, stopping);
            Door.MustBeFree(
                new Door("godwit agent", "the API server", options.AgentListen, "--listen"),
                new Door("godwit agent", "other agents", options.PeerListen, "--peer-listen"));
            using var loggers = shared.LoggersFrom(parsed);
            await AgentHost.RunAsync(options, TimeProvider.System, loggers, stopping);
            return ExitCodes.Done;
        });
        return command;
    }

    private static string Text(int port) => port.ToString(System.Globalization.CultureInfo.InvariantCulture);

    private static Uri Server(string text) => Uri.TryCreate(text, UriKind.Absolute, out var uri) && uri.Scheme == Uri.UriSchemeHttps
        ? uri
        : throw new CliException($"--server takes https://HOST:PORT, not '{text}'.", ExitCodes.Usage);

    private static long Memory(string text) => Base.Quantity.TryParse(text, out var quantity) && quantity.ToInt64() is > 0 and var bytes
        ? bytes
        : throw new CliException($"--memory takes a size such as 8Gi, not '{text}'.", ExitCodes.Usage);

    private static Dictionary<string, string> Labels(string[] texts)
    {
        var labels = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var text in texts)
        {
            var (name, value) = text.Split('=', 2) is [{ Length: > 0 } before, var after] ? (before, after) : throw new CliException($"--label takes NAME=VALUE, not '{text}'.", ExitCodes.Usage);
            labels[name] = value;
        }

        return labels;
    }
}
