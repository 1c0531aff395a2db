using System.Globalization;
using System.Text;
using Godwit.Linux.ControlGroups;
using Godwit.Linux.Files;
using Godwit.Linux.Processes;

namespace Godwit.Containers.Monitoring;

/// <summary>
/// Starts monitors: conmon, one per container and per execution. It is the parent of the container's first process, holds its pipes or terminal,
/// writes its output to the log and its exit code to a file, and ends with it. Nothing of it needs the engine.
/// <code>
///   engine                 conmon                      crun
///   ──────                 ──────                      ────
///   spawn ───────────────▶ fork, write monitor.pid
///                          listen at attach ─────────▶ create: namespaces, mounts, cgroup; the program waits
///   ◀── sync: its PID, or crun's words ◀────────────── done
///   crun start ────────────────────────────────────────────────────▶ the program runs
///                          …  it ends; exits/ID, end
///   notices conmon's end
/// </code>
/// crun refuses hosts that have both cgroup versions mounted, though all controllers are in the first; in the mount namespace that monitors run
/// in, the second is not there. In it crun's own file can also only be read: a container's process could otherwise reach and change it through
/// <c>/proc/PID/exe</c> while crun is inside, so crun makes such a mount itself, for each of its commands, and starts once more from there: 10 of
/// the 36 ms of processor time that an exec takes.
/// </summary>
internal sealed class Monitors : IDisposable
{
    /// <summary>Monitors that wait for an execution to be asked for, of all containers together; each takes about a megabyte.</summary>
    internal const int SparesMax = 16;

    private const int WordsMax = 16 << 10;

    /// <summary>A host out of memory or with a stuck disk takes this long, not a healthy one.</summary>
    private static readonly TimeSpan AnswerBound = TimeSpan.FromSeconds(120);

    private static readonly TimeSpan WatchBound = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan WatchLook = TimeSpan.FromMilliseconds(1);

    private static readonly Dictionary<string, string> BaseEnvironment = new(StringComparer.Ordinal)
    {
        ["PATH"] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        ["TZ"] = "UTC",
    };

    private readonly EngineOptions options;
    private readonly TimeProvider time;

    internal Monitors(EngineOptions options, TimeProvider time)
    {
        this.options = options;
        this.time = time;
        Place = MakePlace();
    }

    /// <summary>Room for monitors that wait for an execution.</summary>
    internal SemaphoreSlim Spares { get; } = new(SparesMax);

    /// <summary>What crun and its monitors see of the host's mounts.</summary>
    internal MountNamespace Place { get; }

    /// <summary>Makes the container; its program does not run yet.</summary>
    /// <exception cref="ContainerStartException">crun refused, and its words.</exception>
    internal async Task<Incarnation> CreateAsync(ContainerFolder folder, ContainerSpec spec, CancellationToken stopping)
    {
        var monitor = folder.Monitor;
        // Where the host's mounts are private, nobody sees in a copy of them what was mounted after it was made: a bind needs a new one.
        using var fresh = spec.Mounts.OfType<MountSpec.Bind>().Any() ? MakePlace() : null;
        using var process = Start(MonitorArguments.ForContainer(options, folder, spec), monitor, fresh ?? Place, FileAccess.Read);
        using var sync = new SyncReader(process.Pipes[0]);
        var answer = await AnswerAsync(process, sync, monitor, stopping);
        var first = ProcessIdentity.Find(answer.Value) ?? throw new ContainerStartException(125, $"the container's first process {answer.Value} ended before it ran");
        return new Incarnation(first, ReadIdentity(monitor), time.GetUtcNow());
    }

    /// <summary>Starts the monitor of an execution, up to where it waits for the word to execute what its folder says then.</summary>
    internal async Task<PreparedMonitor> PrepareAsync(MonitorFolder folder, ProcessSpec spec, string unique, CancellationToken stopping)
    {
        var process = Start(MonitorArguments.ForExecution(options, folder, spec, unique), folder, Place, FileAccess.Read, FileAccess.Write, FileAccess.Read);
        var prepared = new PreparedMonitor(folder, process);
        try
        {
            // It waits for one byte, opens its socket and says so, and waits for another.
            await process.Pipes[1].WriteAsync("\n"u8.ToArray(), stopping);
            await ReadByteAsync(process, process.Pipes[2], folder, stopping);
            return prepared;
        }
        catch
        {
            prepared.Dispose();
            throw;
        }
    }

    /// <summary>Starts the program that the monitor's folder says, once <paramref name="connect"/> has been called and whoever wants its output listens. The monitor is the execution's from here on.</summary>
    /// <returns>Its process, and how it ended, later.</returns>
    internal async Task<StartedExecution> ExecuteAsync(PreparedMonitor monitor, bool isTerminal, Func<CancellationToken, Task> connect, CancellationToken stopping)
    {
        try
        {
            PrepareToJoin();
            await connect(stopping);
            if (isTerminal)
            {
                await WaitUntilWatchingAsync(monitor.Folder, stopping);
            }
        }
        catch
        {
            await monitor.EndAsync(time, CancellationToken.None); // The end of its pipe would be a word too.
            throw;
        }

        try
        {
            await monitor.Process.Pipes[1].WriteAsync("\n"u8.ToArray(), stopping);
            var answer = await AnswerAsync(monitor.Process, monitor.Sync, monitor.Folder, stopping);
            return new StartedExecution(answer.Value, WaitForExitAsync(monitor));
        }
        catch
        {
            monitor.Dispose();
            throw;
        }
    }

