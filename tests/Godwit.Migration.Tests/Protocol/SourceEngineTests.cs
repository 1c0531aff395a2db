using Godwit.Migration.Convergence;
using Godwit.Migration.Protocol;

namespace Godwit.Migration.Tests.Protocol;

public sealed class SourceEngineTests
{
    private static readonly DateTimeOffset Start = DateTimeOffset.UnixEpoch;

    private static readonly SourceInput TakesStream = new SourceInput.Reported(new(TargetStanding.Preparing) { TakesStream = true });

    private static readonly MigrationPlan Plan = new()
    {
        Id = new(Guid.NewGuid()),
        Source = new("a"),
        Target = new("b"),
        Mode = MigrationMode.Auto,
        PostcopyOpen = true,
        Convergence = new() { Action = NonConvergenceAction.Postcopy },
    };

    [Fact]
    public void A_move_by_pre_copy_reads_as_the_protocol()
    {
        var move = new SourceScript(SourceEngine.Begin(Plan, Start));
        move.Expect<SourcePhase.Recording>(new SourceEffect.Persist(SourceRecord.Outgoing));
        move.Give(new SourceInput.Persisted(SourceRecord.Outgoing)).Expect<SourcePhase.Preparing>(new SourceEffect.Send(new Order.Prepare()));
        move.Hear(TargetStanding.Ready).Expect<SourcePhase.Arming>(new SourceEffect.Persist(SourceRecord.HandingOver));
        move.Give(new SourceInput.Persisted(SourceRecord.HandingOver)).Expect<SourcePhase.Precopying>(new SourceEffect.StartStream());
        move.See(GuestState.Running, StreamStatus.Active).Expect<SourcePhase.Precopying>();
        move.See(GuestState.Paused, StreamStatus.PreSwitchover)
            .Expect<SourcePhase.SwitchingOver>(new SourceEffect.ContinueSwitchover(), new SourceEffect.Send(new Order.Ask()));
        move.See(GuestState.PostMigrate, StreamStatus.Completed).Expect<SourcePhase.SwitchingOver>();
        move.Hear(TargetStanding.Arrived).Expect<SourcePhase.Activating>(new SourceEffect.Send(new Order.Run()));
        move.Hear(TargetStanding.Completed).Expect<SourcePhase.Completing>(new SourceEffect.QuitGuest());
        move.See(GuestState.Gone, StreamStatus.None).Expect<SourcePhase.Completed>(new SourceEffect.Forget());
    }

    [Fact]
    public void A_stream_that_begins_before_the_target_is_ready_does_not_stop_the_guest_until_it_is()
    {
        var move = new SourceScript(SourceEngine.Begin(Plan, Start)).Give(new SourceInput.Persisted(SourceRecord.Outgoing));
        move.Hear(TargetStanding.Preparing).Expect<SourcePhase.Preparing>();
        move.Give(TakesStream).Expect<SourcePhase.Arming>(new SourceEffect.Persist(SourceRecord.HandingOver));
        move.Give(new SourceInput.Persisted(SourceRecord.HandingOver))
            .Expect<SourcePhase.Opening>(new SourceEffect.StartStream(), new SourceEffect.SetDowntimeLimit(1));

        // Not even when all rules say that the rounds should end, or QEMU stands at the barrier.
        move.Give(new SourceInput.Observed(new(GuestState.Running, StreamStatus.Active, move.Engine.EffectCount) { Round = 40, TransferredBytes = 1, RemainingBytes = 1 << 30 }))
            .Expect<SourcePhase.Opening>();
        move.See(GuestState.Paused, StreamStatus.PreSwitchover).Expect<SourcePhase.Opening>();
        move.Wait(TimeSpan.FromSeconds(1)).Expect<SourcePhase.Opening>(new SourceEffect.Send(new Order.Prepare()));

        move.Hear(TargetStanding.Ready).Expect<SourcePhase.Precopying>(new SourceEffect.SetDowntimeLimit(ConvergenceSettings.DowntimeLimitFirstMsDefault));
        move.See(GuestState.Paused, StreamStatus.PreSwitchover)
            .Expect<SourcePhase.SwitchingOver>(new SourceEffect.ContinueSwitchover(), new SourceEffect.Send(new Order.Ask()));
        Assert.Equal(Start, move.Engine.Phase.Move.Trace.PausedAt);
    }

