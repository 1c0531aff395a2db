using CsCheck;
using Godwit.Migration.Convergence;
using Godwit.Migration.Forecasts;
using Godwit.Migration.Models;
using Godwit.Migration.Protocol;

namespace Godwit.Migration.Tests.Forecasts;

/// <summary>How a move that runs is going to end, told from where it is.</summary>
public sealed class OutlookTests
{
    private const double MB = 1e6;
    private static readonly DateTimeOffset Start = DateTimeOffset.UnixEpoch;
    private static readonly FixedCosts Costs = new(Interval.Exactly(500), new(10, 30), new(20, 50), new(50, 100));

    [Fact]
    public void A_guest_that_writes_as_was_forecast_ends_within_the_range_wherever_in_its_first_pass_it_is() =>
        Gen.Select(Gen.Double[20, 400], Gen.Double[50, 500], Gen.Double[0, 0.3], Gen.Double[0.05, 0.95]).Sample((firstMB, rateMB, dirtyShare, done) =>
        {
            var dirty = DirtyCurve.Constant(dirtyShare * rateMB * MB, firstMB * MB / 2);
            var exact = new WorkingSetModel
            {
                FirstPassBytes = firstMB * MB, Dirty = dirty, LinkBytesPerSecond = rateMB * MB, DowntimeLimitSeconds = 0.03, RestartSeconds = 0.02,
            }.Precopy();
            var elapsed = done * firstMB / rateMB;
            var phase = InRounds(new(), elapsed, (1, done * firstMB * MB, (1 - done) * firstMB * MB));

            var outlook = Outlook.Of(phase, Basis(dirty, rateMB, firstMB), Start.AddSeconds(elapsed))!.Value;

            var ends = exact.TotalSeconds - elapsed + 0.075;
            Assert.InRange(ends, outlook.EndsInSeconds.Low * 0.95, outlook.EndsInSeconds.High * 1.05);
            Assert.Equal(99, outlook.SuccessChancePercent);
        });

    [Fact]
    public void A_guest_that_writes_more_than_the_link_carries_has_next_to_no_chance_until_its_bandwidth_is_raised()
    {
        var dirty = DirtyCurve.Constant(20 * MB, 16 * MB);
        var plan = Plan(new()) with { BandwidthBytesPerSecond = 1_000_000 };
        var engine = Streaming(plan, (1, 2 * MB, 58 * MB), Start.AddSeconds(2));
        var basis = Basis(dirty, 110, 60);
        var slow = Outlook.Of(engine.Phase, basis, Start.AddSeconds(2))!.Value;

        engine = engine.Step(new SourceInput.BudgetChanged(MoveBudget.Of(plan) with { BandwidthBytesPerSecond = 0 }), Start.AddSeconds(2)).Engine;
        var freed = Outlook.Of(engine.Phase, basis, Start.AddSeconds(2))!.Value;

        Assert.Equal((1, 99), (slow.SuccessChancePercent, freed.SuccessChancePercent));
        Assert.True(freed.EndsInSeconds.High * 10 < slow.EndsInSeconds.Low, $"{slow} and then {freed}");
    }

    [Fact]
    public void The_chance_is_that_of_the_policys_bounds()
    {
        // 12 MB rewritten all the time: with what a pass leaves 135 ms of a link of 100 MB/s.
        int Chance(MigrationPlan plan) => Outlook.Of(
            Streaming(plan, (1, 0, 60 * MB), Start).Phase, Basis(DirtyCurve.Constant(5000 * MB, 12 * MB), 100, 60), Start)!.Value.SuccessChancePercent;

        Assert.Equal(99, Chance(Plan(new() { DowntimeBudgetMs = 300 })));
        Assert.Equal(1, Chance(Plan(new() { DowntimeBudgetMs = 40 })));
        Assert.Equal(1, Chance(Plan(new() { DowntimeBudgetMs = 40, Action = NonConvergenceAction.GiveUp })));
        Assert.InRange(Chance(Plan(new() { DowntimeBudgetMs = 135 })), 2, 98);
        Assert.Equal(99, Chance(Plan(new() { DowntimeBudgetMs = 40, Action = NonConvergenceAction.Postcopy }) with { PostcopyOpen = true, Mode = MigrationMode.Hybrid }));
    }

