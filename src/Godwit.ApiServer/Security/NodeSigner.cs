using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Godwit.Api.Certificates.V1;
using Godwit.ApiServer.Requests;

namespace Godwit.ApiServer.Security;

/// <summary>
/// Signs the certificates of nodes, at once, or says why not. A node's certificate is good as a client of the server and
/// for agents among themselves, in both roles.
/// <para>
/// What is signed: subject <c>O=system:nodes, CN=system:node:NAME</c> and nothing else; names limited to NAME and
/// addresses that are not the server's own (or a node could pose as the server); an ECDSA key on a NIST curve, or RSA of
/// 2048 bits or more. A holder of the bootstrap token may ask for any NAME that has no Node object yet; a node only for
/// its own. One whose certificate has ended shows that certificate (in TLS, which proves its key) beside the token, and
/// gets a new one for the same NAME; it does not if the Node was made after that end, for then it is another's.
/// </para>
/// </summary>
internal sealed class NodeSigner(CertificateAuthority authority, IReadOnlyList<string> serverNames)
{
    private const int RequestBytesMax = 64 * 1024;
    private const int NamesMax = 32;
    private const int NodeNameLengthMax = 63;
    private const int RsaBitsMin = 2048;

    private static readonly string[] CurvesAllowed = ["1.2.840.10045.3.1.7", "1.3.132.0.34", "1.3.132.0.35"];

    /// <summary>What a request asks for, if all of it may be signed.</summary>
    /// <exception cref="StatusException">422 with what is wrong.</exception>
    public NodeCertificateRequest Read(CertificateSigningRequestSpec spec, StatusSubject subject)
    {
        var request = Load(spec, subject);
        var name = NodeNameOf(request, subject);
        CheckKey(request, subject);
        return new NodeCertificateRequest(name, request, CheckNames(request, name, subject));
    }

    /// <summary>Whether a user may have the certificate of a node.</summary>
    /// <exception cref="StatusException">403 with the reason.</exception>
    /// <param name="user">Who asks.</param>
    /// <param name="node">Whose certificate is asked for.</param>
    /// <param name="nodeSince">When the Node of that name was made; null when there is none.</param>
    /// <param name="subject">What the refusal is about.</param>
    public static void CheckUser(User user, string node, DateTimeOffset? nodeSince, StatusSubject subject)
    {
        if (user.NodeName is { } own)
        {
            if (own != node)
            {
                throw StatusException.Forbidden(subject, $"node {own} asked for the certificate of node {node}");
            }

            return;
        }

        if (!user.IsIn(User.BootstrappersGroup) && !user.IsIn(User.MastersGroup))
        {
            throw StatusException.Forbidden(subject, "only nodes and holders of a bootstrap token may ask for a node's certificate");
        }

        if (nodeSince is { } since && !(user.Former is { } former && former.NodeName == node && former.Until > since))
        {
            throw StatusException.Forbidden(
                subject,
                $"there is a Node \"{node}\" already: choose another name; that node itself must show its last certificate beside the token, as its agent does with its own data folder; if it has lost its key, delete its Node object first");
        }
    }

    /// <summary>The certificate in PEM.</summary>
    public string Sign(NodeCertificateRequest asked)
    {
        using var certificate = authority.Sign(asked.Request, [CertificateAuthority.ClientAuth, CertificateAuthority.ServerAuth], asked.Names);
        return certificate.ExportCertificatePem() + "\n";
    }

    private static CertificateRequest Load(CertificateSigningRequestSpec spec, StatusSubject subject)
    {
        if (spec.SignerName != SignerNames.Node)
        {
            throw Refuse(subject, "spec.signerName", $"this server signs for {SignerNames.Node} only");
        }

        if (spec.Request.Length is 0 or > RequestBytesMax)
        {
            throw Refuse(subject, "spec.request", $"must be a PEM certificate request of at most {RequestBytesMax} bytes");
        }

        try
        {
            // Loading proves that the requester holds the key. Of the extensions only the names are looked at, and made anew.
            return CertificateRequest.LoadSigningRequestPem(
                System.Text.Encoding.UTF8.GetString(spec.Request), HashAlgorithmName.SHA256, CertificateRequestLoadOptions.UnsafeLoadCertificateExtensions, RSASignaturePadding.Pkcs1);
        }
        catch (Exception error) when (error is CryptographicException or ArgumentException or NotSupportedException)
        {
            throw Refuse(subject, "spec.request", "is no PEM certificate request with a valid signature");
        }
    }

