using System.Net;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using Godwit.Base;
using Godwit.Machines;
using Godwit.Node.Guests;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Godwit.Node.Serving;

/// <summary>What the agent's HTTPS door opens to.</summary>
internal sealed record AgentServerParts
{
    /// <summary>The node's certificate, asked for at each connection, so that a renewed one takes effect.</summary>
    public required Func<X509Certificate2> Certificate { get; init; }

    public required X509Certificate2Collection Authorities { get; init; }

    public required LocalMachines Machines { get; init; }

    public required IHandoverRecords Handovers { get; init; }

    /// <summary>What pods' streams are asked of; null while pods are not run here.</summary>
    public required Func<Streaming.PodDoor?> Pods { get; init; }

    /// <summary>The text of <c>/metrics</c>.</summary>
    public required Func<string> Metrics { get; init; }

    /// <summary>What is used here, for <c>/usage</c>.</summary>
    public required Func<Api.Metrics.UsageReport> Usage { get; init; }

    public required TimeProvider Time { get; init; }

    public required ILoggerFactory Loggers { get; init; }
}

/// <summary>
/// The agent's door for the API server: consoles, logs and orders to a running guest, by the guest's uid. Only the server
/// itself and administrators get in, by a client certificate of the cluster; whether the caller may see this guest the
/// server has decided before. <c>/healthz</c> is open to all and says nothing but "ok".
/// </summary>
internal sealed class AgentServer : IAsyncDisposable
{
    private const int ConnectionsMax = 512;
    private const int TailLinesMax = 100_000;

    private static readonly TimeSpan OrderTimeMax = TimeSpan.FromSeconds(20);

    private readonly WebApplication application;
    private readonly AgentServerParts parts;
    private readonly CancellationTokenSource closing = new();