    /// <summary>crun puts its process into the container's cgroup, and would wait for the kernel then; it takes some milliseconds until it gets there, and the kernel stays ready for some.</summary>
    internal static void PrepareToJoin() => _ = Task.Run(ControlGroupMoves.Prepare, CancellationToken.None);

    public void Dispose()
    {
        Place.Dispose();
        Spares.Dispose();
    }

    private MountNamespace MakePlace() => MountNamespace.Create(FindHybrid(Mounts.List()), [options.RuntimePath]);

    /// <summary>The unified hierarchy's mount, on a host that has its controllers elsewhere.</summary>
    internal static IReadOnlyList<string> FindHybrid(IReadOnlyList<Mount> mounts) => mounts.Any(mount => mount.Type == "cgroup")
        ? [.. mounts.Where(mount => mount.Type == "cgroup2").Select(mount => mount.Path)]
        : [];

    private static PipedProcess Start(IReadOnlyList<string> command, MonitorFolder folder, MountNamespace place, params IReadOnlyList<FileAccess> pipes)
    {
        Directory.CreateDirectory(folder.Exits);
        var names = new[] { MonitorArguments.SyncPipe, MonitorArguments.StartPipe, MonitorArguments.AttachPipe };
        var environment = new Dictionary<string, string>(BaseEnvironment, StringComparer.Ordinal);
        for (var i = 0; i < pipes.Count; i++)
        {
            environment[names[i]] = (PipedProcess.FirstPipeNumber + i).ToString(CultureInfo.InvariantCulture);
        }

        return PipedProcess.Start(command, environment, place, folder.Words, pipes);
    }

    /// <summary>
    /// conmon (2.1.6) looks at what is ready and then acts on it. Our connection wakes it; if the program is let go, hands over its terminal and ends before the monitor
    /// acts, that sees the end, of the terminal nothing, and gives up without a word. So the program waits until the monitor has dealt with the connection and sleeps
    /// again: what wakes it next is the terminal.
    /// </summary>
    private async Task WaitUntilWatchingAsync(MonitorFolder folder, CancellationToken stopping)
    {
        var start = time.GetTimestamp();
        while (folder.FindMonitor() is not { IsAsleep: true } && time.GetElapsedTime(start) < WatchBound)
        {
            await Task.Delay(WatchLook, time, stopping);
        }
    }

    private async Task<MonitorAnswer> AnswerAsync(PipedProcess process, SyncReader sync, MonitorFolder folder, CancellationToken stopping)
    {
        MonitorAnswer? answer;
        try
        {
            answer = await sync.ReadAsync().WaitAsync(AnswerBound, time, stopping);
        }
        catch (TimeoutException late)
        {
            process.Process?.Send(ProcessSignal.Kill);
            throw new ContainerStartException(125, $"the runtime did not answer in {AnswerBound.TotalSeconds} s: is the host out of memory, or its disk stuck?", late);
        }

        return answer is { Value: > 0 } ? answer : throw Refused(answer?.Message ?? ReadWords(folder));
    }

    private async Task ReadByteAsync(PipedProcess process, Stream pipe, MonitorFolder folder, CancellationToken stopping)
    {
        var one = new byte[1];
        var read = Task.Run(() => pipe.Read(one, 0, 1), CancellationToken.None);
        try
        {
            if (await read.WaitAsync(AnswerBound, time, stopping) == 0)
            {
                throw Refused(ReadWords(folder));
            }
        }
        catch
        {
            process.Process?.Send(ProcessSignal.Kill); // Its end of the pipe closes, and so the read ends.
            throw;
        }
    }

    private static async Task<int?> WaitForExitAsync(PreparedMonitor monitor)
    {
        try
        {
            return (await monitor.Sync.ReadAsync())?.Value;
        }
        finally
        {
            monitor.Dispose();
        }
    }

    /// <summary>In the words that people know from Docker: 127 no such program, 126 cannot be executed, else 125.</summary>
    internal static ContainerStartException Refused(string words)
    {
        var code = words.Contains("not found in $PATH", StringComparison.Ordinal) || words.Contains("No such file or directory", StringComparison.Ordinal) ? 127
            : words.Contains("Permission denied", StringComparison.OrdinalIgnoreCase) || words.Contains("Exec format error", StringComparison.OrdinalIgnoreCase)
                || words.Contains("open executable: Operation not permitted", StringComparison.Ordinal) // crun's words for a folder.
                || words.Contains("Is a directory", StringComparison.OrdinalIgnoreCase) ? 126
            : 125;
        return new ContainerStartException(code, $"the OCI runtime cannot start it: {words.Trim()}");
    }

    private static string ReadWords(MonitorFolder folder)
    {
        if (!File.Exists(folder.Words))
        {
            return "no word from the monitor";
        }

        using var file = File.OpenRead(folder.Words);
        file.Seek(-Math.Min(WordsMax, file.Length), SeekOrigin.End);
        var buffer = new byte[WordsMax];
        var text = Encoding.UTF8.GetString(buffer, 0, file.ReadAtLeast(buffer, buffer.Length, throwOnEndOfStream: false)).Trim();
        return text.Length > 0 ? text : "no word from the monitor";
    }

    private static ProcessIdentity ReadIdentity(MonitorFolder folder) =>
        folder.FindMonitor() ?? throw new ContainerStartException(125, $"the container's monitor has ended: {ReadWords(folder)}");
}
