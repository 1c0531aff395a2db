using System.Text.Json;
using CsCheck;
using Godwit.Qmp;

namespace Godwit.Machines.Tests;

/// <summary>QEMU's event sequences, as it was seen to send them, and what we make of them.</summary>
public sealed class RunStatesTests
{
    private static readonly string[] Names =
        ["STOP", "SHUTDOWN:x", "GUEST_PANICKED", "RESET", "MIGRATION:completed", "MIGRATION:failed", "MIGRATION:cancelled", "BLOCK_IO_ERROR"];

    [Theory]
    [InlineData(MachineRunState.Created, "RESUME", MachineRunState.Running)]
    [InlineData(MachineRunState.Running, "STOP", MachineRunState.Paused)]
    [InlineData(MachineRunState.Running, "SHUTDOWN:guest-shutdown STOP", MachineRunState.Shutdown)]
    [InlineData(MachineRunState.Running, "GUEST_PANICKED STOP", MachineRunState.Crashed)]
    [InlineData(MachineRunState.Running, "MIGRATION:setup MIGRATION:active STOP MIGRATION:pre-switchover MIGRATION:device MIGRATION:completed", MachineRunState.PostMigrate)]
    [InlineData(MachineRunState.Running, "STOP MIGRATION:pre-switchover MIGRATION:cancelling RESUME MIGRATION:cancelled", MachineRunState.Running)]
    [InlineData(MachineRunState.Running, "MIGRATION:active MIGRATION:failed", MachineRunState.Running)]
    [InlineData(MachineRunState.Incoming, "MIGRATION:active MIGRATION:completed", MachineRunState.Paused)]
    [InlineData(MachineRunState.Incoming, "MIGRATION:active MIGRATION:completed RESUME", MachineRunState.Running)]
    [InlineData(MachineRunState.Incoming, "MIGRATION:postcopy-active RESUME MIGRATION:completed", MachineRunState.Running)]
    [InlineData(MachineRunState.Incoming, "MIGRATION:failed", MachineRunState.Incoming)]
    [InlineData(MachineRunState.Shutdown, "SHUTDOWN:host-qmp-quit", MachineRunState.Shutdown)]
    [InlineData(MachineRunState.Running, "RTC_CHANGE NIC_RX_FILTER_CHANGED", MachineRunState.Running)]
    public void Events_lead_to_the_state(MachineRunState from, string events, MachineRunState to)
    {
        var status = new RunStatus(from, "");
        foreach (var happened in events.Split(' '))
        {
            status = RunStates.After(status, Event(happened));
        }

        Assert.Equal(to, status.State);
    }

    [Fact]
    public void Reason_of_a_shutdown_survives_what_follows()
    {
        var shutDown = RunStates.After(new RunStatus(MachineRunState.Running, ""), Event("SHUTDOWN:guest-shutdown"));
        Assert.Equal(shutDown, RunStates.After(RunStates.After(shutDown, Event("STOP")), Event("SHUTDOWN:host-qmp-quit")));
        Assert.Equal("the guest shut down", shutDown.Reason);
    }

    [Fact]
    public void Full_disk_is_named_and_not_overwritten_by_the_stop_that_follows()
    {
        var full = new QmpEvent("BLOCK_IO_ERROR", default, JsonElement.Parse("""{"action": "stop", "nospace": true}"""), 0);
        var status = RunStates.After(new RunStatus(MachineRunState.Running, ""), full);
        Assert.Equal(status, RunStates.After(status, Event("STOP")));
        Assert.Contains("disk is full", status.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void Nothing_but_RESUME_ever_makes_a_machine_run() =>
        Gen.Select(
            Gen.Enum<MachineRunState>(),
            Gen.Int[0, Names.Length - 1].Select(index => Names[index]).Array[0, 10])
            .Sample(run => run.Item1 == MachineRunState.Running
                || run.Item2.Aggregate(new RunStatus(run.Item1, ""), (status, name) => RunStates.After(status, Event(name))).State != MachineRunState.Running);

    [Theory]
    [InlineData("prelaunch", MachineRunState.Created)]
    [InlineData("inmigrate", MachineRunState.Incoming)]
    [InlineData("running", MachineRunState.Running)]
    [InlineData("paused", MachineRunState.Paused)]
    [InlineData("finish-migrate", MachineRunState.Paused)]
    [InlineData("postmigrate", MachineRunState.PostMigrate)]
    [InlineData("shutdown", MachineRunState.Shutdown)]
    [InlineData("guest-panicked", MachineRunState.Crashed)]
    [InlineData("internal-error", MachineRunState.Crashed)]
    [InlineData("io-error", MachineRunState.Paused)]
    [InlineData("something-new", MachineRunState.Paused)]
    public void Every_word_of_QEMU_has_a_state(string word, MachineRunState state) => Assert.Equal(state, RunStates.FromQuery(word).State);

    /// <summary><c>NAME</c>, or <c>MIGRATION:status</c>, or <c>SHUTDOWN:reason</c>.</summary>
    private static QmpEvent Event(string text)
    {
        var parts = text.Split(':');
        var member = parts[0] == "MIGRATION" ? "status" : "reason";
        return new QmpEvent(parts[0], default, parts.Length > 1 ? JsonElement.Parse($$"""{"{{member}}": "{{parts[1]}}"}""") : null, 0);
    }
}
