using Godwit.Migration.Protocol;

namespace Godwit.Simulation;

/// <content>What the stream may take of the link and how long the guest may stand still, as QEMU was told.</content>
internal sealed partial class SimulatedMachines
{
    /// <summary>What the link gives the stream.</summary>
    private double Rate => boundBytesPerSecond > 0 ? Math.Min(BytesPerSecond, boundBytesPerSecond) : BytesPerSecond;

    /// <summary>While rounds go on: nothing is wider than the plan allows.</summary>
    public void CheckBudget(MigrationPlan plan)
    {
        if (SourceStream is StreamStatus.Setup or StreamStatus.Active && SourceGuest != GuestState.Gone)
        {
            world.Check(limitMs <= plan.Convergence.DowntimeBudgetMs, "WithinItsBudget", () => $"a downtime limit of {limitMs} ms with a budget of {plan.Convergence.DowntimeBudgetMs} ms");
            world.Check(
                plan.BandwidthBytesPerSecond == 0 || (boundBytesPerSecond > 0 && boundBytesPerSecond <= plan.BandwidthBytesPerSecond),
                "WithinItsBudget",
                () => $"a bandwidth of {boundBytesPerSecond} with {plan.BandwidthBytesPerSecond} allowed");
        }
    }

    private void Bound(long? wanted)
    {
        var allowed = Plan().BandwidthBytesPerSecond;
        boundBytesPerSecond = wanted is { } bound && (allowed == 0 || bound < allowed) ? bound : allowed;
    }
}