    /// <summary>What QEMU says while it sets a stream up: nothing is sent, and nothing is left.</summary>
    [Fact]
    public void A_stream_of_which_nothing_has_been_seen_yet_has_all_of_its_way_to_go()
    {
        var phase = Streaming(Plan(new()), (0, 0, 0), Start).Phase;

        Assert.InRange(Outlook.Of(phase, Basis(DirtyCurve.Constant(MB, 8 * MB), 100, 200), Start)!.Value.EndsInSeconds.Low, 1.7, 2.5);
        Assert.Null(Outlook.Of(phase, null, Start));
    }

    [Fact]
    public void Rounds_that_were_seen_narrow_it()
    {
        var dirty = DirtyCurve.Constant(20 * MB, 40 * MB);
        var basis = Basis(dirty, 100, 200) with { DirtyFactor = new(0.7, 3), LinkBytesPerSecond = new(40 * MB, 120 * MB) };
        var first = Outlook.Of(InRounds(new(), 0.1, (1, 10 * MB, 190 * MB)), basis, Start.AddSeconds(0.1))!.Value.EndsInSeconds;
        var later = Outlook.Of(InRounds(new(), 2, (1, 0, 200 * MB), (2, 200 * MB, 40 * MB)), basis, Start.AddSeconds(2))!.Value.EndsInSeconds;

        Assert.True((later.High - later.Low) * 2 < first.High - first.Low, $"{first} and then {later}");
    }

    /// <summary>The move's own rules end it: its rounds at the deadline, or when so much was copied, and then what is left is sent, or the guest stays.</summary>
    [Fact]
    public void No_end_is_told_later_than_the_rules_of_the_move_let_it_be() =>
        Gen.Select(Gen.Double[1, 1000], Gen.Double[0, 2000], Gen.Double[1, 60], Gen.Double[0.5, 3], Gen.Int[0, 2]).Sample((rateMB, dirtyMB, deadline, factor, action) =>
        {
            var settings = new ConvergenceSettings
            {
                Action = (NonConvergenceAction)action,
                Termination = new() { Deadline = TimeSpan.FromSeconds(deadline), CopiedFactorMax = factor },
            };
            var plan = Plan(settings) with { PostcopyOpen = true };
            var basis = Basis(DirtyCurve.Constant(dirtyMB * MB, 400 * MB), rateMB, 400);
            var told = Outlook.Of(Streaming(plan, (1, 0, 400 * MB), Start).Phase, basis, Start)!.Value.EndsInSeconds;

            // What is left when the rounds end: at most all of memory, and all that is written again.
            var slowest = rateMB * 0.9 * MB;
            var roundsEnd = Math.Min(deadline, factor * 400 * 1.05 * MB / slowest);
            var restEnds = settings.Action == NonConvergenceAction.GiveUp ? 0 : 2 * 400 * 1.05 * MB / slowest;
            return told.High <= (roundsEnd + restEnds) * 1.01 + 1;
        });

    [Fact]
    public void A_link_that_was_not_measured_is_told_from_the_first_bytes_on()
    {
        var basis = Basis(DirtyCurve.Constant(80 * MB, 300 * MB), 100, 300) with { LinkBytesPerSecond = new(10 * MB, 1000 * MB), DirtyFactor = new(0.7, 3) };
        var unseen = Outlook.Of(InRounds(new(), 0.1, (1, 10 * MB, 290 * MB)), basis, Start.AddSeconds(0.1))!.Value.EndsInSeconds;
        var seen = Outlook.Of(InRounds(new(), 0.3, (1, 30 * MB, 270 * MB)), basis, Start.AddSeconds(0.3))!.Value.EndsInSeconds;

        Assert.True(seen.High * 4 < unseen.High, $"{unseen} and then {seen}");
        Assert.True(seen.Contains(Truth()), $"{seen} of {Truth()}");

        double Truth() => new WorkingSetModel
        {
            FirstPassBytes = 300 * MB, Dirty = DirtyCurve.Constant(80 * MB, 300 * MB), LinkBytesPerSecond = 100 * MB, DowntimeLimitSeconds = 0.03, DowntimeBudgetSeconds = 0.3,
        }.Precopy().TotalSeconds - 0.3;
    }

