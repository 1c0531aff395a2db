using System.Globalization;
using Godwit.Api.Migrations.V1Alpha1;
using Godwit.Migration;
using Godwit.Migration.Convergence;
using Godwit.Migration.Protocol;

namespace Godwit.Node.Migrations;

/// <summary>All that a policy, and the move's own wishes, say of a move that runs: what may change, and what was fixed when it began.</summary>
/// <param name="Budget">What it may cost.</param>
/// <param name="Direct">From QEMU to QEMU: fixed.</param>
/// <param name="SlowsGuest">A guest that writes too much may be slowed down: fixed.</param>
/// <param name="AllowsPostcopy">Forbidding it later is obeyed, allowing it later is not: the stream was opened without.</param>
internal sealed record MoveTerms(MoveBudget Budget, bool Direct, bool SlowsGuest, bool AllowsPostcopy)
{
    /// <param name="policy">With the move's own wishes in it.</param>
    /// <param name="plan">As the move runs.</param>
    /// <param name="memoryBytes">The guest's.</param>
    public static MoveTerms Of(MigrationPolicySpec policy, MigrationPlan plan, long memoryBytes)
    {
        // A move that was asked for as post-copy stops after one pass: without post-copy all that is left would be a stop.
        var postcopy = plan.PostcopyOpen && (policy.AllowPostCopy != false || plan.Mode == MigrationMode.Postcopy);
        return new(
            MovePlanner.Budget(policy, postcopy, memoryBytes),
            policy.Godwit?.Transport == MigrationTransports.Direct,
            MovePlanner.SlowsGuest(policy),
            policy.AllowPostCopy != false);
    }
}

/// <summary>What became of a change of terms: a word for machines, and a sentence.</summary>
internal sealed record TermsNote(string Reason, string Message)
{
    /// <summary>All of the change is obeyed.</summary>
    public const string Changed = "Changed";

    public const string PartlyKept = "PartlyKept";

    /// <summary>Nothing of it is: it came too late, or can never be changed in a move that runs.</summary>
    public const string Kept = "Kept";

    /// <summary>It cannot be read; what was said before holds.</summary>
    public const string Refused = "Refused";

    public bool IsObeyed => Reason is Changed or PartlyKept;

    /// <summary>What changed and what stays as it was; null: nothing that concerns a move did. Pure.</summary>
    /// <param name="before">As it was.</param>
    /// <param name="after">As it is now wished to be.</param>
    /// <param name="phase">In which the change was taken.</param>
    public static TermsNote? Between(MoveTerms before, MoveTerms after, SourcePhase phase)
    {
        List<string> changed = [];
        List<string> kept = [];
        void Compare<TValue>(string name, TValue old, TValue wished, Func<TValue, string> words, bool isObeyed, string why)
        {
            if (!EqualityComparer<TValue>.Default.Equals(old, wished))
            {
                (isObeyed ? changed : kept).Add(isObeyed ? $"{name} from {words(old)} to {words(wished)}" : $"{name} stays {words(old)}: {why}");
            }
        }

        var (one, other) = (before.Budget, after.Budget);
        var late = $"it is too late for that ({phase.Describe()})";
        var rounds = phase.Obeys.HasFlag(BudgetParts.Rounds);
        Compare("bandwidth", one.BandwidthBytesPerSecond, other.BandwidthBytesPerSecond, Rate, phase.Obeys.HasFlag(BudgetParts.Bandwidth), late);
        Compare("downtime budget", one.DowntimeBudgetMs, other.DowntimeBudgetMs, ms => Number(ms, "ms"), rounds, late);
        Compare("rounds at most", one.Termination.RoundsMax, other.Termination.RoundsMax, count => Number(count, ""), rounds, late);
        Compare("memory copied at most", one.Termination.CopiedFactorMax, other.Termination.CopiedFactorMax, factor => Number(factor, "times"), rounds, late);
        Compare("threshold", one.Termination.ThresholdBytes, other.Termination.ThresholdBytes, bytes => Number(bytes, "bytes"), rounds, late);
        Compare("deadline", one.Termination.Deadline, other.Termination.Deadline, time => Number(time.TotalSeconds, "s"), rounds, late);
        Compare("what follows when it does not converge", one.Action, other.Action, action => action.ToString(), rounds, late);
        const string Fixed = "that is fixed when a move begins";
        Compare("transport", before.Direct, after.Direct, direct => direct ? MigrationTransports.Direct : MigrationTransports.Tls, isObeyed: false, Fixed);
        Compare("slowing the guest down", before.SlowsGuest, after.SlowsGuest, slows => slows ? "allowed" : "forbidden", isObeyed: false, Fixed);
        if (after.AllowsPostcopy && !before.AllowsPostcopy && !phase.Plan.PostcopyOpen)
        {
            kept.Add($"post-copy stays impossible: {Fixed}");
        }
        else if (!after.AllowsPostcopy && before.AllowsPostcopy && phase.Plan.Mode == MigrationMode.Postcopy)
        {
            kept.Add("post-copy stays allowed: this move was asked for by it");
        }

        var text = string.Join("; ", [.. changed, .. kept]);
        return (changed.Count, kept.Count) switch
        {
            (0, 0) => null,
            (0, _) => new(Kept, text),
            (_, 0) => new(Changed, text),
            _ => new(PartlyKept, text),
        };
    }

    private static string Rate(long bytesPerSecond) => bytesPerSecond == 0 ? "unbounded" : Number(bytesPerSecond, "bytes/s");

    private static string Number(double value, string unit) => string.Create(CultureInfo.InvariantCulture, $"{value:0.###} {unit}").TrimEnd();
}
