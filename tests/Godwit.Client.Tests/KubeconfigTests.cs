using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;

namespace Godwit.Client.Tests;

public sealed class KubeconfigTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("godwit-kubeconfig-").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Fact]
    public void The_current_context_is_taken_with_inline_credentials()
    {
        var (certificate, key) = NewCertificate();
        var text = Config($"""
            certificate-authority-data: {Base64(certificate)}
                tls-server-name: kubernetes
            """, $"""
            client-certificate-data: {Base64(certificate)}
                client-key-data: {Base64(key)}
            """);

        var connection = Kubeconfig.Parse(text, folder, "test");

        Assert.Equal(new Uri("https://10.0.0.1:6443"), Assert.Single(connection.Servers));
        Assert.Equal("team", connection.Namespace);
        Assert.Equal("kubernetes", connection.TlsServerName);
        Assert.Single(connection.Authorities!);
        Assert.True(connection.ClientCertificate!()!.HasPrivateKey);
        Assert.Null(connection.BearerToken);
    }

    [Fact]
    public void Files_are_found_beside_the_kubeconfig_and_a_token_file_is_read_anew_each_time()
    {
        var (certificate, _) = NewCertificate();
        File.WriteAllText(Path.Combine(folder, "ca.crt"), certificate);
        File.WriteAllText(Path.Combine(folder, "token"), "first\n");
        var path = Path.Combine(folder, "config");
        File.WriteAllText(path, Config("certificate-authority: ca.crt", "tokenFile: token"));

        var connection = Kubeconfig.Load(path);
        Assert.Single(connection.Authorities!);
        Assert.Equal("first", connection.BearerToken!());
        File.WriteAllText(Path.Combine(folder, "token"), "second\n");
        Assert.Equal("second", connection.BearerToken!());
    }

    [Theory]
    [InlineData("insecure-skip-tls-verify: true", "token: x", "insecure-skip-tls-verify is not supported")]
    [InlineData("tls-server-name: x", "exec: {command: evil}", "exec is not supported")]
    [InlineData("tls-server-name: x", "client-certificate-data: QUJD", "both client-certificate and client-key")]
    [InlineData("certificate-authority-data: '!!'", "token: x", "certificate-authority cannot be read")]
    [InlineData("certificate-authority-data: QUJD", "token: x", "holds no certificate")]
    [InlineData("certificate-authority: missing.crt", "token: x", "certificate-authority cannot be read")]
    public void What_it_cannot_honour_it_refuses_by_name(string cluster, string user, string expected)
    {
        var error = Assert.Throws<KubeconfigException>(() => Kubeconfig.Parse(Config(cluster, user), folder, "test"));

        Assert.Contains(expected, error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("", "not a kubeconfig")]
    [InlineData("[1, 2]", "not a kubeconfig")]
    [InlineData("a: [", "not valid YAML")]
    [InlineData("kind: Config", "no current-context")]
    [InlineData("current-context: x", "no context named 'x'")]
    public void A_file_that_is_no_kubeconfig_is_refused(string text, string expected)
    {
        var error = Assert.Throws<KubeconfigException>(() => Kubeconfig.Parse(text, folder, "test"));

        Assert.Contains(expected, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_missing_file_says_how_to_name_another()
    {
        var error = Assert.Throws<KubeconfigException>(() => Kubeconfig.Load(Path.Combine(folder, "absent")));

        Assert.Contains("--kubeconfig", error.Message, StringComparison.Ordinal);
    }

    private static string Config(string cluster, string user) => $$"""
        apiVersion: v1
        kind: Config
        current-context: here
        clusters:
        - name: c
          cluster:
            server: https://10.0.0.1:6443
            {{cluster}}
        users:
        - name: u
          user:
            {{user}}
        contexts:
        - name: other
          context: {cluster: c, user: u}
        - name: here
          context: {cluster: c, user: u, namespace: team}
        """;

    private static string Base64(string text) => Convert.ToBase64String(Encoding.UTF8.GetBytes(text));

    private static (string Certificate, string Key) NewCertificate()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=test", key, HashAlgorithmName.SHA256);
        using var certificate = request.CreateSelfSigned(DateTimeOffset.UnixEpoch, DateTimeOffset.UnixEpoch.AddYears(200));
        return (certificate.ExportCertificatePem(), key.ExportPkcs8PrivateKeyPem());
    }
}
