using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json.Nodes;

namespace Godwit.ApiServer.Tests;

public sealed class NodeJoinTests
{
    private const string Requests = "/apis/certificates.k8s.io/v1/certificatesigningrequests";

    [Fact]
    public async Task A_node_joins_with_the_bootstrap_token_and_then_writes_its_own_Node_and_Lease_only()
    {
        await using var server = await TestServer.StartAsync();
        using var node = await JoinAsync(server, "node-1");
        Assert.Equal(HttpStatusCode.Created, (await server.SendAsync(HttpMethod.Post, "/api/v1/nodes", """{"metadata":{"name":"node-1"}}""", client: node)).Code);
        Assert.Equal(HttpStatusCode.Created, (await server.SendAsync(HttpMethod.Post, "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases", """{"metadata":{"name":"node-1"}}""", client: node)).Code);
        Assert.Equal(HttpStatusCode.OK, (await server.SendAsync(HttpMethod.Patch, "/api/v1/nodes/node-1/status", """{"status":{"conditions":[]}}""", "application/merge-patch+json", node)).Code);
        Assert.Equal(HttpStatusCode.Forbidden, (await server.SendAsync(HttpMethod.Post, "/api/v1/nodes", """{"metadata":{"name":"node-2"}}""", client: node)).Code);
        Assert.Equal(HttpStatusCode.Forbidden, (await server.SendAsync(HttpMethod.Delete, "/api/v1/nodes/node-1", client: node)).Code);
        Assert.Equal(HttpStatusCode.Forbidden, (await server.SendAsync(HttpMethod.Post, "/apis/coordination.k8s.io/v1/namespaces/default/leases", """{"metadata":{"name":"node-1"}}""", client: node)).Code);
        Assert.Equal(HttpStatusCode.Forbidden, (await server.SendAsync(HttpMethod.Post, "/api/v1/namespaces/default/secrets", """{"metadata":{"name":"s"}}""", client: node)).Code);
    }

    [Fact]
    public async Task A_node_writes_the_status_of_its_own_guests_and_of_no_others()
    {
        await using var server = await TestServer.StartAsync();
        using var node = await JoinAsync(server, "node-1");
        const string Guests = "/apis/kubevirt.io/v1/namespaces/default/virtualmachineinstances";
        foreach (var (name, place) in new[] { ("mine", "node-1"), ("other", "node-2") })
        {
            var (code, made) = await server.PostAsync(Guests, $$$"""{"metadata":{"name":"{{{name}}}"},"spec":{"domain":{"memory":{"guest":"64Mi"},"devices":{} } } }""");
            Assert.True(code == HttpStatusCode.Created, made.ToJsonString());
            await server.SendAsync(HttpMethod.Patch, $"{Guests}/{name}/status", $$$"""{"status":{"nodeName":"{{{place}}}"}}""", "application/merge-patch+json");
        }

        const string Running = """{"status":{"phase":"Running"}}""";
        Assert.Equal(HttpStatusCode.OK, (await server.SendAsync(HttpMethod.Patch, $"{Guests}/mine/status", Running, "application/merge-patch+json", node)).Code);
        Assert.Equal(HttpStatusCode.Forbidden, (await server.SendAsync(HttpMethod.Patch, $"{Guests}/other/status", Running, "application/merge-patch+json", node)).Code);

        // The target of a move may write the guest that is coming to it.
        await server.SendAsync(HttpMethod.Patch, $"{Guests}/other/status", """{"status":{"migrationState":{"sourceNode":"node-2","targetNode":"node-1"}}}""", "application/merge-patch+json");
        Assert.Equal(HttpStatusCode.OK, (await server.SendAsync(HttpMethod.Patch, $"{Guests}/other/status", """{"status":{"nodeName":"node-1"}}""", "application/merge-patch+json", node)).Code);
    }

    [Fact]
    public async Task The_certificate_is_for_that_node_alone_in_both_roles()
    {
        await using var server = await TestServer.StartAsync();
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var certificate = await SignAsync(server, Request("node-1", key, "10.0.0.5"));
        Assert.Equal("O=system:nodes, CN=system:node:node-1", certificate.Subject);
        var usages = certificate.Extensions.OfType<X509EnhancedKeyUsageExtension>().Single().EnhancedKeyUsages.Cast<Oid>().Select(usage => usage.Value);
        Assert.Equal(["1.3.6.1.5.5.7.3.2", "1.3.6.1.5.5.7.3.1"], usages);
        Assert.False(certificate.Extensions.OfType<X509BasicConstraintsExtension>().Single().CertificateAuthority);
        Assert.True(certificate.MatchesHostname("node-1") && certificate.MatchesHostname("10.0.0.5"));
    }

