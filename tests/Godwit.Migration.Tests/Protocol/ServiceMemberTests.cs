using Godwit.Migration.Convergence;
using Godwit.Migration.Protocol;

namespace Godwit.Migration.Tests.Protocol;

public sealed class ServiceMemberTests
{
    private const long MiB = 1 << 20;

    private static readonly MigrationPlan Plan = new()
    {
        Id = new(Guid.NewGuid()),
        Source = new("a"),
        Target = new("b"),
        Mode = MigrationMode.Precopy,
        IsOfService = true,
    };

    [Fact]
    public void A_member_waits_in_its_last_rounds_stops_when_all_are_there_and_runs_by_the_record()
    {
        var move = Streaming(Plan);
        Round(move, 1, 100 * MiB, transferred: 0).ExpectPhase<SourcePhase.Precopying>();
        Round(move.Later(TimeSpan.FromSeconds(1)), 1, 50 * MiB, transferred: 100 * MiB).ExpectPhase<SourcePhase.Precopying>();
        Round(move.Later(TimeSpan.FromSeconds(1)), 2, 5 * MiB, transferred: 200 * MiB).ExpectPhase<SourcePhase.Gathering>();
        move.Wait(TimeSpan.FromSeconds(5)).ExpectPhase<SourcePhase.Gathering>();

        move.Give(new SourceInput.SwitchoverOrdered()).Expect<SourcePhase.EndingRounds>(
            new SourceEffect.SetBandwidth(null), new SourceEffect.SetDowntimeLimit(SourcePhase.EndingRounds.DowntimeLimitMaxMs));
        move.See(GuestState.Paused, StreamStatus.PreSwitchover).See(GuestState.PostMigrate, StreamStatus.Completed).ExpectPhase<SourcePhase.SwitchingOver>();
        move.Hear(TargetStanding.Arrived).Expect<SourcePhase.Awaiting>();
        Assert.True(Assert.IsType<SourcePhase.Awaiting>(move.Engine.Phase).IsReady);

        Decide(move, ServiceDecision.RunAll).Expect<SourcePhase.Activating>(new SourceEffect.Send(new Order.Run()));
    }

    [Fact]
    public void A_member_that_is_ready_returns_by_the_record_alone_and_asks_for_it_when_it_has_waited()
    {
        var move = Ready();
        move.Wait(Plan.Patience.Decision).ExpectPhase<SourcePhase.Awaiting>();
        Assert.Null(Awaiting(move).ReturnReason);
        move.Wait(TimeSpan.FromMilliseconds(1)).Expect<SourcePhase.Awaiting>();
        Assert.NotNull(Awaiting(move).ReturnReason);

        move.Wait(TimeSpan.FromHours(1)).Expect<SourcePhase.Awaiting>();
        Decide(move, ServiceDecision.ReturnAll).Expect<SourcePhase.TurningBack>(new SourceEffect.ResumeGuest());
        move.See(GuestState.Running, StreamStatus.Completed).Expect<SourcePhase.Fencing>(new SourceEffect.Send(new Order.Abort("all return")));
        move.Hear(TargetStanding.Refused).Expect<SourcePhase.Aborted>(new SourceEffect.Forget());
    }

    [Fact]
    public void A_cancel_a_refusal_and_a_dead_target_are_only_asked_about_once_the_member_is_ready()
    {
        var cancelled = Ready().Give(new SourceInput.CancelRequested("by hand"));
        Assert.Equal("by hand", Awaiting(cancelled).ReturnReason);
        Assert.NotNull(Awaiting(Ready().Hear(TargetStanding.Refused)).ReturnReason);
        Assert.NotNull(Awaiting(Ready().Give(new SourceInput.TargetDeclaredDead("it burned"))).ReturnReason);

        // Granted or not, the record has the word.
        Decide(cancelled, ServiceDecision.RunAll).ExpectPhase<SourcePhase.Activating>();
    }

    [Fact]
    public void Before_it_is_ready_a_member_goes_back_at_once_when_all_return()
    {
        var move = Streaming(Plan);
        Decide(move, ServiceDecision.ReturnAll).Expect<SourcePhase.TurningBack>(new SourceEffect.CancelStream());
    }

    [Theory]
    [InlineData(GuestState.PostMigrate, StreamStatus.Completed)]
    [InlineData(GuestState.Gone, StreamStatus.None)]
    public void A_restarted_agent_asks_the_record_and_not_the_target(GuestState guest, StreamStatus stream)
    {
        var move = new SourceScript(SourceEngine.Recover(Plan, SourceRecord.HandingOver, new(guest, stream, 0), DateTimeOffset.UnixEpoch));
        move.Expect<SourcePhase.Awaiting>(new SourceEffect.Send(new Order.Ask()));
        Assert.False(Awaiting(move).IsReady);
        Assert.Equal(Plan.Target, move.Engine.Phase.Owner);

        // One that is gone may have run again before: it is not ready any more, whatever has arrived.
        Assert.Equal(guest == GuestState.PostMigrate, Awaiting(move.Hear(TargetStanding.Arrived)).IsReady);
        Decide(move, ServiceDecision.RunAll).Expect<SourcePhase.Activating>(new SourceEffect.Send(new Order.Run()));
    }

    [Fact]
    public void A_record_that_is_gone_gives_the_guest_back_unless_run_may_have_been_ordered()
    {
        Decide(Ready(), ServiceDecision.Missing).ExpectPhase<SourcePhase.TurningBack>();

        var again = new SourceScript(SourceEngine.Recover(
            Plan, SourceRecord.HandingOver, new(GuestState.PostMigrate, StreamStatus.Completed, 0), DateTimeOffset.UnixEpoch));
        Decide(again, ServiceDecision.Missing).Expect<SourcePhase.Activating>(new SourceEffect.Send(new Order.Run()));
    }

