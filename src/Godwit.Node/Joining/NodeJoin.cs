using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Godwit.Api.Certificates.V1;
using Godwit.Api.Meta.V1;
using Godwit.Base;
using Godwit.Client;
using Godwit.Node.Peers;
using Microsoft.Extensions.Logging;

namespace Godwit.Node.Joining;

/// <summary>
/// Gets this node its certificate and keeps it fresh. The key is made here and never leaves:
/// <code>
/// no certificate ──(bootstrap token)──▶ request ──▶ signed ──▶ in force ──(two thirds of its life)──▶ request …
///                                          ▲  server away: asks again, for ever                │ (own certificate)
///                                          └───────────────────────────────────────────────────┘
/// </code>
/// A certificate that has ended (the node, or the server, was away that long) is shown beside the bootstrap token: the
/// token lets the node ask, the old key says which node it is.
/// </summary>
internal sealed partial class NodeJoin(AgentOptions options, NodeCredentials credentials, TimeProvider time, ILoggerFactory loggers)
{
    private const int KeyBits = 256;
    private const int TokenBytesMax = 4096;

    private static readonly Backoff RetryBackoff = new(TimeSpan.FromMilliseconds(500), TimeSpan.FromSeconds(15));
    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan SigningTimeMax = TimeSpan.FromMinutes(1);

    private readonly ILogger logger = loggers.CreateLogger<NodeJoin>();

    /// <summary>A connection to the API as this node; uses whatever certificate is in force.</summary>
    public ClusterConnection Connection => new()
    {
        Servers = options.Servers,
        Authorities = credentials.Authorities,
        ClientCertificate = () => credentials.Certificate,
    };

    /// <summary>Returns when the node has a certificate that is in time.</summary>
    /// <exception cref="JoinException">It has none and may not get one (no token, refused): asking again would not help.</exception>
    public async Task EnsureAsync(CancellationToken stopping)
    {
        for (var attempt = 0; !IsInTime(credentials.Certificate); attempt++)
        {
            try
            {
                using var client = new ClusterClient(JoiningConnection(), time, loggers.CreateLogger<ClusterClient>());
                await RequestAsync(client, stopping);
            }
            catch (ClusterUnreachableException error)
            {
                var delay = RetryBackoff.DelayFor(attempt, Random.Shared.NextDouble());
                Log.Waiting(logger, delay.TotalMilliseconds, ErrorChain.Describe(error));
                await Task.Delay(delay, time, stopping);
            }
            catch (ApiException error) when (error.Code == (int)HttpStatusCode.Unauthorized)
            {
                throw new JoinException($"The server does not know the token in {options.BootstrapTokenPath}: it must be the one in pki/bootstrap-token of the server", error);
            }
            catch (ApiException error)
            {
                throw new JoinException($"The server does not sign a certificate for node {options.Node}", error);
            }
        }
    }

