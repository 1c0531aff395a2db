using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Godwit.Api.Core.V1;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace Godwit.Client.Tests;

/// <summary>Servers that show certificates that are not to be believed. The client's clock never moves: a wait before another attempt would not end.</summary>
public sealed class ServerTrustTests
{
    private static CancellationToken Stopping => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_certificate_of_a_strange_authority_fails_at_once_and_is_named()
    {
        using var shown = MakeCertificate("CN=stranger", TimeSpan.FromDays(1));
        using var own = MakeCertificate("CN=own", TimeSpan.FromDays(1));
        var error = await RefusedAsync(shown, own);

        Assert.Contains("CN=stranger", error.InnerException!.Message, StringComparison.Ordinal);
        Assert.Contains("none of the authorities", error.InnerException.Message, StringComparison.Ordinal);
        Assert.Contains(shown.GetCertHashString(HashAlgorithmName.SHA256), error.InnerException.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_certificate_for_another_name_fails_at_once_and_says_so()
    {
        using var shown = MakeCertificate("CN=server", TimeSpan.FromDays(1), IPAddress.IPv6Loopback);
        var error = await RefusedAsync(shown, shown);

        Assert.Contains("it is not for the name '127.0.0.1'", error.InnerException!.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("authorities", error.InnerException.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_certificate_that_has_ended_fails_at_once_and_says_until_when_it_was_valid()
    {
        using var shown = MakeCertificate("CN=server", -TimeSpan.FromDays(1));
        var error = await RefusedAsync(shown, shown);

        Assert.Contains($"to {shown.NotAfter.ToUniversalTime():u}", error.InnerException!.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_name_that_would_command_a_terminal_is_told_without_its_control_characters()
    {
        using var shown = MakeCertificate("CN=\u001b[2Jevil", TimeSpan.FromDays(1));
        using var own = MakeCertificate("CN=own", TimeSpan.FromDays(1));
        var error = await RefusedAsync(shown, own);

        Assert.DoesNotContain('\u001b', error.InnerException!.Message);
        Assert.Contains("?[2Jevil", error.InnerException.Message, StringComparison.Ordinal);
    }

    private static async Task<ClusterUnreachableException> RefusedAsync(X509Certificate2 shown, X509Certificate2 authority)
    {
        var (handshakes, requests) = (0, 0);
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseKestrelHttpsConfiguration().ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen => listen.UseHttps(new HttpsConnectionAdapterOptions
        {
            ServerCertificateSelector = (_, _) =>
            {
                Interlocked.Increment(ref handshakes);
                return shown;
            },
        })));
        await using var server = builder.Build();
        server.Run(_ =>
        {
            Interlocked.Increment(ref requests);
            return Task.CompletedTask;
        });
        await server.StartAsync(Stopping);
        var connection = new ClusterConnection { Servers = [new Uri(server.Urls.First())], Authorities = [authority] };
        using var client = new ClusterClient(connection, new FakeTimeProvider(), NullLogger<ClusterClient>.Instance);

        var error = await Assert.ThrowsAsync<ClusterUnreachableException>(() => client.For<ConfigMap>().GetAsync(new ResourceKey("ns", "a"), Stopping).WaitAsync(TimeSpan.FromMinutes(1), Stopping));

        Assert.IsType<ServerTrustException>(error.InnerException);
        Assert.Contains(server.Urls.First(), error.Message, StringComparison.Ordinal);
        Assert.Equal((1, 0), (handshakes, requests));
        return error;
    }

    private static X509Certificate2 MakeCertificate(string subject, TimeSpan left, IPAddress? address = null)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest(subject, key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddIpAddress(address ?? IPAddress.Loopback);
        request.CertificateExtensions.Add(names.Build());
        var now = TimeProvider.System.GetUtcNow();
        using var made = request.CreateSelfSigned(now - TimeSpan.FromDays(7), now + left);
        return X509CertificateLoader.LoadPkcs12(made.Export(X509ContentType.Pkcs12), null);
    }
}