    [Fact]
    public void Where_nothing_can_be_told_nothing_is()
    {
        var recording = SourceEngine.Begin(Plan(new()), Start);
        Assert.Null(Outlook.Of(recording.Engine.Phase, Basis(DirtyCurve.Idle, 100, 60), Start));
        Assert.Null(Outlook.Of(InRounds(new(), 0, (1, 0, 60 * MB)), basis: null, Start)); // Neither forecast nor measured.
    }

    [Fact]
    public void Whatever_is_read_it_is_a_range_that_is_not_over_and_a_chance_that_is_not_sure() =>
        Gen.Select(Gen.Double[0, 1e12], Gen.Double[0, 1e12], Gen.Long[0, 100], Gen.Double[0, 1e6], Gen.Double[0, 1e11]).Sample((sent, left, round, seconds, dirtyBytes) =>
        {
            var basis = Basis(DirtyCurve.Constant(dirtyBytes, 1e12), 100, 60);
            var outlook = Outlook.Of(InRounds(new() { Termination = new() { RoundsMax = 1000 } }, seconds, (1, 0, left), (round, sent, left)), basis, Start.AddSeconds(seconds));
            if (outlook is { } told)
            {
                Assert.InRange(told.EndsInSeconds.Low, 0, told.EndsInSeconds.High);
                Assert.True(double.IsFinite(told.EndsInSeconds.High), $"{told}");
                Assert.InRange(told.SuccessChancePercent, 1, 99);
            }
        });

    private static OutlookBasis Basis(DirtyCurve dirty, double rateMB, double firstMB) =>
        new(new(rateMB * 0.9 * MB, rateMB * 1.1 * MB), new(firstMB * 0.95 * MB, firstMB * 1.05 * MB), dirty, new(0.8, 1.25), Costs);

    private static MigrationPlan Plan(ConvergenceSettings settings) =>
        new() { Id = new(Guid.NewGuid()), Source = new("a"), Target = new("b"), Mode = MigrationMode.Precopy, Convergence = settings };

    private static SourcePhase InRounds(ConvergenceSettings settings, double seconds, params (long Round, double Sent, double Left)[] readings)
    {
        var engine = Streaming(Plan(settings), readings[0], readings.Length > 1 ? Start : Start.AddSeconds(seconds));
        return readings.Skip(1).Aggregate(engine, (now, reading) => now.Step(Reading(now, reading), Start.AddSeconds(seconds)).Engine).Phase;
    }

    private static SourceEngine Streaming(MigrationPlan plan, (long Round, double Sent, double Left) reading, DateTimeOffset now)
    {
        SourceInput[] inputs = [new SourceInput.Persisted(SourceRecord.Outgoing), new SourceInput.Reported(new(TargetStanding.Ready)), new SourceInput.Persisted(SourceRecord.HandingOver)];
        var engine = inputs.Aggregate(SourceEngine.Begin(plan, Start).Engine, (at, input) => at.Step(input, Start).Engine);
        engine = engine.Step(Reading(engine, (1, 0, reading.Sent + reading.Left)), Start).Engine;
        return engine.Step(Reading(engine, reading), now).Engine;
    }

    private static SourceInput.Observed Reading(SourceEngine engine, (long Round, double Sent, double Left) reading) => new SourceInput.Observed(
        new(GuestState.Running, StreamStatus.Active, engine.EffectCount) { Round = reading.Round, TransferredBytes = (long)reading.Sent, RemainingBytes = (long)reading.Left });
}
