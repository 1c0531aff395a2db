using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Text;

namespace Godwit.ApiBench;

/// <summary>
/// The measured sequence: the same objects (config maps of 256 bytes), numbers of clients and closed loops as those of
/// the reference. Each client has its own TLS and HTTP/2 connection, and has connected before the clock starts.
/// The reference numbers are kube-apiserver 1.32 with etcd 3.5 on the same kind of machine: the better of two samples.
/// </summary>
internal sealed class Sequence(Uri url, string token, int serverPid)
{
    private const string Namespace = "bench";
    private readonly List<string> rows = [];

    public static async Task UntilReadyAsync(Uri url, CancellationToken stopping)
    {
        using var client = new HttpClient(Handler()) { BaseAddress = url };
        for (var attempt = 0; attempt < 3000; attempt++)
        {
            try
            {
                using var response = await client.GetAsync("/readyz", stopping);
                if (response.IsSuccessStatusCode)
                {
                    return;
                }
            }
            catch (HttpRequestException)
            {
                // Not listening yet: that is what is being measured.
            }

            await Task.Delay(TimeSpan.FromMilliseconds(5), TimeProvider.System, stopping);
        }

        throw new TimeoutException("The server did not become ready.");
    }

    public void Report(string what, double value, double reference, bool lowerIsBetter = false)
    {
        var ratio = lowerIsBetter ? reference / value : value / reference;
        var row = string.Create(CultureInfo.InvariantCulture, $"| {what} | {value:0.#} | {reference:0.#} | {ratio:0.0}x |");
        rows.Add(row);
        Console.WriteLine(row);
    }

    public async Task RunAsync(CancellationToken stopping)
    {
        Console.WriteLine("| operation | here | reference | better by |\n|---|---|---|---|");
        ReportMemory("resident memory at start, MB", 384);
        await PostAsync("/api/v1/namespaces", $$$"""{"metadata":{"name":"{{{Namespace}}}"} }""", stopping);
        await LoopAsync("create, 1 client, per s", 1, 1000, 289, (client, number) => CreateAsync(client, $"one{number}", stopping), stopping);
        await LoopAsync("create, 16 clients, per s", 16, 10_000, 635, (client, number) => CreateAsync(client, $"a{number}", stopping), stopping);
        await LoopAsync("get, 1 client, per s", 1, 3000, 404, (client, number) => GetAsync(client, Path($"a{number % 10_000}"), stopping), stopping);
        await LoopAsync("get, 16 clients, per s", 16, 20_000, 810, (client, number) => GetAsync(client, Path($"a{number % 10_000}"), stopping), stopping);
        await LoopAsync("merge patch, 16 clients, per s", 16, 5000, 491, (client, number) => PatchAsync(client, $"a{number}", stopping), stopping);
        await LoopAsync("put, 16 clients, per s", 16, 5000, 463, (client, number) => PutAsync(client, $"a{number}", stopping), stopping);
        await ListAsync("list 11k, whole, ms", $"/api/v1/namespaces/{Namespace}/configmaps", 143, stopping);
        await ListAsync("list 11k, label matching 1 %, ms", $"/api/v1/namespaces/{Namespace}/configmaps?labelSelector=shard%3D7", 47, stopping);
        await PagesAsync("list 11k, pages of 500, ms", "application/json", 629, stopping);
        await PagesAsync("list 11k, Table, pages of 500, ms", "application/json;as=Table;v=v1;g=meta.k8s.io", 567, stopping);
        await WatchAsync(100, 200, 20_000, stopping);
        await WatchAsync(1000, 100, 48_400, stopping);
        await LoopAsync("delete, 16 clients, per s", 16, 5000, 617, (client, number) => DeleteAsync(client, $"a{number}", stopping), stopping);
        ReportMemory("resident memory after all, MB", 654);
    }

    private static string Path(string name) => $"/api/v1/namespaces/{Namespace}/configmaps/{name}";

    private static SocketsHttpHandler Handler()
    {
        var handler = new SocketsHttpHandler { EnableMultipleHttp2Connections = false };
        handler.SslOptions.RemoteCertificateValidationCallback = (_, certificate, _, _) => certificate is not null; // A self-made authority; this is a benchmark on loopback.
        return handler;
    }

