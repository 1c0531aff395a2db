using Godwit.DockerApi.Endpoints;
using Godwit.DockerApi.Serving;
using Godwit.DockerApi.Streams;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Godwit.DockerApi;

/// <summary>
/// The Docker Engine API on a unix socket, and behind <see cref="SecureDoor"/>s. Whoever may write to the socket is root on this host, as with every
/// Docker engine: so it is the owner's and group's alone.
/// </summary>
public sealed class DockerApiHost : IAsyncDisposable
{
    private const int ConnectionsMax = 4096;

    /// <summary>Of a request's line, in which filters stand, and of its headers, in which a builder's credentials and secrets do: as many as clients may send to Docker.</summary>
    private const int HeadBytesMax = 1 << 20;

    private const UnixFileMode SocketMode = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.GroupWrite;

    private readonly WebApplication web;
    private readonly CancellationTokenSource stop;
    private readonly Task tidying;

    private DockerApiHost(WebApplication web, CancellationTokenSource stop, Task tidying) => (this.web, this.stop, this.tidying) = (web, stop, tidying);

    /// <summary>Starts to serve; when this returns it answers.</summary>
    /// <param name="socketPath">Made here; what a dead engine left at this path is replaced.</param>
    /// <param name="services">What it speaks for, and does not own.</param>
    /// <param name="doors">Where it answers over TCP besides.</param>
    /// <param name="stopping">Cancels the start.</param>
    /// <exception cref="IOException">Another engine answers there, or the path cannot be listened on.</exception>
    public static async Task<DockerApiHost> StartAsync(string socketPath, EngineServices services, IReadOnlyList<SecureDoor> doors, CancellationToken stopping)
    {
        SocketPlace.Clear(socketPath);
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.Services.AddSingleton(services.Loggers);
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = TimeSpan.FromSeconds(5));
        builder.WebHost.UseKestrelCore().UseKestrelHttpsConfiguration().ConfigureKestrel(kestrel =>
        {
            Bound(kestrel.Limits);
            kestrel.AddServerHeader = false;
            kestrel.ListenUnixSocket(socketPath, Speak);
            foreach (var door in doors)
            {
                kestrel.Listen(door.Address, listen =>
                {
                    door.Configure(listen); // Before the line: what it carries is what was encrypted.
                    Speak(listen);
                });
            }
        });
        var app = builder.Build();
        var serving = new CancellationTokenSource();
        var pipeline = new RequestPipeline(new EndpointTable(EndpointList.Of(services)), services.Loggers.CreateLogger<RequestPipeline>());
        app.Run(http => pipeline.HandleAsync(http, serving.Token));
        try
        {
            await app.StartAsync(stopping);
            File.SetUnixFileMode(socketPath, SocketMode);
        }
        catch (IOException reason)
        {
            await app.DisposeAsync();
            serving.Dispose();
            var places = string.Join(" and ", doors.Select(door => $"tcp://{door.Address}").Prepend(socketPath));
            throw new IOException($"The Docker API cannot listen on {places}: choose others with --socket and --host", reason);
        }

        var memory = new IdleMemory(() => pipeline.Requests, IdleMemory.Release, services.Time);
        return new DockerApiHost(app, serving, Task.Run(() => memory.RunAsync(serving.Token), CancellationToken.None));
    }

    /// <summary>Ends streams, and lets short requests finish. Containers run on.</summary>
    public async ValueTask DisposeAsync()
    {
        await stop.CancelAsync();
        await web.StopAsync(CancellationToken.None);
        await web.DisposeAsync();
        await tidying;
        stop.Dispose();
    }

    private static void Speak(ListenOptions listen)
    {
        listen.Protocols = HttpProtocols.Http1;
        listen.Use(next => connection => ClientLine.ServeAsync(connection, next));
    }

    /// <summary>Streams may be silent for days, and archives be larger than any bound: those have none but the client's life.</summary>
    private static void Bound(KestrelServerLimits limits)
    {
        limits.MaxConcurrentConnections = ConnectionsMax;
        limits.MaxConcurrentUpgradedConnections = ConnectionsMax;
        limits.MaxRequestBodySize = Exchange.JsonBytesMax;
        limits.MaxRequestLineSize = HeadBytesMax;
        limits.MaxRequestHeadersTotalSize = HeadBytesMax;
        limits.MinRequestBodyDataRate = null;
        limits.MinResponseDataRate = null;
    }
}
