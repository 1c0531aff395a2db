using Godwit.Migration.Convergence;
using Godwit.Migration.Protocol;

namespace Godwit.Migration.Tests.Protocol;

/// <summary>Post-copy that ends without the target: who has the guest then, and who may run it.</summary>
public sealed class SourceDoubtTests
{
    private static readonly DateTimeOffset Start = DateTimeOffset.UnixEpoch;

    private static readonly MigrationPlan Plan = new()
    {
        Id = new(Guid.Parse("4e1f4a55-6c1d-4f0c-9a38-0c9f3b0f4d11")),
        Source = new("a"),
        Target = new("b"),
        Mode = MigrationMode.Postcopy,
        PostcopyOpen = true,
        Convergence = new() { OnePassOnly = true, Action = NonConvergenceAction.Postcopy },
    };

    [Fact]
    public void A_target_that_refuses_before_it_ran_the_guest_gives_it_back_out_of_post_copy()
    {
        var move = InPostcopy().Hear(TargetStanding.Refused);
        move.Wait(TimeSpan.FromSeconds(1)).Expect<SourcePhase.Postcopying>(new SourceEffect.PauseStream());

        move.See(GuestState.Paused, StreamStatus.PostcopyPaused).Expect<SourcePhase.Reclaiming>(new SourceEffect.ReclaimGuest());
        Assert.Equal(Plan.Source, move.Engine.Phase.Owner);
        move.See(GuestState.Paused, StreamStatus.Failed).Expect<SourcePhase.TurningBack>(new SourceEffect.ResumeGuest());
        move.See(GuestState.Running, StreamStatus.Failed).Expect<SourcePhase.Aborted>(new SourceEffect.Forget());
    }

    [Fact]
    public void A_target_that_refuses_while_its_stream_is_mended_gives_the_guest_back_too()
    {
        var move = InPostcopy().Hear(TargetStanding.Arrived).See(GuestState.Paused, StreamStatus.PostcopyPaused);
        move.ExpectPhase<SourcePhase.Recovering>();

        move.Hear(TargetStanding.Refused).Expect<SourcePhase.Reclaiming>(new SourceEffect.ReclaimGuest());
    }

    [Fact]
    public void A_target_that_hangs_without_the_device_state_is_told_to_refuse_and_one_that_has_it_is_not()
    {
        var move = InPostcopy().See(GuestState.Paused, StreamStatus.PostcopyPaused);
        move.Wait(TimeSpan.FromSeconds(1)).Expect<SourcePhase.Postcopying>(new SourceEffect.Send(new Order.Run()));
        move.Hear(TargetStanding.Ready);
        move.Wait(Plan.Patience.Switchover);
        Assert.IsType<Order.Abort>(Assert.IsType<SourceEffect.Send>(Assert.Single(move.Effects)).Order);
        move.Hear(TargetStanding.Arrived).See(GuestState.Paused, StreamStatus.PostcopyPaused).ExpectPhase<SourcePhase.Recovering>();

        var ended = InPostcopy().See(GuestState.Paused, StreamStatus.PostcopyPaused).Wait(Plan.Patience.Switchover * 2).Hear(TargetStanding.Refused);
        ended.See(GuestState.Paused, StreamStatus.PostcopyPaused).Expect<SourcePhase.Reclaiming>(new SourceEffect.ReclaimGuest());
    }

    [Fact]
    public void A_target_that_lost_the_guest_gives_nothing_back()
    {
        InPostcopy().Hear(TargetStanding.Lost).Expect<SourcePhase.Losing>(new SourceEffect.QuitGuest());
        InPostcopy().Give(new SourceInput.TargetDeclaredDead("its power is off")).Expect<SourcePhase.Losing>(new SourceEffect.QuitGuest());
    }

