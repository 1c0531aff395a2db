using System.Text.Json;

namespace Godwit.ApiBench;

/// <summary>Counts pods that get a node, as one watch tells of them.</summary>
internal sealed class BindWatch : IDisposable
{
    private readonly HttpResponseMessage response;
    private readonly StreamReader lines;
    private readonly HashSet<string> bound = new(StringComparer.Ordinal);

    private BindWatch(HttpResponseMessage response, Stream body) => (this.response, lines) = (response, new StreamReader(body));

    /// <summary>When the first of them was heard of, by this machine's clock.</summary>
    public DateTimeOffset First { get; private set; }

    /// <summary>The same of the latest.</summary>
    public DateTimeOffset Latest { get; private set; }

    /// <summary>Begins with what happens from now on.</summary>
    public static async Task<BindWatch> OpenAsync(LoadClient client, string pods, CancellationToken stopping)
    {
        using var list = JsonDocument.Parse(await client.ReadAsync($"{pods}?limit=1", stopping));
        var revision = list.RootElement.GetProperty("metadata").GetProperty("resourceVersion").GetString();
        var opened = await client.OpenAsync($"{pods}?watch=true&resourceVersion={revision}", stopping);
        opened.EnsureSuccessStatusCode();
        return new BindWatch(opened, await opened.Content.ReadAsStreamAsync(stopping));
    }

    /// <summary>Until so many have a node.</summary>
    public async Task UntilAsync(int count, CancellationToken stopping)
    {
        while (bound.Count < count)
        {
            var line = await lines.ReadLineAsync(stopping) ?? throw new EndOfStreamException("The server ended the watch.");
            using var change = JsonDocument.Parse(line);
            var pod = change.RootElement.GetProperty("object");
            if (pod.TryGetProperty("spec", out var spec) && spec.TryGetProperty("nodeName", out _) && bound.Add(pod.GetProperty("metadata").GetProperty("name").GetString()!))
            {
                Latest = TimeProvider.System.GetUtcNow();
                First = bound.Count == 1 ? Latest : First;
            }
        }
    }

    public void Dispose()
    {
        lines.Dispose();
        response.Dispose();
    }
}
