using System.Formats.Tar;
using System.Net.Http.Headers;
using System.Text.Json.Nodes;

namespace Godwit.Cli.Comparisons;

/// <summary>The service in a container, from an image that holds nothing else. Made through the Docker Engine API.</summary>
internal sealed class ContainerService(DockerClient docker, string name, string program) : IServiceUnderTest
{
    private const string ProgramInside = "service";
    private string? container;
    private bool imported;

    public string Name => "container";

    public string Isolation => "the kernel's: files, processes, network and bounds of its own, fewer rights and system calls; the kernel is the host's";

    /// <summary>The image is made before, as it would have been pulled before.</summary>
    public async Task PrepareAsync(CancellationToken stopping)
    {
        using var archive = new MemoryStream();
        await using (var tar = new TarWriter(archive, leaveOpen: true))
        {
            await using var content = File.OpenRead(program);
            await tar.WriteEntryAsync(new PaxTarEntry(TarEntryType.RegularFile, ProgramInside) { DataStream = content, Mode = (UnixFileMode)0x1ed }, stopping); // 0755
        }

        archive.Position = 0;
        using var body = new StreamContent(archive) { Headers = { ContentType = new MediaTypeHeaderValue("application/x-tar") } };
        await docker.PostAsync($"images/create?fromSrc=-&repo={name}&tag=latest", body, stopping);
        imported = true;
    }

    public async Task<Uri> StartAsync(CancellationToken stopping)
    {
        var wish = new JsonObject { ["Image"] = name, ["Cmd"] = new JsonArray($"/{ProgramInside}") };
        var made = await docker.PostAsync($"containers/create?name={name}", wish, stopping);
        container = made?["Id"]?.GetValue<string>() ?? throw new CliException("The container engine made a container and did not say which");
        await docker.PostAsync($"containers/{container}/start", [], stopping);
        var networks = (await docker.GetAsync($"containers/{container}/json", stopping))?["NetworkSettings"]?["Networks"]?.AsObject();
        var address = networks?.Select(network => network.Value?["IPAddress"]?.GetValue<string>()).FirstOrDefault(one => one is { Length: > 0 })
            ?? throw new CliException("The container has no address: it ended at once, or the engine has no network of its own");
        return new Uri($"http://{address}/counter");
    }

    public async Task<long?> MemoryBytesAsync(CancellationToken stopping) =>
        (await docker.GetAsync($"containers/{container}/stats?stream=false&one-shot=true", stopping))?["memory_stats"]?["usage"]?.GetValue<long>();

    public async Task<long?> DiskBytesAsync(CancellationToken stopping) => (await docker.GetAsync($"images/{name}/json", stopping))?["Size"]?.GetValue<long>();

    public async ValueTask DisposeAsync()
    {
        if (container is not null)
        {
            await docker.DeleteAsync($"containers/{container}?force=true&v=true", CancellationToken.None);
        }

        if (imported)
        {
            await docker.DeleteAsync($"images/{name}?force=true", CancellationToken.None);
        }
    }
}
