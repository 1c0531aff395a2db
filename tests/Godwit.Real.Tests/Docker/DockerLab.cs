using System.Diagnostics;
using Godwit.Builder;
using Godwit.Builder.Building;
using Godwit.Containers;
using Godwit.DockerApi;
using Godwit.Images;
using Godwit.Linux.Files;
using Godwit.Linux.Processes;
using Godwit.Real.Tests.Containers;
using Godwit.Real.Tests.Labs;
using Microsoft.Extensions.Logging.Abstractions;

namespace Godwit.Real.Tests.Docker;

/// <summary>An engine behind its Docker API, and the real <c>docker</c> command speaking to it.</summary>
internal sealed class DockerLab : IAsyncDisposable
{
    /// <summary>An image with a static busybox and nothing else, under this name.</summary>
    public const string Busybox = "busybox-lab";

    private static readonly string[] Applets = ["sh", "true", "cat", "echo", "sleep", "ls", "tty", "touch", "httpd", "wget", "stty", "usleep"];

    private readonly string folder;
    private readonly OwnSubnets subnets;
    private readonly EngineOptions options;
    private readonly ImageStore images;
    private readonly ContainerEngine engine;
    private readonly DockerApiHost api;

    private DockerLab(string folder, OwnSubnets subnets, EngineOptions options, ImageStore images, ContainerEngine engine, DockerApiHost api) =>
        (this.folder, this.subnets, this.options, this.images, this.engine, this.api) = (folder, subnets, options, images, engine, api);

    public string Socket => Path.Combine(folder, "docker.sock");

    /// <summary>For what a test wants to lay down; goes with the lab.</summary>
    public string Folder => folder;

    public static Task<DockerLab> OpenAsync() => OpenAsync([]);

    public static async Task<DockerLab> OpenAsync(IReadOnlyList<SecureDoor> doors, IdMap? users = null)
    {
        Assert.SkipUnless(Environment.UserName == "root", "needs root: containers get namespaces, mounts, cgroups and bridges");
        Assert.SkipUnless(DockerClients.Newest is not null, DockerClients.Need);
        Assert.SkipUnless(File.Exists("/usr/bin/crun") && File.Exists("/usr/bin/conmon") && File.Exists("/bin/busybox"), "needs crun, conmon and busybox: install crun, conmon and busybox-static");
        var unique = Apart.Short();
        var own = OwnSubnets.Take();
        var place = Path.Combine("/var/tmp", $"gwd-{unique}-{Guid.NewGuid().ToString("N")[..6]}");
        var chosen = new EngineOptions
        {
            DataFolder = Path.Combine(place, "data"),
            RunFolder = Path.Combine(place, "run"),
            UserIds = users,
            ControlGroup = $"gwd-{unique}",
            DevicePrefix = $"gd{unique}",
            FilterTable = $"gwd-{unique}",
            AddressPools = [own.Pool],
        };
        Directory.CreateDirectory(chosen.DataFolder);
        var imagesFolder = Path.Combine(chosen.DataFolder, "images");
        var store = ImageStore.Open(new ImageStoreOptions { Folder = imagesFolder }, TimeProvider.System, NullLogger<ImageStore>.Instance);
        var opened = await ContainerEngine.OpenAsync(chosen, new ImageRootFileSystems(imagesFolder, store), TimeProvider.System, NullLogger.Instance, EngineLab.Stopping);
        var services = new EngineServices
        {
            Containers = opened,
            Images = store,
            Builder = new ImageBuilder(store, new ContainerStepRunner(opened, store), Path.Combine(chosen.DataFolder, "builder"), TimeProvider.System),
            BuildsFolder = Path.Combine(chosen.DataFolder, "contexts"),
            Time = TimeProvider.System,
            Loggers = NullLoggerFactory.Instance,
            Version = "0.0.1",
            DataFolder = chosen.DataFolder,
        };
        var served = await DockerApiHost.StartAsync(Path.Combine(place, "docker.sock"), services, doors, EngineLab.Stopping);
        var lab = new DockerLab(place, own, chosen, store, opened, served);
        await lab.ImportAsync();
        return lab;
    }

