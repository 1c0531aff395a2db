using System.Security.Cryptography.X509Certificates;
using System.Text;

namespace Godwit.ApiServer.Security;

/// <summary>A kubeconfig with everything inline, so that the one file is all a client needs.</summary>
internal static class Kubeconfig
{
    public static string For(Uri server, string authorityPem, X509Certificate2 client, string user)
    {
        using var key = client.GetECDsaPrivateKey() ?? throw new InvalidOperationException($"The certificate for {user} has no ECDSA key.");
        return $"""
            apiVersion: v1
            kind: Config
            clusters:
            - name: godwit
              cluster:
                server: {server.GetLeftPart(UriPartial.Authority)}
                certificate-authority-data: {Inline(authorityPem + "\n")}
            users:
            - name: {user}
              user:
                client-certificate-data: {Inline(client.ExportCertificatePem() + "\n")}
                client-key-data: {Inline(key.ExportPkcs8PrivateKeyPem() + "\n")}
            contexts:
            - name: {user}@godwit
              context:
                cluster: godwit
                user: {user}
            current-context: {user}@godwit

            """.ReplaceLineEndings("\n");
    }

    private static string Inline(string pem) => Convert.ToBase64String(Encoding.UTF8.GetBytes(pem));
}