    [Theory]
    [InlineData(null, 100)] // QEMU's word was not heard.
    [InlineData(92, 92)]
    [InlineData(-5, 100)] // It stood still before the stream began.
    public void A_guest_stands_still_since_QEMU_stopped_it_for_the_move(int? stoppedMs, int expectedMs)
    {
        var move = Streaming().Wait(TimeSpan.FromMilliseconds(100));
        var stopped = stoppedMs is { } at ? Start.AddMilliseconds(at) : (DateTimeOffset?)null;
        move.Give(new SourceInput.Observed(new(GuestState.Paused, StreamStatus.PreSwitchover, move.Engine.EffectCount) { StoppedAt = stopped }));
        move.ExpectPhase<SourcePhase.SwitchingOver>();
        Assert.Equal(Start.AddMilliseconds(expectedMs), move.Engine.Phase.Move.Trace.PausedAt);
    }

    [Fact]
    public void The_last_of_a_round_is_held_back_until_the_target_is_ready()
    {
        var move = Opening();
        Look(move, round: 1, remainingMiB: 400).Expect<SourcePhase.Opening>();

        // 100 MiB went between two looks, so that less than twice as much may be gone before the next is obeyed.
        Look(move, round: 1, remainingMiB: 300).Expect<SourcePhase.Opening>();
        Look(move, round: 1, remainingMiB: 199).Expect<SourcePhase.Opening>(Held);
        Look(move.Later(TimeSpan.FromMilliseconds(100)), round: 1, remainingMiB: 198).Expect<SourcePhase.Opening>();

        move.Later(TimeSpan.FromSeconds(2)).Hear(TargetStanding.Ready)
            .Expect<SourcePhase.Precopying>(new SourceEffect.SetBandwidth(null), new SourceEffect.SetDowntimeLimit(ConvergenceSettings.DowntimeLimitFirstMsDefault));
        Assert.Equal(TimeSpan.FromSeconds(2.1), move.Engine.Phase.Move.Trace.HeldBackFor);

        // How slow it was says nothing of the link.
        Assert.False(Assert.IsType<SourcePhase.Precopying>(move.Engine.Phase).Controller.IsRateSettled);
    }

    [Fact]
    public void A_round_that_ended_between_two_looks_is_followed_by_one_that_is_held_back_and_a_long_one_is_sent_at_once()
    {
        var move = Opening();
        Look(move, round: 1, remainingMiB: 100).Expect<SourcePhase.Opening>();
        Look(move, round: 2, remainingMiB: 1).Expect<SourcePhase.Opening>(Held);
        Look(move, round: 3, remainingMiB: 100).Expect<SourcePhase.Opening>(new SourceEffect.SetBandwidth(null));
        move.Hear(TargetStanding.Ready).Expect<SourcePhase.Precopying>(new SourceEffect.SetDowntimeLimit(ConvergenceSettings.DowntimeLimitFirstMsDefault));
    }

    [Fact]
    public void Zeroes_are_not_counted_as_left_where_it_is_known_how_much_is_not_zero()
    {
        var move = Opening().Give(new SourceInput.FirstPassExpected(100 << 20));
        Look(move, round: 1, remainingMiB: 900, sentMiB: 83).Expect<SourcePhase.Opening>();
        Look(move, round: 1, remainingMiB: 899, sentMiB: 84).Expect<SourcePhase.Opening>(Held);
    }

    [Fact]
    public void A_guest_that_would_be_held_back_whole_waits_for_the_target()
    {
        var move = new SourceScript(SourceEngine.Begin(Plan, Start)).Give(new SourceInput.Persisted(SourceRecord.Outgoing));
        move.Give(new SourceInput.FirstPassExpected(10 << 20)).Give(TakesStream).Expect<SourcePhase.Preparing>();
        move.Hear(TargetStanding.Ready).ExpectPhase<SourcePhase.Arming>();
    }

    [Fact]
    public void A_bandwidth_that_is_changed_does_not_let_go_what_is_held_back()
    {
        var move = Opening();
        Look(move, round: 2, remainingMiB: 1).Expect<SourcePhase.Opening>(Held);
        move.Give(new SourceInput.BudgetChanged(new() { BandwidthBytesPerSecond = 50_000_000 })).Expect<SourcePhase.Opening>(Held);
    }

    [Fact]
    public void A_stream_that_cannot_be_let_go_again_turns_the_move_back()
    {
        var move = Opening();
        Look(move, round: 2, remainingMiB: 1).Hear(TargetStanding.Ready).ExpectPhase<SourcePhase.Precopying>();
        move.Give(new SourceInput.MachineFailed(new SourceEffect.SetBandwidth(null), "no answer")).ExpectPhase<SourcePhase.TurningBack>();
    }

