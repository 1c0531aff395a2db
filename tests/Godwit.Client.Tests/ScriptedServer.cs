using System.Collections.Concurrent;
using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Godwit.Client.Tests;

/// <summary>An HTTP server on a free loopback port that answers as the test says and remembers what it was asked.</summary>
internal sealed class ScriptedServer : IAsyncDisposable
{
    private readonly WebApplication app;

    private ScriptedServer(WebApplication app) => this.app = app;

    /// <summary>Requests in the order of arrival, as <c>METHOD path?query</c>.</summary>
    public ConcurrentQueue<string> Requests { get; } = [];

    public Uri Address { get; private set; } = new("http://invalid/");

    public static async Task<ScriptedServer> StartAsync(Func<HttpContext, Task> answer)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen => listen.Protocols = HttpProtocols.Http1));
        var server = new ScriptedServer(builder.Build());
        server.app.Run(async context =>
        {
            server.Requests.Enqueue($"{context.Request.Method} {context.Request.Path}{context.Request.QueryString}");
            await answer(context);
        });
        await server.app.StartAsync(TestContext.Current.CancellationToken);
        server.Address = new Uri(server.app.Urls.First());
        return server;
    }

    public ClusterClient Connect(TimeProvider? clock = null, params IReadOnlyList<Uri> before) =>
        new(new ClusterConnection { Servers = [.. before, Address] }, clock ?? TimeProvider.System, NullLogger<ClusterClient>.Instance);

    public async ValueTask DisposeAsync()
    {
        using var bound = new CancellationTokenSource(TimeSpan.FromMilliseconds(200)); // Watches that still hang are cut.
        await app.StopAsync(bound.Token);
        await app.DisposeAsync();
    }
}

internal static class Answer
{
    public static async Task JsonAsync(HttpContext context, string body, int code = 200)
    {
        context.Response.StatusCode = code;
        context.Response.ContentType = "application/json";
        await context.Response.WriteAsync(body, context.RequestAborted);
    }

    public static Task StatusAsync(HttpContext context, int code, string reason, string message) => JsonAsync(
        context,
        $$"""{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"{{reason}}","message":"{{message}}","code":{{code}}}""",
        code);

    /// <summary>Sends lines of a watch and then waits for the client to leave, or ends the watch.</summary>
    public static async Task WatchAsync(HttpContext context, bool thenHang, params IReadOnlyList<string> lines)
    {
        context.Response.ContentType = "application/json";
        await context.Response.StartAsync(context.RequestAborted);
        foreach (var line in lines)
        {
            await context.Response.WriteAsync(line + "\n", context.RequestAborted);
            await context.Response.Body.FlushAsync(context.RequestAborted);
        }

        if (thenHang)
        {
            var left = new TaskCompletionSource();
            await using var registration = context.RequestAborted.Register(left.SetResult);
            await left.Task;
        }
    }

    public static string ConfigMap(string name, int revision, string value = "") =>
        $$$"""{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"{{{name}}}","namespace":"ns","uid":"uid-{{{name}}}","resourceVersion":"{{{revision}}}"},"data":{"value":"{{{value}}}"}}""";

    public static string List(int revision, params IReadOnlyList<string> items) =>
        $$$"""{"apiVersion":"v1","kind":"ConfigMapList","metadata":{"resourceVersion":"{{{revision}}}"},"items":[{{{string.Join(',', items)}}}]}""";

    public static string Event(string type, string item) => $$"""{"type":"{{type}}","object":{{item}}}""";
}

internal static class Eventually
{
    /// <summary>Waits until a condition holds; fails after half a minute.</summary>
    public static async Task HoldsAsync(Func<bool> condition, string what)
    {
        using var bound = new CancellationTokenSource(TimeSpan.FromMinutes(2));
        using var look = new PeriodicTimer(TimeSpan.FromMilliseconds(5));
        while (!condition())
        {
            Assert.False(bound.IsCancellationRequested, $"Not so within two minutes: {what}");
            await look.WaitForNextTickAsync(TestContext.Current.CancellationToken);
        }
    }
}
