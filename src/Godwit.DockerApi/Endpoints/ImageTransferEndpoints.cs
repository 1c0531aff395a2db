using Godwit.DockerApi.Mapping;
using Godwit.DockerApi.Serving;
using Godwit.DockerApi.Streams;
using Godwit.DockerApi.Wire;
using Godwit.Images;
using Godwit.Oci;

namespace Godwit.DockerApi.Endpoints;

/// <summary>Images to and from this host.</summary>
internal sealed class ImageTransferEndpoints(EngineServices services)
{
    private const string CredentialsHeader = "X-Registry-Auth";

    private readonly ImageStore images = services.Images;

    public IEnumerable<Endpoint> List() =>
    [
        new("POST", "images/create", exchange => string.IsNullOrEmpty(exchange.Query("fromImage")) ? ImportAsync(exchange) : PullAsync(exchange)),
        new("POST", "images/{name*}/push", PushAsync),
        new("POST", "images/load", LoadAsync),
        new("GET", "images/get", exchange => SaveAsync(exchange, [.. exchange.QueryList("names").SelectMany(names => names.Split(','))])),
        new("GET", "images/{name*}/get", exchange => SaveAsync(exchange, [exchange.Name])),
    ];

    private async Task PullAsync(Exchange exchange)
    {
        var name = ImageEndpoints.ReadName(images, exchange.Query("fromImage"), exchange.Query("tag"))!;
        var options = new PullOptions { Platform = ReadPlatform(exchange.Query("platform")), Credentials = RegistryCredentialsHeader.Read(exchange.Http.Request.Headers[CredentialsHeader]) };
        var before = images.Find(name.ToString())?.Id;
        await StreamAsync(exchange, async (lines, progress) =>
        {
            var pulled = await PullAsync(name, options, progress, exchange.Stopping);
            await progress.DrainAsync();
            if (pulled.RepositoryDigests.LastOrDefault(digest => digest.Name == name.Name)?.Digest is { } manifest)
            {
                await lines.WriteAsync(new ProgressLine { Status = $"Digest: {manifest}" });
            }

            await lines.WriteAsync(new ProgressLine { Status = pulled.Id == before ? $"Status: Image is up to date for {name}" : $"Status: Downloaded newer image for {name}" });
            ImageEndpoints.Tell(services, "pull", name.ToString(), name.Name);
        });
    }

    /// <summary>Where BuildKit's protocol is refused, buildx wants to run BuildKit itself in a container: who cannot have that is told what else there is.</summary>
    private async Task<StoredImage> PullAsync(ImageReference name, PullOptions options, ProgressRelay progress, CancellationToken stopping)
    {
        try
        {
            return await images.PullAsync(name, options, progress, stopping);
        }
        catch (ImageException reason) when (reason.Kind is ImageErrorKind.Unauthorized)
        {
            // As Docker has it: to another status the command answers with a prompt for a password, and waits for it in scripts too.
            throw new DockerException(404, $"pull access denied for {name.Name}, it does not exist or may require 'docker login'", reason);
        }
        catch (ImageException reason) when (name.Name.EndsWith("moby/buildkit", StringComparison.Ordinal))
        {
            throw new ImageException(reason.Kind, "BuildKit (docker buildx) is not here, and its image is not to be had: build with DOCKER_BUILDKIT=0 in the environment, or with 'godwit build'", reason);
        }
    }

    private async Task PushAsync(Exchange exchange)
    {
        var name = ImageEndpoints.ReadName(images, exchange.Name, exchange.Query("tag"))!;
        images.Get(name.ToString()); // What is missing is told while the answer can still be a status.
        var credentials = RegistryCredentialsHeader.Read(exchange.Http.Request.Headers[CredentialsHeader]);
        await StreamAsync(exchange, async (lines, progress) =>
        {
            await lines.WriteAsync(new ProgressLine { Status = $"The push refers to repository [{name.Name}]" });
            var pushed = await images.PushAsync(name, credentials, progress, exchange.Stopping);
            await progress.DrainAsync();
            var manifest = pushed.Manifest;
            await lines.WriteAsync(new ProgressLine { Status = $"{name.Tag}: digest: {manifest.Digest} size: {manifest.SizeBytes.ToString(System.Globalization.CultureInfo.InvariantCulture)}" });
            await lines.WriteAsync(new ProgressLine { Result = new ProgressResult { Tag = name.Tag, Digest = manifest.Digest.ToString(), Size = manifest.SizeBytes } });
            ImageEndpoints.Tell(services, "push", name.ToString(), name.Name);
        });
    }

    private async Task ImportAsync(Exchange exchange)
    {
        if (exchange.Query("fromSrc") is not "-")
        {
            throw DockerException.NotSupported("importing from a URL: fetch it and import the file, which");
        }

        var changes = exchange.QueryList("changes").SelectMany(change => change.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        var step = new ImageStep
        {
            Config = changes.Aggregate(new ImageDefaults(), ConfigChange.Apply),
            History = new HistoryEntry { Comment = exchange.Query("message") is { Length: > 0 } message ? message : "Imported from -" },
            Platform = ReadPlatform(exchange.Query("platform")),
            Name = ImageEndpoints.ReadName(images, exchange.Query("repo"), exchange.Query("tag")),
        };
        var body = exchange.Body;
        await StreamAsync(exchange, async (lines, progress) =>
        {
            var made = await images.ImportAsync(body, step, progress, exchange.Stopping);
            await lines.WriteAsync(new ProgressLine { Status = made.Id.ToString() });
            ImageEndpoints.Tell(services, "import", made.Id.ToString(), made.DisplayName);
        });
    }

    private async Task LoadAsync(Exchange exchange)
    {
        var body = exchange.Body;
        await StreamAsync(exchange, async (lines, progress) =>
        {
            foreach (var loaded in await images.LoadAsync(body, progress, exchange.Stopping))
            {
                var words = loaded.Tags.Count > 0 ? string.Concat(loaded.Tags.Select(tag => $"Loaded image: {tag}\n")) : $"Loaded image ID: {loaded.Id}\n";
                await lines.WriteAsync(new ProgressLine { Stream = words });
                ImageEndpoints.Tell(services, "load", loaded.Id.ToString(), loaded.DisplayName);
            }
        });
    }

    private async Task SaveAsync(Exchange exchange, IReadOnlyList<string> names)
    {
        if (names.Count == 0)
        {
            throw DockerException.Invalid("no image is given to save");
        }

        foreach (var name in names)
        {
            images.Get(name); // What is missing is told while the answer can still be a status.
        }

        exchange.Http.Response.ContentType = "application/x-tar";
        await images.SaveAsync(names, exchange.Output, exchange.Stopping);
    }

    private static async Task StreamAsync(Exchange exchange, Func<JsonLines, ProgressRelay, Task> work)
    {
        using var lines = new JsonLines(exchange);
        await lines.CarryAsync(async () =>
        {
            await using var progress = new ProgressRelay(lines);
            await work(lines, progress);
        });
    }

    private static Platform? ReadPlatform(string? text)
    {
        try
        {
            return string.IsNullOrEmpty(text) ? null : Platform.Parse(text);
        }
        catch (FormatException reason)
        {
            throw DockerException.Invalid(reason.Message, reason);
        }
    }
}
