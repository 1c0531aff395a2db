using Godwit.Migration.Protocol;

namespace Godwit.Simulation;

/// <content>Which copy of the guest runs, and what must be so whenever one does.</content>
internal sealed partial class SimulatedMachines
{
    private bool targetEverRan;

    /// <summary>Told whenever a copy begins to run.</summary>
    public Action GuestRuns { private get; init; } = () => { };

    /// <summary>All had arrived and "run" was ordered, and the target's host could not: its disk was full, or QEMU refused.</summary>
    public bool TargetCouldNotRun { get; set; }

    public bool TargetEverRan => targetEverRan;

    private void SetSource(GuestState state)
    {
        SourceGuest = state;
        if (state == GuestState.Running)
        {
            targetDiskExact = false;
            world.Log("source", () => "the guest runs");
            world.Check(!targetEverRan, "NeverBackInTime", () => "the source ran the guest after the target had");
        }

        CheckRunning();
    }

    private void SetTarget(GuestState state)
    {
        TargetGuest = state;
        if (state == GuestState.Running)
        {
            world.Check(targetDiskExact || targetEverRan || !MovesDisks, "DiskOfTheSameMoment", () => "the target ran the guest with another disk than the source's");
            targetEverRan = true;
            world.Log("target", () => "the guest runs");
        }

        CheckRunning();
    }

    private void CheckRunning()
    {
        world.Check(
            SourceGuest != GuestState.Running || TargetGuest != GuestState.Running, "NeverTwoRunning", () => "both copies of the guest run");
        if (SourceGuest == GuestState.Running || TargetGuest == GuestState.Running)
        {
            GuestRuns();
        }
    }
}