    private AgentServer(IPEndPoint address, AgentServerParts parts)
    {
        this.parts = parts;
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.Services.AddSingleton(parts.Loggers);
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = TimeSpan.FromSeconds(2));
        builder.WebHost.UseKestrelCore().UseKestrelHttpsConfiguration();
        builder.WebHost.ConfigureKestrel(kestrel => Configure(kestrel, address, parts));
        application = builder.Build();
        application.UseWebSockets(new WebSocketOptions { KeepAliveInterval = TimeSpan.FromSeconds(20) });
        application.Run(HandleAsync);
    }

    /// <summary>The port that it listens on.</summary>
    public int Port
    {
        get
        {
            var url = application.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single();
            return new Uri(url.Replace("[::]", "localhost", StringComparison.Ordinal)).Port;
        }
    }

    /// <exception cref="IOException">The address cannot be listened on.</exception>
    public static async Task<AgentServer> StartAsync(IPEndPoint address, AgentServerParts parts, CancellationToken stopping)
    {
        var server = new AgentServer(address, parts);
        try
        {
            await server.application.StartAsync(stopping);
            return server;
        }
        catch (IOException error)
        {
            await server.application.DisposeAsync();
            throw new IOException($"The agent cannot listen on {address}: end what uses the address, or choose another.", error);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await closing.CancelAsync();
        await application.StopAsync(CancellationToken.None);
        await application.DisposeAsync();
        closing.Dispose();
    }

    private static void Configure(KestrelServerOptions kestrel, IPEndPoint address, AgentServerParts parts)
    {
        kestrel.AddServerHeader = false;
        kestrel.Limits.MaxRequestBodySize = 64 * 1024;
        kestrel.Limits.MaxConcurrentConnections = ConnectionsMax;
        kestrel.Limits.MaxConcurrentUpgradedConnections = ConnectionsMax;
        kestrel.Limits.RequestHeadersTimeout = TimeSpan.FromSeconds(10);
        kestrel.Listen(address, listen =>
        {
            listen.Protocols = HttpProtocols.Http1;
            listen.UseHttps(new HttpsConnectionAdapterOptions
            {
                ServerCertificateSelector = (_, _) => parts.Certificate(),
                SslProtocols = SslProtocols.Tls12 | SslProtocols.Tls13,
                HandshakeTimeout = TimeSpan.FromSeconds(5),
                ClientCertificateMode = ClientCertificateMode.AllowCertificate,
                // Judged with each request, so that a wrong one is answered with words.
                ClientCertificateValidation = (_, _, _) => true,
            });
        });
    }

    private async Task HandleAsync(HttpContext http)
    {
        var path = http.Request.Path.Value ?? "";
        if (path == "/healthz")
        {
            await http.Response.WriteAsync("ok", http.RequestAborted);
            return;
        }

        using var stopping = CancellationTokenSource.CreateLinkedTokenSource(http.RequestAborted, closing.Token);
        if (!AgentAccess.Allows(http.Connection.ClientCertificate, parts.Authorities, parts.Time.GetUtcNow()))
        {
            await AnswerAsync(http, StatusCodes.Status403Forbidden, "Only the API server and administrators may talk to an agent, with a client certificate of the cluster.");
            return;
        }

        try
        {
            await RouteAsync(http, path, stopping.Token);
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // The caller went away, or the agent ends.
        }
        catch (Exception error) when (error is MachineException or Containers.ContainerException or IOException or TimeoutException && !http.Response.HasStarted)
        {
            await AnswerAsync(http, StatusCodes.Status409Conflict, ErrorChain.Describe(error));
        }
    }

    private async Task RouteAsync(HttpContext http, string path, CancellationToken stopping)
    {
        if (path == "/metrics" && HttpMethods.IsGet(http.Request.Method))
        {
            http.Response.ContentType = "text/plain; version=0.0.4; charset=utf-8";
            await http.Response.WriteAsync(parts.Metrics(), stopping);
            return;
        }

        if (path == "/usage" && HttpMethods.IsGet(http.Request.Method))
        {
            http.Response.ContentType = "application/json";
            await http.Response.Body.WriteAsync(Api.GodwitJson.SerializeToUtf8(parts.Usage()), stopping);
            return;
        }

        if (path.Split('/') is ["", "pod", { Length: > 0 } pod, { Length: > 0 } podVerb])
        {
            if (parts.Pods() is { } door)
            {
                await door.ServeAsync(http, pod, podVerb, stopping);
                return;
            }

            await AnswerAsync(http, StatusCodes.Status409Conflict, "This node runs no pods yet; try again soon.");
            return;
        }

        if (path.Split('/') is not ["", "vm", var uid, var verb] || !Guid.TryParseExact(uid, "D", out var id))
        {
            await AnswerAsync(http, StatusCodes.Status404NotFound, "There is nothing at this path.");
            return;
        }

        if (parts.Machines.Find(new MachineId(id)) is not { } machine)
        {
            await AnswerAsync(http, StatusCodes.Status404NotFound, $"No guest {id} is on this node; it may have moved or ended.");
            return;
        }

        switch (http.Request.Method, verb)
        {
            case ("GET", "console"):
                await ConsoleSocket.ServeAsync(http, machine, stopping);
                break;
            case ("GET", "log"):
                await SendLogAsync(http, machine, stopping);
                break;
            case ("PUT", "pause"):
                await OrderAsync(http, machine, machine.PauseAsync, stopping);
                break;
            case ("PUT", "unpause"):
                await OrderAsync(http, machine, machine.ResumeAsync, stopping);
                break;
            default:
                await AnswerAsync(http, StatusCodes.Status404NotFound, $"A guest has no '{verb}' to {http.Request.Method}.");
                break;
        }
    }

    /// <summary>An order to the guest's CPUs. While a guest moves the move alone gives such orders: a guest resumed at the wrong moment would run twice.</summary>
    private async Task OrderAsync(HttpContext http, IMachine machine, Func<CancellationToken, Task> order, CancellationToken stopping)
    {
        if (parts.Handovers.ClaimOn(machine.Spec.Id) is not (HandoverClaim.None or HandoverClaim.Owner))
        {
            await AnswerAsync(http, StatusCodes.Status409Conflict, $"{machine.Spec.DisplayName} is being moved; try again when the move has ended.");
            return;
        }

        if (machine.RunState is not (MachineRunState.Running or MachineRunState.Paused or MachineRunState.Created))
        {
            await AnswerAsync(http, StatusCodes.Status409Conflict, $"{machine.Spec.DisplayName} does not run ({machine.RunState}).");
            return;
        }

        using var late = new CancellationTokenSource(OrderTimeMax, parts.Time);
        using var bound = CancellationTokenSource.CreateLinkedTokenSource(stopping, late.Token);
        await order(bound.Token);
        await AnswerAsync(http, StatusCodes.Status202Accepted, "");
    }

    private static async Task SendLogAsync(HttpContext http, IMachine machine, CancellationToken stopping)
    {
        int? tailLines = null;
        if (http.Request.Query["tailLines"].ToString() is { Length: > 0 } text)
        {
            if (!int.TryParse(text, out var lines) || lines is < 0 or > TailLinesMax)
            {
                await AnswerAsync(http, StatusCodes.Status400BadRequest, $"tailLines must be a number from 0 to {TailLinesMax}.");
                return;
            }

            tailLines = lines;
        }

        var follow = http.Request.Query["follow"].ToString() is "true" or "1";
        await using var log = await machine.OpenLogAsync(tailLines, follow, stopping);
        http.Response.ContentType = "text/plain; charset=utf-8";
        await http.Response.StartAsync(stopping);
        var buffer = new byte[16 * 1024];
        while (await log.ReadAsync(buffer, stopping) is > 0 and var count)
        {
            await http.Response.Body.WriteAsync(buffer.AsMemory(0, count), stopping);
            await http.Response.Body.FlushAsync(stopping);
        }
    }

    private static Task AnswerAsync(HttpContext http, int code, string text)
    {
        http.Response.StatusCode = code;
        http.Response.ContentType = "text/plain; charset=utf-8";
        return http.Response.WriteAsync(text, http.RequestAborted);
    }
}
