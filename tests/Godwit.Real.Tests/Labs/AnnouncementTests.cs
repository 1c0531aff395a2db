using System.Net;
using System.Net.Sockets;
using System.Text;
using Godwit.Linux.Networking;
using Godwit.Real.Tests.Hosts;

namespace Godwit.Real.Tests.Labs;

/// <summary>A load balancer's address for a client beside the hosts that knows nothing of them: it is on their link, and has no route.</summary>
[Collection(LabCollection.Name)]
[Trait("Needs", "qemu")]
[Trait("Needs", "kubectl")]
public sealed class AnnouncementTests(GodwitLab lab)
{
    private static readonly TimeSpan Bound = TimeSpan.FromMinutes(2);

    private const string Manifest = $$"""
        apiVersion: apps/v1
        kind: Deployment
        metadata: { name: announced }
        spec:
          replicas: 2
          selector: { matchLabels: { app: announced } }
          template:
            metadata: { labels: { app: announced } }
            spec:
              terminationGracePeriodSeconds: 1
              affinity:
                podAntiAffinity:
                  requiredDuringSchedulingIgnoredDuringExecution: [ { topologyKey: kubernetes.io/hostname, labelSelector: { matchLabels: { app: announced } } } ]
              containers:
              - name: web
                image: {{BoxImage.Name}}
                command: [ sh, -c, "mkdir -p /tmp/www; echo the-page > /tmp/www/index.html; exec httpd -f -p 8080 -h /tmp/www" ]
                readinessProbe: { httpGet: { path: /, port: 8080 }, periodSeconds: 1 }
        ---
        apiVersion: v1
        kind: Service
        metadata: { name: announced }
        spec: { type: LoadBalancer, selector: { app: announced }, ports: [ { port: 80, targetPort: 8080 } ] }
        """;

    [Fact]
    public async Task A_client_on_the_hosts_link_finds_the_address_at_one_node_and_at_the_other_when_that_is_cordoned_or_its_agent_stands_still()
    {
        var subnet = (await KubectlAsync(null, "get", "node", "node-1", "-o", "jsonpath={.status.addresses[?(@.type=='InternalIP')].address}")).Split('.')[2];
        await using var client = await LinkClient.CreateAsync(lab, $"10.66.{subnet}.100/24");
        await using var pool = await Pool.SetAsync(lab, $"10.66.{subnet}.192/28");
        await KubectlAsync(Manifest, "apply", "-f", "-");
        await KubectlAsync(null, "rollout", "status", "deployment/announced", "--timeout=120s");
        var address = IPAddress.Parse(await Eventually.GetAsync("the service has an address", Bound, async () =>
            await KubectlAsync(null, "get", "service", "announced", "-o", "jsonpath={.status.loadBalancer.ingress[0].ip}") is { Length: > 0 } given ? given : null));

        await Eventually.IsTrueAsync("the client reaches the service", Bound, async () => await client.AskAsync(address));
        var first = await client.NodeAtAsync(address);
        Assert.NotNull(first);
        var events = await KubectlAsync(null, "get", "events", "--field-selector", "reason=NodeAssigned,involvedObject.name=announced", "-o", "jsonpath={.items[*].message}");
        Assert.Equal($"node {first} announces {address} on its link", events);

        // It is told, and asks nobody.
        var second = GodwitLab.Nodes.Single(node => node != first);
        await KubectlAsync(null, "cordon", first);
        await Eventually.IsTrueAsync("the client has heard of the other node", Bound, async () => await client.NodeAtAsync(address) == second);
        await Eventually.IsTrueAsync("and reaches the service there", Bound, async () => await client.AskAsync(address));
        await KubectlAsync(null, "uncordon", first);
        await Eventually.IsTrueAsync("the client has heard of the first node", Bound, async () => await client.NodeAtAsync(address) == first);

        var agent = lab.AgentProcessId(first);
        await GodwitLab.FreezeAsync(agent);
        try
        {
            await Eventually.IsTrueAsync("the client has heard of the other node", Bound, async () => await client.NodeAtAsync(address) == second);
            await Eventually.IsTrueAsync("and reaches the service there", Bound, async () => await client.AskAsync(address));
        }
        finally
        {
            await GodwitLab.ThawAsync(agent);
        }

        await KubectlAsync(null, "wait", $"node/{first}", "--for=condition=Ready", "--timeout=100s");
        await KubectlAsync(Manifest, "delete", "-f", "-", "--timeout=100s");
        await Eventually.IsTrueAsync("nobody answers any more", Bound, () => client.IsUnansweredAsync(address));
    }

