namespace Godwit.Qmp;

/// <content>Block nodes, their mirrors and their exports.</content>
public static partial class QmpCommands
{
    /// <summary>Every job on a block node, those included that have ended and were not dismissed.</summary>
    public static QmpCommand<IReadOnlyList<QmpBlockJob>> QueryBlockJobs { get; } = new("query-block-jobs", QmpJson.Default.IReadOnlyListQmpBlockJob);

    /// <summary>Ends the NBD server and every export of it. An error when there is none.</summary>
    public static QmpCommand<QmpNothing> StopNbdServer { get; } = Order("nbd-server-stop");

    /// <summary>Serves NBD on a unix socket; without exports so far.</summary>
    public static QmpCommand<QmpNothing> StartNbdServer(string socketPath, int connectionsMax) =>
        Order("nbd-server-start", new QmpArguments.NbdServer(new("unix", new(socketPath)), connectionsMax), QmpJson.Default.NbdServer);

    /// <summary>Exports a node for writing under its own name.</summary>
    public static QmpCommand<QmpNothing> AddNbdExport(string node) =>
        Order("block-export-add", new QmpArguments.BlockExport("nbd", $"export-{node}", node, node, Writable: true), QmpJson.Default.BlockExport);

    /// <summary>Connects to an export as a new node. What is written there as zeroes is not stored there.</summary>
    public static QmpCommand<QmpNothing> AddNbdNode(string node, string socketPath, string export) =>
        Order(
            "blockdev-add",
            new QmpArguments.NbdNode("nbd", node, new("unix", socketPath), export, Discard: "unmap", DetectZeroes: "unmap"),
            QmpJson.Default.NbdNode);

    public static QmpCommand<QmpNothing> DeleteNode(string node) => Order("blockdev-del", new QmpArguments.Node(node), QmpJson.Default.Node);

    /// <summary>Copies a node to another and then follows its writes, until it is ended. It stays listed after its end, until it is dismissed.</summary>
    /// <param name="job">The job's own name.</param>
    /// <param name="source">The node that the guest uses.</param>
    /// <param name="target">The node to copy to.</param>
    /// <param name="topOnly">Only what the source's own layer holds, because the target has the same backing image.</param>
    /// <param name="bytesPerSecond">Zero: no bound.</param>
    public static QmpCommand<QmpNothing> Mirror(string job, string source, string target, bool topOnly, long bytesPerSecond) =>
        Order(
            "blockdev-mirror",
            new QmpArguments.BlockMirror(job, source, target, topOnly ? "top" : "full", bytesPerSecond, "background", "report", "report", AutoDismiss: false),
            QmpJson.Default.BlockMirror);

    /// <summary>From now on the guest's writes wait for the copy.</summary>
    public static QmpCommand<QmpNothing> MirrorSynchronously(string job) =>
        Order("block-job-change", new QmpArguments.BlockJobChange(job, "mirror", "write-blocking"), QmpJson.Default.BlockJobChange);

    /// <summary>Bounds what a job may copy, in bytes a second; zero: no bound.</summary>
    public static QmpCommand<QmpNothing> SetBlockJobSpeed(string job, long bytesPerSecond) =>
        Order("block-job-set-speed", new QmpArguments.BlockJobSpeed(job, bytesPerSecond), QmpJson.Default.BlockJobSpeed);

    /// <summary>A mirror that is ready ends with both sides alike and flushed; with <paramref name="force"/> it ends at once, however it stands.</summary>
    public static QmpCommand<QmpNothing> EndBlockJob(string job, bool force) =>
        Order("block-job-cancel", new QmpArguments.BlockJobCancel(job, force), QmpJson.Default.BlockJobCancel);

    /// <summary>Takes all disks into use though no guest runs, as one that was loaded and stands still leaves them to others. Since QEMU 10.0.</summary>
    public static QmpCommand<QmpNothing> ActivateBlockNodes { get; } = Order("blockdev-set-active", new QmpArguments.BlockActivation(Active: true), QmpJson.Default.BlockActivation);

    public static QmpCommand<QmpNothing> DismissJob(string job) => Order("job-dismiss", new QmpArguments.Job(job), QmpJson.Default.Job);
}
