using Godwit.Migration.Protocol;

namespace Godwit.Migration.Tests.Protocol;

public sealed class TargetEngineTests
{
    [Fact]
    public void The_guest_runs_only_with_arrival_order_and_grant_on_disk()
    {
        var arrival = Listening();

        arrival.Order(new Order.Run()).Expect<TargetPhase.Waiting>();
        arrival.See(GuestState.Paused, StreamStatus.Completed).Expect<TargetPhase.Granting>(new TargetEffect.Persist(TargetRecord.RunGranted));
        arrival.Give(new TargetInput.Persisted(TargetRecord.RunGranted)).Expect<TargetPhase.Starting>(new TargetEffect.RunGuest());
        arrival.See(GuestState.Running, StreamStatus.Completed).ExpectPhase<TargetPhase.Completed>();
        Assert.Contains(new TargetEffect.Persist(TargetRecord.Finished), arrival.Effects);
    }

    [Fact]
    public void An_arrived_guest_waits_for_the_order_without_end()
    {
        var arrival = Listening().See(GuestState.Paused, StreamStatus.Completed);

        for (var i = 0; i < 1000; i++)
        {
            arrival.Give(new TargetInput.Tick());
        }

        arrival.Expect<TargetPhase.Arrived>();
    }

    [Fact]
    public void A_refusal_is_told_only_when_QEMU_is_dead_and_the_record_on_disk()
    {
        var arrival = Listening().Order(new Order.Abort("cancelled"));
        arrival.Expect<TargetPhase.Refusing>(new TargetEffect.Persist(TargetRecord.Refused), new TargetEffect.Fence());

        arrival.Give(new TargetInput.Persisted(TargetRecord.Refused)).Expect<TargetPhase.Refusing>();
        arrival.See(GuestState.Gone, StreamStatus.None).ExpectPhase<TargetPhase.Refused>();
        Assert.Equal(TargetStanding.Refused, Assert.IsType<TargetEffect.Send>(Assert.Single(arrival.Effects)).Report.Standing);
    }

    [Fact]
    public void Whichever_of_run_and_abort_comes_first_decides_for_ever()
    {
        var granted = Listening().See(GuestState.Paused, StreamStatus.Completed).Order(new Order.Run()).Order(new Order.Abort("late"));
        Assert.IsType<TargetPhase.Granting>(granted.Engine.Phase);

        var refused = Listening().See(GuestState.Paused, StreamStatus.Completed).Order(new Order.Abort("first"))
            .Give(new TargetInput.Persisted(TargetRecord.Refused)).See(GuestState.Gone, StreamStatus.None).Order(new Order.Run());
        Assert.IsType<TargetPhase.Refused>(refused.Engine.Phase);
    }

    [Fact]
    public void A_QEMU_that_will_not_run_the_guest_is_refused_so_that_the_source_gets_it_back()
    {
        var arrival = Listening().See(GuestState.Paused, StreamStatus.Completed).Order(new Order.Run())
            .Give(new TargetInput.Persisted(TargetRecord.RunGranted));

        for (var i = 0; i < TargetPhase.Starting.ErrorsMax; i++)
        {
            arrival.Give(new TargetInput.MachineFailed(new TargetEffect.RunGuest(), "the disk is locked")).See(GuestState.Paused, StreamStatus.Completed);
        }

        arrival.Expect<TargetPhase.Refusing>(new TargetEffect.Persist(TargetRecord.Refused));
        arrival.Give(new TargetInput.Persisted(TargetRecord.Refused)).Expect<TargetPhase.Refusing>(new TargetEffect.Fence());
    }

    [Fact]
    public void A_QEMU_that_died_before_it_could_be_told_to_run_is_refused_so_that_the_source_gets_the_guest_back()
    {
        var arrival = Listening().See(GuestState.Paused, StreamStatus.Completed).Order(new Order.Run())
            .Give(new TargetInput.Persisted(TargetRecord.RunGranted));

        arrival.Give(new TargetInput.MachineFailed(new TargetEffect.RunGuest(), "its QEMU has ended")).See(GuestState.Gone, StreamStatus.None);

        arrival.Expect<TargetPhase.Refusing>(new TargetEffect.Persist(TargetRecord.Refused));
    }