    private async Task<string> KubectlAsync(string? input, params IEnumerable<string> arguments) => (await lab.KubectlAsync(input, arguments)).MustSucceed().Output;

    /// <summary>The lab's pool of addresses for load balancers, as long as this lives.</summary>
    private sealed class Pool(GodwitLab lab) : IAsyncDisposable
    {
        public static async Task<Pool> SetAsync(GodwitLab lab, string range)
        {
            await WriteAsync(lab, $"\"{range}\"");
            return new Pool(lab);
        }

        public async ValueTask DisposeAsync() => await WriteAsync(lab, "null");

        private static async Task WriteAsync(GodwitLab lab, string value) =>
            (await lab.KubectlAsync(null, "patch", "configmap", "godwit-network", "--namespace", "kube-system", "--type", "merge", "--patch", $$$"""{"data":{"loadBalancerCidr":{{{value}}}}}""")).MustSucceed();
    }

    /// <summary>A host on the lab's link that is no part of the cluster: an address there, and no routes but that to the link.</summary>
    private sealed class LinkClient(GodwitLab lab, string name) : IAsyncDisposable
    {
        private const string Link = "eth0";

        public static async Task<LinkClient> CreateAsync(GodwitLab lab, string address)
        {
            var name = $"{lab.Instance}-client";
            await IpAsync("netns", "add", name);
            await IpAsync("link", "add", $"{lab.Instance}-c", "type", "veth", "peer", "name", Link, "netns", name);
            await IpAsync("link", "set", $"{lab.Instance}-c", "master", $"{lab.Instance}-lab", "up");
            await IpAsync("-n", name, "link", "set", Link, "up");
            await IpAsync("-n", name, "address", "add", address, "dev", Link);
            return new LinkClient(lab, name);
        }

        /// <summary>Whether the page is there.</summary>
        public async Task<bool> AskAsync(IPAddress address)
        {
            using var bound = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
            bound.CancelAfter(TimeSpan.FromSeconds(5));
            // A socket belongs to the network in which it was made.
            using var socket = NetworkNamespace.Named(name).Run(() => new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp));
            try
            {
                await socket.ConnectAsync(new IPEndPoint(address, 80), bound.Token);
                await socket.SendAsync(Encoding.ASCII.GetBytes("GET / HTTP/1.0\r\n\r\n"), bound.Token);
                using var stream = new StreamReader(new NetworkStream(socket));
                return (await stream.ReadToEndAsync(bound.Token)).Contains("the-page", StringComparison.Ordinal);
            }
            catch (Exception error) when (error is SocketException or IOException or OperationCanceledException)
            {
                return false;
            }
        }

        /// <summary>The node that the client sends to for this address; null when it knows none.</summary>
        public async Task<string?> NodeAtAsync(IPAddress address)
        {
            var known = await IpAsync("-n", name, "neigh", "show", address.ToString());
            foreach (var node in GodwitLab.Nodes)
            {
                var mac = (await IpAsync("-n", lab.NamespaceOf(node), "-o", "link", "show", "uplink")).Split("link/ether ")[1].Split(' ')[0];
                if (known.Contains(mac, StringComparison.Ordinal))
                {
                    return node;
                }
            }

            return null;
        }

        /// <summary>Forgets where the address is, asks for it again for some seconds, and says whether nobody has answered.</summary>
        public async Task<bool> IsUnansweredAsync(IPAddress address)
        {
            await IpAsync("-n", name, "neigh", "flush", "to", address.ToString());
            return !await AskAsync(address) && !(await IpAsync("-n", name, "neigh", "show", address.ToString())).Contains("lladdr", StringComparison.Ordinal);
        }

        public async ValueTask DisposeAsync() => await IpAsync("netns", "delete", name);

        private static async Task<string> IpAsync(params string[] arguments) => (await Command.RunAsync("ip", arguments, Bound)).MustSucceed().Output;
    }
}
