using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Godwit.ApiServer.Security;

/// <summary>
/// The server's keys and certificates on disk, made at first start and renewed at a start near their end.
/// <code>
/// pki/ca.crt, ca.key                    the cluster's authority
///     server.crt, server.key            this server, for its clients
///     agent-client.crt, agent-client.key   this server as a client of the agents (console, log)
///     admin.crt, admin.key              system:masters
///     controllers.crt, controllers.key  the controllers
///     service-accounts.key              what tokens of service accounts are signed with
///     bootstrap-token                   what a new node joins with
///     tokens.csv                        the operator's bearer tokens, if there are any
/// </code>
/// Every file is the owner's alone (0600) in a folder of 0700, and is written whole: a stop in the middle leaves the old one.
/// </summary>
internal sealed class PkiFolder
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    /// <summary>A leaf with less than this left is made anew.</summary>
    private static readonly TimeSpan RenewBefore = TimeSpan.FromDays(60);

    private readonly string folder;
    private readonly TimeProvider clock;

    private PkiFolder(string folder, TimeProvider clock, CertificateAuthority authority)
    {
        this.folder = folder;
        this.clock = clock;
        Authority = authority;
    }

    public CertificateAuthority Authority { get; }

    public string FolderPath => folder;

    public string AuthorityPath => Path.Combine(folder, "ca.crt");

    public string BootstrapTokenPath => Path.Combine(folder, "bootstrap-token");

    public string TokensPath => Path.Combine(folder, "tokens.csv");

    public static PkiFolder Open(string folder, TimeProvider clock)
    {
        Directory.CreateDirectory(folder, OwnerOnly | UnixFileMode.UserExecute);
        var certificate = TryLoad(folder, "ca");
        if (certificate is null)
        {
            certificate = CertificateAuthority.MakeRoot("godwit-ca", clock);
            Save(folder, "ca", certificate);
        }

        return new PkiFolder(folder, clock, new CertificateAuthority(certificate, clock));
    }

    /// <summary>The server's own certificate, for every name and address it may be called by.</summary>
    public X509Certificate2 ServerCertificate(IReadOnlyList<string> names)
    {
        var wanted = new SubjectAlternativeNameBuilder();
        var all = names.Distinct(StringComparer.OrdinalIgnoreCase).ToList();
        foreach (var name in all)
        {
            if (IPAddress.TryParse(name, out var address))
            {
                wanted.AddIpAddress(address);
            }
            else
            {
                wanted.AddDnsName(name);
            }
        }

        return LoadOrIssue("server", Subject("godwit-server"), [CertificateAuthority.ServerAuth], wanted, found => all.All(name => found.MatchesHostname(name, allowWildcards: false, allowCommonName: false)));
    }

    /// <summary>A client certificate: <paramref name="user"/> as CN, <paramref name="groups"/> as O.</summary>
    public X509Certificate2 ClientCertificate(string file, string user, params ReadOnlySpan<string> groups) =>
        LoadOrIssue(file, Subject(user, groups), [CertificateAuthority.ClientAuth], null, _ => true);

    /// <summary>The key that tokens of service accounts are signed with; made at first start. Without it, all of them end.</summary>
    public ECDsa AccountKey()
    {
        var path = Path.Combine(folder, "service-accounts.key");
        if (!File.Exists(path))
        {
            using var made = ECDsa.Create(ECCurve.NamedCurves.nistP256);
            WriteWhole(path, made.ExportPkcs8PrivateKeyPem() + "\n");
        }

        var key = ECDsa.Create();
        try
        {
            key.ImportFromPem(File.ReadAllText(path));
            return key.ExportParameters(includePrivateParameters: false).Curve.Oid.Value == ECCurve.NamedCurves.nistP256.Oid.Value ? key
                : throw new CryptographicException("The key is not on the curve P-256.");
        }
        catch (Exception error) when (error is CryptographicException or ArgumentException)
        {
            key.Dispose();
            throw new InvalidDataException($"{path} is no private key for ECDSA on P-256: restore it from a backup, or remove it to have a new one made, which ends all tokens of service accounts.", error);
        }
    }

    /// <summary>The token that new nodes join with; made at first start.</summary>
    public string BootstrapToken()
    {
        if (!File.Exists(BootstrapTokenPath))
        {
            WriteWhole(BootstrapTokenPath, $"{RandomNumberGenerator.GetHexString(6, lowercase: true)}.{RandomNumberGenerator.GetHexString(32, lowercase: true)}\n");
        }

        return File.ReadAllText(BootstrapTokenPath).Trim();
    }

    /// <summary>Writes a file beside the keys, with their protection.</summary>
    public void Write(string file, string text) => WriteWhole(Path.Combine(folder, file), text);

    private static X500DistinguishedName Subject(string user, params ReadOnlySpan<string> groups)
    {
        var builder = new X500DistinguishedNameBuilder();
        foreach (var group in groups)
        {
            builder.AddOrganizationName(group);
        }

        builder.AddCommonName(user);
        return builder.Build();
    }

    private static X509Certificate2? TryLoad(string folder, string file)
    {
        var (certificate, key) = (Path.Combine(folder, file + ".crt"), Path.Combine(folder, file + ".key"));
        if (!File.Exists(certificate) || !File.Exists(key))
        {
            return null;
        }

        try
        {
            return X509Certificate2.CreateFromPemFile(certificate, key);
        }
        catch (CryptographicException error)
        {
            throw new InvalidDataException($"{certificate} and {key} are not a certificate and its key: restore both from a backup, or remove both to have new ones made.", error);
        }
    }

    private static void Save(string folder, string file, X509Certificate2 certificate)
    {
        using var key = certificate.GetECDsaPrivateKey() ?? throw new InvalidOperationException($"The certificate for {file} has no ECDSA key.");
        WriteWhole(Path.Combine(folder, file + ".key"), key.ExportPkcs8PrivateKeyPem() + "\n");
        WriteWhole(Path.Combine(folder, file + ".crt"), certificate.ExportCertificatePem() + "\n");
    }

    private static void WriteWhole(string path, string text)
    {
        var draft = path + ".new";
        File.Delete(draft);
        using (var stream = new FileStream(draft, new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = OwnerOnly }))
        {
            stream.Write(System.Text.Encoding.UTF8.GetBytes(text));
            stream.Flush(flushToDisk: true);
        }

        File.Move(draft, path, overwrite: true);
    }

    private X509Certificate2 LoadOrIssue(string file, X500DistinguishedName subject, IReadOnlyList<string> usages, SubjectAlternativeNameBuilder? names, Predicate<X509Certificate2> stillFits)
    {
        var found = TryLoad(folder, file);
        if (found is not null && found.NotAfter.ToUniversalTime() - clock.GetUtcNow().UtcDateTime > RenewBefore
            && found.SubjectName.RawData.AsSpan().SequenceEqual(subject.RawData) && stillFits(found) && Authority.Vouches(found, usages[0]))
        {
            return found;
        }

        found?.Dispose();
        using var made = Authority.Issue(subject, usages, names);
        Save(folder, file, made);
        return TryLoad(folder, file)!;
    }
}
