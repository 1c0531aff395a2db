using System.Buffers.Text;
using System.Globalization;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Godwit.Cli;

namespace Godwit.App.Builds;

/// <summary>
/// Asks an engine for a build, as any client of its public API could: the context goes up while the answer, a line of JSON for each thing that happens, comes down. On
/// a terminal what is under way is drawn in one line that changes; elsewhere only what has happened is written.
/// </summary>
internal sealed class ImageBuildClient(CliEnvironment environment, string socketPath)
{
    /// <summary>The engine's word for what its protocol has no place for.</summary>
    private const string SecretsHeader = "X-Godwit-Build-Secrets";

    private static readonly TimeSpan DrawEvery = TimeSpan.FromMilliseconds(100);

    private readonly Lock gate = new();
    private long drawnAt;
    private bool isDrawn;

    /// <summary>Returns the program's exit code; a failed step's own where one failed.</summary>
    public async Task<int> BuildAsync(BuildWish wish, CancellationToken stopping)
    {
        var dockerfile = wish.Dockerfile ?? Path.Combine(wish.Context, "Dockerfile");
        if (!Directory.Exists(wish.Context) || !File.Exists(dockerfile))
        {
            throw new CliException($"{(Directory.Exists(wish.Context) ? dockerfile : wish.Context)} does not exist: name the context's folder, and the Dockerfile with --file.", ExitCodes.Usage);
        }

        var inside = Path.GetRelativePath(wish.Context, dockerfile);
        var isOutside = inside.StartsWith("..", StringComparison.Ordinal);
        using var http = Connect();
        using var content = new ContextTar(wish.Context, isOutside ? dockerfile : null, bytes => Draw($"sending the context: {bytes / 1e6:0.0} MB"));
        content.Headers.ContentType = new("application/x-tar");
        using var request = new HttpRequestMessage(HttpMethod.Post, Address(wish, isOutside ? ContextTar.OtherDockerfile : inside)) { Content = content };
        if (wish.Secrets.Count > 0)
        {
            var secrets = Json(wish.Secrets.Select(secret => KeyValuePair.Create(secret.Key, (string?)Convert.ToBase64String(secret.Value))));
            request.Headers.Add(SecretsHeader, Base64Url.EncodeToString(Encoding.UTF8.GetBytes(secrets)));
        }

        using var answer = await SendAsync(http, request, stopping);
        using var reader = new StreamReader(await answer.Content.ReadAsStreamAsync(stopping), Encoding.UTF8);
        if (!answer.IsSuccessStatusCode)
        {
            throw new CliException($"The engine refused the build: {Message(await reader.ReadToEndAsync(stopping))}");
        }

        while (await reader.ReadLineAsync(stopping) is { } line)
        {
            if (line.Length > 0 && Show(line) is { } failure)
            {
                return failure;
            }
        }

        return ExitCodes.Done;
    }

    private static string Address(BuildWish wish, string dockerfile)
    {
        var query = new List<string> { "rm=1", $"dockerfile={Uri.EscapeDataString(dockerfile)}" };
        query.AddRange(wish.Tags.Select(tag => $"t={Uri.EscapeDataString(tag)}"));
        Add("target", wish.Target);
        Add("networkmode", wish.Network);
        Add("nocache", wish.NoCache ? "1" : null);
        Add("pull", wish.Pull ? "1" : null);
        Add("buildargs", wish.Arguments.Count > 0 ? Json(wish.Arguments) : null);
        Add("labels", wish.Labels.Count > 0 ? Json(wish.Labels.Select(pair => KeyValuePair.Create(pair.Key, (string?)pair.Value))) : null);
        return "build?" + string.Join('&', query);

        void Add(string name, string? value)
        {
            if (!string.IsNullOrEmpty(value))
            {
                query.Add($"{name}={Uri.EscapeDataString(value)}");
            }
        }
    }

    private static string Json(IEnumerable<KeyValuePair<string, string?>> map)
    {
        using var bytes = new MemoryStream();
        using (var writer = new Utf8JsonWriter(bytes))
        {
            writer.WriteStartObject();
            foreach (var (name, value) in map)
            {
                writer.WriteString(name, value);
            }

            writer.WriteEndObject();
        }

        return Encoding.UTF8.GetString(bytes.ToArray());
    }

    private HttpClient Connect() => new(new SocketsHttpHandler
    {
        ConnectCallback = async (_, stopping) =>
        {
            var line = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            try
            {
                await line.ConnectAsync(new UnixDomainSocketEndPoint(socketPath), stopping);
                return new NetworkStream(line, ownsSocket: true);
            }
            catch
            {
                line.Dispose();
                throw;
            }
        },
    })
    {
        BaseAddress = new Uri("http://docker/"),
        Timeout = Timeout.InfiniteTimeSpan, // A step may be silent for as long as it takes; Ctrl-C ends it.
    };

    private async Task<HttpResponseMessage> SendAsync(HttpClient http, HttpRequestMessage request, CancellationToken stopping)
    {
        try
        {
            return await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, stopping);
        }
        catch (HttpRequestException reason) when (reason.InnerException is SocketException)
        {
            throw new CliException($"No engine answers on {socketPath}: start one with 'godwit engine', or name its socket with --socket.", ExitCodes.Unreachable, reason);
        }
    }

    /// <summary>Shows one line of the answer; returns the exit code when it says that the build failed.</summary>
    private int? Show(string line)
    {
        using var parsed = JsonDocument.Parse(line);
        var said = parsed.RootElement;
        if (Text(said, "error") is { } error)
        {
            Clear();
            environment.Error.WriteLine($"godwit: {error}");
            return said.TryGetProperty("errorDetail", out var detail) && detail.TryGetProperty("code", out var code) && code.TryGetInt32(out var number) && number > 0 ? number : ExitCodes.Failed;
        }

        if (Text(said, "stream") is { } text)
        {
            Clear();
            environment.Output.Write(text);
            environment.Output.Flush();
        }
        else if (Text(said, "status") is { } status)
        {
            var words = string.Join(' ', new[] { Text(said, "id"), status, Text(said, "progress") }.Where(word => word is not null));
            if (said.TryGetProperty("progressDetail", out var detail) && detail.ValueKind is JsonValueKind.Object && detail.TryGetProperty("current", out _))
            {
                Draw(words);
            }
            else
            {
                Clear();
                environment.Output.WriteLine(words);
            }
        }

        return null;
    }

    private void Draw(string words)
    {
        lock (gate)
        {
            if (environment.OutputIsTerminal && environment.Clock.GetElapsedTime(drawnAt) > DrawEvery)
            {
                drawnAt = environment.Clock.GetTimestamp();
                isDrawn = true;
                environment.Output.Write(string.Create(CultureInfo.InvariantCulture, $"\r\u001b[K{words[..Math.Min(words.Length, environment.Width - 1)]}"));
            }
        }
    }

    private void Clear()
    {
        lock (gate)
        {
            if (isDrawn)
            {
                environment.Output.Write("\r\u001b[K");
                isDrawn = false;
            }
        }
    }

    private static string? Text(JsonElement said, string name) => said.TryGetProperty(name, out var value) && value.ValueKind is JsonValueKind.String ? value.GetString() : null;

    private static string Message(string body)
    {
        try
        {
            using var parsed = JsonDocument.Parse(body);
            return Text(parsed.RootElement, "message") ?? body;
        }
        catch (JsonException)
        {
            return body;
        }
    }
}