    [Theory]
    [InlineData(300, 1000)]
    [InlineData(2500, 2500)] // Its policy lets the guest stand still for longer.
    [InlineData(60_000, 4000)]
    public void A_guest_does_not_stand_still_for_a_target_that_is_not_ready(double budgetMs, double allowedMs)
    {
        var move = Opening(Plan with { Convergence = new() { DowntimeBudgetMs = budgetMs } }).See(GuestState.Paused, StreamStatus.PreSwitchover);

        move.Wait(TimeSpan.FromMilliseconds(allowedMs)).ExpectPhase<SourcePhase.Opening>();
        move.Wait(TimeSpan.FromMilliseconds(1)).Expect<SourcePhase.TurningBack>(new SourceEffect.CancelStream());
    }

    [Fact]
    public void A_link_that_dies_before_the_target_is_ready_is_noticed_and_a_target_that_is_only_slow_is_waited_for()
    {
        var almost = Plan.Patience.Progress - TimeSpan.FromSeconds(1);
        var move = new SourceScript(SourceEngine.Begin(Plan, Start)).Give(new SourceInput.Persisted(SourceRecord.Outgoing)).Give(TakesStream);
        move.Give(new SourceInput.Persisted(SourceRecord.HandingOver)).See(GuestState.Running, StreamStatus.Active);

        move.Wait(almost).Hear(TargetStanding.Preparing).Wait(almost).ExpectPhase<SourcePhase.Opening>();
        move.Wait(TimeSpan.FromSeconds(2)).Expect<SourcePhase.TurningBack>(new SourceEffect.CancelStream());
    }

    [Fact]
    public void A_target_that_cannot_start_after_it_took_the_stream_turns_the_move_back()
    {
        var move = new SourceScript(SourceEngine.Begin(Plan, Start)).Give(new SourceInput.Persisted(SourceRecord.Outgoing)).Give(TakesStream);

        move.Give(new SourceInput.Persisted(SourceRecord.HandingOver)).Hear(TargetStanding.Refused)
            .Expect<SourcePhase.TurningBack>(new SourceEffect.CancelStream());
    }

    [Fact]
    public void A_guest_that_is_stopped_first_or_whose_disks_go_along_waits_for_the_target_to_be_ready()
    {
        foreach (var plan in new[] { Plan with { Mode = MigrationMode.Cold }, Plan with { MovesDisks = true } })
        {
            var move = new SourceScript(SourceEngine.Begin(plan, Start)).Give(new SourceInput.Persisted(SourceRecord.Outgoing));
            move.Give(TakesStream).Expect<SourcePhase.Preparing>();
            move.Hear(TargetStanding.Ready).Expect<SourcePhase.Arming>(new SourceEffect.Persist(SourceRecord.HandingOver));
        }
    }

    [Fact]
    public void Disks_that_go_along_are_in_step_before_memory_and_finished_before_the_barrier_is_left()
    {
        var move = new SourceScript(SourceEngine.Begin(Plan with { MovesDisks = true }, Start));
        move.Give(new SourceInput.Persisted(SourceRecord.Outgoing)).Hear(TargetStanding.Ready);
        move.Give(new SourceInput.Persisted(SourceRecord.HandingOver)).Expect<SourcePhase.Mirroring>(new SourceEffect.StartMirrors());
        move.Give(Disks(move, DiskCopyState.Copying)).Expect<SourcePhase.Mirroring>();
        move.Give(Disks(move, DiskCopyState.Copied)).Expect<SourcePhase.Mirroring>(new SourceEffect.KeepDisksInStep());
        move.Give(Disks(move, DiskCopyState.Copied)).Expect<SourcePhase.Mirroring>();
        move.Give(Disks(move, DiskCopyState.InStep)).Expect<SourcePhase.Precopying>(new SourceEffect.StartStream());
        move.See(GuestState.Paused, StreamStatus.PreSwitchover).Expect<SourcePhase.FinishingDisks>(new SourceEffect.FinishMirrors());
        move.See(GuestState.Paused, StreamStatus.PreSwitchover).Expect<SourcePhase.FinishingDisks>();
        move.Give(new SourceInput.DisksFinished()).Expect<SourcePhase.SwitchingOver>(new SourceEffect.ContinueSwitchover(), new SourceEffect.Send(new Order.Ask()));
    }

