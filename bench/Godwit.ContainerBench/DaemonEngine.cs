using System.Diagnostics;
using System.Net.Sockets;
using System.Text;

namespace Godwit.ContainerBench;

/// <summary>An engine that is a process behind the Docker API: the same <c>docker</c> command speaks to all of them.</summary>
internal sealed class DaemonEngine(string name, int holder, string folder, Func<string, string, IReadOnlyList<string>> command) : Engine(name, holder, folder)
{
    private const int StartPatienceMs = 60_000;
    private static readonly byte[] Ping = Encoding.ASCII.GetBytes("GET /_ping HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\r\n");

    private Process? daemon;
    private StreamWriter? log;

    private string Socket => Path.Combine(Folder, "docker.sock");

    public override ProcessStartInfo Client(params IReadOnlyList<string> arguments)
    {
        var start = new ProcessStartInfo("docker", arguments);
        start.Environment["DOCKER_HOST"] = $"unix://{Socket}";
        start.Environment["DOCKER_BUILDKIT"] = "0";
        start.Environment["DOCKER_CONFIG"] = Path.Combine(Folder, "config");
        return start;
    }

    public override async Task<TimeSpan?> StartAsync(CancellationToken stopping)
    {
        Directory.CreateDirectory(Folder);
        File.Delete(Socket);
        var start = Tools.Inside(Holder, command(Folder, Socket));
        start.RedirectStandardError = true;
        start.RedirectStandardOutput = true;
        log = new StreamWriter(Path.Combine(Folder, "daemon.log"), append: true) { AutoFlush = true };
        var clock = Stopwatch.StartNew();
        daemon = Process.Start(start)!;
        var words = TextWriter.Synchronized(log);
        daemon.ErrorDataReceived += (_, line) => words.WriteLine(line.Data);
        daemon.OutputDataReceived += (_, line) => words.WriteLine(line.Data);
        daemon.BeginErrorReadLine();
        daemon.BeginOutputReadLine();
        using var look = new PeriodicTimer(TimeSpan.FromMilliseconds(2));
        while (!await AnswersAsync(stopping))
        {
            if (daemon.HasExited || clock.ElapsedMilliseconds > StartPatienceMs)
            {
                throw new InvalidOperationException($"{Name} does not answer; see {Folder}/daemon.log");
            }

            await look.WaitForNextTickAsync(stopping);
        }

        return clock.Elapsed;
    }

    public override async Task StopAsync(CancellationToken stopping)
    {
        if (daemon is null)
        {
            return;
        }

        if (!daemon.HasExited)
        {
            await Tools.RunAsync("kill", ["-TERM", $"{daemon.Id}"], stopping);
            await daemon.WaitForExitAsync(stopping);
        }

        daemon.Dispose();
        daemon = null;
        await log!.DisposeAsync();
    }

    public override long? ResidentBytes(string kind = "VmRSS") => daemon is null ? null : Family(daemon.Id).Sum(process => Resident(process, kind));

    private async Task<bool> AnswersAsync(CancellationToken stopping)
    {
        try
        {
            using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(Socket), stopping);
            await socket.SendAsync(Ping, stopping);
            var buffer = new byte[512];
            var count = await socket.ReceiveAsync(buffer, stopping);
            return Encoding.ASCII.GetString(buffer, 0, count).StartsWith("HTTP/1.1 200", StringComparison.Ordinal);
        }
        catch (SocketException)
        {
            return false; // Not listening yet: that is what is being measured.
        }
    }

    // The daemon and what it started for itself (containerd), but neither shims nor proxies, which belong to containers.
    private static IEnumerable<int> Family(int parent)
    {
        yield return parent;
        foreach (var child in File.ReadAllText($"/proc/{parent}/task/{parent}/children").Split(' ', StringSplitOptions.RemoveEmptyEntries).Concat(OtherThreadsChildren(parent)))
        {
            if (File.ReadAllText($"/proc/{child}/comm").Trim() is "containerd" or "dnsmasq")
            {
                yield return int.Parse(child, System.Globalization.CultureInfo.InvariantCulture);
            }
        }
    }

    private static IEnumerable<string> OtherThreadsChildren(int parent) => Directory.EnumerateDirectories($"/proc/{parent}/task")
        .Where(task => !task.EndsWith($"/{parent}", StringComparison.Ordinal))
        .SelectMany(task => File.ReadAllText($"{task}/children").Split(' ', StringSplitOptions.RemoveEmptyEntries));

    private static long Resident(int process, string kind) => 1024 * long.Parse(
        File.ReadLines($"/proc/{process}/status").Single(line => line.StartsWith($"{kind}:", StringComparison.Ordinal)).Split(' ', StringSplitOptions.RemoveEmptyEntries)[^2],
        System.Globalization.CultureInfo.InvariantCulture);
}
