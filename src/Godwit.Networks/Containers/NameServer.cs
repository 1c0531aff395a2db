using System.Text;
using Godwit.Linux.Files;
using Godwit.Linux.Processes;
using Microsoft.Extensions.Logging;

namespace Godwit.Networks.Containers;

/// <summary>One dnsmasq that answers from a table in its folder. It outlives us and is found again by the identity written before it ran.</summary>
internal sealed partial class NameServer(string folder, TimeProvider time, ILogger log) : IDisposable
{
    private const string Program = "/usr/sbin/dnsmasq";
    private const string ReadyWords = "started, version";
    private const int OutputBytesMax = 1 << 14;
    private const UnixFileMode Readable = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.OtherRead;

    private static readonly TimeSpan ReadyBound = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan ReadyLook = TimeSpan.FromMilliseconds(2);

    private readonly ProcessLauncher launcher = new(time);
    private LinuxProcess? process;

    /// <summary>Makes it run with these; a changed table alone is read anew without a pause.</summary>
    internal async Task ApplyAsync(string configuration, string hosts, CancellationToken stopping)
    {
        Directory.CreateDirectory(folder);
        File.SetUnixFileMode(folder, Readable | UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute);
        configuration += $"addn-hosts={PathOf("hosts")}\n";
        process ??= File.Exists(PathOf("process")) && ProcessIdentity.TryParse(await File.ReadAllTextAsync(PathOf("process"), stopping), out var identity)
            ? LinuxProcess.TryOpen(identity)
            : null;
        var changed = Write("hosts", hosts);
        if (Write("configuration", configuration) || process is null || process.Exited.IsCompleted)
        {
            await StopAsync(stopping);
            await StartAsync(stopping);
        }
        else if (changed)
        {
            process.Send(ProcessSignal.Reload);
        }
    }

    /// <summary>Ends it, and removes its folder. Idempotent.</summary>
    internal async Task RemoveAsync(CancellationToken stopping)
    {
        process ??= File.Exists(PathOf("process")) && ProcessIdentity.TryParse(await File.ReadAllTextAsync(PathOf("process"), stopping), out var identity)
            ? LinuxProcess.TryOpen(identity)
            : null;
        await StopAsync(stopping);
        if (Directory.Exists(folder))
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    public void Dispose() => process?.Dispose();

    private async Task StartAsync(CancellationToken stopping)
    {
        File.Delete(PathOf("output"));
        process = await launcher.LaunchAsync(
            new ProcessLaunch
            {
                Program = Program,
                Arguments = ["--keep-in-foreground", "--log-facility=-", "--pid-file=", $"--conf-file={PathOf("configuration")}"],
                OutputPath = PathOf("output"),
            },
            identity => DurableFile.Replace(PathOf("process"), Encoding.ASCII.GetBytes(identity.ToString())),
            stopping);
        var start = time.GetTimestamp();
        while (!ReadOutput().Contains(ReadyWords, StringComparison.Ordinal))
        {
            if (process.Exited.IsCompleted || time.GetElapsedTime(start) > ReadyBound)
            {
                throw new NetworkException($"the name server of a container network does not start: {ReadOutput().Trim()}");
            }

            await Task.Delay(ReadyLook, time, stopping);
        }

        Log.Started(log, process.Identity.ProcessId, folder);
    }

    private async Task StopAsync(CancellationToken stopping)
    {
        if (process is not null)
        {
            await process.StopAsync(TimeSpan.FromSeconds(3), time, stopping);
            process.Dispose();
            process = null;
        }
    }

    private string ReadOutput()
    {
        using var output = File.OpenRead(PathOf("output"));
        var buffer = new byte[OutputBytesMax];
        return Encoding.UTF8.GetString(buffer, 0, output.ReadAtLeast(buffer, buffer.Length, throwOnEndOfStream: false));
    }

    private string PathOf(string file) => Path.Combine(folder, file);

    /// <summary>Whether the file had to be changed. Nothing here needs to survive the host.</summary>
    private bool Write(string file, string text)
    {
        if (File.Exists(PathOf(file)) && File.ReadAllText(PathOf(file)) == text)
        {
            return false;
        }

        DurableFile.Replace(PathOf(file), Encoding.UTF8.GetBytes(text));
        File.SetUnixFileMode(PathOf(file), Readable);
        return true;
    }

    private static partial class Log
    {
        [LoggerMessage(EventId = 2301, Level = LogLevel.Information, Message = "Started a name server, process {ProcessId}, of {Folder}")]
        internal static partial void Started(ILogger log, int processId, string folder);
    }
}