    /// <summary>Renews the certificate before it ends, for as long as the agent runs; then tells.</summary>
    public async Task RenewForEverAsync(Action<X509Certificate2> renewed, CancellationToken stopping)
    {
        for (var failures = 0; !stopping.IsCancellationRequested;)
        {
            var wait = RenewAt(credentials.Certificate!) - time.GetUtcNow();
            if (wait > TimeSpan.Zero)
            {
                // In steps: a timer has a longest time, and a clock may be set.
                await Task.Delay(wait < TimeSpan.FromHours(1) ? wait : TimeSpan.FromHours(1), time, stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                continue;
            }

            try
            {
                using var client = new ClusterClient(IsInTime(credentials.Certificate) ? Connection : JoiningConnection(), time, loggers.CreateLogger<ClusterClient>());
                await RequestAsync(client, stopping);
                renewed(credentials.Certificate!);
                failures = 0;
            }
            catch (Exception error) when (!stopping.IsCancellationRequested)
            {
                var delay = RetryBackoff.DelayFor(failures++, Random.Shared.NextDouble());
                Log.NotRenewed(logger, credentials.Certificate!.NotAfter, delay.TotalMilliseconds, ErrorChain.Describe(error));
                await Task.Delay(delay, time, stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
            catch (OperationCanceledException)
            {
                return;
            }
        }
    }

    private static DateTimeOffset RenewAt(X509Certificate2 certificate)
    {
        var start = new DateTimeOffset(certificate.NotBefore);
        return start + ((new DateTimeOffset(certificate.NotAfter) - start) * 2 / 3);
    }

    private bool IsInTime(X509Certificate2? certificate) =>
        certificate is not null && new DateTimeOffset(certificate.NotAfter) > time.GetUtcNow() + TimeSpan.FromMinutes(1);

    private ClusterConnection JoiningConnection()
    {
        var tokenPath = options.BootstrapTokenPath
            ?? throw new JoinException($"Node {options.Node} has {(credentials.Certificate is { } ended ? $"a certificate that ended {ended.NotAfter.ToUniversalTime():u}" : "no certificate")} in {options.DataFolder} and no bootstrap token to get one with: name the file that holds it (pki/bootstrap-token of the server).");
        return new ClusterConnection
        {
            Servers = options.Servers,
            Authorities = credentials.Authorities,
            ClientCertificate = credentials.Certificate is null ? null : () => credentials.Certificate,
            BearerToken = () => ReadToken(tokenPath),
        };
    }

    private static string ReadToken(string path)
    {
        try
        {
            return new FileInfo(path).Length <= TokenBytesMax && File.ReadAllText(path).Trim() is { Length: > 0 } token
                ? token
                : throw new JoinException($"{path} holds no token.");
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new JoinException($"The bootstrap token {path} cannot be read", error);
        }
    }

    private async Task RequestAsync(ClusterClient client, CancellationToken stopping)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        if (key.KeySize < KeyBits)
        {
            throw new JoinException($"This system made a key of {key.KeySize} bits; {KeyBits} are needed.");
        }

        var requests = client.For<CertificateSigningRequest>();
        var made = await requests.CreateAsync(MakeRequest(key), stopping);
        var signed = await WaitForSignatureAsync(requests, made, stopping);
        var certificate = X509Certificate2.CreateFromPem(Encoding.ASCII.GetString(signed));
        if (!credentials.Vouches(certificate, options.Node) || !certificate.PublicKey.ExportSubjectPublicKeyInfo().AsSpan().SequenceEqual(key.ExportSubjectPublicKeyInfo()))
        {
            throw new JoinException($"The server answered with a certificate that is not the one asked for ('{certificate.Subject}').");
        }

        credentials.Replace(certificate, key);
        Log.Signed(logger, options.Node, certificate.NotAfter);
    }

    private CertificateSigningRequest MakeRequest(ECDsa key)
    {
        var subject = new X500DistinguishedNameBuilder();
        subject.AddOrganizationName(PeerIdentity.Organization);
        subject.AddCommonName(PeerIdentity.CommonNamePrefix + options.Node.Value);
        var request = new CertificateRequest(subject.Build(), key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName(options.Node.Value); // No addresses: everybody who talks to an agent knows it by its subject.
        request.CertificateExtensions.Add(names.Build());
        return new CertificateSigningRequest
        {
            Metadata = new ObjectMeta { GenerateName = $"node-{options.Node}-" },
            Spec = new CertificateSigningRequestSpec
            {
                Request = Encoding.ASCII.GetBytes(request.CreateSigningRequestPem()),
                SignerName = SignerNames.Node,
                Usages = ["digital signature", "client auth", "server auth"],
            },
        };
    }

    private async Task<byte[]> WaitForSignatureAsync(ResourceClient<CertificateSigningRequest> requests, CertificateSigningRequest made, CancellationToken stopping)
    {
        var start = time.GetTimestamp();
        for (var current = made; ; current = await requests.GetAsync(ResourceKey.Of(made), stopping))
        {
            if (current.Status.Certificate is { Length: > 0 } signed)
            {
                return signed;
            }

            if (current.Status.Conditions.FirstOrDefault(condition => condition.Type is "Denied" or "Failed") is { } refusal)
            {
                throw new JoinException($"The request {current.Metadata.Name} for a certificate was refused: {refusal.Reason}: {refusal.Message}");
            }

            if (time.GetElapsedTime(start) > SigningTimeMax)
            {
                throw new ClusterUnreachableException(
                    $"No certificate came from the server {options.Servers[0]}",
                    new TimeoutException($"the request {current.Metadata.Name} was not answered within {SigningTimeMax.TotalSeconds:F0} s"));
            }

            await Task.Delay(PollInterval, time, stopping);
        }
    }

    private static partial class Log
    {
        [LoggerMessage(EventId = 2201, Level = LogLevel.Information, Message = "Node {Node} has a certificate until {NotAfter}")]
        public static partial void Signed(ILogger logger, NodeName node, DateTime notAfter);

        [LoggerMessage(EventId = 2202, Level = LogLevel.Warning, Message = "Cannot join yet, next try in {DelayMs} ms: {Reason}")]
        public static partial void Waiting(ILogger logger, double delayMs, string reason);

        [LoggerMessage(EventId = 2203, Level = LogLevel.Warning, Message = "The certificate, good until {NotAfter}, could not be renewed; next try in {DelayMs} ms: {Reason}")]
        public static partial void NotRenewed(ILogger logger, DateTime notAfter, double delayMs, string reason);
    }
}
