using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Text;
using Microsoft.Extensions.Logging;

namespace Godwit.ApiServer.Tests;

/// <summary>After each of these the server still serves: that is checked every time.</summary>
public sealed class HostileInputTests
{
    private const string ConfigMaps = "/api/v1/namespaces/default/configmaps";

    [Theory]
    [InlineData("not json")]
    [InlineData("")]
    [InlineData("[]")]
    [InlineData("null")]
    [InlineData("{\"metadata\":{\"name\":\"a\"}} trailing")]
    [InlineData("{\"metadata\":{\"name\":\"a\"}")]
    [InlineData("{\"metadata\":[]}")]
    [InlineData("{\"metadata\":{\"name\":7}}")]
    [InlineData("{\"metadata\":{\"name\":\"\\ud800\"}}")]
    [InlineData("{\"metadata\":{\"name\":\"a\"},\"data\":{\"k\":1e999}}")]
    [InlineData("{\"apiVersion\":\"v2\",\"metadata\":{\"name\":\"a\"}}")]
    [InlineData("{\"kind\":\"Secret\",\"metadata\":{\"name\":\"a\"}}")]
    [InlineData("{\"metadata\":{\"name\":\"a\",\"namespace\":\"kube-system\"}}")]
    [InlineData("{\"metadata\":{\"name\":\"a\",\"resourceVersion\":\"7\"}}")]
    public async Task A_body_that_is_no_object_of_the_kind_is_a_bad_request(string body)
    {
        await using var server = await TestServer.StartAsync();
        var (code, status) = await server.PostAsync(ConfigMaps, body);
        Assert.True(code == HttpStatusCode.BadRequest, status.ToJsonString());
        await AssertServesAsync(server);
    }

    [Theory]
    [InlineData("{\"metadata\":{}}")]
    [InlineData("{\"metadata\":{\"name\":\"../../etc/passwd\"}}")]
    [InlineData("{\"metadata\":{\"name\":\"..\"}}")]
    [InlineData("{\"metadata\":{\"name\":\"a/b\"}}")]
    [InlineData("{\"metadata\":{\"name\":\"A\"}}")]
    [InlineData("{\"metadata\":{\"name\":\"a\\u0000\"}}")]
    [InlineData("{\"metadata\":{\"name\":\"a\",\"labels\":{\"../x\":\"y\"}}}")]
    [InlineData("{\"metadata\":{\"name\":\"a\",\"labels\":{\"x\":1}}}")]
    [InlineData("{\"metadata\":{\"name\":\"a\",\"finalizers\":[\"hold\"]}}")]
    [InlineData("{\"metadata\":{\"name\":\"a\",\"ownerReferences\":[{}]}}")]
    [InlineData("{\"metadata\":{\"name\":\"a\"},\"data\":{\"../k\":\"v\"}}")]
    public async Task An_object_that_breaks_a_rule_is_invalid(string body)
    {
        await using var server = await TestServer.StartAsync();
        var (code, status) = await server.PostAsync(ConfigMaps, body);
        Assert.True(code == HttpStatusCode.UnprocessableEntity, status.ToJsonString());
        Assert.NotEmpty(status["details"]!["causes"]!.AsArray());
        await AssertServesAsync(server);
    }

    [Fact]
    public async Task Deep_nesting_and_too_many_values_are_refused()
    {
        await using var server = await TestServer.StartAsync();
        var deep = string.Concat(Enumerable.Repeat("{\"a\":", 100_000)) + "1" + new string('}', 100_000);
        Assert.Equal(HttpStatusCode.BadRequest, (await server.PostAsync(ConfigMaps, deep)).Code);
        var many = "{\"metadata\":{\"name\":\"a\"},\"x\":[" + string.Join(',', Enumerable.Repeat("0", 300_000)) + "]}";
        Assert.Equal(HttpStatusCode.BadRequest, (await server.PostAsync(ConfigMaps, many)).Code);
        var yaml = string.Concat(Enumerable.Repeat("[", 5000));
        Assert.Equal(HttpStatusCode.BadRequest, (await server.SendAsync(HttpMethod.Post, ConfigMaps, yaml, "application/yaml")).Code);
        await AssertServesAsync(server);
    }

