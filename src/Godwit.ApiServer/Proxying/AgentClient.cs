using System.Collections.Concurrent;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Net.WebSockets;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using Godwit.ApiServer.Security;

namespace Godwit.ApiServer.Proxying;

/// <summary>
/// The server as a client of the nodes' agents. An agent is known by its certificate's subject, not by its address: a
/// request goes to <c>http://NODE/…</c>, and the connection below it is TLS to the node's endpoint, refused unless the
/// other end is <c>system:node:NAME</c>. So connections are pooled by node, whatever becomes of addresses.
/// </summary>
internal sealed class AgentClient : IDisposable
{
    /// <summary>Names the protocols above SPDY, in a request those that are spoken and in an answer the one that was chosen.</summary>
    public const string StreamProtocolHeader = "X-Stream-Protocol-Version";

    private static readonly TimeSpan ConnectTimeout = TimeSpan.FromSeconds(10);

    private readonly CertificateAuthority authority;
    private readonly X509Certificate2 certificate;
    private readonly ConcurrentDictionary<string, DnsEndPoint> endpoints = new(StringComparer.Ordinal);
    private readonly SocketsHttpHandler handler;
    private readonly HttpMessageInvoker invoker;

    public AgentClient(CertificateAuthority authority, X509Certificate2 certificate)
    {
        this.authority = authority;
        this.certificate = certificate;
        handler = new SocketsHttpHandler
        {
            ConnectCallback = ConnectAsync,
            ConnectTimeout = ConnectTimeout,
            AllowAutoRedirect = false,
            UseCookies = false,
            UseProxy = false,
            PooledConnectionIdleTimeout = TimeSpan.FromSeconds(30),
        };
        invoker = new HttpMessageInvoker(handler, disposeHandler: false);
    }

    /// <summary>Sends a request to an agent; the answer's body has not been read.</summary>
    /// <exception cref="HttpRequestException">The agent cannot be reached, or is not the node's.</exception>
    public Task<HttpResponseMessage> SendAsync(AgentAddress agent, HttpMethod method, string pathAndQuery, CancellationToken stopping)
    {
        endpoints[agent.Node] = agent.Endpoint;
        return invoker.SendAsync(new HttpRequestMessage(method, new Uri($"http://{agent.Node}{pathAndQuery}")), stopping);
    }

    /// <summary>Asks an agent to make the connection one of SPDY/3.1. With 101 the answer's body is the connection, both ways.</summary>
    /// <param name="agent">The agent.</param>
    /// <param name="pathAndQuery">What is asked for.</param>
    /// <param name="protocols">The protocols that the client would speak above SPDY.</param>
    /// <param name="stopping">Ends the request.</param>
    /// <exception cref="HttpRequestException">The agent cannot be reached, or is not the node's.</exception>
    public Task<HttpResponseMessage> UpgradeAsync(AgentAddress agent, string pathAndQuery, IEnumerable<string> protocols, CancellationToken stopping)
    {
        endpoints[agent.Node] = agent.Endpoint;
        var request = new HttpRequestMessage(HttpMethod.Get, new Uri($"http://{agent.Node}{pathAndQuery}")) { Version = HttpVersion.Version11 };
        request.Headers.Connection.Add("Upgrade");
        request.Headers.Upgrade.ParseAdd("SPDY/3.1");
        request.Headers.Add(StreamProtocolHeader, protocols);
        return invoker.SendAsync(request, stopping);
    }

    /// <summary>Opens a WebSocket to an agent.</summary>
    /// <exception cref="WebSocketException">The agent cannot be reached, is not the node's, or refuses.</exception>
    public async Task<WebSocket> OpenAsync(AgentAddress agent, string pathAndQuery, string subprotocol, CancellationToken stopping)
    {
        endpoints[agent.Node] = agent.Endpoint;
        var socket = new ClientWebSocket();
        try
        {
            socket.Options.AddSubProtocol(subprotocol);
            socket.Options.CollectHttpResponseDetails = true;
            await socket.ConnectAsync(new Uri($"ws://{agent.Node}{pathAndQuery}"), invoker, stopping);
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    public void Dispose()
    {
        invoker.Dispose();
        handler.Dispose();
    }

    private async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, CancellationToken stopping)
    {
        var node = context.DnsEndPoint.Host;
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(endpoints[node], stopping);
            var stream = new SslStream(new NetworkStream(socket, ownsSocket: true));
            await stream.AuthenticateAsClientAsync(
                new SslClientAuthenticationOptions
                {
                    TargetHost = node,
                    ClientCertificates = [certificate],
                    EnabledSslProtocols = SslProtocols.Tls13 | SslProtocols.Tls12,
                    RemoteCertificateValidationCallback = (_, presented, _, _) => presented is X509Certificate2 shown && IsNode(shown, node),
                },
                stopping);
            return stream;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private bool IsNode(X509Certificate2 presented, string node) =>
        authority.Vouches(presented, CertificateAuthority.ServerAuth) && CertificateSubject.Read(presented) is { } subject
        && subject.NodeName == node;
}

/// <summary>Where a node's agent listens, from the annotation on its Node.</summary>
internal readonly record struct AgentAddress(string Node, DnsEndPoint Endpoint);