    [Fact]
    public void Taking_the_guest_back_is_repeated_from_wherever_QEMU_stands_and_not_for_ever()
    {
        var move = InPostcopy().Hear(TargetStanding.Refused).See(GuestState.Paused, StreamStatus.PostcopyPaused);
        var failed = new SourceInput.MachineFailed(new SourceEffect.ReclaimGuest(), "QEMU broke off");
        for (var failures = 1; failures < SourcePhase.Reclaiming.FailuresMax; failures++)
        {
            move.Give(failed).Expect<SourcePhase.Reclaiming>();
            move.See(GuestState.Paused, StreamStatus.PostcopyPaused).Expect<SourcePhase.Reclaiming>(); // Not before its turn.
            move.Later(TimeSpan.FromMinutes(1)).See(GuestState.Paused, StreamStatus.PostcopyActive).Expect<SourcePhase.Reclaiming>(new SourceEffect.PauseStream());
            move.Later(TimeSpan.FromMinutes(1)).See(GuestState.Paused, StreamStatus.PostcopyPaused).Expect<SourcePhase.Reclaiming>(new SourceEffect.ReclaimGuest());
        }

        move.Give(failed).Expect<SourcePhase.Losing>(new SourceEffect.QuitGuest());
        Assert.Contains("QEMU broke off", Assert.IsType<SourcePhase.Losing>(move.Engine.Phase).Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void A_source_QEMU_that_ends_while_it_takes_the_guest_back_loses_it()
    {
        InPostcopy().Hear(TargetStanding.Refused).See(GuestState.Paused, StreamStatus.PostcopyPaused).See(GuestState.Gone, StreamStatus.None)
            .Expect<SourcePhase.Losing>(new SourceEffect.QuitGuest());
    }

    [Fact]
    public void QEMU_that_lets_go_of_a_stream_in_post_copy_runs_the_guest_nowhere_before_the_target_has_spoken()
    {
        var move = Doubt();
        for (var i = 0; i < 100; i++)
        {
            move.Wait(TimeSpan.FromMinutes(1)).ExpectPhase<SourcePhase.Asking>();
            move.Hear(TargetStanding.Arrived).Expect<SourcePhase.Asking>();
        }

        Assert.Equal(Plan.Target, move.Engine.Phase.Owner);
    }

    [Fact]
    public void It_is_the_targets_when_that_says_so_and_the_sources_when_that_refuses()
    {
        Doubt().Hear(TargetStanding.Completed).Expect<SourcePhase.Completing>(new SourceEffect.QuitGuest());
        Doubt().Hear(TargetStanding.Refused).Expect<SourcePhase.TurningBack>(new SourceEffect.ResumeGuest());
        Doubt().Hear(TargetStanding.Lost).Expect<SourcePhase.Losing>(new SourceEffect.QuitGuest());
        Doubt().Give(new SourceInput.TargetDeclaredDead("its power is off")).Expect<SourcePhase.Losing>(new SourceEffect.QuitGuest());
        Doubt().See(GuestState.Gone, StreamStatus.None).ExpectPhase<SourcePhase.Fencing>();
    }

    [Fact]
    public void A_guest_that_runs_and_misses_memory_that_was_lost_on_the_way_is_given_time_and_then_lost()
    {
        var move = Doubt().Hear(TargetStanding.Running);
        move.Later(TimeSpan.FromHours(1)).Give(new SourceInput.Slept(TimeSpan.FromHours(1))); // In which nobody could hear it.
        move.Wait(Plan.Patience.Progress).ExpectPhase<SourcePhase.Asking>();
        move.Wait(TimeSpan.FromSeconds(1)).ExpectPhase<SourcePhase.Losing>();
        Assert.Equal(
            [new SourceEffect.QuitGuest(), new SourceEffect.Send(new Order.Bury(Assert.IsType<SourcePhase.Losing>(move.Engine.Phase).Reason))], move.Effects);
        move.Hear(TargetStanding.Completed).ExpectPhase<SourcePhase.Completing>(); // It was not, after all.
    }

    [Fact]
    public void A_target_that_has_refused_needs_not_be_asked()
    {
        InPostcopy().Hear(TargetStanding.Refused).See(GuestState.Paused, StreamStatus.Failed).Expect<SourcePhase.TurningBack>(new SourceEffect.ResumeGuest());
    }

    [Fact]
    public void A_stream_whose_last_page_was_sent_is_not_stopped_however_silent_it_is()
    {
        var move = InPostcopy().Hear(TargetStanding.Running);
        move.Give(new SourceInput.Observed(new(GuestState.Paused, StreamStatus.PostcopyActive, move.Engine.EffectCount) { TransferredBytes = 1 << 20, RemainingBytes = 0 }));
        Assert.True(move.Engine.Phase.IsStreamVital);

        move.Wait(TimeSpan.FromMinutes(1));
        Assert.DoesNotContain(new SourceEffect.PauseStream(), move.Effects);
        move.Give(new SourceInput.Observed(new(GuestState.Paused, StreamStatus.PostcopyActive, move.Engine.EffectCount) { TransferredBytes = 2 << 20, RemainingBytes = 4096 }));
        Assert.False(move.Engine.Phase.IsStreamVital);
        move.Wait(Plan.Patience.Pull + TimeSpan.FromSeconds(1)).ExpectPhase<SourcePhase.Recovering>();
    }

    [Theory]
    [InlineData(GuestState.Paused, StreamStatus.Failed, true, typeof(SourcePhase.Asking))]
    [InlineData(GuestState.Paused, StreamStatus.Cancelled, true, typeof(SourcePhase.Asking))]
    [InlineData(GuestState.Running, StreamStatus.Failed, true, typeof(SourcePhase.TurningBack))]
    [InlineData(GuestState.Paused, StreamStatus.Failed, false, typeof(SourcePhase.TurningBack))]
    public void After_a_restart_a_guest_that_was_stopped_for_post_copy_is_asked_about(GuestState guest, StreamStatus stream, bool postcopyOpen, Type phase)
    {
        var plan = MigrationPlan.Resumed(Plan.Id, Plan.Source, Plan.Target, new(), postcopyOpen);
        Assert.IsType(phase, SourceEngine.Recover(plan, SourceRecord.HandingOver, new(guest, stream, 0), Start).Engine.Phase);
    }

    private static SourceScript InPostcopy()
    {
        var move = new SourceScript(SourceEngine.Begin(Plan, Start)).Give(new SourceInput.Persisted(SourceRecord.Outgoing)).Hear(TargetStanding.Ready);
        move.Give(new SourceInput.Persisted(SourceRecord.HandingOver)).See(GuestState.Paused, StreamStatus.PreSwitchover);
        move.See(GuestState.Paused, StreamStatus.PostcopyActive).ExpectPhase<SourcePhase.Postcopying>();
        return move;
    }

    private static SourceScript Doubt()
    {
        var move = InPostcopy().Hear(TargetStanding.Arrived).See(GuestState.Paused, StreamStatus.Failed);
        Assert.IsType<Order.Abort>(Assert.IsType<SourceEffect.Send>(Assert.Single(move.Effects)).Order);
        move.ExpectPhase<SourcePhase.Asking>();
        return move;
    }
}
