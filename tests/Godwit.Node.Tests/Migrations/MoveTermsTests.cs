using Godwit.Api.Migrations.V1Alpha1;
using Godwit.Base;
using Godwit.Migration;
using Godwit.Migration.Convergence;
using Godwit.Migration.Protocol;
using Godwit.Node.Migrations;

namespace Godwit.Node.Tests.Migrations;

/// <summary>What people are told of a policy that changed while its move ran.</summary>
public sealed class MoveTermsTests
{
    private const long MemoryBytes = 1L << 30;

    private static readonly MigrationPlan Plan = new() { Id = new(Guid.NewGuid()), Source = new("a"), Target = new("b"), Mode = MigrationMode.Precopy };

    private static readonly SourcePhase Copying = Streaming().Phase;

    private static readonly SourcePhase Standing = At(StreamStatus.PreSwitchover).Phase;

    [Fact]
    public void What_is_obeyed_is_told_with_both_values()
    {
        var note = TermsNote.Between(Terms(new() { BandwidthPerMigration = Quantity.Parse("1M") }), Terms(new() { Godwit = new() { DowntimeLimitMs = 40 } }), Copying)!;

        Assert.Equal((TermsNote.Changed, true), (note.Reason, note.IsObeyed));
        Assert.Equal("bandwidth from 1000000 bytes/s to unbounded; downtime budget from 300 ms to 40 ms", note.Message);
    }

    [Fact]
    public void What_was_fixed_when_the_move_began_stays_and_is_told()
    {
        var wished = new MigrationPolicySpec { BandwidthPerMigration = Quantity.Parse("2M"), AllowAutoConverge = true, Godwit = new() { Transport = MigrationTransports.Direct } };

        var note = TermsNote.Between(Terms(new()), Terms(wished), Copying)!;

        Assert.Equal(TermsNote.PartlyKept, note.Reason);
        Assert.Contains("transport stays tls: that is fixed when a move begins", note.Message, StringComparison.Ordinal);
        Assert.Contains("slowing the guest down stays forbidden", note.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void What_comes_too_late_says_so()
    {
        var note = TermsNote.Between(Terms(new()), Terms(new() { Godwit = new() { DowntimeLimitMs = 40 } }), Standing)!;

        Assert.Equal((TermsNote.Kept, false), (note.Reason, note.IsObeyed));
        Assert.StartsWith("downtime budget stays 300 ms: it is too late", note.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_policy_that_says_the_same_is_no_change() =>
        Assert.Null(TermsNote.Between(Terms(new()), Terms(new() { Selectors = new(), Godwit = new() { DowntimeLimitMs = 300 } }), Copying));

    [Fact]
    public void Forbidding_post_copy_later_is_obeyed_unless_the_move_was_asked_for_by_it_and_allowing_it_later_is_not()
    {
        var open = Plan with { PostcopyOpen = true, Mode = MigrationMode.Hybrid };
        var forbidden = new MigrationPolicySpec { AllowPostCopy = false };

        Assert.Equal(NonConvergenceAction.Postcopy, MoveTerms.Of(new(), open, MemoryBytes).Budget.Action);
        Assert.Equal(NonConvergenceAction.SwitchOver, MoveTerms.Of(forbidden, open, MemoryBytes).Budget.Action);
        Assert.Equal(NonConvergenceAction.Postcopy, MoveTerms.Of(forbidden, open with { Mode = MigrationMode.Postcopy }, MemoryBytes).Budget.Action);
        Assert.Contains("post-copy stays impossible", TermsNote.Between(Terms(forbidden), Terms(new()), Copying)!.Message, StringComparison.Ordinal);
    }

    private static MoveTerms Terms(MigrationPolicySpec policy) => MoveTerms.Of(policy, Plan, MemoryBytes);

    private static SourceEngine Streaming()
    {
        var engine = SourceEngine.Begin(Plan, DateTimeOffset.UnixEpoch).Engine;
        SourceInput[] inputs = [new SourceInput.Persisted(SourceRecord.Outgoing), new SourceInput.Reported(new(TargetStanding.Ready)), new SourceInput.Persisted(SourceRecord.HandingOver)];
        return inputs.Aggregate(engine, (now, input) => now.Step(input, DateTimeOffset.UnixEpoch).Engine);
    }

    private static SourceEngine At(StreamStatus stream)
    {
        var engine = Streaming();
        return engine.Step(new SourceInput.Observed(new(GuestState.Paused, stream, engine.EffectCount)), DateTimeOffset.UnixEpoch).Engine;
    }
}