    /// <summary>What makes the docker command, and scripts that use it, speak to this engine.</summary>
    public IReadOnlyDictionary<string, string> ClientEnvironment => new Dictionary<string, string>(StringComparer.Ordinal)
    {
        ["DOCKER_BUILDKIT"] = "0", // Where the buildx plugin is installed, it would be asked first.
        ["DOCKER_HOST"] = $"unix://{Socket}",
        ["DOCKER_CONFIG"] = Path.Combine(folder, "config"),
    };

    /// <summary>Runs <c>docker</c> to its end.</summary>
    public Task<(int Code, string Output, string Error)> DockerAsync(params string[] arguments) => DockerAsync("", arguments);

    /// <summary>Runs <c>docker</c> to its end, with this as its standard input.</summary>
    public Task<(int Code, string Output, string Error)> DockerAsync(string input, string[] arguments) => RunAsync(DockerClients.Newest!, input, arguments);

    /// <summary>Runs a client of the Docker API to its end, with this engine as its host.</summary>
    /// <param name="version">Of the API, which it then speaks; null lets them agree on one.</param>
    public Task<(int Code, string Output, string Error)> RunAsync(string program, string input, IEnumerable<string> arguments, string? version = null) =>
        DockerClients.RunAsync(program, $"unix://{Socket}", Path.Combine(folder, "config"), input, arguments, version);

    /// <summary>Starts a client that goes on by itself; whoever starts it ends it.</summary>
    public Process Begin(string program, params string[] arguments) => DockerClients.Start(program, $"unix://{Socket}", Path.Combine(folder, "config"), arguments);

    public async ValueTask DisposeAsync()
    {
        foreach (var container in engine.List())
        {
            await engine.RemoveAsync(container.Id.Value, new RemoveOptions(Force: true, Volumes: true), CancellationToken.None);
        }

        await api.DisposeAsync();
        await engine.Networks.RemoveFromHostAsync(CancellationToken.None);
        await engine.DisposeAsync();
        images.Dispose();
        foreach (var mount in Mounts.List().Where(mount => mount.Path.StartsWith(folder, StringComparison.Ordinal)).Reverse().ToList())
        {
            Mounts.Unmount(mount.Path);
        }

        // The engine takes its own cgroup along when nothing runs.
        foreach (var group in Directory.EnumerateDirectories("/sys/fs/cgroup").Append("/sys/fs/cgroup").Select(hierarchy => Path.Combine(hierarchy, options.ControlGroup)).Where(Directory.Exists))
        {
            Directory.Delete(group);
        }

        Directory.Delete(folder, recursive: true);
        subnets.Dispose();
    }

    /// <summary>Lays down a root with a static busybox and hands it on as a tar.</summary>
    public static async Task ImportAsync(string folder, Func<string, Task> import)
    {
        var root = Path.Combine(folder, "root");
        Directory.CreateDirectory(Path.Combine(root, "bin"));
        Directory.CreateDirectory(Path.Combine(root, "tmp"));
        File.Copy("/bin/busybox", Path.Combine(root, "bin/busybox"));
        foreach (var applet in Applets)
        {
            File.CreateSymbolicLink(Path.Combine(root, "bin", applet), "busybox");
        }

        var tar = Path.Combine(folder, "root.tar");
        await EngineLab.HostAsync("tar", "-C", root, "-cf", tar, ".");
        await import(tar);
    }

    private Task ImportAsync() => ImportAsync(folder, async tar =>
    {
        var (code, _, error) = await DockerAsync("import", "--change", "ENV PATH=/bin", "--change", "CMD [\"sh\"]", tar, Busybox);
        Assert.True(code == 0, error);
    });
}
