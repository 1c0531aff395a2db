using System.Net;
using System.Net.WebSockets;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.Extensions.DependencyInjection;

namespace Godwit.ApiServer.Tests;

/// <summary>An agent's HTTPS side: remembers who asked for what, follows a log that the test writes, echoes on the console.</summary>
internal sealed class FakeAgent : IAsyncDisposable
{
    private readonly WebApplication web;

    private FakeAgent(WebApplication web) => this.web = web;

    public List<string> Requests { get; } = [];

    /// <summary>What it answers to orders instead of doing them.</summary>
    public (int Code, string Words)? Refusal { get; set; }

    /// <summary>What it says of what is used on its node.</summary>
    public string Usage { get; set; } = "{}";

    /// <summary>Ends the consoles that are open, as a guest does that moves away.</summary>
    public TaskCompletionSource ConsolesEnd { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Set when a console was opened.</summary>
    public TaskCompletionSource ConsoleOpened { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public TaskCompletionSource LogMayEnd { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public int Port => new Uri(web.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single()).Port;

    public static async Task<FakeAgent> StartAsync(X509Certificate2 certificate)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().UseKestrelHttpsConfiguration();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen =>
        {
            listen.Protocols = HttpProtocols.Http1;
            listen.UseHttps(new HttpsConnectionAdapterOptions
            {
                ServerCertificate = X509CertificateLoader.LoadPkcs12(certificate.Export(X509ContentType.Pkcs12), null),
                ClientCertificateMode = ClientCertificateMode.RequireCertificate,
                ClientCertificateValidation = (presented, _, _) => presented.Subject == "CN=system:godwit-server",
            });
        }));
        var agent = new FakeAgent(builder.Build());
        agent.web.UseWebSockets();
        agent.web.Run(agent.AnswerAsync);
        await agent.web.StartAsync(TestServer.Stopping);
        return agent;
    }

    public async ValueTask DisposeAsync()
    {
        LogMayEnd.TrySetResult();
        await web.StopAsync(TestServer.Stopping);
        await web.DisposeAsync();
    }

    private async Task AnswerAsync(HttpContext http)
    {
        lock (Requests)
        {
            Requests.Add($"{http.Request.Method} {http.Request.Path}{http.Request.QueryString}");
        }

        switch (http.Request.Path.Value!.Split('/')[^1])
        {
            case "usage":
                await http.Response.WriteAsync(Usage, TestServer.Stopping);
                break;
            case "log":
                await http.Response.WriteAsync("first\n", TestServer.Stopping);
                await http.Response.Body.FlushAsync(TestServer.Stopping);
                await LogMayEnd.Task.WaitAsync(TestServer.Stopping);
                await http.Response.WriteAsync("last\n", TestServer.Stopping);
                break;
            case "console":
                using (var socket = await http.WebSockets.AcceptWebSocketAsync("plain.kubevirt.io"))
                {
                    ConsoleOpened.TrySetResult();
                    await EchoAsync(socket, ConsolesEnd.Task);
                }

                break;
            default:
                if (Refusal is { } refusal)
                {
                    http.Response.StatusCode = refusal.Code;
                    await http.Response.WriteAsync(refusal.Words, TestServer.Stopping);
                }

                break;
        }
    }

    private static async Task EchoAsync(WebSocket socket, Task left)
    {
        var buffer = new byte[1024];
        while (true)
        {
            var receiving = socket.ReceiveAsync(buffer.AsMemory(), TestServer.Stopping).AsTask();
            if (await Task.WhenAny(receiving, left) == left || await receiving is not { MessageType: not WebSocketMessageType.Close } read)
            {
                break;
            }

            await socket.SendAsync(buffer.AsMemory(0, read.Count), read.MessageType, read.EndOfMessage, TestServer.Stopping);
        }

        await socket.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, null, TestServer.Stopping);
    }
}
