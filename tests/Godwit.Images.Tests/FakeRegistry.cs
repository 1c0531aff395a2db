using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Godwit.Images.Tests;

/// <summary>
/// A registry that misbehaves on demand: it stands before a real store of blobs and manifests in memory, and each test says
/// how it answers. It speaks HTTP by hand, so that it can break off in the middle of a body, or say what is not so.
/// </summary>
internal sealed class FakeRegistry : IAsyncDisposable
{
    private readonly TcpListener listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource stop = new();
    private readonly Task serving;

    public FakeRegistry()
    {
        listener.Start();
        serving = ServeAsync();
    }

    public string Name => string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{((IPEndPoint)listener.LocalEndpoint).Port}");

    /// <summary>Blobs by digest, manifests by <c>repository/reference</c>.</summary>
    public ConcurrentDictionary<string, byte[]> Blobs { get; } = new(StringComparer.Ordinal);

    public ConcurrentDictionary<string, (byte[] Content, string Type)> Manifests { get; } = new(StringComparer.Ordinal);

    /// <summary>All requests so far: <c>GET /v2/…</c>, and the values of Range, Authorization and Accept if there are any.</summary>
    public ConcurrentQueue<(string Line, string? Range, string? Authorization, string? Accept)> Requests { get; } = new();

    /// <summary>A request may be answered here, whole; null goes on as usual.</summary>
    public Func<string, string?, (int Status, string Headers, byte[] Body)?> Answer { get; set; } = (_, _) => null;

    /// <summary>How many bytes of this answer's body are sent before the connection breaks; null sends all.</summary>
    public Func<string, long?> BreakAfter { get; set; } = _ => null;

    /// <summary>Called, and waited for, before each body.</summary>
    public Func<string, Task> BeforeBody { get; set; } = _ => Task.CompletedTask;

    public bool IgnoresRange { get; set; }

    /// <summary>Puts an image in: layers (already compressed, with the digests of their tars), a configuration, a manifest.</summary>
    public void Add(string repository, string tag, params (byte[] Blob, Oci.Digest DiffId, string Type)[] layers) => Add(repository, tag, Oci.MediaTypes.OciManifest, Oci.MediaTypes.OciConfig, layers);

    /// <summary>The same, whose manifest and configuration have these types.</summary>
    public void Add(string repository, string tag, string manifestType, string configType, params (byte[] Blob, Oci.Digest DiffId, string Type)[] layers)
    {
        var config = Oci.OciFormat.Write(new Oci.ImageConfig { Architecture = Oci.Platform.Host.Architecture, OperatingSystem = "linux", RootFileSystem = new() { DiffIds = [.. layers.Select(layer => layer.DiffId)] } });
        Blobs[Oci.Digest.Of(config).ToString()] = config;
        foreach (var (blob, _, _) in layers)
        {
            Blobs[Oci.Digest.Of(blob).ToString()] = blob;
        }

        var manifest = Oci.OciFormat.Write(new Oci.ImageManifest
        {
            MediaType = manifestType,
            Config = new() { MediaType = configType, Digest = Oci.Digest.Of(config), SizeBytes = config.Length },
            Layers = [.. layers.Select(layer => new Oci.Descriptor { MediaType = layer.Type, Digest = Oci.Digest.Of(layer.Blob), SizeBytes = layer.Blob.Length })],
        });
        AddManifest(repository, tag, manifest, manifestType);
    }

    public Oci.Digest AddManifest(string repository, string tag, byte[] manifest, string type)
    {
        Manifests[$"{repository}/{tag}"] = (manifest, type);
        Manifests[$"{repository}/{Oci.Digest.Of(manifest)}"] = (manifest, type);
        return Oci.Digest.Of(manifest);
    }

    public int CountOf(string start) => Requests.Count(request => request.Line.StartsWith(start, StringComparison.Ordinal));

    public async ValueTask DisposeAsync()
    {
        await stop.CancelAsync();
        listener.Stop();
        await serving;
        stop.Dispose();
    }