    [Fact]
    public async Task A_joined_node_renews_its_own_certificate_and_no_other()
    {
        await using var server = await TestServer.StartAsync();
        using var node = await JoinAsync(server, "node-1");
        await server.SendAsync(HttpMethod.Post, "/api/v1/nodes", """{"metadata":{"name":"node-1"}}""", client: node);
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        Assert.Equal(HttpStatusCode.Created, (await PostAsync(server, Request("node-1", key), node)).Code);
        Assert.Equal(HttpStatusCode.Forbidden, (await PostAsync(server, Request("node-2", key), node)).Code);
    }

    [Fact]
    public async Task The_name_of_a_node_that_is_there_is_not_given_out_again_for_a_bootstrap_token()
    {
        await using var server = await TestServer.StartAsync();
        await server.PostAsync("/api/v1/nodes", """{"metadata":{"name":"node-1"}}""");
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var bootstrap = server.Client(null, File.ReadAllText(server.Host.BootstrapTokenPath).Trim());
        var (code, status) = await PostAsync(server, Request("node-1", key), bootstrap);
        Assert.Equal(HttpStatusCode.Forbidden, code);
        Assert.Contains("delete its Node object first", (string)status["message"]!, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_node_whose_certificate_has_ended_comes_back_with_it_and_the_token_and_nobody_comes_back_as_another()
    {
        var clock = new ShiftedClock();
        await using var server = await TestServer.StartAsync(clock: clock);
        var token = File.ReadAllText(server.Host.BootstrapTokenPath).Trim();
        using var mine = await CertificateAsync(server, "node-1");
        using var others = await CertificateAsync(server, "node-2");
        await server.PostAsync("/api/v1/nodes", """{"metadata":{"name":"node-1"}}""");
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        clock.Shift = TimeSpan.FromDays(400);

        using var endedAlone = server.Client(mine);
        using var ended = server.ClientWith(mine, token);
        using var tokenAlone = server.Client(null, token);
        using var other = server.ClientWith(others, token);
        using var forged = server.ClientWith(SelfSigned("node-1"), token);
        using var wrongToken = server.ClientWith(mine, "guess");

        Assert.Equal(HttpStatusCode.Unauthorized, (await PostAsync(server, Request("node-1", key), endedAlone)).Code);
        Assert.Equal(HttpStatusCode.Unauthorized, (await PostAsync(server, Request("node-1", key), wrongToken)).Code);
        foreach (var stranger in new[] { tokenAlone, other, forged })
        {
            Assert.Equal(HttpStatusCode.Forbidden, (await PostAsync(server, Request("node-1", key), stranger)).Code);
        }

        // The old certificate gives the right to a new one, and no other.
        Assert.Equal(HttpStatusCode.Forbidden, (await server.SendAsync(HttpMethod.Patch, "/api/v1/nodes/node-1/status", """{"status":{"conditions":[]}}""", "application/merge-patch+json", ended)).Code);
        var (code, answer) = await PostAsync(server, Request("node-1", key), ended);
        Assert.True(code == HttpStatusCode.Created, answer.ToJsonString());
        using var signed = X509Certificate2.CreateFromPem(Encoding.ASCII.GetString(Convert.FromBase64String((string)answer["status"]!["certificate"]!)));
        using var renewed = signed.CopyWithPrivateKey(key);
        using var back = server.Client(renewed);
        Assert.Equal(HttpStatusCode.OK, (await server.SendAsync(HttpMethod.Patch, "/api/v1/nodes/node-1/status", """{"status":{"conditions":[]}}""", "application/merge-patch+json", back)).Code);
    }

    [Fact]
    public async Task A_certificate_that_ended_before_the_Node_was_made_is_not_that_Nodes()
    {
        var clock = new ShiftedClock();
        await using var server = await TestServer.StartAsync(clock: clock);
        using var former = await CertificateAsync(server, "node-1");
        clock.Shift = TimeSpan.FromDays(400);
        using var namesake = await JoinAsync(server, "node-1"); // There is no Node, so the name is given out again.
        Assert.Equal(HttpStatusCode.Created, (await server.SendAsync(HttpMethod.Post, "/api/v1/nodes", """{"metadata":{"name":"node-1"}}""", client: namesake)).Code);
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var client = server.ClientWith(former, File.ReadAllText(server.Host.BootstrapTokenPath).Trim());

        Assert.Equal(HttpStatusCode.Forbidden, (await PostAsync(server, Request("node-1", key), client)).Code);
    }

    [Fact]
    public async Task A_request_for_more_than_a_nodes_certificate_is_refused()
    {
        await using var server = await TestServer.StartAsync();
        using var bootstrap = server.Client(null, File.ReadAllText(server.Host.BootstrapTokenPath).Trim());
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var weak = RSA.Create(1024);
        string[] refused =
        [
            Pem(new CertificateRequest("O=system:masters, CN=system:node:node-1", key, HashAlgorithmName.SHA256)),
            Pem(new CertificateRequest("O=system:nodes, O=system:masters, CN=system:node:node-1", key, HashAlgorithmName.SHA256)),
            Pem(new CertificateRequest("O=system:nodes, CN=admin", key, HashAlgorithmName.SHA256)),
            Pem(new CertificateRequest("O=system:nodes, CN=system:node:../../etc", key, HashAlgorithmName.SHA256)),
            Pem(new CertificateRequest("O=system:nodes, CN=system:node:node-1", weak, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1)),
            Request("node-1", key, "127.0.0.1"), // The server's own address.
            Request("localhost", key),
            "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n",
            "nonsense",
        ];
        foreach (var request in refused)
        {
            var (code, status) = await PostAsync(server, request, bootstrap);
            Assert.True(code == HttpStatusCode.UnprocessableEntity, status.ToJsonString());
        }

        Assert.Empty((await server.GetAsync(Requests)).Body["items"]!.AsArray());
    }

    internal static async Task<X509Certificate2> CertificateAsync(TestServer server, string name)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var certificate = await SignAsync(server, Request(name, key));
        return certificate.CopyWithPrivateKey(key);
    }

    private static async Task<HttpClient> JoinAsync(TestServer server, string name) => server.Client(await CertificateAsync(server, name));

    private static async Task<X509Certificate2> SignAsync(TestServer server, string pem)
    {
        using var bootstrap = server.Client(null, File.ReadAllText(server.Host.BootstrapTokenPath).Trim());
        var (code, answer) = await PostAsync(server, pem, bootstrap);
        Assert.True(code == HttpStatusCode.Created, answer.ToJsonString());
        return X509Certificate2.CreateFromPem(Encoding.ASCII.GetString(Convert.FromBase64String((string)answer["status"]!["certificate"]!)));
    }

    private static Task<(HttpStatusCode Code, JsonObject Body)> PostAsync(TestServer server, string pem, HttpClient client) =>
        server.SendAsync(HttpMethod.Post, Requests, $$$"""{"metadata":{"generateName":"join-"},"spec":{"signerName":"godwit.dev/node","request":"{{{Convert.ToBase64String(Encoding.ASCII.GetBytes(pem))}}}","usages":["client auth","server auth","digital signature"]}}""", client: client);

    private static string Request(string node, ECDsa key, params string[] addresses)
    {
        var request = new CertificateRequest($"O=system:nodes, CN=system:node:{node}", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName(node);
        foreach (var address in addresses)
        {
            names.AddIpAddress(IPAddress.Parse(address));
        }

        request.CertificateExtensions.Add(names.Build());
        return Pem(request);
    }

    private static string Pem(CertificateRequest request) => request.CreateSigningRequestPem();

    private static X509Certificate2 SelfSigned(string node)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"O=system:nodes, CN=system:node:{node}", key, HashAlgorithmName.SHA256);
        var now = TimeProvider.System.GetUtcNow();
        return request.CreateSelfSigned(now - TimeSpan.FromDays(1), now + TimeSpan.FromDays(1));
    }

    private sealed class ShiftedClock : TimeProvider
    {
        public TimeSpan Shift { get; set; }

        public override DateTimeOffset GetUtcNow() => base.GetUtcNow() + Shift;
    }
}
