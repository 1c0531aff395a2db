using System.Diagnostics;
using System.Globalization;

namespace Godwit.ContainerBench;

/// <summary>Everything that the rows need: the engines with the tiny image in each, and a registry with a big one on each engine's own loopback.</summary>
internal sealed class Stage : IAsyncDisposable
{
    public const string Tiny = "bench-tiny";

    /// <summary>How many there are to be pulled, each once: some file systems are slow for a minute after many files were removed.</summary>
    public const int Bigs = 4;

    private static readonly string[] Applets = ["sh", "true", "cat", "echo", "sleep", "seq", "mkdir"];

    private readonly string folder = Directory.CreateDirectory("/var/tmp/godwit-container-bench").FullName;
    private readonly List<Engine> engines = [];
    private readonly List<Process> registries = [];

    private Stage()
    {
    }

    public IReadOnlyList<Engine> Engines => engines;

    /// <summary>A Dockerfile of five steps and what it copies.</summary>
    public string BuildFolder => Path.Combine(folder, "build");

    /// <summary>The server that HTTP is measured with, as a program of the host.</summary>
    public string ResponderPath => Path.Combine(folder, "tiny", "bin", "responder");

    public static string Big(int number) => $"127.0.0.1:5000/big:{number}";

    public static async Task<Stage> BuildAsync(IReadOnlyList<string> systems, string godwit, Action<string> say, CancellationToken stopping)
    {
        var stage = new Stage();
        say("unpacking the other engines, if they are not yet");
        await Tools.RunAsync(Tools.Script, ["fetch", Tools.Engines], stopping);
        var tiny = await stage.MakeTinyAsync(stopping);
        stage.WriteBuild();
        foreach (var name in systems)
        {
            say($"starting {name}");
            var engine = await stage.MakeEngineAsync(name, godwit, stopping);
            stage.engines.Add(engine);
            await engine.StartAsync(stopping);
            await engine.RunAsync(stopping, "import", "--change", "ENV PATH=/bin", "--change", "CMD [\"sh\"]", tiny, Tiny);
        }

        await stage.MakeRegistriesAsync(say, stopping);
        return stage;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var registry in registries)
        {
            registry.Kill(entireProcessTree: true);
            registry.Dispose();
        }

