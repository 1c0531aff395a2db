using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Godwit.Store.Etcd;

namespace Godwit.Store.Tests.Etcd;

[Trait("Needs", "etcd")]
public sealed class EtcdTlsTests : IDisposable
{
    private const string ServerAuth = "1.3.6.1.5.5.7.3.1";
    private const string ClientAuth = "1.3.6.1.5.5.7.3.2";

    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public async Task Members_are_known_by_their_authority_and_we_by_our_certificate()
    {
        using var authority = MakeAuthority("ca");
        using var stranger = MakeAuthority("stranger");
        Issue(authority, "server");
        Issue(authority, "client");
        Issue(stranger, "impostor");
        await using var member = EtcdMemberProcess.Alone(
            folder.FullPath, "https", "--cert-file", folder.File("server.crt"), "--key-file", folder.File("server.key"), "--client-cert-auth", "--trusted-ca-file", folder.File("ca.crt"));
        member.Start();
        await using (var store = await OpenAsync(member, "ca", "client"))
        {
            Assert.Equal(2, (await store.CreateAsync("a", new byte[1], CancellationToken.None)).Revision);
        }

        Assert.All(
            await Task.WhenAll(RefusedAsync(member, "stranger", "client"), RefusedAsync(member, "ca", "impostor"), RefusedAsync(member, "ca", null)),
            refusal => Assert.False(refusal.MayHaveHappened));
    }

    private static async Task<StoreUnavailableException> RefusedAsync(Func<Task> attempt) => await Assert.ThrowsAsync<StoreUnavailableException>(attempt);

    private Task<StoreUnavailableException> RefusedAsync(EtcdMemberProcess member, string authority, string? client) => RefusedAsync(() => OpenAsync(member, authority, client));

    private Task<EtcdRevisionStore> OpenAsync(EtcdMemberProcess member, string authority, string? client) => EtcdRevisionStore.OpenAsync(
        new EtcdStoreOptions(EtcdAddress.Parse($"etcd://{member}"))
        {
            AuthorityFile = folder.File($"{authority}.crt"),
            CertificateFile = client is null ? null : folder.File($"{client}.crt"),
            KeyFile = client is null ? null : folder.File($"{client}.key"),
            AttemptsMax = TimeSpan.FromSeconds(client == "client" && authority == "ca" ? 15 : 1),
        },
        CancellationToken.None);

    private X509Certificate2 MakeAuthority(string name)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN={name}", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: true, hasPathLengthConstraint: false, pathLengthConstraint: 0, critical: true));
        var now = TimeProvider.System.GetUtcNow();
        var made = request.CreateSelfSigned(now.AddMinutes(-5), now.AddDays(1));
        File.WriteAllText(folder.File($"{name}.crt"), made.ExportCertificatePem());
        return made;
    }

    private void Issue(X509Certificate2 authority, string name)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN={name}", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddIpAddress(IPAddress.Loopback);
        request.CertificateExtensions.Add(names.Build());
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid(ServerAuth), new Oid(ClientAuth)], critical: false));
        var now = TimeProvider.System.GetUtcNow();
        using var made = request.Create(authority, now.AddMinutes(-5), now.AddHours(12), RandomNumberGenerator.GetBytes(8));
        File.WriteAllText(folder.File($"{name}.crt"), made.ExportCertificatePem());
        File.WriteAllText(folder.File($"{name}.key"), key.ExportPkcs8PrivateKeyPem());
    }
}
