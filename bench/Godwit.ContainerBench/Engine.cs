using System.Diagnostics;

namespace Godwit.ContainerBench;

/// <summary>An engine in namespaces of its own, as its command line is used.</summary>
internal abstract class Engine(string name, int holder, string folder) : IAsyncDisposable
{
    private int bigs;

    public string Name => name;

    /// <summary>The process whose mount and network namespaces the engine lives in.</summary>
    public int Holder => holder;

    protected string Folder => folder;

    /// <summary>The command that people type, with what makes it speak to this engine.</summary>
    public abstract ProcessStartInfo Client(params IReadOnlyList<string> arguments);

    /// <summary>What this engine's command wants beyond the common arguments in order to use a registry without TLS.</summary>
    public virtual IReadOnlyList<string> PlainRegistry => [];

    /// <summary>Removes running containers without asking them to end first.</summary>
    public virtual IReadOnlyList<string> RemoveNow => ["rm", "-f"];

    /// <summary>Starts the engine; says how long until it answered. Null: there is no such process.</summary>
    public abstract Task<TimeSpan?> StartAsync(CancellationToken stopping);

    public abstract Task StopAsync(CancellationToken stopping);

    /// <summary>Resident memory of all processes that wait for somebody to ask something, in bytes. Containers' own monitors do not count.</summary>
    /// <param name="kind">As proc_pid_status(5) calls it: <c>VmRSS</c> is all, <c>RssAnon</c> what is no file's and can only be swapped out.</param>
    public abstract long? ResidentBytes(string kind = "VmRSS");

    /// <summary>The number of an image that it has not pulled in this run.</summary>
    public int NextBig() => ++bigs;

    public async Task<string> RunAsync(CancellationToken stopping, params string[] arguments) => await Tools.RunAsync(Client(arguments), stopping);

    /// <summary>How long a command of this engine takes, in milliseconds; its output is thrown away by the kernel, not read by us.</summary>
    public async Task<double> TimeAsync(CancellationToken stopping, params string[] arguments)
    {
        var command = Client(arguments);
        var start = new ProcessStartInfo("/bin/sh", ["-c", "exec \"$0\" \"$@\" > /dev/null", command.FileName, .. command.ArgumentList]);
        foreach (var (key, value) in command.Environment)
        {
            start.Environment[key] = value;
        }

        var clock = Stopwatch.StartNew();
        await Tools.RunAsync(start, stopping);
        return clock.Elapsed.TotalMilliseconds;
    }

    public virtual async ValueTask DisposeAsync()
    {
        await StopAsync(CancellationToken.None);
        await Tools.RunAsync(Tools.Script, ["stop", $"bench-{name}"], CancellationToken.None);
    }
}