    [Fact]
    public void A_disk_that_cannot_be_copied_turns_the_move_back_at_every_point_before_the_barrier_is_left()
    {
        var copying = new SourceScript(SourceEngine.Begin(Plan with { MovesDisks = true }, Start));
        copying.Give(new SourceInput.Persisted(SourceRecord.Outgoing)).Hear(TargetStanding.Ready).Give(new SourceInput.Persisted(SourceRecord.HandingOver));
        copying.Give(Disks(copying, DiskCopyState.Broken)).Expect<SourcePhase.TurningBack>(new SourceEffect.CancelStream());

        var inStep = new SourceScript(SourceEngine.Begin(Plan with { MovesDisks = true }, Start));
        inStep.Give(new SourceInput.Persisted(SourceRecord.Outgoing)).Hear(TargetStanding.Ready).Give(new SourceInput.Persisted(SourceRecord.HandingOver));
        inStep.Give(Disks(inStep, DiskCopyState.InStep)).ExpectPhase<SourcePhase.Precopying>();
        inStep.Give(Disks(inStep, DiskCopyState.Broken)).Expect<SourcePhase.TurningBack>(new SourceEffect.CancelStream());

        var atBarrier = new SourceScript(SourceEngine.Begin(Plan with { MovesDisks = true }, Start));
        atBarrier.Give(new SourceInput.Persisted(SourceRecord.Outgoing)).Hear(TargetStanding.Ready).Give(new SourceInput.Persisted(SourceRecord.HandingOver));
        atBarrier.Give(Disks(atBarrier, DiskCopyState.InStep)).See(GuestState.Paused, StreamStatus.PreSwitchover);
        atBarrier.Give(new SourceInput.MachineFailed(new SourceEffect.FinishMirrors(), "no room")).Expect<SourcePhase.TurningBack>(new SourceEffect.CancelStream());
    }

    private static SourceInput.DisksObserved Disks(SourceScript move, DiskCopyState state) => new(new(state, move.Engine.EffectCount));

    [Fact]
    public void Run_is_not_ordered_before_QEMU_says_postmigrate()
    {
        var move = AtBarrier().Hear(TargetStanding.Arrived);

        move.See(GuestState.Paused, StreamStatus.Device).Expect<SourcePhase.SwitchingOver>();
        move.See(GuestState.Paused, StreamStatus.Completed).Expect<SourcePhase.SwitchingOver>();
        move.See(GuestState.PostMigrate, StreamStatus.Completed).Expect<SourcePhase.Activating>(new SourceEffect.Send(new Order.Run()));
    }

    [Fact]
    public void A_link_that_dies_in_the_switch_over_window_gives_the_guest_back_without_asking_anybody()
    {
        var move = AtBarrier().See(GuestState.PostMigrate, StreamStatus.Completed);

        move.Wait(Plan.Patience.Switchover + TimeSpan.FromSeconds(1)).Expect<SourcePhase.TurningBack>(new SourceEffect.CancelStream());
        move.See(GuestState.PostMigrate, StreamStatus.Completed).Expect<SourcePhase.TurningBack>(new SourceEffect.ResumeGuest());
        move.See(GuestState.Running, StreamStatus.Completed).ExpectPhase<SourcePhase.Fencing>();
        Assert.IsType<Order.Abort>(Assert.IsType<SourceEffect.Send>(Assert.Single(move.Effects)).Order);
    }

    [Fact]
    public void After_run_neither_time_nor_a_cancel_gives_the_guest_back()
    {
        var move = AtBarrier().Hear(TargetStanding.Arrived).See(GuestState.PostMigrate, StreamStatus.Completed);

        for (var i = 0; i < 200; i++)
        {
            move.Wait(TimeSpan.FromMinutes(1)).Expect<SourcePhase.Activating>(new SourceEffect.Send(new Order.Run()));
        }

        move.Give(new SourceInput.CancelRequested("too late")).Expect<SourcePhase.Activating>();
        Assert.Equal(Plan.Target, move.Engine.Phase.Owner);
    }

    [Fact]
    public void After_run_only_the_targets_refusal_gives_the_guest_back()
    {
        var move = AtBarrier().Hear(TargetStanding.Arrived).See(GuestState.PostMigrate, StreamStatus.Completed);

        move.Hear(TargetStanding.Ready).Expect<SourcePhase.Activating>();
        move.Hear(TargetStanding.Refused).Expect<SourcePhase.TurningBack>(new SourceEffect.ResumeGuest());
        move.See(GuestState.Running, StreamStatus.Completed).Expect<SourcePhase.Aborted>(new SourceEffect.Forget());
        Assert.Equal(Plan.Source, move.Engine.Phase.Owner);
    }

