using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;

namespace Godwit.ApiBench;

/// <summary>One client: one connection over TLS and HTTP/2, and the requests of the measured sequence.</summary>
internal sealed class LoadClient : IDisposable
{
    private const int PayloadBytes = 256;
    private static readonly string Payload = new('x', PayloadBytes);
    private readonly HttpClient client;

    public LoadClient(string token)
    {
        client = new HttpClient(Handler())
        {
            BaseAddress = ServerProcess.Url,
            DefaultRequestVersion = HttpVersion.Version20,
            DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Timeout = TimeSpan.FromMinutes(5),
        };
        client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token);
        client.DefaultRequestHeaders.UserAgent.ParseAdd("apibench/1");
    }

    public static SocketsHttpHandler Handler()
    {
        var handler = new SocketsHttpHandler { EnableMultipleHttp2Connections = false };
        handler.SslOptions.RemoteCertificateValidationCallback = (_, certificate, _, _) => certificate is not null; // A self-made authority; this is a benchmark on loopback.
        return handler;
    }

    public static string Collection(string ns) => $"/api/v1/namespaces/{ns}/configmaps";

    public Task ConnectAsync(CancellationToken stopping) => SendAsync(HttpMethod.Get, "/version", null, "", stopping);

    public Task MakeNamespaceAsync(string ns, CancellationToken stopping) =>
        SendAsync(HttpMethod.Post, "/api/v1/namespaces", $$$"""{"metadata":{"name":"{{{ns}}}"} }""", "application/json", stopping);

    public Task CreateAsync(string ns, int number, CancellationToken stopping) => SendAsync(HttpMethod.Post, Collection(ns), Body(number, "made"), "application/json", stopping);

    public Task GetAsync(string ns, int number, CancellationToken stopping) => SendAsync(HttpMethod.Get, Item(ns, number), null, "", stopping);

    public Task PutAsync(string ns, int number, CancellationToken stopping) => SendAsync(HttpMethod.Put, Item(ns, number), Body(number, "put"), "application/json", stopping);

    public Task PatchAsync(string ns, int number, CancellationToken stopping) =>
        SendAsync(HttpMethod.Patch, Item(ns, number), """{"metadata":{"labels":{"patched":"yes"}}}""", "application/merge-patch+json", stopping);

    public Task ApplyAsync(string ns, int number, CancellationToken stopping) =>
        SendAsync(HttpMethod.Patch, Item(ns, number) + "?fieldManager=bench&force=true", Body(number, "applied"), "application/apply-patch+yaml", stopping);

    public Task DeleteAsync(string ns, int number, CancellationToken stopping) => SendAsync(HttpMethod.Delete, Item(ns, number), null, "", stopping);

    public Task<HttpResponseMessage> OpenAsync(string path, CancellationToken stopping) => client.GetAsync(path, HttpCompletionOption.ResponseHeadersRead, stopping);

    public Task<string> ReadAsync(string path, CancellationToken stopping) => client.GetStringAsync(path, stopping);

    /// <summary>A whole list, page after page when limited, thrown away as it comes.</summary>
    public async Task ListAsync(string ns, string query, string accept, CancellationToken stopping)
    {
        var next = "";
        do
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, $"{Collection(ns)}?{query}{next}") { Version = HttpVersion.Version20 };
            request.Headers.TryAddWithoutValidation("Accept", accept);
            using var response = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, stopping);
            response.EnsureSuccessStatusCode();
            await using var stream = await response.Content.ReadAsStreamAsync(stopping);
            var head = new byte[512];
            var length = await stream.ReadAtLeastAsync(head, head.Length, throwOnEndOfStream: false, stopping);
            await stream.CopyToAsync(Stream.Null, stopping);
            next = ContinueIn(Encoding.UTF8.GetString(head, 0, length));
        }
        while (next.Length > 0);
    }

    /// <summary>How many objects a list has, of which it asks for the first alone.</summary>
    public async Task<long> CountAsync(string path, CancellationToken stopping)
    {
        using var document = JsonDocument.Parse(await client.GetStringAsync(path, stopping));
        var more = document.RootElement.GetProperty("metadata").TryGetProperty("remainingItemCount", out var remaining) ? remaining.GetInt64() : 0;
        return document.RootElement.GetProperty("items").GetArrayLength() + more;
    }

    public void Dispose() => client.Dispose();

    private static string Item(string ns, int number) => $"{Collection(ns)}/c{number}";

    private static string ContinueIn(string head)
    {
        const string Mark = "\"continue\":\"";
        var start = head.IndexOf(Mark, StringComparison.Ordinal);
        return start < 0 ? "" : "&continue=" + head[(start + Mark.Length)..head.IndexOf('"', start + Mark.Length)];
    }

    private static string Body(int number, string by) =>
        $$$"""{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"c{{{number}}}","labels":{"shard":"{{{number % 100}}}","by":"{{{by}}}"}},"data":{"payload":"{{{Payload}}}"}}""";

    public async Task SendAsync(HttpMethod method, string path, string? body, string type, CancellationToken stopping)
    {
        using var request = new HttpRequestMessage(method, path) { Version = HttpVersion.Version20 };
        if (body is not null)
        {
            request.Content = new StringContent(body);
            request.Content.Headers.ContentType = new MediaTypeHeaderValue(type);
        }

        using var response = await client.SendAsync(request, stopping);
        await response.Content.CopyToAsync(Stream.Null, stopping);
        response.EnsureSuccessStatusCode();
    }
}
