using Godwit.Qmp;

namespace Godwit.Machines;

/// <summary>A run state and why, as one value that is replaced whole.</summary>
internal sealed record RunStatus(MachineRunState State, string Reason);

/// <summary>
/// From QEMU's words to ours, pure. Two sources: <c>query-status</c> when a monitor connects, and events from then on.
/// <code>
///   prelaunch ──cont──▶ running ◀──cont / stop──▶ paused          inmigrate ──state arrived──▶ paused ──cont──▶ running
///   running ──SHUTDOWN──▶ shutdown      running ──GUEST_PANICKED──▶ crashed
///   paused ──MIGRATION completed──▶ postmigrate (source only)
/// </code>
/// </summary>
internal static class RunStates
{
    public static RunStatus FromQuery(string status) => status switch
    {
        "prelaunch" => new(MachineRunState.Created, "waits for its first order to run"),
        "inmigrate" => new(MachineRunState.Incoming, "waits for an incoming guest"),
        "running" => new(MachineRunState.Running, "runs"),
        "postmigrate" => new(MachineRunState.PostMigrate, "its guest was sent to another host"),
        "shutdown" => new(MachineRunState.Shutdown, "the guest shut down"),
        "guest-panicked" => new(MachineRunState.Crashed, "the guest's kernel panicked"),
        "internal-error" => new(MachineRunState.Crashed, "QEMU reports an internal error of the virtual machine"),
        "io-error" => new(MachineRunState.Paused, "a disk failed or is full; the guest goes on when it is resumed"),
        _ => new(MachineRunState.Paused, $"QEMU says '{status}'"),
    };

    /// <summary>The status after an event; the same value when the event does not change it.</summary>
    public static RunStatus After(RunStatus current, QmpEvent happened) => happened.Name switch
    {
        "RESUME" => new(MachineRunState.Running, "runs"),

        // The first end is the one that counts: our own "quit" to a guest that has shut down is reported as a second one.
        "SHUTDOWN" when current.State is not (MachineRunState.Shutdown or MachineRunState.Crashed) => new(MachineRunState.Shutdown, ShutdownReason(happened)),
        "GUEST_PANICKED" => new(MachineRunState.Crashed, "the guest's kernel panicked"),
        "BLOCK_IO_ERROR" when happened.Text("action") == "stop" => new(
            MachineRunState.Paused,
            happened.Truth("nospace") == true ? "the host's disk is full; free some room and resume the guest" : "a disk failed; the guest goes on when it is resumed"),

        // The reason for a stop comes as an event of its own before it, and outlives it.
        "STOP" when current.State is MachineRunState.Running => new(MachineRunState.Paused, "stopped by order"),
        "MIGRATION" when happened.Text("status") == "completed" => current.State switch
        {
            MachineRunState.Incoming => new(MachineRunState.Paused, "its state arrived; waits for the order to run"),
            MachineRunState.Paused => new(MachineRunState.PostMigrate, "its guest was sent to another host"),
            _ => current,
        },
        _ => current,
    };

    private static string ShutdownReason(QmpEvent happened) => happened.Text("reason") switch
    {
        "guest-shutdown" => "the guest shut down",
        "guest-reset" => "the guest asked for a reset, which ends it here",
        "guest-panic" => "the guest's kernel panicked",
        "host-qmp-quit" => "ended by order",
        "host-signal" => "QEMU was asked to end by a signal",
        { } other => $"shut down ({other})",
        null => "shut down",
    };
}
