using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Godwit.Api.Migrations.V1Alpha1;
using Godwit.Machines;
using Godwit.Migration.Protocol;

namespace Godwit.Node.Migrations;

/// <summary>
/// Where a QEMU listens for another, and the keys for it. The agents copy nothing, so neither's end breaks the stream:
/// <code>
///   target's agent                                source's agent
///   makes an authority and two pairs of keys
///   forgets the authority's key
///   gives its own pair to its QEMU ── door (port, the other pair) ──▶ gives it to its QEMU
///                                     over both agents' TLS
///            QEMU ◀═══════════════ TLS, both ends known ═══════════════ QEMU
/// </code>
/// The authority signs these two certificates and never another, so whoever else finds the port gets nowhere. A stream
/// that is mended (post-copy) has a new port and the keys that both QEMUs have already.
/// </summary>
internal sealed record DirectDoor
{
    /// <summary>On the host of the target's peer endpoint.</summary>
    public required int Port { get; init; }

    /// <summary>The source's keys. Secrets, for the source alone; null when its QEMU has them.</summary>
    public DirectKeys? Keys { get; init; }

    /// <summary>QEMU's URI for a port of this host.</summary>
    public static string UriOf(IPAddress address, int port) => $"tcp:{new IPEndPoint(address, port)}";
}

/// <summary>PEM; see <see cref="StreamCredentials"/>.</summary>
internal sealed record DirectKeys(string Authority, string Certificate, string Key, string PeerName)
{
    public StreamCredentials ToCredentials() => new(Authority, Certificate, Key, PeerName);

    public override string ToString() => $"keys for {PeerName}";
}

/// <summary>Makes the keys of one move.</summary>
internal static class DirectKeyMaker
{
    /// <summary>Longer than any move: QEMU looks at it at each handshake, also of a stream that is mended after days.</summary>
    private static readonly TimeSpan Lifetime = TimeSpan.FromDays(30);

    /// <summary>Hosts' clocks may differ by this.</summary>
    private static readonly TimeSpan ClockSkewMax = TimeSpan.FromHours(1);

    private const string ServerAuthenticationOid = "1.3.6.1.5.5.7.3.1";
    private const string ClientAuthenticationOid = "1.3.6.1.5.5.7.3.2";

    /// <summary>The listening end's, and the connecting end's.</summary>
    public static (DirectKeys Target, DirectKeys Source) Make(MoveId move, TimeProvider time)
    {
        var (from, until) = (time.GetUtcNow() - ClockSkewMax, time.GetUtcNow() + Lifetime);
        using var authorityKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN=move {move} authority", authorityKey, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: true, hasPathLengthConstraint: true, 0, critical: true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign, critical: true));
        using var authority = request.CreateSelfSigned(from, until);
        return (Pair(authority, $"target.{move}", ServerAuthenticationOid), Pair(authority, $"source.{move}", ClientAuthenticationOid));

        DirectKeys Pair(X509Certificate2 signer, string name, string usageOid)
        {
            using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
            var asked = new CertificateRequest($"CN={name}", key, HashAlgorithmName.SHA256);
            var names = new SubjectAlternativeNameBuilder();
            names.AddDnsName(name);
            asked.CertificateExtensions.Add(names.Build());
            asked.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: false, hasPathLengthConstraint: false, 0, critical: true));

            // An elliptic key never enciphers another, but QEMU takes no certificate that does not allow it.
            asked.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature | X509KeyUsageFlags.KeyEncipherment, critical: true));
            asked.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid(usageOid)], critical: false));
            using var certificate = asked.Create(signer, from, until, RandomNumberGenerator.GetBytes(16));
            return new(signer.ExportCertificatePem(), certificate.ExportCertificatePem(), key.ExportPkcs8PrivateKeyPem(), $"target.{move}");
        }
    }
}

/// <summary>Finds ports for QEMUs to listen on.</summary>
internal static class DirectPorts
{
    /// <summary>
    /// A port that nobody listens on now. QEMU binds it a moment later, and says so if another was faster; then the
    /// target cannot prepare, and the move is refused or tried again as after any other trouble there.
    /// </summary>
    /// <exception cref="MachineException">All are taken.</exception>
    public static int Find(IPAddress address)
    {
        var first = RandomNumberGenerator.GetInt32(MigrationTransports.DirectPortCount);
        for (var step = 0; step < MigrationTransports.DirectPortCount; step++)
        {
            var port = MigrationTransports.DirectPortFirst + ((first + step) % MigrationTransports.DirectPortCount);
            using var probe = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
            try
            {
                probe.Bind(new IPEndPoint(address, port));
                return port;
            }
            catch (SocketException error) when (error.SocketErrorCode == SocketError.AddressAlreadyInUse)
            {
                // Another move's.
            }
            catch (SocketException error)
            {
                throw new MachineException($"cannot listen on {address} for a direct stream", error);
            }
        }

        throw new MachineException(
            $"the ports {MigrationTransports.DirectPortFirst} to {MigrationTransports.DirectPortFirst + MigrationTransports.DirectPortCount - 1} of {address}, on which direct streams arrive, are all taken");
    }
}