        foreach (var engine in engines)
        {
            await engine.DisposeAsync();
        }
    }

    private async Task<Engine> MakeEngineAsync(string name, string godwit, CancellationToken stopping)
    {
        var holder = int.Parse(await Tools.RunAsync(Tools.Script, ["host", $"bench-{name}"], stopping), CultureInfo.InvariantCulture);
        var place = Path.Combine(folder, name);
        return name switch
        {
            "godwit" => new DaemonEngine(name, holder, place, (data, socket) => [godwit, "engine", "--instance", "bench", "--data", $"{data}/data", "--socket", socket, "--log-level", "Warning"]),
            "dockerd" => new DaemonEngine(name, holder, place, (data, socket) => ["dockerd", "--data-root", $"{data}/data", "--exec-root", $"{data}/run", "--pidfile", $"{data}/pid", "--host", $"unix://{socket}"]),
            "podman" => new PodmanEngine(holder, place),
            _ => throw new ArgumentException($"'{name}' is no engine: godwit, dockerd, podman"),
        };
    }

    private async Task<string> MakeTinyAsync(CancellationToken stopping)
    {
        var root = Path.Combine(folder, "tiny");
        var tar = Path.Combine(folder, "tiny.tar");
        Directory.CreateDirectory(Path.Combine(root, "bin"));
        File.Copy("/bin/busybox", Path.Combine(root, "bin", "busybox"), overwrite: true);
        await Tools.RunAsync("gcc", ["-O2", "-static", "-o", ResponderPath, Path.Combine(Tools.Folder, "tools", "responder.c")], stopping);
        foreach (var applet in Applets.Where(applet => !File.Exists(Path.Combine(root, "bin", applet))))
        {
            File.CreateSymbolicLink(Path.Combine(root, "bin", applet), "busybox");
        }

        await Tools.RunAsync("tar", ["-C", root, "-cf", tar, "."], stopping);
        return tar;
    }

    private void WriteBuild()
    {
        Directory.CreateDirectory(BuildFolder);
        File.WriteAllText(Path.Combine(BuildFolder, "file"), "from the context\n");
        File.WriteAllText(
            Path.Combine(BuildFolder, "Dockerfile"),
            $"""
            FROM {Tiny}
            ENV WHO=bench
            COPY file /file
            RUN mkdir -p /made && echo "$WHO" > /made/one
            RUN cat /file /made/one > /made/two
            CMD ["cat", "/made/two"]

            """);
    }

    // One folder of content, made once and read by a registry on the loopback of each engine's network namespace.
    private async Task MakeRegistriesAsync(Action<string> say, CancellationToken stopping)
    {
        var content = Path.Combine(folder, "registry");
        var configuration = Path.Combine(folder, "registry.yaml");
        await File.WriteAllTextAsync(configuration, $"version: 0.1\nlog: {{ level: error }}\nstorage: {{ filesystem: {{ rootdirectory: {content} }} }}\nhttp: {{ addr: 127.0.0.1:5000 }}\n", stopping);
        foreach (var engine in engines)
        {
            var start = Tools.Inside(engine.Holder, ["docker-registry", "serve", configuration]);
            start.RedirectStandardError = start.RedirectStandardOutput = true;
            var registry = Process.Start(start)!;
            registry.BeginErrorReadLine();
            registry.BeginOutputReadLine();
            registries.Add(registry);
        }

        for (var number = 1; number <= Bigs; number++)
        {
            if (!Directory.Exists(Path.Combine(content, $"docker/registry/v2/repositories/big/_manifests/tags/{number}")))
            {
                await MakeBigAsync(number, say, stopping);
            }
        }

        foreach (var engine in engines)
        {
            await RemoveBigsAsync(engine, stopping); // Those that an earlier run pulled.
        }
    }

    /// <summary>Three layers: a Debian, and programs. No layer is that of another number's.</summary>
    private async Task MakeBigAsync(int number, Action<string> say, CancellationToken stopping)
    {
        var maker = engines.Find(engine => engine.Name == "dockerd") ?? throw new InvalidOperationException("The images that are pulled are made with dockerd: name it among the systems the first time.");
        say($"making big image {number}, once");
        var source = Path.Combine(folder, "big");
        var mark = Path.Combine(folder, "mark");
        await File.WriteAllTextAsync(mark, $"{number}\n", stopping);
        Directory.CreateDirectory(source);
        await Tools.RunAsync("cp", ["-a", $"{Tools.Engines}/usr/sbin", $"{Tools.Engines}/usr/libexec", source], stopping);
        var tar = Path.Combine(folder, "base.tar");
        File.Copy((await Tools.RunAsync(Path.Combine(Tools.Folder, "..", "examples", "mysql-phpmyadmin", "base.sh"), [], stopping)).Trim(), tar, overwrite: true);
        await Tools.RunAsync("tar", ["-C", folder, "--append", "-f", tar, "mark"], stopping);
        File.Copy(mark, Path.Combine(source, "sbin", "mark"), overwrite: true);
        File.Copy(mark, Path.Combine(source, "libexec", "mark"), overwrite: true);
        await File.WriteAllTextAsync(Path.Combine(source, "Dockerfile"), "FROM bench-base\nCOPY sbin /opt/sbin\nCOPY libexec /opt/libexec\n", stopping);
        await maker.RunAsync(stopping, "import", tar, "bench-base");
        await maker.RunAsync(stopping, "build", "--no-cache", "-t", Big(number), source);
        await maker.RunAsync(stopping, "push", Big(number));
        File.Delete(tar);
    }

    private static async Task RemoveBigsAsync(Engine engine, CancellationToken stopping)
    {
        var there = (await engine.RunAsync(stopping, "images", "--format", "{{.Repository}}:{{.Tag}}")).Split('\n');
        foreach (var number in Enumerable.Range(1, Bigs).Where(number => there.Contains(Big(number))))
        {
            await engine.RunAsync(stopping, "rmi", "-f", Big(number));
        }

        await engine.RunAsync(stopping, "image", "prune", "-f");
    }
}
