using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json;

namespace Godwit.Images.Tests;

/// <summary>
/// Debian's docker-registry with a token server beside it (the distribution project's token authentication specification): the server gives one user whatever scope is asked for,
/// and nobody else anything; the registry checks what it signed.
/// </summary>
public sealed class TokenRegistry : RealRegistry
{
    public const string UserName = "somebody";
    public const string Password = "correct-horse";

    private const string Service = "registry";
    private const string Issuer = "tester";

    private readonly RSA key = RSA.Create(2048);
    private readonly HttpListener listener = new();
    private X509Certificate2? certificate;

    /// <summary>The scopes that tokens were asked for.</summary>
    public ConcurrentBag<string> Asked { get; } = [];

    private protected override string Access(string folder)
    {
        using (var probe = new TcpListener(IPAddress.Loopback, 0))
        {
            probe.Start();
            listener.Prefixes.Add(string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{((IPEndPoint)probe.LocalEndpoint).Port}/"));
        }

        certificate = new CertificateRequest("CN=" + Issuer, key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1).CreateSelfSigned(TimeProvider.System.GetUtcNow().AddDays(-1), TimeProvider.System.GetUtcNow().AddDays(1));
        var roots = Path.Combine(folder, "roots.pem");
        File.WriteAllText(roots, certificate.ExportCertificatePem());
        listener.Start();
        _ = ServeAsync();
        return $"auth: {{token: {{realm: '{listener.Prefixes.First()}token', service: {Service}, issuer: {Issuer}, rootcertbundle: '{roots}'}}}}\n";
    }

    private async Task ServeAsync()
    {
        var right = "Basic " + Convert.ToBase64String(Encoding.UTF8.GetBytes($"{UserName}:{Password}"));
        while (listener.IsListening)
        {
            HttpListenerContext context;
            try
            {
                context = await listener.GetContextAsync();
            }
            catch (Exception end) when (end is HttpListenerException or ObjectDisposedException)
            {
                return;
            }

            var scopes = context.Request.QueryString.GetValues("scope") ?? [];
            foreach (var scope in scopes)
            {
                Asked.Add(scope);
            }

            if (context.Request.Headers["Authorization"] == right && context.Request.QueryString["service"] == Service)
            {
                await context.Response.OutputStream.WriteAsync(JsonSerializer.SerializeToUtf8Bytes(new { token = Sign(scopes), expires_in = 300 }));
            }
            else
            {
                context.Response.StatusCode = 401;
            }

            context.Response.Close();
        }
    }

    /// <summary>A JSON web token whose head carries the certificate.</summary>
    private string Sign(IEnumerable<string> scopes)
    {
        var now = TimeProvider.System.GetUtcNow().ToUnixTimeSeconds();
        var access = scopes.Select(scope => scope.Split(':')).Where(fields => fields.Length == 3).Select(fields => new { type = fields[0], name = fields[1], actions = fields[2].Split(',') });
        var text = Part(new { typ = "JWT", alg = "RS256", x5c = new[] { Convert.ToBase64String(certificate!.RawData) } }) + '.'
            + Part(new { iss = Issuer, sub = UserName, aud = Service, exp = now + 300, nbf = now - 60, iat = now, jti = Guid.NewGuid().ToString("N"), access });
        return text + '.' + Base64Url(key.SignData(Encoding.ASCII.GetBytes(text), HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1));

        static string Part(object value) => Base64Url(JsonSerializer.SerializeToUtf8Bytes(value));
        static string Base64Url(byte[] bytes) => System.Buffers.Text.Base64Url.EncodeToString(bytes);
    }
}
