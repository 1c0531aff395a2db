using System.Diagnostics;
using Godwit.Client;
using Godwit.Real.Tests.Labs;
using Microsoft.Extensions.Logging.Abstractions;

namespace Godwit.Real.Tests.Servers;

/// <summary>One <c>godwit server</c> in a process of its own, on loopback, with a client of its administrator's.</summary>
internal sealed class ServerProcess : IAsyncDisposable
{
    private readonly Process process;
    private readonly Task<string> log;

    private ServerProcess(string folder, Process process)
    {
        Folder = folder;
        this.process = process;
        log = process.StandardError.ReadToEndAsync();
        _ = process.StandardOutput.ReadToEndAsync();
    }

    public string Folder { get; }

    public string PkiFolder => Path.Combine(Folder, "server", "pki");

    public ClusterClient Client { get; private set; } = null!;

    public Uri Url => Client.Connection.Servers[0];

    public bool IsRunning => !process.HasExited;

    /// <summary>Starts one and waits until it answers.</summary>
    /// <param name="folder">Its data.</param>
    /// <param name="store">An etcd, or null for its own file.</param>
    /// <param name="stopping">Ends the wait.</param>
    /// <param name="more">More of its options.</param>
    public static async Task<ServerProcess> StartAsync(string folder, string? store, CancellationToken stopping, params string[] more)
    {
        Directory.CreateDirectory(folder);
        File.Delete(Path.Combine(folder, "admin.kubeconfig")); // An earlier server's: it would be taken for this one's.
        var server = Start(folder, store, more);
        await server.AnswersAsync(stopping);
        return server;
    }

    /// <summary>Gives a server that has not started yet the keys of one that has.</summary>
    public static void CopyPki(ServerProcess from, string folder)
    {
        var to = Path.Combine(folder, "server", "pki");
        Directory.CreateDirectory(to);
        foreach (var file in Directory.GetFiles(from.PkiFolder))
        {
            File.Copy(file, Path.Combine(to, Path.GetFileName(file)));
        }
    }

    /// <summary>Runs one that is to end by itself; what it said.</summary>
    public static async Task<(int Code, string Log)> RunAsync(string folder, string? store, CancellationToken stopping)
    {
        await using var server = Start(folder, store);
        await server.process.WaitForExitAsync(stopping);
        return (server.process.ExitCode, await server.log);
    }

    private static ServerProcess Start(string folder, string? store, params string[] more)
    {
        Assert.SkipUnless(File.Exists(GodwitLab.Program), $"needs the program {GodwitLab.Program}: run eng/publish.sh");
        IEnumerable<string> arguments = ["server", "--data", folder, "--listen", $"127.0.0.1:{Ports.Free()}", "--advertise", "127.0.0.1", .. store is null ? (string[])[] : ["--store", store], .. more];
        return new ServerProcess(folder, Process.Start(new ProcessStartInfo(GodwitLab.Program, arguments) { RedirectStandardError = true, RedirectStandardOutput = true })!);
    }

    /// <summary>As kill -9 does.</summary>
    public async Task KillAsync()
    {
        Assert.False(process.HasExited, "The server had ended by itself.");
        process.Kill();
        await process.WaitForExitAsync();
    }

    public async ValueTask DisposeAsync()
    {
        Client?.Dispose();
        if (!process.HasExited)
        {
            process.Kill();
        }

        await process.WaitForExitAsync();
        process.Dispose();
    }

    private async Task AnswersAsync(CancellationToken stopping)
    {
        var kubeconfig = Path.Combine(Folder, "admin.kubeconfig");
        using var look = new PeriodicTimer(TimeSpan.FromMilliseconds(20));
        while (!File.Exists(kubeconfig))
        {
            Assert.False(process.HasExited, process.HasExited ? $"The server ended: {await log}" : "");
            await look.WaitForNextTickAsync(stopping);
        }

        Client = new ClusterClient(Kubeconfig.Load(kubeconfig), TimeProvider.System, NullLogger<ClusterClient>.Instance);
    }
}