    [Fact]
    public async Task A_YAML_bomb_is_refused()
    {
        await using var server = await TestServer.StartAsync();
        const string Bomb = "a: &a [x,x,x]\nb: &b [*a,*a,*a]\nc: &c [*b,*b,*b]\nmetadata: {name: a}\n";
        var (code, status) = await server.SendAsync(HttpMethod.Post, ConfigMaps, Bomb, "application/yaml");
        Assert.Equal(HttpStatusCode.BadRequest, code);
        Assert.Contains("alias", (string)status["message"]!, StringComparison.Ordinal);
        await AssertServesAsync(server);
    }

    [Fact]
    public async Task A_body_of_ten_megabytes_is_too_large()
    {
        await using var server = await TestServer.StartAsync();
        var (code, status) = await server.PostAsync(ConfigMaps, new string('x', 10 * 1024 * 1024));
        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, code);
        Assert.Equal("RequestEntityTooLarge", (string?)status["reason"]);
        await AssertServesAsync(server);
    }

    [Theory]
    [InlineData("application/cbor")]
    [InlineData("application/xml")]
    [InlineData("multipart/form-data; boundary=x")]
    public async Task A_media_type_that_is_not_served_is_answered_with_those_that_are(string type)
    {
        await using var server = await TestServer.StartAsync();
        var (code, status) = await server.SendAsync(HttpMethod.Post, ConfigMaps, "{}", type);
        Assert.Equal(HttpStatusCode.UnsupportedMediaType, code);
        Assert.Contains("application/json", (string)status["message"]!, StringComparison.Ordinal);
        using var request = new HttpRequestMessage(HttpMethod.Get, ConfigMaps);
        request.Headers.TryAddWithoutValidation("Accept", type.Split(';')[0]);
        using var response = await server.Admin.SendAsync(request, TestServer.Stopping);
        Assert.Equal(HttpStatusCode.NotAcceptable, response.StatusCode);
        await AssertServesAsync(server);
    }

    [Theory]
    [InlineData("GET /api/v1/namespaces/default/configmaps/../../../../etc/passwd HTTP/1.1", "400")]
    [InlineData("GET /api/v1/namespaces/default/configmaps/%2e%2e HTTP/1.1", "400")]
    [InlineData("GET /api/v1/namespaces/default/configmaps/%2e%2e%2fa HTTP/1.1", "400")]
    [InlineData("GET /api/v1/namespaces/default/configmaps/a%2fb HTTP/1.1", "400")]
    [InlineData("GET /api/v1/namespaces/default/configmaps/a%00b HTTP/1.1", "400")]
    [InlineData("GET /api/v1/namespaces/default/configmaps/a%5cb HTTP/1.1", "400")]
    [InlineData("GET //api//v1//namespaces HTTP/1.1", "200")]
    [InlineData("BREW /api/v1/namespaces/default/configmaps/a HTTP/1.1", "405")]
    [InlineData("GET / HTTP/9.9", "505")]
    [InlineData("nonsense", "400")]
    public async Task A_request_line_that_is_odd_is_answered_by_its_code(string requestLine, string expected)
    {
        await using var server = await TestServer.StartAsync();
        await using var connection = await ConnectAsync(server);
        await connection.WriteAsync(Encoding.ASCII.GetBytes(requestLine + "\r\nHost: x\r\nConnection: close\r\n\r\n"), TestServer.Stopping);
        using var reader = new StreamReader(connection);
        var line = await reader.ReadLineAsync(TestServer.Stopping);
        Assert.Equal(expected, line?.Split(' ')[1]);
        await AssertServesAsync(server);
    }

    [Fact]
    public async Task A_flood_of_headers_is_cut_off()
    {
        await using var server = await TestServer.StartAsync();
        await using var connection = await ConnectAsync(server);
        await connection.WriteAsync("GET /version HTTP/1.1\r\nHost: x\r\n"u8.ToArray(), TestServer.Stopping);
        var answered = "";
        try
        {
            for (var number = 0; number < 10_000; number++)
            {
                await connection.WriteAsync(Encoding.ASCII.GetBytes($"X-Header-{number}: {new string('x', 100)}\r\n"), TestServer.Stopping);
            }

            using var reader = new StreamReader(connection);
            answered = await reader.ReadLineAsync(TestServer.Stopping) ?? "";
        }
        catch (IOException)
        {
            // The server closed the connection before it had all of it: just as well.
        }

        Assert.True(answered.Length == 0 || answered.Contains("431", StringComparison.Ordinal), answered);
        await AssertServesAsync(server);
    }

    [Fact]
    public async Task A_client_that_runs_wild_is_told_to_come_back()
    {
        var store = new StoppedStore();
        await using var server = await TestServer.StartAsync(store: store);
        store.Stop();
        var requests = Enumerable.Range(0, 300).Select(_ => server.SendAsync(HttpMethod.Get, ConfigMaps + "/a")).ToList();
        // All have come, and none but those that are held has room: only then may the held ones go and make room.
        await foreach (var refused in Task.WhenEach(requests).Take(44))
        {
            Assert.Equal(HttpStatusCode.TooManyRequests, (await refused).Code);
        }

        store.Go();
        var codes = (await Task.WhenAll(requests)).CountBy(answer => answer.Code).ToDictionary();
        Assert.Equal(256, codes[HttpStatusCode.NotFound]);
        Assert.Equal(44, codes[HttpStatusCode.TooManyRequests]);
    }

    [Fact]
    public async Task A_fault_in_the_server_is_a_500_that_tells_nothing_of_its_inside()
    {
        var store = new StoppedStore { Fault = new InvalidOperationException("the secret inside") };
        await using var server = await TestServer.StartAsync(store: store);
        store.Break();
        var (code, status) = await server.GetAsync(ConfigMaps + "/a");
        Assert.Equal(HttpStatusCode.InternalServerError, code);
        Assert.DoesNotContain("secret", status.ToJsonString(), StringComparison.Ordinal);
        store.Mend();
        await AssertServesAsync(server);
    }

    [Fact]
    public async Task The_log_says_under_the_answers_id_what_the_answer_keeps_to_itself()
    {
        var store = new StoppedStore { Fault = new InvalidOperationException("the secret inside") };
        using var log = new CapturedLog();
        using var loggers = LoggerFactory.Create(builder => builder.AddProvider(log));
        await using var server = await TestServer.StartAsync(store: store, loggers: loggers);
        store.Break();
        using var answer = await server.Admin.GetAsync(new Uri(ConfigMaps + "/a", UriKind.Relative), TestServer.Stopping);
        store.Mend();

        var id = Assert.Single(answer.Headers.GetValues("Audit-Id"));
        var line = Assert.Single(log.Lines, line => line.Values.GetValueOrDefault("RequestId") as string == id);
        Assert.Equal((LogLevel.Error, "GET", ConfigMaps + "/a", "the secret inside"), (line.Level, line.Values["Method"], line.Values["Path"]?.ToString(), line.Error?.Message));
    }

    /// <summary>What is logged, with the values that a line is made of.</summary>
    private sealed class CapturedLog : ILoggerProvider, ILogger
    {
        private readonly System.Collections.Concurrent.ConcurrentQueue<(LogLevel Level, Dictionary<string, object?> Values, Exception? Error)> lines = new();

        public IReadOnlyCollection<(LogLevel Level, Dictionary<string, object?> Values, Exception? Error)> Lines => lines;

        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            lines.Enqueue((logLevel, (state as IEnumerable<KeyValuePair<string, object?>>)?.GroupBy(pair => pair.Key).ToDictionary(pairs => pairs.Key, pairs => pairs.Last().Value, StringComparer.Ordinal) ?? [], exception));

        public void Dispose()
        {
        }
    }

    private static async Task<SslStream> ConnectAsync(TestServer server)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(IPAddress.Loopback, server.Host.Ports[0], TestServer.Stopping);
        var stream = new SslStream(new NetworkStream(socket, ownsSocket: true), leaveInnerStreamOpen: false, server.IsOfAuthority);
        await stream.AuthenticateAsClientAsync(
            new SslClientAuthenticationOptions { TargetHost = "localhost", ClientCertificates = [server.CertificateOf("admin")] }, TestServer.Stopping);
        return stream;
    }

    private static async Task AssertServesAsync(TestServer server) =>
        Assert.Equal(HttpStatusCode.OK, (await server.GetAsync("/api/v1/namespaces/default")).Code);
}
