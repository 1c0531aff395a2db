using System.Globalization;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Godwit.Api;
using Godwit.Api.Coordination.V1;
using Godwit.Api.Meta.V1;
using Godwit.Base;
using Godwit.Client;
using Godwit.Linux.Hosts;
using Godwit.Machines;
using Godwit.Node.Joining;
using Godwit.Node.Peers;
using Godwit.Node.Registration;
using Godwit.Node.Tests.Clusters;
using Microsoft.Extensions.Logging.Abstractions;
using KubeNode = Godwit.Api.Core.V1.Node;

namespace Godwit.Node.Tests.Joining;

public sealed class NodeJoinTests
{
    [Fact]
    public async Task A_node_joins_with_the_token_and_its_key_is_its_own_alone()
    {
        await using var cluster = await TestCluster.StartAsync();
        var options = cluster.AgentOptions("node-1");
        var credentials = Open(options);

        await Join(options, credentials).EnsureAsync(TestCluster.Stopping);

        var certificate = credentials.Certificate!;
        Assert.Equal("node-1", PeerIdentity.NameOf(certificate)!.Value.Value);
        Assert.True(certificate.HasPrivateKey);
        var file = Path.Combine(options.DataFolder, "pki", "node.pem");
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(file));
        // Good for both ends of a connection between agents.
        _ = new PeerIdentity(certificate, credentials.Authorities, TimeProvider.System);
    }

    [Fact]
    public async Task A_node_that_has_joined_needs_no_token_when_it_starts_again()
    {
        await using var cluster = await TestCluster.StartAsync();
        var options = cluster.AgentOptions("node-1");
        await Join(options, Open(options)).EnsureAsync(TestCluster.Stopping);

        var again = Open(options);
        await Join(options with { BootstrapTokenPath = null }, again).EnsureAsync(TestCluster.Stopping);

        using var client = new ClusterClient(Join(options, again).Connection, TimeProvider.System, NullLogger<ClusterClient>.Instance);
        Assert.NotNull(await client.For<KubeNode>().ListAsync(ListOptions.All, TestCluster.Stopping));
    }

    [Fact]
    public async Task A_data_folder_stays_with_its_node()
    {
        await using var cluster = await TestCluster.StartAsync();
        var options = cluster.AgentOptions("node-1");
        await Join(options, Open(options)).EnsureAsync(TestCluster.Stopping);

        var error = Assert.Throws<JoinException>(() => Open(options with { Node = NodeName.Parse("node-2") }));

        Assert.Contains("node-1", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_wrong_token_and_a_missing_one_say_what_to_do_and_do_not_try_for_ever()
    {
        await using var cluster = await TestCluster.StartAsync();
        var options = cluster.AgentOptions("node-1");
        var wrong = Path.Combine(cluster.Folder, "wrong-token");
        await File.WriteAllTextAsync(wrong, "guess", TestCluster.Stopping);

        var refused = await Assert.ThrowsAsync<JoinException>(() => Join(options with { BootstrapTokenPath = wrong }, Open(options)).EnsureAsync(TestCluster.Stopping));
        var missing = await Assert.ThrowsAsync<JoinException>(() => Join(options with { BootstrapTokenPath = null }, Open(options)).EnsureAsync(TestCluster.Stopping));

        Assert.Contains("token", refused.Message, StringComparison.Ordinal);
        Assert.Contains("bootstrap", missing.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_node_waits_for_a_server_that_is_not_there_yet()
    {
        await using var cluster = await TestCluster.StartAsync();
        var options = cluster.AgentOptions("node-1");
        await cluster.StopServerAsync();
        var credentials = Open(options);
        var joining = Join(options, credentials).EnsureAsync(TestCluster.Stopping);

        await cluster.StartServerAsync();
        await joining;

        Assert.NotNull(credentials.Certificate);
    }

    [Fact]
    public async Task The_certificate_is_renewed_in_time_by_the_node_itself()
    {
        await using var cluster = await TestCluster.StartAsync();
        var options = cluster.AgentOptions("node-1") with { };
        var credentials = Open(options);
        var time = new ShiftedTime();
        var join = new NodeJoin(options, credentials, time, NullLoggerFactory.Instance);
        await join.EnsureAsync(TestCluster.Stopping);
        var first = credentials.Certificate!;
        time.Shift = (first.NotAfter - first.NotBefore) * 0.7;
        using var stopping = CancellationTokenSource.CreateLinkedTokenSource(TestCluster.Stopping);
        var renewed = new TaskCompletionSource<X509Certificate2>();

        var renewing = join.RenewForEverAsync(certificate =>
        {
            time.Shift = TimeSpan.Zero;
            renewed.TrySetResult(certificate);
        }, stopping.Token);
        var second = await renewed.Task.WaitAsync(TestCluster.Stopping);

        Assert.NotEqual(first.SerialNumber, second.SerialNumber);
        Assert.Equal(second, credentials.Certificate);
        await stopping.CancelAsync();
        await renewing;
    }

    [Fact]
    public async Task A_node_that_was_away_past_its_certificates_end_comes_back_by_itself_and_keeps_its_Node()
    {
        await using var cluster = await TestCluster.StartAsync();
        var options = cluster.AgentOptions("node-1");
        var nodes = cluster.Admin.For<KubeNode>();
        var node = await nodes.CreateAsync(new KubeNode { Metadata = new() { Name = "node-1" } }, TestCluster.Stopping);
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);

        // Ended for a minute by everybody's clock, but after the Node was made: its creation is told in whole seconds.
        using var ended = Signed(cluster, key, from: node.Metadata.CreationTimestamp!.Value - TimeSpan.FromDays(365), until: node.Metadata.CreationTimestamp.Value + TimeSpan.FromSeconds(2));
        var credentials = Open(options);
        credentials.Replace(ended, key);
        await TestCluster.UntilAsync(() => Task.FromResult(TimeProvider.System.GetUtcNow()), now => now > new DateTimeOffset(ended.NotAfter));
        var withoutToken = await Assert.ThrowsAsync<JoinException>(() => Join(options with { BootstrapTokenPath = null }, Open(options)).EnsureAsync(TestCluster.Stopping));

        var join = Join(options, Open(options));
        await join.EnsureAsync(TestCluster.Stopping);

        Assert.Contains("ended", withoutToken.Message, StringComparison.Ordinal);
        using var client = new ClusterClient(join.Connection, TimeProvider.System, NullLogger<ClusterClient>.Instance);
        Assert.Equal(node.Metadata.Uid, (await client.For<KubeNode>().GetAsync(new ResourceKey("", "node-1"), TestCluster.Stopping)).Metadata.Uid);
    }

    [Fact]
    public async Task The_token_alone_makes_nobody_a_node_that_is_there()
    {
        await using var cluster = await TestCluster.StartAsync();
        var options = cluster.AgentOptions("node-1");
        await cluster.Admin.For<KubeNode>().CreateAsync(new KubeNode { Metadata = new() { Name = "node-1" } }, TestCluster.Stopping);

        var refused = await Assert.ThrowsAsync<JoinException>(() => Join(options, Open(options)).EnsureAsync(TestCluster.Stopping));

        Assert.Contains("delete its Node object", ErrorChain.Describe(refused), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_node_registers_with_what_it_has_keeps_others_fields_and_heartbeats()
    {
        await using var cluster = await TestCluster.StartAsync();
        var options = cluster.AgentOptions("node-1") with { Labels = new Dictionary<string, string> { ["rack"] = "a" } };
        var credentials = Open(options);
        var join = Join(options, credentials);
        await join.EnsureAsync(TestCluster.Stopping);
        using var client = new ClusterClient(join.Connection, TimeProvider.System, NullLogger<ClusterClient>.Instance);
        var registration = new NodeRegistration(options, client, Describe, TimeProvider.System, NullLogger.Instance);

        await registration.HeartbeatAsync(TestCluster.Stopping);
        var nodes = cluster.Admin.For<KubeNode>();
        var node = await nodes.GetAsync(new ResourceKey("", "node-1"), TestCluster.Stopping);
        await nodes.ChangeAsync(node, node with { Spec = node.Spec with { Unschedulable = true } }, TestCluster.Stopping);
        await registration.HeartbeatAsync(TestCluster.Stopping);

        node = await nodes.GetAsync(new ResourceKey("", "node-1"), TestCluster.Stopping);
        Assert.True(node.Spec.Unschedulable);
        Assert.Equal("a", node.Metadata.Labels["rack"]);
        Assert.Equal("node-1", node.Metadata.Labels[LabelNames.Hostname]);
        Assert.Equal("10.66.0.11", node.Metadata.Annotations[AnnotationNames.UnderlayAddress]);
        Assert.Equal("127.0.0.1:12", node.Metadata.Annotations[AnnotationNames.PeerEndpoint]);
        Assert.Equal("tcg", node.Metadata.Annotations[AnnotationNames.Accelerator]);
        Assert.Equal("True", node.Status.Conditions.Single(condition => condition.Type == "Ready").Status);
        Assert.Equal((8L << 30) - options.ReservedMemoryBytes, node.Status.Allocatable["memory"].ToInt64());
        var lease = await cluster.Admin.For<Lease>().GetAsync(new ResourceKey("kube-node-lease", "node-1"), TestCluster.Stopping);
        Assert.Equal("node-1", lease.Spec.HolderIdentity);
        Assert.NotNull(lease.Spec.RenewTime);
    }

    [Fact]
    public async Task A_node_that_was_silent_renews_its_lease_before_it_says_that_it_is_ready_and_also_when_it_cannot_say_so()
    {
        await using var cluster = await TestCluster.StartAsync();
        var options = cluster.AgentOptions("node-1");
        using var client = await JoinAndRegisterAsync(options);
        var (nodes, leases) = (cluster.Admin.For<KubeNode>(), cluster.Admin.For<Lease>());
        var (nodeKey, leaseKey) = (new ResourceKey("", "node-1"), new ResourceKey("kube-node-lease", "node-1"));
        await SaySilentAsync(nodes, nodeKey);

        await new NodeRegistration(options, client, Describe, TimeProvider.System, NullLogger.Instance).HeartbeatAsync(TestCluster.Stopping);

        var node = await nodes.GetAsync(nodeKey, TestCluster.Stopping);
        var lease = await leases.GetAsync(leaseKey, TestCluster.Stopping);
        Assert.Equal("True", node.Status.Conditions.Single(condition => condition.Type == "Ready").Status);
        Assert.True(Version(lease.Metadata) < Version(node.Metadata), $"The lease was written at {lease.Metadata.ResourceVersion}, the node at {node.Metadata.ResourceVersion}.");

        var mute = new NodeRegistration(options, client, () => throw new IOException("it cannot be told"), TimeProvider.System, NullLogger.Instance);
        await Assert.ThrowsAsync<IOException>(() => mute.HeartbeatAsync(TestCluster.Stopping));
        Assert.True((await leases.GetAsync(leaseKey, TestCluster.Stopping)).Spec.RenewTime > lease.Spec.RenewTime);
    }

    [Fact]
    public async Task A_node_that_somebody_else_changes_meanwhile_is_read_again_and_written_in_the_same_heartbeat()
    {
        await using var cluster = await TestCluster.StartAsync();
        var options = cluster.AgentOptions("node-1");
        using var client = await JoinAndRegisterAsync(options);
        var nodes = cluster.Admin.For<KubeNode>();
        var key = new ResourceKey("", "node-1");
        await SaySilentAsync(nodes, key);
        var looks = 0;

        // Between its look and its write, once.
        await new NodeRegistration(options, client, () => ++looks == 1 ? DescribeMeanwhile() : Describe(), TimeProvider.System, NullLogger.Instance).HeartbeatAsync(TestCluster.Stopping);

        var node = await nodes.GetAsync(key, TestCluster.Stopping);
        Assert.Equal(2, looks);
        Assert.True(node.Spec.Unschedulable);
        Assert.Equal("True", node.Status.Conditions.Single(condition => condition.Type == "Ready").Status);

        NodeDescription DescribeMeanwhile()
        {
            var now = nodes.GetAsync(key, TestCluster.Stopping).GetAwaiter().GetResult();
            nodes.ChangeAsync(now, now with { Spec = now.Spec with { Unschedulable = true } }, TestCluster.Stopping).GetAwaiter().GetResult();
            return Describe();
        }
    }

    [Fact]
    public async Task An_unchanged_node_is_not_written_again()
    {
        await using var cluster = await TestCluster.StartAsync();
        var options = cluster.AgentOptions("node-1");
        var join = Join(options, Open(options));
        await join.EnsureAsync(TestCluster.Stopping);
        using var client = new ClusterClient(join.Connection, TimeProvider.System, NullLogger<ClusterClient>.Instance);
        var registration = new NodeRegistration(options, client, Describe, TimeProvider.System, NullLogger.Instance);
        await registration.HeartbeatAsync(TestCluster.Stopping);
        var nodes = cluster.Admin.For<KubeNode>();
        var before = await nodes.GetAsync(new ResourceKey("", "node-1"), TestCluster.Stopping);

        await registration.HeartbeatAsync(TestCluster.Stopping);

        Assert.Equal(before.Metadata.ResourceVersion, (await nodes.GetAsync(new ResourceKey("", "node-1"), TestCluster.Stopping)).Metadata.ResourceVersion);
    }

    /// <summary>A node with its certificate and its Node object; the client is the node's own.</summary>
    private static async Task<ClusterClient> JoinAndRegisterAsync(AgentOptions options)
    {
        var join = Join(options, Open(options));
        await join.EnsureAsync(TestCluster.Stopping);
        var client = new ClusterClient(join.Connection, TimeProvider.System, NullLogger<ClusterClient>.Instance);
        await new NodeRegistration(options, client, Describe, TimeProvider.System, NullLogger.Instance).HeartbeatAsync(TestCluster.Stopping);
        return client;
    }

    /// <summary>As the controllers do it.</summary>
    internal static async Task SaySilentAsync(ResourceClient<KubeNode> nodes, ResourceKey key)
    {
        var node = await nodes.GetAsync(key, TestCluster.Stopping);
        await nodes.ChangeStatusAsync(node, node with { Status = node.Status with { Conditions = [.. node.Status.Conditions.Select(condition => condition.Type == "Ready" ? condition with { Status = "Unknown" } : condition)] } }, TestCluster.Stopping);
    }

    private static long Version(ObjectMeta metadata) => long.Parse(metadata.ResourceVersion, CultureInfo.InvariantCulture);

    internal static NodeCredentials Open(AgentOptions options) =>
        NodeCredentials.Open(Path.Combine(Directory.CreateDirectory(options.DataFolder).FullName, "pki"), options.AuthorityPath, options.Node);

    internal static NodeJoin Join(AgentOptions options, NodeCredentials credentials) => new(options, credentials, TimeProvider.System, NullLoggerFactory.Instance);

    /// <summary>As the cluster's authority would have signed it at another time.</summary>
    private static X509Certificate2 Signed(TestCluster cluster, ECDsa key, DateTimeOffset from, DateTimeOffset until)
    {
        using var authority = X509Certificate2.CreateFromPemFile(cluster.Server.AuthorityPath, Path.ChangeExtension(cluster.Server.AuthorityPath, "key"));
        using var authorityKey = authority.GetECDsaPrivateKey()!;
        var request = new CertificateRequest($"O={PeerIdentity.Organization}, CN={PeerIdentity.CommonNamePrefix}node-1", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid("1.3.6.1.5.5.7.3.1"), new Oid("1.3.6.1.5.5.7.3.2")], critical: false));
        return request.Create(authority.SubjectName, X509SignatureGenerator.CreateForECDsa(authorityKey), from, until, RandomNumberGenerator.GetBytes(16));
    }

    internal static NodeDescription Describe()
    {
        var machines = new MachineHostFacts
        {
            QemuVersion = new Version(10, 0, 2),
            Accelerator = Accelerator.Tcg,
            AcceleratorReason = "this is a test",
            MachineTypes = ["pc-q35-10.0"],
            CpuModels = ["qemu64"],
        };
        return new NodeDescription
        {
            Machines = machines,
            AgentEndpoint = System.Net.IPEndPoint.Parse("127.0.0.1:11"),
            PeerEndpoints = [System.Net.IPEndPoint.Parse("127.0.0.1:12")],
            Images = ["tiny"],
            StorageIds = [],
            System = NodeDescription.ReadSystem(machines),
            MemoryBytes = 8L << 30,
            MemoryAvailableBytes = 4L << 30,
            DiskAvailableBytes = 10L << 30,
        };
    }

    private sealed class ShiftedTime : TimeProvider
    {
        public TimeSpan Shift { get; set; }

        public override DateTimeOffset GetUtcNow() => base.GetUtcNow() + Shift;
    }
}
