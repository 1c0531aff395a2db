using CsCheck;
using Godwit.Migration.Convergence;
using Godwit.Migration.Forecasts;
using Godwit.Migration.Models;
using Godwit.Migration.Protocol;

namespace Godwit.Migration.Tests.Forecasts;

/// <summary>Disks that go along, in forecasts, in what is learned, and in what is told while they are copied.</summary>
public sealed class DiskWorkTests
{
    private const double MB = 1e6;

    [Fact]
    public void Disks_add_their_time_and_bytes_to_every_mode_and_nothing_to_the_stop() =>
        Gen.Select(Gen.Double[1, 1e5], Gen.Double[1, 2000], Gen.Double[0, 3000]).Sample((diskMB, rateMB, writtenMB) =>
        {
            var disks = new DiskWork(new(diskMB * 0.9 * MB, diskMB * MB), new(rateMB * 0.5 * MB, rateMB * MB), writtenMB * MB);
            var (without, with) = (Forecaster.For(Guest()), Forecaster.For(Guest() with { Disks = disks }));
            return without.Modes.Zip(with.Modes).All(pair =>
                pair.Second.DowntimeMs == pair.First.DowntimeMs
                && pair.Second.TotalMs.Low >= pair.First.TotalMs.Low + (diskMB * 0.9 / rateMB * 1000 * 0.999)
                && pair.Second.TotalMs.High >= pair.First.TotalMs.High + (diskMB / rateMB / 0.5 * 1000 * 0.999)
                && pair.Second.Bytes.Low >= pair.First.Bytes.Low + (diskMB * 0.9 * MB * 0.999)
                && pair.Second.Bytes.High <= pair.First.Bytes.High + (diskMB * MB * 10.001)
                && double.IsFinite(pair.Second.TotalMs.High));
        });

    /// <summary>The copy played out: what is written behind the mirror is copied again.</summary>
    [Fact]
    public void A_copy_that_is_played_out_ends_within_the_range() =>
        Gen.Select(Gen.Double[10, 5000], Gen.Double[20, 500], Gen.Double[0, 0.8], Gen.Double[0, 1]).Sample((diskMB, rateMB, share, behind) =>
        {
            var disks = new DiskWork(Interval.Exactly(diskMB * MB), Interval.Exactly(rateMB * MB), share * rateMB * MB);
            var (left, seconds, sent) = (diskMB * MB, 0.0, 0.0);
            while (left > 0.01 * MB)
            {
                var pass = left / (rateMB * MB);
                (sent, seconds, left) = (sent + left, seconds + pass, share * rateMB * MB * pass * behind);
            }

            return disks.TotalMs.Low * 0.999 <= seconds * 1000 && seconds * 1000 <= disks.TotalMs.High * 1.001
                && disks.WireBytes.Low * 0.999 <= sent && sent <= disks.WireBytes.High * 1.001;
        });

    [Fact]
    public void The_reason_says_what_is_copied_and_what_is_not_known()
    {
        string Reason(double? written) => Forecaster.For(Guest() with { Disks = new(Interval.Exactly(2048L << 20), Interval.Exactly(100 * MB), written) })[ForecastMode.Precopy].Reason;

        Assert.Contains("up to 2048 MiB of its disks are copied first", Reason(0), StringComparison.Ordinal);
        Assert.DoesNotContain("not known", Reason(0), StringComparison.Ordinal);
        Assert.Contains("written to its disks meanwhile is not known and not counted", Reason(null), StringComparison.Ordinal);
        Assert.Contains("nearly as fast as they are copied", Reason(99 * MB), StringComparison.Ordinal);
        Assert.DoesNotContain("disks", Forecaster.For(Guest())[ForecastMode.Precopy].Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void The_time_of_disks_and_a_wait_for_the_target_are_not_learned_as_the_links()
    {
        var began = DateTimeOffset.UnixEpoch;
        var costs = PastCosts.From(
            new(began)
            {
                DisksStartedAt = began.AddSeconds(1),
                DisksInStepAt = began.AddSeconds(11),
                DiskCopiedBytes = 500_000_000,
                StreamStartedAt = began.AddSeconds(11.5),
                HeldBackFor = TimeSpan.FromSeconds(2),
                TransferredBytes = 100_000_000,
                PausedAt = began.AddSeconds(14.5),
                RunningAt = began.AddSeconds(14.6),
                EndedBy = TerminationRule.FitsDowntimeLimit,
            },
            linkBytesPerSecond: 125e6)!;

        Assert.Equal(3500, costs.SetupMs, 1);
        Assert.Equal(0.8, costs.RateShare, 0.001);
        Assert.Equal(0.4, costs.DiskRateShare, 0.001);
        Assert.InRange(PastCosts.DiskShare([costs]).Middle, 0.35, 0.45);
    }

    [Fact]
    public void While_disks_are_copied_the_end_is_told_from_what_is_left_of_them_and_all_of_memory()
    {
        var start = DateTimeOffset.UnixEpoch;
        var plan = new MigrationPlan { Id = new(Guid.NewGuid()), Source = new("a"), Target = new("b"), Mode = MigrationMode.Precopy, MovesDisks = true };
        SourceInput[] inputs = [new SourceInput.Persisted(SourceRecord.Outgoing), new SourceInput.Reported(new(TargetStanding.Ready)), new SourceInput.Persisted(SourceRecord.HandingOver)];
        var engine = inputs.Aggregate(SourceEngine.Begin(plan, start).Engine, (at, input) => at.Step(input, start).Engine);
        var basis = new OutlookBasis(Interval.Exactly(100 * MB), Interval.Exactly(200 * MB), DirtyCurve.Idle, new(0.8, 1.25), FixedCosts.Unmeasured)
        {
            Disks = new(Interval.Exactly(1000 * MB), Interval.Exactly(50 * MB), 0),
        };
        var first = Outlook.Of(engine.Phase, basis, start)!.Value.EndsInSeconds;
        engine = engine.Step(
            new SourceInput.DisksObserved(new(DiskCopyState.Copying, engine.EffectCount) { CopiedBytes = (long)(800 * MB), TotalBytes = (long)(1000 * MB) }), start.AddSeconds(10)).Engine;
        var later = Outlook.Of(engine.Phase, basis, start.AddSeconds(10))!.Value.EndsInSeconds;

        Assert.IsType<SourcePhase.Mirroring>(engine.Phase);
        Assert.InRange(first.Middle, 21.5, 23.5);
        Assert.InRange(later.Middle, 4, 6);
        Assert.Null(Outlook.Of(engine.Phase, null, start));
    }

    private static ForecastInput Guest() => new()
    {
        MemoryBytes = 512L << 20,
        FirstPassBytes = new(260e6, 300e6),
        DirtyReadings = [new(1, 10e6)],
        LinkBytesPerSecond = new(112e6, 119.5e6),
        LinkMeasured = true,
    };
}
