using System.Net;
using System.Net.Http.Headers;
using System.Net.Security;
using System.Net.WebSockets;
using Microsoft.Extensions.Logging;

namespace Godwit.Client;

/// <summary>
/// The transport to a cluster's API: one pool of HTTP/2 connections, several server addresses tried in turn, retries as
/// <see cref="RetryPolicy"/> allows, errors as <see cref="ApiException"/> and <see cref="ClusterUnreachableException"/>.
/// Typed access is <see cref="For{T}"/>. Safe for use from many threads.
/// </summary>
public sealed partial class ClusterClient : IDisposable
{
    private readonly HttpMessageInvoker http;
    private readonly HttpMessageInvoker http11;
    private readonly ILogger logger;
    private int preferredServer;

    public ClusterClient(ClusterConnection connection, TimeProvider clock, ILogger<ClusterClient> logger)
        : this(connection, clock, logger, CreateHandler(connection), CreateHandler(connection))
    {
    }

    /// <param name="connection">Where the cluster is.</param>
    /// <param name="clock">Time for waits.</param>
    /// <param name="logger">Where retries are told.</param>
    /// <param name="transport">What carries requests; disposed with this.</param>
    /// <param name="transport11">What carries those that begin a WebSocket, which HTTP/1.1 does; disposed with this.</param>
    internal ClusterClient(ClusterConnection connection, TimeProvider clock, ILogger<ClusterClient> logger, HttpMessageHandler transport, HttpMessageHandler transport11)
    {
        if (connection.Servers.Count == 0)
        {
            throw new ArgumentException("A connection needs at least one server address.", nameof(connection));
        }

        Connection = connection;
        Clock = clock;
        this.logger = logger;
        http = new HttpMessageInvoker(transport, disposeHandler: true);
        http11 = new HttpMessageInvoker(transport11, disposeHandler: true);
    }

    public ClusterConnection Connection { get; }

    internal TimeProvider Clock { get; }

    /// <summary>Jitter of waits, uniform in [0, 1).</summary>
    internal Func<double> Chance { get; init; } = Random.Shared.NextDouble;

    /// <summary>Typed access to one kind.</summary>
    public ResourceClient<T> For<T>()
        where T : Resource, IResource<T> => new(this);

    /// <summary>
    /// Sends a request and returns the answer when it is a success; its body has not been read. The caller disposes it.
    /// </summary>
    /// <exception cref="ApiException">The server answered with an error.</exception>
    /// <exception cref="ClusterUnreachableException">No server answered.</exception>
    public async Task<HttpResponseMessage> SendAsync(ClusterRequest request, CancellationToken stopping)
    {
        var requestId = Guid.NewGuid().ToString("N");
        for (var attempt = 1; ; attempt++)
        {
            var serverIndex = Volatile.Read(ref preferredServer);
            var (response, failure, error) = await TrySendAsync(request, requestId, serverIndex, stopping);
            if (failure is null)
            {
                return response!;
            }

            if (failure is not RequestFailure.Answered)
            {
                MoveOnFrom(serverIndex);
            }

            if (RetryPolicy.DelayBeforeRetry(request.Method, failure, attempt, Chance()) is not { } delay)
            {
                throw error!;
            }

            Log.Retrying(logger, request.Method, request.Path, requestId, (int)delay.TotalMilliseconds, error!.Message);
            await Task.Delay(delay, Clock, stopping);
        }
    }