    [Fact]
    public void A_QEMU_that_died_with_the_order_to_run_unanswered_may_have_run_the_guest()
    {
        var arrival = Listening().See(GuestState.Paused, StreamStatus.Completed).Order(new Order.Run())
            .Give(new TargetInput.Persisted(TargetRecord.RunGranted)).See(GuestState.Gone, StreamStatus.None);

        arrival.Expect<TargetPhase.Burying>(new TargetEffect.Persist(TargetRecord.Lost), new TargetEffect.Fence());
    }

    [Fact]
    public void What_was_made_for_a_QEMU_that_died_by_itself_is_removed_before_the_refusal_is_told()
    {
        var arrival = Listening().See(GuestState.Paused, StreamStatus.Completed).Order(new Order.Run()).Give(new TargetInput.Persisted(TargetRecord.RunGranted));
        arrival.Give(new TargetInput.MachineFailed(new TargetEffect.RunGuest(), "its QEMU has ended")).See(GuestState.Gone, StreamStatus.None);
        Assert.Contains(new TargetEffect.Persist(TargetRecord.Refused), arrival.Effects);

        // Seen dead once more before the refusal is on disk.
        arrival.See(GuestState.Gone, StreamStatus.None).ExpectPhase<TargetPhase.Refusing>();
        arrival.Give(new TargetInput.Persisted(TargetRecord.Refused)).Expect<TargetPhase.Refusing>(new TargetEffect.Fence());
        arrival.See(GuestState.Gone, StreamStatus.None).ExpectPhase<TargetPhase.Refused>();
    }

    [Fact]
    public void A_guest_that_may_have_run_is_never_refused()
    {
        var arrival = new Script(TargetEngine.Recover(TargetRecord.RunGranted, new(GuestState.Paused, StreamStatus.Completed, 0)));

        for (var i = 0; i < 20; i++)
        {
            arrival.Give(new TargetInput.MachineFailed(new TargetEffect.RunGuest(), "the disk is locked")).See(GuestState.Paused, StreamStatus.Completed);
        }

        arrival.ExpectPhase<TargetPhase.Starting>();
    }

    [Fact]
    public void A_QEMU_that_runs_without_an_order_is_killed()
    {
        var arrival = Listening().See(GuestState.Running, StreamStatus.Completed);

        arrival.Expect<TargetPhase.Refusing>(new TargetEffect.Persist(TargetRecord.Refused), new TargetEffect.Fence());
    }

    [Fact]
    public void A_late_prepare_for_a_move_that_was_aborted_unheard_of_is_refused()
    {
        var arrival = new Script(TargetEngine.Open(new Order.Abort("cancelled"))!.Value);
        arrival.Give(new TargetInput.Persisted(TargetRecord.Refused)).ExpectPhase<TargetPhase.Refused>();

        arrival.Order(new Order.Prepare()).ExpectPhase<TargetPhase.Refused>();
    }

    [Fact]
    public void Asking_about_an_unknown_move_begins_nothing() => Assert.Null(TargetEngine.Open(new Order.Ask()));

