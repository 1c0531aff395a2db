namespace Godwit.Containers.Monitoring;

/// <summary>conmon's command lines (conmon(8)).</summary>
internal static class MonitorArguments
{
    internal const string SyncPipe = "_OCI_SYNCPIPE";
    internal const string StartPipe = "_OCI_STARTPIPE";
    internal const string AttachPipe = "_OCI_ATTACHPIPE";

    /// <summary>
    /// A file larger than this is started anew by the monitor itself, and what it held is lost: the disk's protection while the engine is away and nobody puts the file aside. Far
    /// above what a container prints between two looks of the engine.
    /// </summary>
    private const long EmergencyFactor = 8;
    private const long EmergencyBytesMin = 1L << 30;

    /// <summary>For a container's first process. The bundle is the folder itself.</summary>
    internal static IReadOnlyList<string> ForContainer(EngineOptions options, ContainerFolder folder, ContainerSpec spec) =>
    [
        // A terminal stays where it is when somebody leaves it: as with Docker, who comes back types on.
        .. Common(options, folder.Monitor, spec.Process with { StandardInputOnce = spec.Process.StandardInputOnce && !spec.Process.Terminal }, folder.Id.Value),
        "--log-path", $"k8s-file:{folder.Log}",
        "--log-size-max", Number(spec.Log.SizeBytesMax > long.MaxValue / EmergencyFactor ? long.MaxValue : Math.Max(EmergencyBytesMin, spec.Log.SizeBytesMax * EmergencyFactor)),
    ];

    /// <summary>For a program executed later: it waits until somebody listens, and its output is kept nowhere.</summary>
    internal static IReadOnlyList<string> ForExecution(EngineOptions options, MonitorFolder folder, ProcessSpec process, string execution) =>
    [
        .. Common(options, folder, process, execution),
        "--exec", "--exec-attach",
        "--exec-process-spec", folder.Configuration,
        "--log-path", "none",
    ];

    private static IEnumerable<string> Common(EngineOptions options, MonitorFolder folder, ProcessSpec process, string unique)
    {
        string[] arguments =
        [
            options.MonitorPath,
            "--api-version", "1",
            "--cid", folder.Subject,
            "--cuuid", unique,
            "--name", folder.Subject,
            "--bundle", folder.Path,
            "--runtime", options.RuntimePath,
            "--runtime-arg", $"--root={RuntimeRoot(options)}",
            "--container-pidfile", folder.ProcessFile,
            "--conmon-pidfile", folder.MonitorFile,
            "--exit-dir", folder.Exits,
            "--persist-dir", folder.Path,
            "--full-attach",
            "--no-sync-log",
            "--log-level", "error",
        ];
        IEnumerable<string> terminal = process.Terminal ? ["--terminal"] : [];
        // Without the second, the first who lets go of standard input ends it for all.
        IEnumerable<string> input = !process.OpenStandardInput ? [] : process.StandardInputOnce ? ["--stdin"] : ["--stdin", "--leave-stdin-open"];
        return [.. arguments, .. terminal, .. input];
    }

    internal static string RuntimeRoot(EngineOptions options) => Path.Combine(options.RunFolder, "crun");

    private static string Number(long value) => value.ToString(System.Globalization.CultureInfo.InvariantCulture);
}
