using System.Security.Cryptography.X509Certificates;
using Godwit.Migration.Protocol;
using Godwit.Node.Migrations;
using Microsoft.Extensions.Time.Testing;

namespace Godwit.Node.Tests.Migrations;

public sealed class DirectKeyMakerTests
{
    private static readonly FakeTimeProvider Time = new(new DateTimeOffset(2030, 1, 2, 3, 4, 5, TimeSpan.Zero));

    [Fact]
    public void Both_ends_are_known_by_the_moves_authority_each_for_its_own_part()
    {
        var (target, source) = DirectKeyMaker.Make(new(Guid.NewGuid()), Time);

        Assert.True(IsTrusted(target, target.Authority, "1.3.6.1.5.5.7.3.1"));
        Assert.True(IsTrusted(source, target.Authority, "1.3.6.1.5.5.7.3.2"));
        Assert.False(IsTrusted(source, target.Authority, "1.3.6.1.5.5.7.3.1")); // A source cannot play the target.
        Assert.Equal(target.PeerName, source.PeerName);
        using var certificate = X509Certificate2.CreateFromPem(target.Certificate, target.Key);
        Assert.True(certificate.MatchesHostname(target.PeerName));
    }

    [Fact]
    public void Keys_of_another_move_are_a_strangers()
    {
        var (target, _) = DirectKeyMaker.Make(new(Guid.NewGuid()), Time);
        var (_, stranger) = DirectKeyMaker.Make(new(Guid.NewGuid()), Time);

        Assert.False(IsTrusted(stranger, target.Authority, "1.3.6.1.5.5.7.3.2"));
    }

    [Fact]
    public void Keys_are_never_written_by_accident()
    {
        var (target, _) = DirectKeyMaker.Make(new(Guid.NewGuid()), Time);

        Assert.DoesNotContain("KEY", target.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain("KEY", target.ToCredentials().ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain("KEY", new DirectDoor { Port = 1, Keys = target }.ToString(), StringComparison.Ordinal);
    }

    private static bool IsTrusted(DirectKeys keys, string authority, string usageOid)
    {
        using var chain = new X509Chain();
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        chain.ChainPolicy.VerificationTime = Time.GetUtcNow().UtcDateTime;
        chain.ChainPolicy.VerificationTimeIgnored = false;
        chain.ChainPolicy.ApplicationPolicy.Add(new(usageOid));
        using var root = X509Certificate2.CreateFromPem(authority);
        chain.ChainPolicy.CustomTrustStore.Add(root);
        using var certificate = X509Certificate2.CreateFromPem(keys.Certificate, keys.Key);
        return chain.Build(certificate);
    }
}