    private static string NodeNameOf(CertificateRequest request, StatusSubject subject)
    {
        var parts = request.SubjectName.EnumerateRelativeDistinguishedNames().Select(part =>
            part.HasMultipleElements ? ("", "") : (part.GetSingleElementType().Value ?? "", part.GetSingleElementValue() ?? "")).ToList();
        var commonNames = parts.Where(part => part.Item1 == "2.5.4.3").Select(part => part.Item2).ToList();
        var organizations = parts.Where(part => part.Item1 == "2.5.4.10").Select(part => part.Item2).ToList();
        if (parts.Count == 2 && commonNames is [var commonName] && organizations is [User.NodesGroup] && commonName.StartsWith(User.NodeNamePrefix, StringComparison.Ordinal))
        {
            var name = commonName[User.NodeNamePrefix.Length..];
            if (name.Length is > 0 and <= NodeNameLengthMax && Api.Machinery.Names.CheckDnsSubdomain(name) is null)
            {
                return name;
            }
        }

        throw Refuse(subject, "spec.request", $"the subject must be O={User.NodesGroup}, CN={User.NodeNamePrefix}NAME, with a DNS-1123 name of at most {NodeNameLengthMax} characters");
    }

    private static void CheckKey(CertificateRequest request, StatusSubject subject)
    {
        using var elliptic = request.PublicKey.GetECDsaPublicKey();
        using var rsa = request.PublicKey.GetRSAPublicKey();
        var strong = elliptic is not null
            ? CurvesAllowed.Contains(elliptic.ExportParameters(includePrivateParameters: false).Curve.Oid.Value)
            : rsa is { KeySize: >= RsaBitsMin };
        if (!strong)
        {
            throw Refuse(subject, "spec.request", $"the key must be ECDSA on P-256, P-384 or P-521, or RSA of at least {RsaBitsMin} bits");
        }
    }

    private X509Extension? CheckNames(CertificateRequest request, string node, StatusSubject subject)
    {
        var found = request.CertificateExtensions.Where(extension => extension.Oid?.Value == "2.5.29.17").ToList();
        if (found.Count == 0)
        {
            return null;
        }

        var asked = found.Count == 1 ? new X509SubjectAlternativeNameExtension(found[0].RawData) : throw Refuse(subject, "spec.request", "has more than one list of names");
        var (dnsNames, addresses) = (asked.EnumerateDnsNames().ToList(), asked.EnumerateIPAddresses().ToList());
        if (dnsNames.Any(name => name != node) || serverNames.Contains(node, StringComparer.OrdinalIgnoreCase) || dnsNames.Count + addresses.Count > NamesMax)
        {
            throw Refuse(subject, "spec.request", $"the names may be {node} and addresses, at most {NamesMax}, and none that the server itself is called by");
        }

        if (addresses.FirstOrDefault(address => IPAddress.IsLoopback(address) || serverNames.Contains(address.ToString())) is { } taken)
        {
            throw Refuse(subject, "spec.request", $"the address {taken} is the server's own");
        }

        var names = new SubjectAlternativeNameBuilder();
        dnsNames.ForEach(names.AddDnsName);
        addresses.ForEach(names.AddIpAddress);
        return dnsNames.Count + addresses.Count == 0 ? null : names.Build();
    }

    private static StatusException Refuse(StatusSubject subject, string field, string why) =>
        StatusException.Invalid(subject, $"{field}: Invalid value: {why}", [new StatusCause("FieldValueInvalid", $"Invalid value: {why}", field)]);
}

/// <summary>A request that was checked: for the node, with the names it may have.</summary>
internal sealed record NodeCertificateRequest(string NodeName, CertificateRequest Request, X509Extension? Names);
