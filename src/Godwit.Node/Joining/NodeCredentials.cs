using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Godwit.Linux.Files;
using Godwit.Node.Peers;

namespace Godwit.Node.Joining;

/// <summary>The node has no usable certificate, or could not get one: what was tried, why, what to do.</summary>
public sealed class JoinException : Exception
{
    public JoinException(string message)
        : base(message)
    {
    }

    public JoinException(string message, Exception cause)
        : base(message, cause)
    {
    }
}

/// <summary>
/// This node's certificate with its key, and the cluster's authority. One file holds certificate and key together
/// (<c>pki/node.pem</c>, 0600, replaced whole), so that they can never be of different age.
/// </summary>
internal sealed class NodeCredentials
{
    private const int FileBytesMax = 1 << 20;

    private readonly string path;
    private volatile X509Certificate2? certificate;

    private NodeCredentials(string path, X509Certificate2Collection authorities)
    {
        this.path = path;
        Authorities = authorities;
    }

    public X509Certificate2Collection Authorities { get; }

    /// <summary>The certificate in force, or null before the node has joined.</summary>
    public X509Certificate2? Certificate => certificate;

    /// <summary>Opens the folder; what is there is used if it is this node's, signed by this authority.</summary>
    /// <exception cref="JoinException">The authority cannot be read, or the folder belongs to another node.</exception>
    public static NodeCredentials Open(string folder, string authorityPath, NodeName node)
    {
        Directory.CreateDirectory(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        var credentials = new NodeCredentials(Path.Combine(folder, "node.pem"), ReadAuthorities(authorityPath));
        if (File.Exists(credentials.path))
        {
            credentials.Load(node);
        }

        return credentials;
    }

    /// <summary>Puts a certificate in force, durably. The one before stays valid for connections that stand.</summary>
    public void Replace(X509Certificate2 renewed, ECDsa key)
    {
        var pem = $"{renewed.ExportCertificatePem()}\n{key.ExportPkcs8PrivateKeyPem()}\n";
        DurableFile.Write(path, Encoding.ASCII.GetBytes(pem));
        using var alone = X509CertificateLoader.LoadCertificate(renewed.RawData);
        certificate = alone.CopyWithPrivateKey(key);
    }

    /// <summary>Whether the certificate is one of this cluster and of this node. Its time is not looked at.</summary>
    public bool Vouches(X509Certificate2 candidate, NodeName node)
    {
        using var chain = new X509Chain();
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.CustomTrustStore.AddRange(Authorities);
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        chain.ChainPolicy.DisableCertificateDownloads = true;
        chain.ChainPolicy.VerificationFlags = X509VerificationFlags.IgnoreNotTimeValid;
        return PeerIdentity.NameOf(candidate) == node && chain.Build(candidate);
    }

    private void Load(NodeName node)
    {
        try
        {
            if (new FileInfo(path).Length > FileBytesMax)
            {
                throw new JoinException($"{path} is too large to be a certificate.");
            }

            var pem = File.ReadAllText(path);
            var found = X509Certificate2.CreateFromPem(pem, pem);
            if (PeerIdentity.NameOf(found) is { } other && other != node)
            {
                throw new JoinException($"{path} is the certificate of node {other}, and this node is to be {node}. Give each node a data folder of its own, or keep the name.");
            }

            // Of another cluster (it was made anew, say): worth nothing here, and the node joins again.
            certificate = Vouches(found, node) ? found : null;
        }
        catch (Exception error) when (error is CryptographicException or IOException or UnauthorizedAccessException)
        {
            throw new JoinException($"The node's certificate {path} cannot be read; remove it to let the node join again", error);
        }
    }

    private static X509Certificate2Collection ReadAuthorities(string authorityPath)
    {
        try
        {
            var authorities = new X509Certificate2Collection();
            authorities.ImportFromPemFile(authorityPath);
            return authorities.Count > 0 ? authorities : throw new JoinException($"{authorityPath} holds no certificate; it must be the cluster's authority in PEM (pki/ca.crt of the server).");
        }
        catch (Exception error) when (error is CryptographicException or IOException or UnauthorizedAccessException)
        {
            throw new JoinException($"The cluster's authority {authorityPath} cannot be read; it is pki/ca.crt of the server", error);
        }
    }
}