    [Theory]
    [InlineData(TargetRecord.Arriving, GuestState.Gone, StreamStatus.None, typeof(TargetPhase.Refusing))]
    [InlineData(TargetRecord.Arriving, GuestState.Waiting, StreamStatus.None, typeof(TargetPhase.Refusing))]
    [InlineData(TargetRecord.Arriving, GuestState.Waiting, StreamStatus.Failed, typeof(TargetPhase.Refusing))]
    [InlineData(TargetRecord.Arriving, GuestState.Paused, StreamStatus.Completed, typeof(TargetPhase.Arrived))]
    [InlineData(TargetRecord.Arriving, GuestState.Paused, StreamStatus.PostcopyPaused, typeof(TargetPhase.Arrived))]
    [InlineData(TargetRecord.RunGranted, GuestState.Paused, StreamStatus.Completed, typeof(TargetPhase.Starting))]
    [InlineData(TargetRecord.RunGranted, GuestState.Running, StreamStatus.Completed, typeof(TargetPhase.Completed))]
    [InlineData(TargetRecord.RunGranted, GuestState.Running, StreamStatus.PostcopyPaused, typeof(TargetPhase.Running))]
    [InlineData(TargetRecord.RunGranted, GuestState.Gone, StreamStatus.None, typeof(TargetPhase.Burying))]
    [InlineData(TargetRecord.Finished, GuestState.Running, StreamStatus.None, typeof(TargetPhase.Completed))]
    public void After_a_restart_the_record_and_QEMU_say_where_to_go_on(TargetRecord record, GuestState guest, StreamStatus stream, Type phase) =>
        Assert.IsType(phase, TargetEngine.Recover(record, new(guest, stream, 0)).Engine.Phase);

    [Fact]
    public void A_stream_is_mended_even_when_nothing_can_be_read_of_a_QEMU_that_waits_for_a_page()
    {
        var arrival = new Script(TargetEngine.Recover(TargetRecord.RunGranted, null));

        arrival.Order(new Order.Recover(1)).Expect<TargetPhase.Starting>(new TargetEffect.CutStream(), new TargetEffect.ListenAgain(1));
        arrival.Order(new Order.Recover(1)).Expect<TargetPhase.Starting>(new TargetEffect.CutStream(), new TargetEffect.ListenAgain(1));
        arrival.Give(new TargetInput.Listening(1)).ExpectPhase<TargetPhase.Starting>();
        Assert.Equal(1, Assert.IsType<TargetEffect.Send>(Assert.Single(arrival.Effects)).Report.ListeningAttempt);
        arrival.Order(new Order.Recover(1)).Expect<TargetPhase.Starting>();

        arrival.See(GuestState.Running, StreamStatus.PostcopyActive).ExpectPhase<TargetPhase.Running>();
        Assert.Equal(1, arrival.Engine.Phase.Report.ListeningAttempt);
    }

    [Fact]
    public void A_guest_found_standing_still_when_its_QEMU_answers_again_is_told_to_run()
    {
        var arrival = new Script(TargetEngine.Recover(TargetRecord.RunGranted, null));

        arrival.See(GuestState.Paused, StreamStatus.PostcopyActive).Expect<TargetPhase.Starting>(new TargetEffect.RunGuest());
    }

    private static Script Listening() => new Script(TargetEngine.Open(new Order.Prepare())!.Value)
        .Give(new TargetInput.Persisted(TargetRecord.Arriving))
        .See(GuestState.Waiting, StreamStatus.None);

    private sealed class Script(TargetStep first)
    {
        public TargetEngine Engine { get; private set; } = first.Engine;

        public IReadOnlyList<TargetEffect> Effects { get; private set; } = first.Effects;

        public Script Give(TargetInput input)
        {
            var step = Engine.Step(input, DateTimeOffset.UnixEpoch);
            (Engine, Effects) = (step.Engine, step.Effects);
            return this;
        }

        public Script Order(Order order) => Give(new TargetInput.Ordered(order));

        public Script See(GuestState guest, StreamStatus stream) => Give(new TargetInput.Observed(new(guest, stream, Engine.EffectCount)));

        public void ExpectPhase<TPhase>() => Assert.IsType<TPhase>(Engine.Phase);

        /// <summary>The phase and all that is wanted done, but reports.</summary>
        public void Expect<TPhase>(params TargetEffect[] effects)
        {
            Assert.IsType<TPhase>(Engine.Phase);
            Assert.Equal(effects, Effects.Where(effect => effect is not TargetEffect.Send));
        }
    }
}