    [Fact]
    public void A_member_does_not_wait_for_the_others_for_ever()
    {
        var move = Streaming(Plan);
        Round(move, 1, 100 * MiB, transferred: 0);
        Round(move.Later(TimeSpan.FromSeconds(1)), 1, 50 * MiB, transferred: 100 * MiB);
        Round(move.Later(TimeSpan.FromSeconds(1)), 2, 5 * MiB, transferred: 200 * MiB).ExpectPhase<SourcePhase.Gathering>();
        move.Later(Plan.Patience.Gathering).Give(new SourceInput.StreamMoved(999 * MiB)).Wait(TimeSpan.FromSeconds(1));

        Assert.Equal(TurnBackKind.ServiceIncomplete, Assert.IsType<SourcePhase.TurningBack>(move.Engine.Phase).Reason.Kind);
    }

    [Fact]
    public void A_member_that_does_not_converge_waits_too_unless_the_policy_gives_up()
    {
        var convergence = new ConvergenceSettings { Termination = new() { RoundsMax = 1 } };
        Assert.IsType<SourcePhase.Gathering>(Busy(convergence).Engine.Phase);

        var back = Assert.IsType<SourcePhase.TurningBack>(Busy(convergence with { Action = NonConvergenceAction.GiveUp }).Engine.Phase);
        Assert.Equal(TurnBackKind.NotConverging, back.Reason.Kind);

        static SourceScript Busy(ConvergenceSettings settings)
        {
            var move = Streaming(Plan with { Convergence = settings });
            Round(move, 1, 900 * MiB, transferred: 0);
            Round(move.Later(TimeSpan.FromSeconds(9)), 2, 800 * MiB, transferred: 900 * MiB).ExpectPhase<SourcePhase.Precopying>();
            return Round(move.Later(TimeSpan.FromSeconds(8)), 3, 800 * MiB, transferred: 1700 * MiB);
        }
    }

    /// <summary>Every look, of a guest that writes at this rate and is sent at up to 100 MiB/s: it must not come near the end of a round at full speed.</summary>
    [Theory]
    [InlineData(0.01)]
    [InlineData(0.5)]
    [InlineData(4)]
    public void A_quiet_guest_is_sent_so_slowly_that_every_round_takes_longer_than_a_guest_stays_silent(double writesMiBPerSecond)
    {
        var (pace, left, round, sent, roundBegan) = (ServicePace.Unbounded, 100.0 * MiB, 1, 0.0, 0);
        for (var ms = 0; ms < 20_000; ms += 5)
        {
            if (ms % 25 == 0)
            {
                pace = pace.Observe(
                    new(GuestState.Running, StreamStatus.Active, 0) { Round = round, RemainingBytes = (long)left, TransferredBytes = (long)sent },
                    TimeSpan.FromMilliseconds(ms)).Next;
            }

            var step = Math.Min(left, (pace.BytesPerSecond ?? 100 * MiB) * 0.005);
            (left, sent) = (left - step, sent + step);
            if (left <= 0)
            {
                Assert.True(ms - roundBegan > 15, $"round {round} took {ms - roundBegan} ms");
                (left, round, roundBegan) = (Math.Max(4096, writesMiBPerSecond * MiB * (ms - roundBegan) / 1000.0), round + 1, ms);
            }
        }

        Assert.True(round > 2);
    }

    [Fact]
    public void A_guest_that_writes_much_is_not_slowed_after_its_first_round()
    {
        var pace = ServicePace.Unbounded.Observe(Reading(1, 100, 0), TimeSpan.Zero).Next;
        pace = pace.Observe(Reading(1, 40, 60), TimeSpan.FromSeconds(1)).Next;
        pace = pace.Observe(Reading(2, 30, 100), TimeSpan.FromSeconds(2)).Next;
        for (var left = 30; left >= 0; left--)
        {
            pace = pace.Observe(Reading(2, left, 130 - left), TimeSpan.FromSeconds(3)).Next;
            Assert.Null(pace.BytesPerSecond);
        }

        static QemuReading Reading(long round, long leftMiB, long sentMiB) =>
            new(GuestState.Running, StreamStatus.Active, 0) { Round = round, RemainingBytes = leftMiB * MiB, TransferredBytes = sentMiB * MiB };
    }

    private static SourcePhase.Awaiting Awaiting(SourceScript move) => Assert.IsType<SourcePhase.Awaiting>(move.Engine.Phase);

    private static SourceScript Decide(SourceScript move, ServiceDecision decision) => move.Give(new SourceInput.Decided(decision, "all return"));

    private static SourceScript Ready() => Streaming(Plan)
        .See(GuestState.Paused, StreamStatus.PreSwitchover).Hear(TargetStanding.Arrived).See(GuestState.PostMigrate, StreamStatus.Completed);

    private static SourceScript Streaming(MigrationPlan plan) => new SourceScript(SourceEngine.Begin(plan, DateTimeOffset.UnixEpoch))
        .Give(new SourceInput.Persisted(SourceRecord.Outgoing)).Hear(TargetStanding.Ready).Give(new SourceInput.Persisted(SourceRecord.HandingOver));

    private static SourceScript Round(SourceScript move, long round, long remaining, long transferred) => move.Give(new SourceInput.Observed(
        new(GuestState.Running, StreamStatus.Active, move.Engine.EffectCount)
        {
            Round = round,
            RemainingBytes = remaining,
            TransferredBytes = transferred,
            MemoryBytes = 1024 * MiB,
        }));
}
