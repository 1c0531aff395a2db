using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Godwit.Images.Tests;

/// <summary>Debian's docker-registry, on a free port of loopback, with its data in a folder of the test. The class fixture of the tests that need it.</summary>
public class RealRegistry : IAsyncLifetime
{
    private static readonly TimeSpan StartWithin = TimeSpan.FromSeconds(60);
    private readonly TemporaryFolder folder = new();
    private string settings = "";
    private Process? process;

    public int Port { get; private set; }

    /// <summary>Lines of its configuration about who may come in.</summary>
    private protected virtual string Access(string folder) => "";

    /// <summary>As it stands in front of an image's name.</summary>
    public string Name => string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{Port}");

    public async ValueTask InitializeAsync()
    {
        if (!File.Exists("/usr/bin/docker-registry"))
        {
            return; // Each test asks for it, and is skipped aloud.
        }

        using (var probe = new TcpListener(IPAddress.Loopback, 0))
        {
            probe.Start();
            Port = ((IPEndPoint)probe.LocalEndpoint).Port;
        }

        settings = Path.Combine(folder.Path, "config.yml");
        await File.WriteAllTextAsync(settings, $"version: 0.1\nlog: {{level: error, accesslog: {{disabled: true}}}}\nstorage: {{filesystem: {{rootdirectory: {folder.Sub("data")}}}, delete: {{enabled: true}}}}\nhttp: {{addr: '{Name}'}}\n{Access(folder.Path)}");
        await StartAsync();
    }

    /// <summary>Starts it, the first time or again, with the data that it has; returns when it answers.</summary>
    public async Task StartAsync()
    {
        process = Process.Start(new ProcessStartInfo("/usr/bin/docker-registry", ["serve", settings]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        process.OutputDataReceived += (_, _) => { };
        process.ErrorDataReceived += (_, _) => { };
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        using var client = new HttpClient();
        using var bound = new CancellationTokenSource(StartWithin);
        using var tick = new PeriodicTimer(TimeSpan.FromMilliseconds(50));
        while (await tick.WaitForNextTickAsync(bound.Token))
        {
            try
            {
                using var answer = await client.GetAsync(new Uri($"http://{Name}/v2/"), bound.Token);
                return;
            }
            catch (HttpRequestException)
            {
                Assert.False(process.HasExited, "docker-registry ended at once.");
            }
        }
    }

    /// <summary>As the kernel's out-of-memory killer would.</summary>
    public void Kill()
    {
        process?.Kill();
        process?.WaitForExit();
        process?.Dispose();
        process = null;
    }

    public ValueTask DisposeAsync()
    {
        Kill();
        folder.Dispose();
        GC.SuppressFinalize(this);
        return ValueTask.CompletedTask;
    }
}

/// <summary>The same, for one user with a password (basic authentication).</summary>
public sealed class LockedRegistry : RealRegistry
{
    public const string UserName = "somebody";
    public const string Password = "correct-horse";

    /// <summary>The password's bcrypt hash, as htpasswd(1) writes it.</summary>
    private const string Entry = "somebody:$2y$05$zv3Dv6QQ09il4nXe10KPpe/zThxIg5w5v4WXkH.u0Jk7oaM9R3UIK";

    private protected override string Access(string folder)
    {
        var file = Path.Combine(folder, "htpasswd");
        File.WriteAllText(file, Entry + "\n");
        return $"auth: {{htpasswd: {{realm: test, path: '{file}'}}}}\n";
    }
}
