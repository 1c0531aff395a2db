using System.Text;
using Godwit.Linux.Files;
using Godwit.Linux.Processes;
using Microsoft.Extensions.Logging;

namespace Godwit.Networks.Names;

/// <summary>
/// DHCP and DNS for the guests of one host: one dnsmasq on the bridge's gateway address. It outlives us, and is found again by the
/// identity that was written before it ran. Tables are files that it reads anew on a signal; only another configuration, or its
/// death, starts it anew. One object per host, used by one caller at a time.
/// </summary>
public sealed partial class NameService(NameServiceSettings settings, TimeProvider time, ILogger<NameService> log) : IDisposable
{
    private const string Program = "/usr/sbin/dnsmasq";
    private const string IdentityFile = "process";
    private const string ConfigurationFile = "configuration";
    private const string OutputFile = "output";

    private const string ReadyWords = "started, version";

    /// <summary>As much of what it says from some position on as is ever looked at.</summary>
    private const int OutputBytesMax = 1 << 14;

    private const int OutputBytesKept = 1 << 20;

    private static readonly TimeSpan StopBound = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan WordsLook = TimeSpan.FromMilliseconds(5);
    private static readonly TimeSpan WordsBound = TimeSpan.FromSeconds(20);

    private const UnixFileMode Readable = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.OtherRead;

    private readonly ProcessLauncher launcher = new(time);
    private LinuxProcess? process;

    /// <summary>Ends when the service has ended by itself: apply again. Never ends while none runs.</summary>
    public Task Ended => process?.Exited ?? Task.Delay(Timeout.InfiniteTimeSpan, time);

    /// <summary>Whether it runs.</summary>
    public bool IsRunning => process is { Exited.IsCompleted: false };

    /// <summary>Makes the service run with these tables, and returns when it gives answers from them. Idempotent: applying the same again does nothing.</summary>
    /// <exception cref="ProcessLaunchException">dnsmasq is missing or refused its configuration; its words are in the message.</exception>
    public async Task ApplyAsync(NameTable table, CancellationToken stopping)
    {
        Directory.CreateDirectory(settings.Folder);
        BoundOutput();
        File.SetUnixFileMode(settings.Folder, Readable | UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute);
        var configuration = NameServiceFiles.BuildConfiguration(settings, FindUser());
        var adopted = Adopt();
        if (IsRunning && !Holds(ConfigurationFile, configuration))
        {
            // Ended before the new one is written: what runs is always what the file says, also if we die in between.
            await StopAsync(stopping);
        }

        var changed = Write(NameServiceFiles.LeasesFile, NameServiceFiles.BuildLeases(table))
            | Write(NameServiceFiles.NamesFile, NameServiceFiles.BuildNames(settings, table))
            | WriteServices(table);
        Write(ConfigurationFile, configuration);
        if (!IsRunning)
        {
            await StartAsync(stopping);
        }
        else if (adopted)
        {
            // Its maker may have died before it was ready, or before it was told of its last tables.
            await WaitForWordsAsync(process!, ReadyWords, 0, stopping);
            await ReloadAsync(process!, stopping);
        }
        else if (changed)
        {
            await ReloadAsync(process!, stopping);
        }
    }

    /// <summary>Ends the service that was made with this folder, for one who knows nothing else of it. Idempotent.</summary>
    public static async Task EndAsync(string folder, TimeProvider time, CancellationToken stopping)
    {
        if (FindIn(folder) is { } identity && LinuxProcess.TryOpen(identity) is { } found)
        {
            using (found)
            {
                await found.StopAsync(StopBound, time, stopping);
            }
        }
    }

    /// <summary>Ends the service and removes its folder. Idempotent.</summary>
    public async Task RemoveAsync(CancellationToken stopping)
    {
        Adopt();
        await StopAsync(stopping);
        if (Directory.Exists(settings.Folder))
        {
            Directory.Delete(settings.Folder, recursive: true);
        }
    }

    /// <summary>Lets go of it; it runs on.</summary>
    public void Dispose() => process?.Dispose();

    private string PathOf(string file) => Path.Combine(settings.Folder, file);

    private bool Adopt()
    {
        if (process is not null || FindIn(settings.Folder) is not { } identity)
        {
            return false;
        }

        process = LinuxProcess.TryOpen(identity);
        if (process is null)
        {
            return false;
        }

        Log.Adopted(log, identity.ProcessId);
        return true;
    }

    private static ProcessIdentity? FindIn(string folder) =>
        Path.Combine(folder, IdentityFile) is var file && File.Exists(file) && ProcessIdentity.TryParse(File.ReadAllText(file), out var identity) ? identity : null;

