using System.CommandLine;
using System.Net;
using Godwit.ApiServer.Auditing;
using Godwit.App.Roles;
using Godwit.Cli;

namespace Godwit.App.Commands;

/// <summary><c>godwit server</c>: the control plane of a cluster of hosts.</summary>
internal static class ServerCommand
{
    public const int PortDefault = 6443;

    public static Command Create()
    {
        var shared = new HostOptions();
        var listen = new Option<string[]>("--listen") { Description = $"ADDRESS:PORT or PORT to serve the API on; may be repeated (default {PortDefault})", HelpName = "ADDRESS:PORT" };
        var advertise = new Option<string[]>("--advertise") { Description = "Name or address that clients and agents use; may be repeated, the first goes into kubeconfigs (default this host's name)", HelpName = "NAME" };
        var underlay = new Option<string?>("--underlay-address") { Description = "This host's address among the nodes: then the server joins the guests' network and watches moves from outside", HelpName = "ADDRESS" };
        var cidr = new Option<string?>("--guest-network") { Description = $"Addresses for guests, decided at first start (default {ClusterNetworkSettings.CidrDefault})", HelpName = "CIDR" };
        var networkId = new Option<int>("--guest-network-id") { Description = "VXLAN network identifier of the guests' network, decided at first start", HelpName = "N", DefaultValueFactory = _ => ClusterNetworkSettings.NetworkIdDefault };
        var services = new Option<string?>("--service-network") { Description = $"Virtual addresses of services, decided at first start (default {ClusterNetworkSettings.ServiceNetworkDefault})", HelpName = "CIDR" };
        var pool = new Option<string?>("--load-balancer-pool") { Description = "Addresses for services of type LoadBalancer: free ones of the hosts' subnet, or such that the network leads to the nodes (default none: they wait)", HelpName = "CIDR" };
        var store = new EtcdFlags("--store", "An etcd (3.4 or later) to keep all state in; several servers may share it (default the file server/store.db below --data)");
        var audit = new Option<string?>("--audit-log") { Description = "File to write down who asked for what, and what came of it; 100 MB each, the last 10 are kept (default none)", HelpName = "FILE" };
        var auditPolicy = new Option<string?>("--audit-policy") { Description = "Which requests that is: a Policy of audit.k8s.io/v1 (default changes, secrets and programs run in pods and guests)", HelpName = "FILE" };
        var command = new Command("server", "Run the control plane of a cluster: Kubernetes-style API, controllers, store")
        {
            shared.Data, listen, advertise, underlay, cidr, networkId, services, pool,
            store.Address, store.Authority, store.Certificate, store.Key, store.Plain, audit, auditPolicy, shared.LogFormat, shared.LogLevel,
        };
        Help.Add(
            command,
            [
                ("godwit server --advertise 192.0.2.10", "the first start makes an authority, an admin's kubeconfig and a token for nodes"),
                ("godwit server --store etcd://192.0.2.21:2379,192.0.2.22:2379 --store-ca E --store-cert C --store-key K", "one of several servers: give each the same server/pki"),
                ("godwit agent --server https://192.0.2.10:6443 --token-file T --ca-file C --underlay-address 192.0.2.11", "on each node"),
            ],
            "Below --data: admin.kubeconfig, server/pki/ca.crt, server/pki/bootstrap-token. On a host that is a node too, leave --underlay-address out: the agent joins the guests' network for it.");
        command.SetAction(async (parsed, stopping) =>
        {
            var places = shared.PlacesFrom(parsed);
            using var loggers = shared.LoggersFrom(parsed);
            var listenTexts = parsed.GetValue(listen) is { Length: > 0 } given ? given : [PortDefault.ToString(System.Globalization.CultureInfo.InvariantCulture)];
            var options = new ServerRoleOptions
            {
                DataFolder = places.ServerFolder,
                Store = store.From(parsed) is { } etcd ? new StoreChoice.InEtcd(etcd) : new StoreChoice.InFile(Path.Combine(places.ServerFolder, StoreCommand.StoreFileName)),
                KubeconfigPath = places.KubeconfigPath,
                Listen = [.. listenTexts.Select(text => HostOptions.EndPoint("--listen", text, IPAddress.IPv6Any))],
                AdvertisedNames = parsed.GetValue(advertise) is { Length: > 0 } names ? names : [Dns.GetHostName()],
                UnderlayAddress = HostOptions.Address("--underlay-address", parsed.GetValue(underlay)),
                Network = ClusterNetworkSettings.For(parsed.GetValue(cidr), parsed.GetValue(networkId), HostOptions.Address("--underlay-address", parsed.GetValue(underlay)))
                    .WithServices(parsed.GetValue(services), parsed.GetValue(pool)),
                LinkPrefix = places.LinkPrefix,
                Audit = AuditFrom(parsed.GetValue(audit), parsed.GetValue(auditPolicy)),
            };
            if (options.UnderlayAddress is not null)
            {
                HostOptions.RequireRoot("godwit server --underlay-address");
            }

            await Predecessor.HasEndedAsync(Path.Combine(options.DataFolder, ServerRole.LockFileName), TimeProvider.System, stopping);
            Door.MustBeFree(options.Doors("godwit server", "--listen"));
            await ServerRole.RunAsync(options, loggers, answering: null, stopping);
            return 0;
        });
        return command;
    }

    /// <exception cref="CliException">The policy cannot be read, or there is no log for it.</exception>
    private static AuditLogOptions? AuditFrom(string? log, string? policy)
    {
        if (log is null)
        {
            return policy is null ? null : throw new CliException("--audit-policy says which requests are written down, and --audit-log, which says where, is missing.", ExitCodes.Usage);
        }

        try
        {
            return new AuditLogOptions { Path = Path.GetFullPath(log), Policy = policy is null ? AuditPolicy.Standard : AuditPolicy.Parse(File.ReadAllBytes(policy)) };
        }
        catch (Exception error) when (error is FormatException or IOException or UnauthorizedAccessException)
        {
            throw new CliException($"--audit-policy {policy} cannot be used: {error.Message}", ExitCodes.Usage);
        }
    }
}
