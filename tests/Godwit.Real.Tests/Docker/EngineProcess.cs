using System.Diagnostics;
using System.Net.Sockets;
using Godwit.Linux.Files;
using Godwit.Real.Tests.Containers;
using Godwit.Real.Tests.Labs;

namespace Godwit.Real.Tests.Docker;

/// <summary>The program itself as <c>godwit engine</c>, of an instance of its own: what a test may kill.</summary>
internal sealed class EngineProcess : IAsyncDisposable
{
    private static readonly SemaphoreSlim FirstStart = new(1);

    private readonly string folder;
    private readonly string instance = Apart.Instance('e');
    private Process? engine;

    private EngineProcess() => folder = Directory.CreateDirectory($"/var/tmp/gwk-{instance}").FullName;

    public string Folder => folder;

    public string Host => $"unix://{folder}/docker.sock";

    public string DataFolder => Path.Combine(folder, "data");

    public string Instance => instance;

    public int ProcessId => engine!.Id;

    /// <summary>What its bridges' names begin with.</summary>
    public string LinkPrefix { get; private set; } = "";

    private string Program { get; init; } = GodwitLab.Program;

    private IReadOnlyList<string> Arguments { get; init; } = [];

    /// <summary>Where it keeps what is there while containers run.</summary>
    internal string RunFolder => $"/run/godwit-{instance}";

    public static Task<EngineProcess> StartAsync() => StartAsync(dataBytes: null);

    /// <param name="dataBytes">What its data folder has room for; null is the disk that it lies on.</param>
    /// <param name="arguments">What else it is told.</param>
    public static Task<EngineProcess> StartAsync(long? dataBytes, params string[] arguments) => StartAsync(GodwitLab.Program, dataBytes, arguments);

    /// <param name="program">Which build.</param>
    public static async Task<EngineProcess> StartAsync(string program, long? dataBytes = null, params string[] arguments)
    {
        Assert.SkipUnless(Environment.UserName == "root", "needs root: containers get namespaces, mounts, cgroups and bridges");
        Assert.SkipUnless(File.Exists(program), $"needs the program {program}: run eng/publish.sh");
        Assert.SkipUnless(DockerClients.Newest is not null, DockerClients.Need);
        var made = new EngineProcess { Program = program, Arguments = arguments };
        if (dataBytes is { } bytes)
        {
            Directory.CreateDirectory(made.DataFolder);
            (await Command.RunAsync("mount", ["-t", "tmpfs", "-o", $"size={bytes}", "tmpfs", made.DataFolder], EngineLab.Bound)).MustSucceed();
        }

        // An engine's first start takes a subnet that the host has not yet: no two at a time.
        await FirstStart.WaitAsync(EngineLab.Stopping);
        try
        {
            await made.StartAgainAsync();
        }
        finally
        {
            FirstStart.Release();
        }

        return made;
    }

    /// <summary>Tries to start it, where that must fail; what it says.</summary>
    public async Task<string> FailToStartAsync()
    {
        var result = await Command.RunAsync(Program, CommandLine, EngineLab.Bound);
        Assert.NotEqual(0, result.ExitCode);
        return result.Output + result.Errors;
    }

    private IReadOnlyList<string> CommandLine => ["engine", "--instance", instance, "--data", DataFolder, "--socket", $"{folder}/docker.sock", .. Arguments];

    public async Task StartAgainAsync()
    {
        var start = new ProcessStartInfo(Program, CommandLine) { RedirectStandardError = true, RedirectStandardOutput = true };
        engine = Process.Start(start)!;
        engine.OutputDataReceived += (_, _) => { };
        engine.ErrorDataReceived += (_, _) => { };
        engine.BeginOutputReadLine();
        engine.BeginErrorReadLine();
        await Eventually.IsTrueAsync("the engine answers", EngineLab.Bound, async () => (await DockerAsync("version")).Code == 0);
        LinkPrefix = (await MustAsync("network", "inspect", "--format", "{{index .Options \"com.docker.network.bridge.name\"}}", "bridge"))[..^1];
    }

    /// <summary>As the kernel's out-of-memory killer would.</summary>
    public async Task KillAsync()
    {
        engine!.Kill();
        await engine.WaitForExitAsync(EngineLab.Stopping);
        engine.Dispose();
        engine = null;
    }

    public Task<(int Code, string Output, string Error)> DockerAsync(params string[] arguments) => DockerAsync("", arguments);

    /// <summary>With this as its standard input.</summary>
    public Task<(int Code, string Output, string Error)> DockerAsync(string input, string[] arguments) => DockerClients.RunAsync(DockerClients.Newest!, Host, Path.Combine(folder, "config"), input, arguments);

    /// <summary>The same; a failure is the test's.</summary>
    public async Task<string> MustAsync(params string[] arguments)
    {
        var (code, output, error) = await DockerAsync(arguments);
        Assert.True(code == 0, $"docker {string.Join(' ', arguments)}: {code}\n{output}\n{error}");
        return output.TrimEnd();
    }

    /// <summary>A client that goes on by itself.</summary>
    public Process Begin(params string[] arguments) => DockerClients.Start(DockerClients.Newest!, Host, Path.Combine(folder, "config"), arguments);

    /// <summary>To its API without a client between: paths begin with <c>http://engine/v1.41/</c>.</summary>
    public HttpClient Connect(int connectionsMax) => new(new SocketsHttpHandler
    {
        MaxConnectionsPerServer = connectionsMax,
        ConnectCallback = async (_, stopping) =>
        {
            var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(Host["unix://".Length..]), stopping);
            return new NetworkStream(socket, ownsSocket: true);
        },
    });

    public Task ImportBusyboxAsync() => DockerLab.ImportAsync(folder, async tar => { await MustAsync("import", "--change", "ENV PATH=/bin", "--change", "CMD [\"sh\"]", tar, DockerLab.Busybox); });

    /// <summary>Ends it politely; containers run on.</summary>
    public async Task StopAsync()
    {
        if (engine is { HasExited: false })
        {
            (await Command.RunAsync("kill", ["-TERM", $"{engine.Id}"], EngineLab.Bound)).MustSucceed();
            await engine.WaitForExitAsync(CancellationToken.None);
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (engine is null or { HasExited: true })
        {
            await StartAgainAsync();
        }

        var (_, ids, _) = await DockerAsync("ps", "-aq");
        if (ids.Length > 0)
        {
            await DockerAsync(["rm", "-f", "-v", .. ids.Split('\n', StringSplitOptions.RemoveEmptyEntries)]);
        }

        await StopAsync();
        foreach (var mount in Mounts.List().Where(mount => mount.Path.StartsWith(folder, StringComparison.Ordinal)).Reverse().ToList())
        {
            Mounts.Unmount(mount.Path);
        }

        Directory.Delete(folder, recursive: true);
        Directory.Delete(RunFolder, recursive: true);
    }
}