    private async Task ServeAsync()
    {
        var open = new List<Task>();
        try
        {
            while (true)
            {
                var client = await listener.AcceptTcpClientAsync(stop.Token);
                open.Add(TalkAsync(client));
            }
        }
        catch (Exception end) when (end is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            await Task.WhenAll(open);
        }
    }

    private async Task TalkAsync(TcpClient client)
    {
        using var _ = client;
        try
        {
            await using var stream = client.GetStream();
            while (await ReadRequestAsync(stream) is { } request)
            {
                Requests.Enqueue(request);
                if (!await RespondAsync(stream, request))
                {
                    client.Client.LingerState = new LingerOption(true, 0); // A reset, not an end.
                    return;
                }
            }
        }
        catch (Exception end) when (end is IOException or OperationCanceledException or ObjectDisposedException)
        {
            // The client went, or the test is over.
        }
    }

    private async Task<(string Line, string? Range, string? Authorization, string? Accept)?> ReadRequestAsync(NetworkStream stream)
    {
        var head = new StringBuilder();
        var one = new byte[1];
        while (!head.ToString().EndsWith("\r\n\r\n", StringComparison.Ordinal))
        {
            if (await stream.ReadAsync(one, stop.Token) == 0 || one[0] == 0x16)
            {
                return null; // The end, or a try at TLS.
            }

            head.Append((char)one[0]);
        }

        var lines = head.ToString().Split("\r\n");
        string? Header(string name) => lines.Where(line => line.StartsWith(name + ": ", StringComparison.OrdinalIgnoreCase)).Select(line => line[(name.Length + 2)..]).ToList() is { Count: > 0 } values ? string.Join(", ", values) : null;
        return (lines[0][..lines[0].LastIndexOf(' ')], Header("Range"), Header("Authorization"), Header("Accept"));
    }

    private async Task<bool> RespondAsync(NetworkStream stream, (string Line, string? Range, string? Authorization, string? Accept) request)
    {
        var (status, headers, body) = Answer(request.Line, request.Authorization) ?? Usual(request.Line, request.Range, request.Accept ?? "");
        var length = body.Length;
        await stream.WriteAsync(Encoding.ASCII.GetBytes($"HTTP/1.1 {status} x\r\nContent-Length: {length}\r\n{headers}\r\n"), stop.Token);
        if (request.Line.StartsWith("HEAD", StringComparison.Ordinal))
        {
            return true;
        }

        await BeforeBody(request.Line).WaitAsync(stop.Token);
        var breakAfter = BreakAfter(request.Line) is { } limit && limit < length ? limit : (long?)null;
        await stream.WriteAsync(body.AsMemory(0, (int)(breakAfter ?? length)), stop.Token);
        await stream.FlushAsync(stop.Token);
        return breakAfter is null;
    }

    /// <summary>A manifest of a type that the client does not take is not there, as real registries have it.</summary>
    private (int Status, string Headers, byte[] Body) Usual(string line, string? range, string accept)
    {
        var path = line[(line.IndexOf(' ', StringComparison.Ordinal) + 1)..];
        var digest = path[(path.LastIndexOf('/') + 1)..];
        if (path.Contains("/manifests/", StringComparison.Ordinal))
        {
            return Manifests.TryGetValue(path["/v2/".Length..].Replace("/manifests/", "/", StringComparison.Ordinal), out var found) && accept.Split(',').Any(type => type.Trim().Split(';')[0] == found.Type) ? (200, $"Content-Type: {found.Type}\r\n", found.Content) : (404, "", []);
        }

        if (!path.Contains("/blobs/", StringComparison.Ordinal) || !Blobs.TryGetValue(digest, out var blob))
        {
            return (404, "", "{\"errors\":[{\"code\":\"BLOB_UNKNOWN\",\"message\":\"no such blob\"}]}"u8.ToArray());
        }

        if (range is null || IgnoresRange)
        {
            return (200, "", blob);
        }

        var from = int.Parse(range["bytes=".Length..].TrimEnd('-'), CultureInfo.InvariantCulture);
        return (206, string.Create(CultureInfo.InvariantCulture, $"Content-Range: bytes {from}-{blob.Length - 1}/{blob.Length}\r\n"), blob[from..]);
    }
}