    private HttpClient NewClient()
    {
        var client = new HttpClient(Handler())
        {
            BaseAddress = url,
            DefaultRequestVersion = HttpVersion.Version20,
            DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Timeout = TimeSpan.FromMinutes(2),
        };
        client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token);
        return client;
    }

    private async Task LoopAsync(string what, int clients, int count, double reference, Func<HttpClient, int, Task> send, CancellationToken stopping)
    {
        var next = -1;
        var all = Enumerable.Range(0, clients).Select(_ => NewClient()).ToList();
        await Task.WhenAll(all.Select(client => client.GetAsync("/version", stopping)));
        var latencies = new double[count];
        var started = Stopwatch.GetTimestamp();
        await Task.WhenAll(all.Select(async client =>
        {
            while (Interlocked.Increment(ref next) is var number && number < count)
            {
                var sent = Stopwatch.GetTimestamp();
                await send(client, number);
                latencies[number] = Stopwatch.GetElapsedTime(sent).TotalMilliseconds;
            }
        }));
        var elapsed = Stopwatch.GetElapsedTime(started);
        all.ForEach(client => client.Dispose());
        Array.Sort(latencies);
        Report(string.Create(CultureInfo.InvariantCulture, $"{what} (p50 {latencies[count / 2]:0.0}, p99 {latencies[count * 99 / 100]:0.0} ms)"), count / elapsed.TotalSeconds, reference);
    }

    private async Task ListAsync(string what, string path, double reference, CancellationToken stopping)
    {
        using var client = NewClient();
        var times = new List<double>();
        for (var round = 0; round < 10; round++)
        {
            var sent = Stopwatch.GetTimestamp();
            await GetAsync(client, path, stopping);
            times.Add(Stopwatch.GetElapsedTime(sent).TotalMilliseconds);
        }

        times.Sort();
        Report(what, times[times.Count / 2], reference, lowerIsBetter: true);
    }

    private async Task PagesAsync(string what, string accept, double reference, CancellationToken stopping)
    {
        using var client = NewClient();
        var times = new List<double>();
        for (var round = 0; round < 5; round++)
        {
            var sent = Stopwatch.GetTimestamp();
            var next = "";
            do
            {
                using var request = new HttpRequestMessage(HttpMethod.Get, $"/api/v1/namespaces/{Namespace}/configmaps?limit=500{next}") { Version = HttpVersion.Version20 };
                request.Headers.TryAddWithoutValidation("Accept", accept);
                using var response = await client.SendAsync(request, stopping);
                var head = Encoding.UTF8.GetString((await response.Content.ReadAsByteArrayAsync(stopping)).AsSpan(0, 500));
                var start = head.IndexOf("\"continue\":\"", StringComparison.Ordinal);
                next = start < 0 ? "" : "&continue=" + head[(start + 12)..head.IndexOf('"', start + 12)];
            }
            while (next.Length > 0);
            times.Add(Stopwatch.GetElapsedTime(sent).TotalMilliseconds);
        }

        times.Sort();
        Report(what, times[times.Count / 2], reference, lowerIsBetter: true);
    }

    private async Task WatchAsync(int watchers, int writesPerSecond, double reference, CancellationToken stopping)
    {
        const int WatchesPerConnection = 50;
        const int Seconds = 5;
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        var run = new WatchRun();
        var clients = Enumerable.Range(0, (watchers + WatchesPerConnection - 1) / WatchesPerConnection).Select(_ => NewClient()).ToList();
        var readers = Enumerable.Range(0, watchers).Select(number => run.FollowAsync(clients[number / WatchesPerConnection], $"/api/v1/namespaces/{Namespace}/configmaps?watch=1&resourceVersion=", ending.Token)).ToList();
        await run.UntilOpenAsync(watchers, stopping);
        using var writer = NewClient();
        var written = 0;
        var started = Stopwatch.GetTimestamp();
        while (Stopwatch.GetElapsedTime(started).TotalSeconds < Seconds)
        {
            var due = (int)(Stopwatch.GetElapsedTime(started).TotalSeconds * writesPerSecond);
            for (; written < due; written++)
            {
                await CreateAsync(writer, $"w{watchers}x{written}", stopping);
            }

            await Task.Delay(TimeSpan.FromMilliseconds(1), TimeProvider.System, stopping);
        }

        await run.UntilDeliveredAsync((long)written * watchers, stopping);
        var elapsed = Stopwatch.GetElapsedTime(started);
        Report(string.Create(CultureInfo.InvariantCulture, $"watch events per s, {watchers} watchers x {written / elapsed.TotalSeconds:0} writes/s"), run.Delivered / elapsed.TotalSeconds, reference);
        await ending.CancelAsync();
        await Task.WhenAll(readers);
        clients.ForEach(client => client.Dispose());
    }

    private void ReportMemory(string what, double reference)
    {
        if (serverPid > 0)
        {
            using var process = Process.GetProcessById(serverPid);
            Report(what, process.WorkingSet64 / 1e6, reference, lowerIsBetter: true);
        }
    }

    private async Task PostAsync(string path, string body, CancellationToken stopping)
    {
        using var client = NewClient();
        using var response = await client.PostAsync(path, Json(body), stopping);
    }

    private static async Task CreateAsync(HttpClient client, string name, CancellationToken stopping)
    {
        using var response = await client.PostAsync($"/api/v1/namespaces/{Namespace}/configmaps", Json(Body(name)), stopping);
        response.EnsureSuccessStatusCode();
    }

    private static async Task PutAsync(HttpClient client, string name, CancellationToken stopping)
    {
        using var response = await client.PutAsync(Path(name), Json(Body(name, "put")), stopping);
        response.EnsureSuccessStatusCode();
    }

    private static async Task PatchAsync(HttpClient client, string name, CancellationToken stopping)
    {
        using var content = Json("""{"metadata":{"labels":{"patched":"yes"}}}""");
        content.Headers.ContentType = new MediaTypeHeaderValue("application/merge-patch+json");
        using var response = await client.PatchAsync(Path(name), content, stopping);
        response.EnsureSuccessStatusCode();
    }

    private static async Task DeleteAsync(HttpClient client, string name, CancellationToken stopping)
    {
        using var response = await client.DeleteAsync(Path(name), stopping);
        response.EnsureSuccessStatusCode();
    }

    private static async Task GetAsync(HttpClient client, string path, CancellationToken stopping)
    {
        using var response = await client.GetAsync(path, stopping);
        response.EnsureSuccessStatusCode();
        await response.Content.CopyToAsync(Stream.Null, stopping);
    }

    private static string Body(string name, string label = "made")
    {
        var shard = (uint)name.GetHashCode(StringComparison.Ordinal) % 100;
        return $$$"""{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"{{{name}}}","labels":{"shard":"{{{shard}}}","by":"{{{label}}}"}},"data":{"payload":"{{{new string('x', 256)}}}"}}""";
    }

    private static StringContent Json(string body) => new(body, Encoding.UTF8, "application/json");
}