    private async Task StartAsync(CancellationToken stopping)
    {
        if (process is not null)
        {
            Log.Ended(log, process.Identity.ProcessId, await process.Exited);
            process.Dispose();
            process = null;
        }

        File.Delete(PathOf(OutputFile));
        process = await launcher.LaunchAsync(
            new ProcessLaunch
            {
                Program = Program,
                Arguments = ["--keep-in-foreground", "--log-facility=-", "--pid-file=", $"--conf-file={PathOf(ConfigurationFile)}"],
                OutputPath = PathOf(OutputFile),
                NetworkNamespace = settings.Place,
            },
            identity => DurableFile.Write(PathOf(IdentityFile), Encoding.ASCII.GetBytes(identity.ToString())),
            stopping);
        await WaitForWordsAsync(process, ReadyWords, 0, stopping);
        Log.Started(log, process.Identity.ProcessId, settings.BridgeName);
    }

    /// <summary>Has it read its tables anew, and returns when it has.</summary>
    private async Task ReloadAsync(LinuxProcess running, CancellationToken stopping)
    {
        var before = new FileInfo(PathOf(OutputFile)).Length;
        running.Send(ProcessSignal.Reload);
        // Leases are the last that it reads.
        await WaitForWordsAsync(running, $"read {PathOf(NameServiceFiles.LeasesFile)}", before, stopping);
    }

    /// <summary>
    /// Until it has said something after this position of its output: that it serves (told of a table before, it would end: the signal's
    /// default), or that it has read a table.
    /// </summary>
    private async Task WaitForWordsAsync(LinuxProcess running, string words, long position, CancellationToken stopping)
    {
        var start = time.GetTimestamp();
        while (!ReadOutput(position).Contains(words, StringComparison.Ordinal))
        {
            if (running.Exited.IsCompleted)
            {
                throw new ProcessLaunchException(Program, ReadOutput(position).Trim());
            }

            if (time.GetElapsedTime(start) > WordsBound)
            {
                throw new ProcessLaunchException(Program, $"it has not said '{words}' for {WordsBound.TotalSeconds} s, but: {ReadOutput(position).Trim()}");
            }

            await Task.Delay(WordsLook, time, stopping);
        }
    }

    /// <summary>It writes a line for every address that it gives out. Its first words stay: they say what it runs with.</summary>
    private void BoundOutput()
    {
        if (new FileInfo(PathOf(OutputFile)) is { Exists: true, Length: > OutputBytesKept })
        {
            using var output = File.OpenWrite(PathOf(OutputFile));
            output.SetLength(OutputBytesMax);
        }
    }

    private string ReadOutput(long position)
    {
        using var output = File.OpenRead(PathOf(OutputFile));
        output.Seek(Math.Min(position, output.Length), SeekOrigin.Begin);
        var buffer = new byte[OutputBytesMax];
        return Encoding.UTF8.GetString(buffer, 0, output.ReadAtLeast(buffer, buffer.Length, throwOnEndOfStream: false));
    }

    private async Task StopAsync(CancellationToken stopping)
    {
        if (process is not null)
        {
            await process.StopAsync(StopBound, time, stopping);
            process.Dispose();
            process = null;
        }
    }

    private bool Holds(string file, string text) => File.Exists(PathOf(file)) && File.ReadAllText(PathOf(file)) == text;

    /// <summary>What is not known stays as it is; there is always something to read.</summary>
    private bool WriteServices(NameTable table) => table.Services is { } services
        ? Write(NameServiceFiles.ServicesFile, NameServiceFiles.BuildServices(services))
            | Write(NameServiceFiles.ServersFile, NameServiceFiles.BuildServers(settings, services, table.ResponderPort))
        : (!File.Exists(PathOf(NameServiceFiles.ServicesFile)) && Write(NameServiceFiles.ServicesFile, ""))
            | (!File.Exists(PathOf(NameServiceFiles.ServersFile)) && Write(NameServiceFiles.ServersFile, ""));

    /// <summary>Whether the file had to be changed.</summary>
    private bool Write(string file, string text)
    {
        if (Holds(file, text))
        {
            return false;
        }

        DurableFile.Write(PathOf(file), Encoding.UTF8.GetBytes(text), Readable);
        return true;
    }

    /// <summary>The account that the distribution made for it, or the one for nobody in particular.</summary>
    private static string FindUser() => File.ReadLines("/etc/passwd").Any(line => line.StartsWith("dnsmasq:", StringComparison.Ordinal)) ? "dnsmasq" : "nobody";

    private static partial class Log
    {
        [LoggerMessage(EventId = 2201, Level = LogLevel.Information, Message = "Started dnsmasq as process {ProcessId} on {Bridge}")]
        internal static partial void Started(ILogger log, int processId, string bridge);

        [LoggerMessage(EventId = 2202, Level = LogLevel.Information, Message = "Adopted dnsmasq, process {ProcessId}")]
        internal static partial void Adopted(ILogger log, int processId);

        [LoggerMessage(EventId = 2203, Level = LogLevel.Warning, Message = "dnsmasq, process {ProcessId}, {Exit}; it is started again")]
        internal static partial void Ended(ILogger log, int processId, ProcessExit exit);
    }
}
