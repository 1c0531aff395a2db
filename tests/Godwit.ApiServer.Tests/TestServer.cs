using System.Net;
using System.Net.Http.Headers;
using System.Net.Security;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json.Nodes;
using Godwit.Api.Machinery;
using Godwit.Store;
using Godwit.Store.Caching;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Godwit.ApiServer.Tests;

/// <summary>A real server on a loopback port, over TLS, with a client of each kind of user.</summary>
public sealed class TestServer : IAsyncDisposable
{
    private readonly ApiServerOptions options;
    private readonly List<HttpClient> clients = [];

    private TestServer(ApiServerHost host, ApiServerOptions options)
    {
        Host = host;
        this.options = options;
        Admin = Client("admin");
    }

    public ApiServerHost Host { get; private set; }

    public IRevisionStore Store => options.Store;

    /// <summary>A member of system:masters.</summary>
    public HttpClient Admin { get; private set; }

    public static CancellationToken Stopping => TestContext.Current.CancellationToken;

    public static async Task<TestServer> StartAsync(ResourceRegistry? registry = null, IRevisionStore? store = null, TimeProvider? clock = null, bool sharesStore = false, Auditing.AuditLogOptions? audit = null, ILoggerFactory? loggers = null)
    {
        var data = Directory.CreateTempSubdirectory($"godwit-server-{Environment.ProcessId}-").FullName;
        var chosen = new ApiServerOptions
        {
            DataFolder = data,
            Store = store ?? new CachingRevisionStore(new MemoryRevisionStore(), new CacheOptions()),
            Registry = registry ?? TestKinds.Registry,
            Listen = [new IPEndPoint(IPAddress.Loopback, 0)],
            Loggers = loggers ?? NullLoggerFactory.Instance,
            Clock = clock ?? TimeProvider.System,
            SharesStore = sharesStore,
            Audit = audit,
        };
        return new TestServer(await ApiServerHost.StartAsync(chosen, Stopping), chosen);
    }

    /// <summary>Another server over the same store, with a copy of the keys.</summary>
    public async Task<TestServer> BesideAsync()
    {
        var data = Directory.CreateTempSubdirectory($"godwit-server-{Environment.ProcessId}-").FullName;
        var (from, to) = (Path.Combine(options.DataFolder, "pki"), Path.Combine(data, "pki"));
        Directory.CreateDirectory(to);
        foreach (var file in Directory.GetFiles(from))
        {
            File.Copy(file, Path.Combine(to, Path.GetFileName(file)));
        }

        var beside = options with { DataFolder = data };
        return new TestServer(await ApiServerHost.StartAsync(beside, Stopping), beside);
    }

    /// <summary>Stops the server and starts one over the same data and store.</summary>
    public async Task RestartAsync()
    {
        await Host.DisposeAsync();
        Host = await ApiServerHost.StartAsync(options, Stopping);
        Admin = Client("admin");
    }

    /// <summary>A certificate, with its key, from the server's pki folder.</summary>
    public X509Certificate2 CertificateOf(string file)
    {
        var path = Path.Combine(options.DataFolder, "pki", file);
        return X509Certificate2.CreateFromPemFile(path + ".crt", path + ".key");
    }

    public HttpClient Client(string? certificateFile, string? token = null) => MakeClient(certificateFile is null ? null : CertificateOf(certificateFile), token);

    public HttpClient Client(X509Certificate2 certificate) => MakeClient(certificate, null);

    public HttpClient ClientWith(X509Certificate2 certificate, string token) => MakeClient(certificate, token);

    private HttpClient MakeClient(X509Certificate2? certificate, string? token)
    {
        var handler = new SocketsHttpHandler { AutomaticDecompression = DecompressionMethods.GZip };
        handler.SslOptions.RemoteCertificateValidationCallback = IsOfAuthority;
        if (certificate is not null)
        {
            handler.SslOptions.ClientCertificateContext = SslStreamCertificateContext.Create(certificate, null, offline: true);
        }

        var client = new HttpClient(handler)
        {
            BaseAddress = Host.Url,
            DefaultRequestVersion = HttpVersion.Version20,
            Timeout = TimeSpan.FromSeconds(60),
        };
        if (token is not null)
        {
            client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token);
        }

        clients.Add(client);
        return client;
    }

    public async Task<(HttpStatusCode Code, JsonObject Body)> SendAsync(HttpMethod method, string path, string? body = null, string type = "application/json", HttpClient? client = null)
    {
        using var request = new HttpRequestMessage(method, path) { Version = HttpVersion.Version20 };
        if (body is not null)
        {
            request.Content = new ByteArrayContent(Encoding.UTF8.GetBytes(body));
            request.Content.Headers.TryAddWithoutValidation("Content-Type", type);
        }

        using var response = await (client ?? Admin).SendAsync(request, Stopping);
        var text = await response.Content.ReadAsStringAsync(Stopping);
        return (response.StatusCode, JsonNode.Parse(text)!.AsObject());
    }

    public Task<(HttpStatusCode Code, JsonObject Body)> GetAsync(string path) => SendAsync(HttpMethod.Get, path);

    public Task<(HttpStatusCode Code, JsonObject Body)> PostAsync(string path, string body) => SendAsync(HttpMethod.Post, path, body);

    /// <summary>Opens a watch and yields its events as they come.</summary>
    public async Task<WatchReader> WatchAsync(string path, HttpClient? client = null, string accept = "application/json")
    {
        var request = new HttpRequestMessage(HttpMethod.Get, path) { Version = HttpVersion.Version20 };
        request.Headers.TryAddWithoutValidation("Accept", accept);
        var response = await (client ?? Admin).SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Stopping);
        return new WatchReader(response, new StreamReader(await response.Content.ReadAsStreamAsync(Stopping)));
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var client in clients)
        {
            client.Dispose();
        }

        await Host.DisposeAsync();
        await Store.DisposeAsync();
        Directory.Delete(options.DataFolder, recursive: true);
    }

    internal bool IsOfAuthority(object sender, X509Certificate? certificate, X509Chain? chain, SslPolicyErrors errors)
    {
        using var own = new X509Chain();
        own.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        own.ChainPolicy.CustomTrustStore.Add(X509Certificate2.CreateFromPem(Host.AuthorityPem));
        own.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        return !errors.HasFlag(SslPolicyErrors.RemoteCertificateNameMismatch) && own.Build((X509Certificate2)certificate!);
    }
}

/// <summary>The events of one watch.</summary>
public sealed class WatchReader(HttpResponseMessage response, StreamReader lines) : IDisposable
{
    public HttpStatusCode Code => response.StatusCode;

    /// <summary>The next event; null when the server ended the watch.</summary>
    public async Task<(string Type, JsonObject Object)?> NextAsync()
    {
        var line = await lines.ReadLineAsync(TestContext.Current.CancellationToken).AsTask().WaitAsync(TimeSpan.FromMinutes(2), TimeProvider.System);
        if (line is null)
        {
            return null;
        }

        var parsed = JsonNode.Parse(line)!;
        return (parsed["type"]!.GetValue<string>(), parsed["object"]!.AsObject());
    }

    public void Dispose()
    {
        lines.Dispose();
        response.Dispose();
    }
}