    [Fact]
    public void A_guest_that_is_lost_with_its_QEMU_is_told_so_also_when_the_target_was_first_to_notice()
    {
        var move = AtBarrier().Hear(TargetStanding.Refused);
        move.ExpectPhase<SourcePhase.TurningBack>();
        move.See(GuestState.Gone, StreamStatus.None).ExpectPhase<SourcePhase.Fencing>();
        move.Hear(TargetStanding.Refused).ExpectPhase<SourcePhase.GuestLost>();
        Assert.EndsWith("; the source's QEMU has ended", ((SourcePhase.GuestLost)move.Engine.Phase).Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void A_dead_target_after_run_loses_the_guest_because_it_may_have_run_there()
    {
        var move = AtBarrier().Hear(TargetStanding.Arrived).See(GuestState.PostMigrate, StreamStatus.Completed);

        move.Give(new SourceInput.TargetDeclaredDead("its power is off")).Expect<SourcePhase.Losing>(new SourceEffect.QuitGuest());
    }

    [Fact]
    public void A_cancel_that_comes_after_post_copy_began_goes_on_to_the_target()
    {
        var move = AtBarrier();

        move.Give(new SourceInput.CancelRequested("no more")).Expect<SourcePhase.TurningBack>(new SourceEffect.CancelStream());
        move.See(GuestState.Paused, StreamStatus.PostcopyActive).Expect<SourcePhase.Postcopying>(new SourceEffect.Send(new Order.Run()));
    }

    [Fact]
    public void A_reading_taken_before_the_newest_effect_is_ignored()
    {
        var move = AtBarrier();
        var old = new QemuReading(GuestState.PostMigrate, StreamStatus.Completed, move.Engine.EffectCount - 1);

        Assert.False(Assert.IsType<SourcePhase.SwitchingOver>(move.Give(new SourceInput.Observed(old)).Engine.Phase).SourceFinished);
    }

    [Fact]
    public void No_byte_for_the_time_allowed_turns_back_and_a_byte_starts_the_time_anew()
    {
        var move = Streaming();
        var almost = Plan.Patience.Progress - TimeSpan.FromSeconds(1);

        move.Wait(almost).Expect<SourcePhase.Precopying>();
        move.Give(new SourceInput.StreamMoved(1_000_000)).Wait(almost).Expect<SourcePhase.Precopying>();
        move.Wait(TimeSpan.FromSeconds(2)).Expect<SourcePhase.TurningBack>(new SourceEffect.CancelStream());
    }

    [Fact]
    public void Post_copy_holds_its_background_down_until_the_guest_has_fetched_what_it_needs_first()
    {
        var move = Streaming().See(GuestState.Running, StreamStatus.Active);
        move.Give(new SourceInput.Observed(new(GuestState.Running, StreamStatus.Active, move.Engine.EffectCount) { Round = 40, TransferredBytes = 1, RemainingBytes = 1 << 30 }));
        Assert.Contains(move.Effects, effect => effect is SourceEffect.StartPostcopy { BackgroundBytesPerSecond: > 0 });

        move.See(GuestState.Paused, StreamStatus.PostcopyActive).Hear(TargetStanding.Running);
        move.Wait(TimeSpan.FromMilliseconds(100));
        Assert.DoesNotContain(move.Effects, effect => effect is SourceEffect.LiftPostcopyBandwidth);
        move.Wait(TimeSpan.FromMilliseconds(250));
        Assert.Contains(move.Effects, effect => effect is SourceEffect.LiftPostcopyBandwidth);
        move.Wait(TimeSpan.FromMilliseconds(250));
        Assert.DoesNotContain(move.Effects, effect => effect is SourceEffect.LiftPostcopyBandwidth);
    }

    [Fact]
    public void The_stream_is_vital_from_QEMUs_post_copy_word_until_the_target_has_the_device_state()
    {
        var move = AtBarrier();
        Assert.False(move.Engine.Phase.IsStreamVital);

        Assert.True(move.See(GuestState.Paused, StreamStatus.PostcopyActive).Engine.Phase.IsStreamVital);
        Assert.False(move.Hear(TargetStanding.Arrived).Engine.Phase.IsStreamVital);
    }

    [Fact]
    public void Time_in_which_nobody_watched_is_not_counted_against_the_link()
    {
        var move = Streaming();
        var minute = TimeSpan.FromMinutes(1);

        move.Later(minute).Give(new SourceInput.Slept(minute)).Give(new SourceInput.Tick()).Expect<SourcePhase.Precopying>();
        move.Wait(Plan.Patience.Progress + TimeSpan.FromSeconds(1)).Expect<SourcePhase.TurningBack>(new SourceEffect.CancelStream());
    }

    [Fact]
    public void A_broken_post_copy_stream_is_mended_attempt_after_attempt()
    {
        var move = AtBarrier().See(GuestState.Paused, StreamStatus.PostcopyActive).Hear(TargetStanding.Running);

        move.See(GuestState.Paused, StreamStatus.PostcopyPaused).Expect<SourcePhase.Recovering>(new SourceEffect.Send(new Order.Recover(1)));
        move.See(GuestState.Paused, StreamStatus.PostcopyPaused);
        move.Give(new SourceInput.Reported(new(TargetStanding.Running, ListeningAttempt: 1))).Expect<SourcePhase.Recovering>(new SourceEffect.RecoverStream(1));
        move.See(GuestState.Paused, StreamStatus.PostcopyPaused);
        move.Wait(TimeSpan.FromMinutes(1)).Expect<SourcePhase.Recovering>(new SourceEffect.Send(new Order.Recover(2)));
        move.Give(new SourceInput.Reported(new(TargetStanding.Running, ListeningAttempt: 2))).Expect<SourcePhase.Recovering>(new SourceEffect.RecoverStream(2));
        move.See(GuestState.Paused, StreamStatus.PostcopyActive).ExpectPhase<SourcePhase.Postcopying>();
    }

    [Theory]
    [InlineData(SourceRecord.Outgoing, GuestState.Running, StreamStatus.None, typeof(SourcePhase.TurningBack))]
    [InlineData(SourceRecord.HandingOver, GuestState.Running, StreamStatus.Active, typeof(SourcePhase.TurningBack))]
    [InlineData(SourceRecord.HandingOver, GuestState.Paused, StreamStatus.PreSwitchover, typeof(SourcePhase.TurningBack))]
    [InlineData(SourceRecord.HandingOver, GuestState.Paused, StreamStatus.Device, typeof(SourcePhase.TurningBack))]
    [InlineData(SourceRecord.HandingOver, GuestState.Running, StreamStatus.Completed, typeof(SourcePhase.TurningBack))]
    [InlineData(SourceRecord.HandingOver, GuestState.PostMigrate, StreamStatus.Completed, typeof(SourcePhase.Activating))]
    [InlineData(SourceRecord.HandingOver, GuestState.Paused, StreamStatus.PostcopyActive, typeof(SourcePhase.Postcopying))]
    [InlineData(SourceRecord.HandingOver, GuestState.Paused, StreamStatus.PostcopyPaused, typeof(SourcePhase.Postcopying))]
    [InlineData(SourceRecord.HandingOver, GuestState.Gone, StreamStatus.None, typeof(SourcePhase.Fencing))]
    public void After_a_restart_the_record_and_QEMU_say_where_to_go_on(SourceRecord record, GuestState guest, StreamStatus stream, Type phase) =>
        Assert.IsType(phase, SourceEngine.Recover(Plan, record, new(guest, stream, 0), Start).Engine.Phase);

    private static SourceEffect Held { get; } = new SourceEffect.SetBandwidth(4096);

    private static SourceScript Opening(MigrationPlan? plan = null) =>
        new SourceScript(SourceEngine.Begin(plan ?? Plan, Start)).Give(new SourceInput.Persisted(SourceRecord.Outgoing)).Give(TakesStream).Give(new SourceInput.Persisted(SourceRecord.HandingOver));

    private static SourceScript Look(SourceScript move, long round, long remainingMiB, long sentMiB = 1) => move.Give(new SourceInput.Observed(
        new(GuestState.Running, StreamStatus.Active, move.Engine.EffectCount) { Round = round, TransferredBytes = sentMiB << 20, RemainingBytes = remainingMiB << 20, MemoryBytes = 1 << 30 }));

    private static SourceScript Streaming()
    {
        var move = new SourceScript(SourceEngine.Begin(Plan, Start));
        return move.Give(new SourceInput.Persisted(SourceRecord.Outgoing))
            .Hear(TargetStanding.Ready)
            .Give(new SourceInput.Persisted(SourceRecord.HandingOver))
            .See(GuestState.Running, StreamStatus.Active);
    }

    private static SourceScript AtBarrier() => Streaming().See(GuestState.Paused, StreamStatus.PreSwitchover);

    /// <summary>An engine and what it last wanted done.</summary>
}
