using Godwit.Migration.Protocol;

namespace Godwit.Node.Migrations;

/// <content>
/// A budget that changes while the move runs. Only the newest counts, and it is offered to the engine when QEMU has done what it was told
/// before: however often it changes, no more than one change is under way.
/// </content>
internal sealed partial class OutgoingMove
{
    private OfferedBudget? budget;

    /// <summary>What the move may take of the link now; zero: all of it. An effect that was asked for before it changed obeys the newer one too.</summary>
    private long Bandwidth => engine.Phase.Plan.BandwidthBytesPerSecond;

    /// <summary>What the move may cost from now on.</summary>
    /// <param name="changed">The new budget.</param>
    /// <param name="taken">Told in which phase it was taken, on the loop: it must only note it.</param>
    public void Change(MoveBudget changed, Action<SourcePhase> taken)
    {
        Volatile.Write(ref budget, new(changed, taken));
        lookWanted.Set();
    }

    /// <summary>Again with each look until the engine has taken it: an input may be dropped.</summary>
    private void OfferBudget()
    {
        if (Volatile.Read(ref budget) is { } offered)
        {
            Offer(new SourceInput.BudgetChanged(offered.Budget));
        }
    }

    private void NoteBudget(SourceInput input, SourcePhase phase)
    {
        if (input is SourceInput.BudgetChanged changed && Volatile.Read(ref budget) is { } offered && ReferenceEquals(offered.Budget, changed.Budget)
            && Interlocked.CompareExchange(ref budget, null, offered) == offered)
        {
            offered.Taken(phase);
        }
    }

    private sealed record OfferedBudget(MoveBudget Budget, Action<SourcePhase> Taken);
}
