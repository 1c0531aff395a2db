using Godwit.Migration.Protocol;

namespace Godwit.Simulation;

/// <content>What the stream may take of the link and how long the guest may stand still, as QEMU was told.</content>
internal sealed partial class SimulatedMachines
{
    /// <summary>QEMU counts what it sends when its buffer is full, of 32 pages or of 32 KiB: so much goes in each of its steps of 100 ms, however small the bound.</summary>
    private const double StepMs = 100;
    private const double StepBytes = 32 * PageBytes;
    private const double StepZeroPages = (32 << 10) / ZeroPageWireBytes;

    /// <summary>What the link gives the stream.</summary>
    private double Rate => IsBoundBelowAStep ? StepBytes / StepMs * 1000 : boundBytesPerSecond > 0 ? Math.Min(BytesPerSecond, boundBytesPerSecond) : BytesPerSecond;

    private double ZeroPagesPerTick => (IsBoundBelowAStep ? StepZeroPages / StepMs : Rate / ZeroPageWireBytes / 1000) * TickMs;

    /// <summary>Whatever it sends, it rests until the step is over.</summary>
    private bool IsBoundBelowAStep => boundBytesPerSecond > 0 && boundBytesPerSecond < StepBytes / StepMs * 1000;

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
