using System.Globalization;
using Godwit.Linux.Processes;

namespace Godwit.Containers;

/// <summary>
/// Where one container's files are.
/// <code>
///   DataFolder/containers/ID/      survives the host: container.json (spec, state), hosts, hostname, resolv.conf, log, log.1 …
///   RunFolder/containers/ID/       is there while it runs, and for the cleaning up after it:
///       config.json                what crun was told
///       attach  ctl  winsz         the monitor's sockets and pipes
///       monitor.pid  monitor.log   its identity, and its words when something failed
///       exits/ID                   the exit code, written by the monitor before it ends
///       exec/EXECUTION/            the same for each program executed in it
/// </code>
/// </summary>
internal sealed record ContainerFolder(string Data, string Run, ContainerId Id)
{
    internal static ContainerFolder Of(EngineOptions options, ContainerId id) =>
        new(Path.Combine(options.DataFolder, "containers", id.Value), Path.Combine(options.RunFolder, "containers", id.Value), id);

    internal string Record => Path.Combine(Data, "container.json");

    internal string Log => Path.Combine(Data, "log");

    internal string Hosts => Path.Combine(Data, "hosts");

    internal string HostName => Path.Combine(Data, "hostname");

    internal string Resolver => Path.Combine(Data, "resolv.conf");

    internal MonitorFolder Monitor => new(Run, Id.Value);

    internal MonitorFolder Execution(string execution) => new(Path.Combine(Run, "exec", execution), Id.Value);
}

/// <summary>What a monitor and the engine have between them: one folder for the container, one for each execution.</summary>
/// <param name="Path">The folder.</param>
/// <param name="Subject">The container's id, by which the monitor names the exit file.</param>
internal sealed record MonitorFolder(string Path, string Subject)
{
    internal string Configuration => Combine("config.json");

    internal string ProcessFile => Combine("process.pid");

    internal string MonitorFile => Combine("monitor.pid");

    internal string Words => Combine("monitor.log");

    internal string Exits => Combine("exits");

    internal string ExitFile => System.IO.Path.Combine(Exits, Subject);

    internal string Control => Combine("ctl");

    internal const string Socket = "attach";

    /// <summary>The monitor, if it lives and has written down who it is.</summary>
    internal ProcessIdentity? FindMonitor() =>
        File.Exists(MonitorFile) && int.TryParse(File.ReadAllText(MonitorFile).AsSpan().Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out var id)
            ? ProcessIdentity.Find(id)
            : null;

    /// <summary>Takes away what an execution's monitor has left. What cannot be removed goes with the container's own folder.</summary>
    internal void Remove()
    {
        try
        {
            Directory.Delete(Path, recursive: true);
        }
        catch (IOException)
        {
            // The container's end takes it with its own.
        }
    }

    private string Combine(string name) => System.IO.Path.Combine(Path, name);
}