    /// <summary>The whole body of a successful answer.</summary>
    /// <exception cref="ApiException">The server answered with an error.</exception>
    /// <exception cref="ClusterUnreachableException">No server answered, or the answer broke off.</exception>
    public async Task<byte[]> SendForBytesAsync(ClusterRequest request, CancellationToken stopping)
    {
        using var response = await SendAsync(request, stopping);
        using var timeout = new CancellationTokenSource(Connection.RequestTimeout, Clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(stopping, timeout.Token);
        try
        {
            return await response.Content.ReadAsByteArrayAsync(either.Token);
        }
        catch (Exception error) when (IsTransportError(error, stopping))
        {
            throw new ClusterUnreachableException($"The answer to {request.Method} {request.Path} broke off", error);
        }
        catch (Exception error) when (error is HttpRequestException or IOException)
        {
            throw GivenUp(request, error, stopping);
        }
    }

    /// <summary>An answer without an end, for example a log that is followed. Ends when the server ends it, or when disposed.</summary>
    public async Task<Stream> OpenStreamAsync(string path, CancellationToken stopping)
    {
        var response = await SendAsync(new ClusterRequest(HttpMethod.Get, path) { Accept = "*/*", IsStream = true }, stopping);
        return await response.Content.ReadAsStreamAsync(stopping);
    }

    /// <summary>A WebSocket, for example to a guest's console.</summary>
    /// <exception cref="ClusterUnreachableException">The server cannot be reached, or refused to open the socket.</exception>
    public async Task<WebSocket> OpenWebSocketAsync(string path, string? subprotocol, CancellationToken stopping)
    {
        var socket = new ClientWebSocket();
        if (subprotocol is not null)
        {
            socket.Options.AddSubProtocol(subprotocol);
        }

        if (Connection.BearerToken?.Invoke() is { } token)
        {
            socket.Options.SetRequestHeader("Authorization", $"Bearer {token}");
        }

        socket.Options.HttpVersion = HttpVersion.Version11;
        socket.Options.CollectHttpResponseDetails = true;
        var server = Connection.Servers[Volatile.Read(ref preferredServer)];
        var uri = new UriBuilder(new Uri(server, path)) { Scheme = server.Scheme == "https" ? "wss" : "ws" }.Uri;
        try
        {
            await socket.ConnectAsync(uri, http11, stopping);
            return socket;
        }
        catch (WebSocketException error)
        {
            var code = (int)socket.HttpStatusCode;
            socket.Dispose();
            throw new ClusterUnreachableException(
                code > 0 ? $"{server} refused the connection to {path} with HTTP {code}" : $"No connection to {path} at {server}",
                (Exception?)ServerTrustException.In(error) ?? error);
        }
    }

    public void Dispose()
    {
        http.Dispose();
        http11.Dispose();
    }

    private static SocketsHttpHandler CreateHandler(ClusterConnection connection) => new()
    {
        SslOptions = connection.CreateTlsOptions(),
        EnableMultipleHttp2Connections = true,
        ConnectTimeout = TimeSpan.FromSeconds(5),
        PooledConnectionIdleTimeout = TimeSpan.FromMinutes(2),
        AutomaticDecompression = DecompressionMethods.GZip,
        // A peer that vanished without a word is noticed within these two together, on watches as well.
        KeepAlivePingDelay = TimeSpan.FromSeconds(15),
        KeepAlivePingTimeout = TimeSpan.FromSeconds(10),
        KeepAlivePingPolicy = HttpKeepAlivePingPolicy.WithActiveRequests,
        AllowAutoRedirect = false, // A redirect would carry our credentials elsewhere.
        UseProxy = false,
    };

    private async Task<(HttpResponseMessage? Response, RequestFailure? Failure, Exception? Error)> TrySendAsync(
        ClusterRequest request, string requestId, int serverIndex, CancellationToken stopping)
    {
        var server = Connection.Servers[serverIndex];
        using var message = CreateMessage(request, requestId, server);
        using var timeout = new CancellationTokenSource(Connection.RequestTimeout, Clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(stopping, timeout.Token);
        HttpResponseMessage response;
        try
        {
            response = await http.SendAsync(message, either.Token);
            if (response.IsSuccessStatusCode)
            {
                return (response, null, null);
            }
        }
        catch (HttpRequestException error) when (!stopping.IsCancellationRequested && ServerTrustException.In(error) is { } distrust)
        {
            return (null, new RequestFailure.Distrusted(), new ClusterUnreachableException($"{request.Method} {request.Path} was not sent to the API server {server}", distrust));
        }
        catch (HttpRequestException error) when (!stopping.IsCancellationRequested)
        {
            RequestFailure failure = error.HttpRequestError is HttpRequestError.ConnectionError or HttpRequestError.NameResolutionError
                ? new RequestFailure.NotSent()
                : new RequestFailure.Broken();
            return (null, failure, new ClusterUnreachableException($"{request.Method} {request.Path}: the API server {server} cannot be reached", error));
        }
        catch (HttpRequestException error)
        {
            throw GivenUp(request, error, stopping);
        }
        catch (OperationCanceledException error) when (!stopping.IsCancellationRequested)
        {
            var waited = $"{request.Method} {request.Path}: no answer from the API server {server} within {Connection.RequestTimeout.TotalSeconds:0.#} s";
            return (null, new RequestFailure.Broken(), new ClusterUnreachableException(waited, error));
        }

        using (response)
        {
            var error = await ApiException.ReadAsync(request, requestId, response, either.Token);
            return (null, new RequestFailure.Answered(response.StatusCode, error.RetryAfter), error);
        }
    }

    private HttpRequestMessage CreateMessage(ClusterRequest request, string requestId, Uri server)
    {
        var message = new HttpRequestMessage(request.Method, new Uri(server, request.Path))
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionOrLower,
        };
        message.Headers.Accept.ParseAdd(request.Accept);
        message.Headers.UserAgent.ParseAdd("godwit");
        message.Headers.Add("X-Request-Id", requestId);
        if (Connection.BearerToken?.Invoke() is { Length: > 0 } token)
        {
            message.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        }

        if (request.ContentType is not null)
        {
            message.Content = new ReadOnlyMemoryContent(request.Body);
            message.Content.Headers.ContentType = new MediaTypeHeaderValue(request.ContentType);
        }

        return message;
    }

    private void MoveOnFrom(int serverIndex) =>
        Interlocked.CompareExchange(ref preferredServer, (serverIndex + 1) % Connection.Servers.Count, serverIndex);

    /// <summary>The connection broke when nobody waited for the answer any more: to whoever gave it up, that it was given up is all that there is to tell.</summary>
    private static OperationCanceledException GivenUp(ClusterRequest request, Exception error, CancellationToken stopping) =>
        new($"{request.Method} {request.Path} was given up", error, stopping);

    internal static bool IsTransportError(Exception error, CancellationToken stopping) =>
        !stopping.IsCancellationRequested && error is HttpRequestException or IOException or OperationCanceledException;

    private static partial class Log
    {
        [LoggerMessage(1, LogLevel.Debug, "{Method} {Path} (request {RequestId}) is sent again in {DelayMs} ms: {Cause}")]
        public static partial void Retrying(ILogger logger, HttpMethod method, string path, string requestId, int delayMs, string cause);
    }
}

/// <summary>No server of the cluster answered; whether a write took effect is not known.</summary>
public sealed class ClusterUnreachableException(string message, Exception cause) : Exception(message, cause);
