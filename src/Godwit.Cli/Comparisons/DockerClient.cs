using System.Net.Sockets;
using System.Text;
using System.Text.Json.Nodes;

namespace Godwit.Cli.Comparisons;

/// <summary>As much of the Docker Engine API as is needed to run one container: any engine that speaks it serves.</summary>
internal sealed class DockerClient : IDisposable
{
    private const string Version = "v1.41";
    private const string UnixScheme = "unix://";

    private readonly HttpClient http;
    private readonly string host;

    /// <param name="host"><c>unix:///PATH</c>, as in <c>DOCKER_HOST</c>.</param>
    /// <exception cref="CliException">It is something else.</exception>
    public DockerClient(string host)
    {
        if (!host.StartsWith(UnixScheme, StringComparison.Ordinal))
        {
            throw new CliException($"The container engine at '{host}' cannot be reached from here: only unix:///PATH can", ExitCodes.Usage);
        }

        this.host = host;
        var path = host[UnixScheme.Length..];
        http = new HttpClient(new SocketsHttpHandler
        {
            ConnectCallback = async (_, stopping) =>
            {
                var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
                try
                {
                    await socket.ConnectAsync(new UnixDomainSocketEndPoint(path), stopping);
                    return new NetworkStream(socket, ownsSocket: true);
                }
                catch
                {
                    socket.Dispose();
                    throw;
                }
            },
        })
        { BaseAddress = new Uri($"http://docker/{Version}/") };
    }

    /// <summary>Whether there is an engine at all.</summary>
    /// <exception cref="CliException">There is none; it says how to start one.</exception>
    public async Task RequireAsync(CancellationToken stopping)
    {
        try
        {
            await SendAsync(HttpMethod.Get, "_ping", null, stopping);
        }
        catch (HttpRequestException error)
        {
            throw new CliException($"No container engine answers at {host}: start one with 'godwit engine', or name another with --docker-host", ExitCodes.Unreachable, error);
        }
    }

    public Task<JsonNode?> GetAsync(string path, CancellationToken stopping) => SendAsync(HttpMethod.Get, path, null, stopping);

    public Task<JsonNode?> PostAsync(string path, JsonObject body, CancellationToken stopping) =>
        SendAsync(HttpMethod.Post, path, new StringContent(body.ToJsonString(), Encoding.UTF8, "application/json"), stopping);

    public Task<JsonNode?> PostAsync(string path, HttpContent body, CancellationToken stopping) => SendAsync(HttpMethod.Post, path, body, stopping);

    public Task DeleteAsync(string path, CancellationToken stopping) => SendAsync(HttpMethod.Delete, path, null, stopping);

    public void Dispose() => http.Dispose();

    private async Task<JsonNode?> SendAsync(HttpMethod method, string path, HttpContent? body, CancellationToken stopping)
    {
        using var request = new HttpRequestMessage(method, new Uri(path, UriKind.Relative)) { Content = body };
        using var answer = await http.SendAsync(request, stopping);
        var text = await answer.Content.ReadAsStringAsync(stopping);
        if (!answer.IsSuccessStatusCode)
        {
            throw new CliException($"The container engine at {host} refused {method} {path} with {(int)answer.StatusCode}: {text.Trim()}");
        }

        // Some answers are words, and some are several objects, a line each; what this client reads is one object.
        return answer.Content.Headers.ContentType?.MediaType == "application/json" && !text.TrimEnd().Contains('\n', StringComparison.Ordinal) && text.Length > 0 ? JsonNode.Parse(text) : null;
    }
}
