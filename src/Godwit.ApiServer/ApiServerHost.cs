using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using Godwit.ApiServer.Access;
using Godwit.ApiServer.Resources;
using Godwit.ApiServer.Security;
using Godwit.ApiServer.Serving;
using Godwit.ApiServer.Watching;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Godwit.ApiServer;

/// <summary>
/// A running Kubernetes-style API server: HTTPS over a revisioned store. Reads no environment and no configuration file:
/// everything it depends on is in its options.
/// </summary>
public sealed class ApiServerHost : IAsyncDisposable
{
    private readonly Running running;

    private ApiServerHost(Running running) => this.running = running;

    /// <summary>The ports it listens on, in the order of <see cref="ApiServerOptions.Listen"/>.</summary>
    public required IReadOnlyList<int> Ports { get; init; }

    /// <summary>Where clients reach it.</summary>
    public required Uri Url { get; init; }

    /// <summary>The certificate of the cluster's authority, PEM.</summary>
    public required string AuthorityPem { get; init; }

    /// <summary>A kubeconfig with all rights (<c>system:masters</c>). A secret.</summary>
    public required string AdminKubeconfig { get; init; }

    /// <summary>A kubeconfig for the controllers. A secret.</summary>
    public required string ControllersKubeconfig { get; init; }

    /// <summary>The file with the token that new nodes join with.</summary>
    public required string BootstrapTokenPath { get; init; }

    /// <summary>The file with the certificate of the cluster's authority.</summary>
    public required string AuthorityPath { get; init; }

    /// <summary>Starts a server; when this returns it answers requests.</summary>
    /// <exception cref="IOException">An address cannot be listened on, or the audit log not be written.</exception>
    /// <exception cref="InvalidDataException">The keys of <c>pki/</c> are damaged, or not those of the other servers.</exception>
    public static async Task<ApiServerHost> StartAsync(ApiServerOptions options, CancellationToken stopping)
    {
        var pki = PkiFolder.Open(Path.Combine(options.DataFolder, "pki"), options.Clock);
        if (options.SharesStore)
        {
            await SharedAuthority.CheckAsync(options.Store, pki, stopping);
        }

        var stop = new CancellationTokenSource();
        var web = Build(options, pki);
        var parts = new ServerParts(options, pki);
        var pipeline = new RequestPipeline(parts, options.Clock, options.Loggers.CreateLogger<RequestPipeline>());
        web.UseWebSockets(new WebSocketOptions { KeepAliveInterval = TimeSpan.FromSeconds(30), KeepAliveTimeout = TimeSpan.FromSeconds(30) });
        web.Run(http => pipeline.HandleAsync(http, stop.Token));
        await SystemNamespaces.EnsureAsync(parts.Resources, parts.Writer, stopping);
        await SystemClasses.EnsureAsync(parts.Resources, parts.Writer, stopping);
        await RoleBootstrap.EnsureAsync(parts.Resources, parts.Writer, stopping);
        await PriorityAdmission.EnsureAsync(parts.Resources, parts.Writer, stopping);
        await parts.Furnisher.EnsureAllAsync(stopping);
        try
        {
            await web.StartAsync(stopping);
        }
        catch (IOException error)
        {
            await web.DisposeAsync();
            throw new IOException($"The API server cannot listen on {string.Join(", ", options.Listen)}: stop what uses the address, or choose another.", error);
        }

        var working = Task.WhenAll(parts.Reaper.RunAsync(stop.Token), parts.Furnisher.RunAsync(stop.Token), parts.Quotas.RunAsync(stop.Token), parts.Access.RunAsync(stop.Token));
        return Describe(new Running(web, parts, stop, working), options, pki);
    }

    /// <summary>Refuses new requests, ends watches, and lets requests under way finish for a few seconds.</summary>
    public async ValueTask DisposeAsync()
    {
        await running.Stop.CancelAsync();
        await running.Web.StopAsync(CancellationToken.None);
        await running.Web.DisposeAsync();
        await running.Working;
        await (running.Parts.Audit?.DisposeAsync() ?? ValueTask.CompletedTask);
        running.Parts.Dispose();
        running.Stop.Dispose();
    }

    private sealed record Running(WebApplication Web, ServerParts Parts, CancellationTokenSource Stop, Task Working);

    private static ApiServerHost Describe(Running running, ApiServerOptions options, PkiFolder pki)
    {
        var addresses = running.Web.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses;
        var ports = addresses.Select(address => new Uri(address.Replace("[::]", "localhost", StringComparison.Ordinal)).Port).ToList();
        var url = new UriBuilder(Uri.UriSchemeHttps, options.AdvertisedHost, ports[0]).Uri;
        using var admin = pki.ClientCertificate("admin", "kubernetes-admin", User.MastersGroup);
        using var controllers = pki.ClientCertificate("controllers", User.ControllersName);
        pki.BootstrapToken();
        return new ApiServerHost(running)
        {
            Ports = ports,
            Url = url,
            AuthorityPem = pki.Authority.CertificatePem,
            AuthorityPath = pki.AuthorityPath,
            AdminKubeconfig = Kubeconfig.For(url, pki.Authority.CertificatePem, admin, "admin"),
            ControllersKubeconfig = Kubeconfig.For(url, pki.Authority.CertificatePem, controllers, "controllers"),
            BootstrapTokenPath = pki.BootstrapTokenPath,
        };
    }

    private static WebApplication Build(ApiServerOptions options, PkiFolder pki)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.Services.AddSingleton(options.Loggers);
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = TimeSpan.FromSeconds(5));
        builder.WebHost.UseKestrelCore().UseKestrelHttpsConfiguration();
        builder.Services.Configure<SocketTransportOptions>(transport => transport.CreateBoundListenSocket = endpoint => Bind(endpoint, options.ListenLater.Contains(endpoint)));
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            HttpLimits.Apply(kestrel);
            var certificate = pki.ServerCertificate(options.AllServerNames);
            foreach (var endpoint in options.Listen.Concat(options.ListenLater))
            {
                kestrel.Listen(endpoint, listen => UseTls(listen, certificate));
            }
        });
        return builder.Build();
    }

    private static Socket Bind(EndPoint endpoint, bool isLater)
    {
        if (!isLater)
        {
            return SocketTransportOptions.CreateDefaultBoundListenSocket(endpoint);
        }

        // ip(7): an address that no interface has yet.
        const int levelIp = 0, freeBind = 15;
        var socket = new Socket(endpoint.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            socket.SetRawSocketOption(levelIp, freeBind, BitConverter.GetBytes(1));
            socket.Bind(endpoint);
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private static void UseTls(ListenOptions listen, X509Certificate2 certificate)
    {
        listen.Protocols = HttpProtocols.Http1AndHttp2;
        listen.UseHttps(new HttpsConnectionAdapterOptions
        {
            ServerCertificate = certificate,
            SslProtocols = SslProtocols.Tls12 | SslProtocols.Tls13,
            HandshakeTimeout = TimeSpan.FromSeconds(10),
            ClientCertificateMode = ClientCertificateMode.AllowCertificate,
            // A certificate is judged by the authenticator, so that a bad one is answered with 401 and not with a broken connection.
            ClientCertificateValidation = (_, _, _) => true,
        });
    }
}
