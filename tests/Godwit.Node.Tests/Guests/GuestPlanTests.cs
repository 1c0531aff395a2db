using CsCheck;
using Godwit.Api;
using Godwit.Api.KubeVirt.V1;
using Godwit.Api.Meta.V1;
using Godwit.Machines;
using Godwit.Node.Guests;

namespace Godwit.Node.Tests.Guests;

public sealed partial class GuestPlanTests
{
    private static readonly DateTimeOffset Now = new(2026, 1, 2, 3, 4, 5, TimeSpan.Zero);
    private static readonly NodeName Me = NodeName.Parse("node-1");
    private static readonly MachineId Id = new(Guid.Parse("11111111-2222-3333-4444-555555555555"));
    private static readonly Incarnation Started = new Incarnation.Started(Id, "default", "vm-1");
    private static readonly GuestOutcome Crash = new(false, "GuestCrashed", "it crashed");

    [Fact]
    public void A_guest_that_was_placed_here_and_never_ran_is_claimed_and_started() =>
        Assert.Equal([new GuestStep.ClaimObject(), new GuestStep.Start()], Plan(Scheduled()));

    [Fact]
    public void A_claimed_object_is_not_claimed_again() =>
        Assert.Equal([new GuestStep.Start()], Plan(Claimed(Scheduled())));

    [Fact]
    public void A_guest_whose_images_are_being_fetched_is_not_started()
    {
        var waiting = View(new GuestObject.Present(Claimed(Scheduled())), machine: null, record: null) with { IsFetching = true };

        Assert.Empty(GuestPlan.For(waiting));
        Assert.Equal([new GuestStep.Start()], GuestPlan.For(waiting with { IsFetching = false }));
        Assert.Contains(new GuestStep.ReleaseObject(), GuestPlan.For(waiting with { Object = new GuestObject.Present(Deleted(Claimed(Scheduled()))) }));
    }

    [Theory]
    [InlineData(null)]
    [InlineData("Pending")]
    [InlineData("Scheduling")]
    public void A_guest_that_is_not_yet_scheduled_is_left_alone(string? phase) =>
        Assert.Empty(Plan(Scheduled() with { Status = new() { NodeName = "node-1", Phase = phase } }));

    [Fact]
    public void A_guest_of_another_node_is_left_alone() =>
        Assert.Empty(Plan(Scheduled() with { Status = new() { NodeName = "node-2", Phase = "Scheduled" } }));

    [Fact]
    public void A_start_that_was_cut_short_before_the_guest_ran_goes_on()
    {
        Assert.Equal([new GuestStep.Start()], Plan(Claimed(Scheduled()), Machine(MachineRunState.Created)));
        Assert.Equal([new GuestStep.Start()], Plan(Claimed(Scheduled()), Machine(MachineRunState.Created), Started));
    }

    [Fact]
    public void A_guest_that_runs_is_published_as_Running_and_Ready()
    {
        var steps = Plan(Claimed(Scheduled()), Machine(MachineRunState.Running), Started);

        var status = Assert.Single(steps.OfType<GuestStep.PublishStatus>()).Status;
        Assert.Equal("Running", status.Phase);
        Assert.Equal("True", Condition(status, "Ready")!.Status);
        Assert.Null(Condition(status, "Paused"));
        Assert.Equal("pc-q35-10.0", status.Machine!.Type);
        Assert.Contains(status.PhaseTransitionTimestamps, entry => entry.Phase == "Running" && entry.Timestamp == Now);
    }

    [Fact]
    public void What_is_published_already_is_not_published_again()
    {
        var running = Running();

        Assert.Empty(Plan(running, Machine(MachineRunState.Running), Started));
    }

    [Fact]
    public void A_paused_guest_has_the_condition_Paused_and_loses_it_when_it_runs_again()
    {
        var paused = Publish(Running(), Machine(MachineRunState.Paused));
        Assert.Equal("True", Condition(paused.Status, "Paused")!.Status);
        Assert.Equal("False", Condition(paused.Status, "Ready")!.Status);
        Assert.Equal("Running", paused.Status.Phase);

        var resumed = Publish(paused, Machine(MachineRunState.Running));
        Assert.Null(Condition(resumed.Status, "Paused"));
        Assert.Equal("True", Condition(resumed.Status, "Ready")!.Status);
    }

    [Fact]
    public void A_guest_that_is_to_start_paused_is_not_resumed_by_the_agent()
    {
        var instance = Claimed(Scheduled());
        instance = instance with { Spec = instance.Spec with { StartStrategy = "Paused" } };

        var steps = Plan(instance, Machine(MachineRunState.Created), Started);

        Assert.DoesNotContain(new GuestStep.Start(), steps);
        Assert.Equal("True", Condition(steps.OfType<GuestStep.PublishStatus>().Single().Status, "Paused")!.Status);
    }

    [Theory]
    [InlineData(MachineRunState.Shutdown, "Succeeded", true)]
    [InlineData(MachineRunState.Crashed, "Failed", true)]
    [InlineData(MachineRunState.Gone, "Failed", false)]
    public void The_end_of_a_guest_is_recorded_then_published_then_its_process_is_ended(MachineRunState state, string phase, bool endsProcess)
    {
        var steps = Plan(Running(), Machine(state), Started);

        Assert.IsType<GuestStep.RecordEnd>(steps[0]);
        Assert.Equal(phase, steps.OfType<GuestStep.PublishStatus>().Single().Status.Phase);
        Assert.Equal(endsProcess, steps[^1] is GuestStep.EndProcess);
        Assert.DoesNotContain(steps, step => step is GuestStep.Remove);
    }

    [Theory]
    [InlineData("Scheduled")]
    [InlineData("Running")]
    [InlineData("Unknown")]
    public void A_guest_that_ran_and_is_gone_has_failed_and_is_not_booted_again(string phase)
    {
        var instance = Claimed(Scheduled() with { Status = new() { NodeName = "node-1", Phase = phase } });

        var steps = Plan(instance, machine: null, Started);

        Assert.Equal("MachineLost", Assert.IsType<GuestStep.RecordEnd>(steps[0]).Outcome.Reason);
        Assert.Equal("Failed", steps.OfType<GuestStep.PublishStatus>().Single().Status.Phase);
    }

    [Fact]
    public void An_end_that_was_recorded_but_not_published_is_published()
    {
        var steps = Plan(Running(), machine: null, new Incarnation.Ended(Id, "default", "vm-1", Crash));

        Assert.Equal("Failed", Assert.IsType<GuestStep.PublishStatus>(Assert.Single(steps)).Status.Phase);
    }

    [Theory]
    [InlineData(null, null, 30)]
    [InlineData(7L, null, 7)]
    [InlineData(7L, 0L, 0)]
    public void A_deleted_guest_is_shut_down_with_its_grace(long? specSeconds, long? deletionSeconds, int expectedSeconds)
    {
        var instance = Deleted(Running(), deletionSeconds);
        instance = instance with { Spec = instance.Spec with { TerminationGracePeriodSeconds = specSeconds } };

        Assert.Equal([new GuestStep.ShutDown(TimeSpan.FromSeconds(expectedSeconds))], Plan(instance, Machine(MachineRunState.Running), Started));
    }

    [Theory]
    [InlineData(MachineRunState.Shutdown)]
    [InlineData(MachineRunState.Gone)]
    public void A_deleted_guest_that_has_stopped_is_removed_before_its_object_is_released(MachineRunState state)
    {
        var steps = Plan(Deleted(Running()), Machine(state), Started);

        Assert.Equal(
            [typeof(GuestStep.RecordEnd), typeof(GuestStep.PublishStatus), typeof(GuestStep.Remove), typeof(GuestStep.ReleaseObject)],
            steps.Select(step => step.GetType()));
        Assert.True(((GuestStep.RecordEnd)steps[0]).Outcome.Succeeded);
    }

    [Fact]
    public void A_guest_deleted_before_it_ran_is_released_at_once() =>
        Assert.Contains(new GuestStep.ReleaseObject(), Plan(Deleted(Claimed(Scheduled()))));

    [Fact]
    public void A_machine_whose_object_the_server_does_not_know_is_shut_down_then_removed_then_forgotten()
    {
        Assert.Equal([new GuestStep.ShutDown(GuestPlan.DefaultGrace)], GuestPlan.For(View(new GuestObject.Absent(), Machine(MachineRunState.Running), Started)));
        Assert.Equal(
            [new GuestStep.Remove(), new GuestStep.ForgetRecord()],
            GuestPlan.For(View(new GuestObject.Absent(), Machine(MachineRunState.Shutdown), Started)));
        Assert.Equal([new GuestStep.ForgetRecord()], GuestPlan.For(View(new GuestObject.Absent(), null, Started)));
        Assert.Empty(GuestPlan.For(View(new GuestObject.Absent(), null, null)));
    }

    [Fact]
    public void An_arrived_guest_publishes_this_node_as_its_owner_though_the_API_still_names_the_source()
    {
        var instance = Running() with { Status = Running().Status with { NodeName = "node-2" } };

        var steps = GuestPlan.For(View(new GuestObject.Present(instance), Machine(MachineRunState.Running), null, HandoverClaim.Owner));

        Assert.Equal([typeof(GuestStep.RecordStart), typeof(GuestStep.PublishStatus)], steps.Select(step => step.GetType()));
        Assert.Equal("node-1", ((GuestStep.PublishStatus)steps[1]).Status.NodeName);
    }

    [Fact]
    public void An_arrived_guest_that_was_lost_before_its_first_word_here_is_said_to_be_lost_though_the_API_still_names_the_source()
    {
        var instance = Running() with { Status = Running().Status with { NodeName = "node-2" } };

        var steps = GuestPlan.For(View(new GuestObject.Present(instance), null, null, HandoverClaim.Owner));

        var said = Assert.Single(steps.OfType<GuestStep.PublishStatus>()).Status;
        Assert.Equal(("node-1", "Failed", "MachineLost"), (said.NodeName, said.Phase, said.Reason));
        Assert.Contains(GuestPlan.For(View(new GuestObject.Present(Deleted(instance)), null, null, HandoverClaim.Owner)), step => step is GuestStep.ReleaseObject);
    }

    [Fact]
    public void A_machine_that_the_API_places_elsewhere_without_a_record_of_a_move_is_only_reported()
    {
        var instance = Running() with { Status = Running().Status with { NodeName = "node-2" } };

        var step = Assert.Single(Plan(instance, Machine(MachineRunState.Running), Started));

        Assert.Equal("OwnerUnclear", Assert.IsType<GuestStep.Report>(step).Reason);
    }

    /// <summary>It says who owns the guest: whoever was asked for a decision would be asked about a QEMU that is being killed.</summary>
    [Theory]
    [InlineData(MachineRunState.Incoming)]
    [InlineData(MachineRunState.Paused)]
    [InlineData(MachineRunState.Gone)]
    public void What_a_refused_move_left_is_that_move_s_to_remove_and_nobody_s_to_decide(MachineRunState state)
    {
        var instance = Running() with { Status = Running().Status with { NodeName = "node-2" } };

        Assert.Empty(GuestPlan.For(View(new GuestObject.Present(instance), Machine(state), null) with { IsRefused = true }));
    }

    [Fact]
    public void Deleting_a_guest_that_moves_asks_the_move_to_end_and_touches_no_machine() =>
        Assert.IsType<GuestStep.EndMove>(Assert.Single(
            GuestPlan.For(View(new GuestObject.Present(Deleted(Running())), Machine(MachineRunState.Running), Started, HandoverClaim.Moving))));

    // The rules that stand above the rest, over every view that can be made.
    private static readonly Gen<GuestView> AnyView =
        from kind in Gen.Int[0, 2]
        from phase in OneOf<string?>(null, "Pending", "Scheduling", "Scheduled", "Running", "Succeeded", "Failed", "Unknown")
        from node in OneOf<string?>(null, "node-1", "node-2")
        from deleted in Gen.Bool
        from claimed in Gen.Bool
        from paused in Gen.Bool
        from machine in OneOf<MachineView?>([null, .. Enum.GetValues<MachineRunState>().Select(Machine)])
        from record in OneOf<Incarnation?>(null, Started, new Incarnation.Ended(Id, "default", "vm-1", Crash), Suspending, Suspended, Resuming)
        from claim in Gen.Enum<HandoverClaim>()
        from wish in OneOf<string?>(null, null, "true", "UntilMoved", "nonsense")
        from between in Gen.Int[0, 3]
        select View(
            kind == 0 ? new GuestObject.Unknown() : kind == 1 ? new GuestObject.Absent() : new GuestObject.Present(Wishing(Any(phase, node, deleted, claimed, paused), wish)),
            machine,
            record,
            claim) with { IsBetween = between == 0 };

    [Fact]
    public void Never_is_a_guest_started_that_ran_or_may_have_run_anywhere() => AnyView.Sample(view =>
    {
        if (GuestPlan.For(view).Any(step => step is GuestStep.Start))
        {
            Assert.True(view.Machine is null or { RunState: MachineRunState.Created });
            Assert.True(view.Record is null || view.Machine is not null, "a record without a machine is a guest that ran");
            Assert.True(view.Claim is HandoverClaim.None or HandoverClaim.Owner);
            var instance = Assert.IsType<GuestObject.Present>(view.Object).Instance;
            Assert.Equal("node-1", instance.Status.NodeName);
            Assert.Null(instance.Metadata.DeletionTimestamp);
        }
    });

    [Fact]
    public void Never_is_a_machine_touched_that_a_move_decides_about() => AnyView.Sample(view =>
    {
        if (view.Claim is HandoverClaim.Moving or HandoverClaim.Arriving or HandoverClaim.HandedOver)
        {
            Assert.All(GuestPlan.For(view), step => Assert.IsType<GuestStep.EndMove>(step));
        }
    });

    [Fact]
    public void Never_is_a_machine_stopped_or_removed_that_another_node_is_said_to_own_or_whose_object_is_not_known() => AnyView.Sample(view =>
    {
        if (GuestPlan.For(view).Any(step => step is GuestStep.ShutDown or GuestStep.Remove or GuestStep.EndProcess))
        {
            Assert.True(view.Claim == HandoverClaim.Owner || view.Object is GuestObject.Absent or GuestObject.Present { Instance.Status.NodeName: "node-1" });
        }
    });

    [Fact]
    public void Never_is_a_running_guest_removed_without_being_shut_down_first() => AnyView.Sample(view =>
    {
        if (view.Machine is { RunState: MachineRunState.Running or MachineRunState.Paused })
        {
            Assert.DoesNotContain(GuestPlan.For(view), step => step is GuestStep.Remove);
        }
    });

    [Fact]
    public void Never_is_an_object_released_while_its_machine_stays() => AnyView.Sample(view =>
    {
        var steps = GuestPlan.For(view);
        if (steps.Any(step => step is GuestStep.ReleaseObject) && view.Machine is not null)
        {
            Assert.True(steps.ToList().FindIndex(step => step is GuestStep.Remove) is >= 0 and var remove
                && remove < steps.ToList().FindIndex(step => step is GuestStep.ReleaseObject));
        }
    });

    [Fact]
    public void A_published_status_is_stable() => AnyView.Sample(view =>
    {
        if (view.Object is GuestObject.Present { Instance: var instance }
            && GuestPlan.For(view).OfType<GuestStep.PublishStatus>().SingleOrDefault() is { } publish)
        {
            var after = view with { Object = new GuestObject.Present(instance with { Status = publish.Status }) };
            Assert.DoesNotContain(GuestPlan.For(after), step => step is GuestStep.PublishStatus);
        }
    });

    private static Gen<T> OneOf<T>(params T[] values) => Gen.Int[0, values.Length - 1].Select(index => values[index]);

    private static IReadOnlyList<GuestStep> Plan(VirtualMachineInstance instance, MachineView? machine = null, Incarnation? record = null) =>
        GuestPlan.For(View(new GuestObject.Present(instance), machine, record));

    private static GuestView View(GuestObject guest, MachineView? machine, Incarnation? record, HandoverClaim claim = HandoverClaim.None) =>
        new() { Node = Me, Now = Now, Object = guest, Machine = machine, Record = record, Claim = claim };

    private static MachineView Machine(MachineRunState state) => new(state, "as it was said", "pc-q35-10.0");

    private static VirtualMachineInstance Scheduled() => new()
    {
        Metadata = new ObjectMeta { Namespace = "default", Name = "vm-1", Uid = Id.ToString() },
        Status = new() { NodeName = "node-1", Phase = "Scheduled" },
    };

    private static VirtualMachineInstance Claimed(VirtualMachineInstance instance) => instance with
    {
        Metadata = instance.Metadata with
        {
            Finalizers = [FinalizerNames.Agent],
            Labels = new Dictionary<string, string> { [LabelNames.NodeName] = "node-1" },
        },
    };

    private static VirtualMachineInstance Deleted(VirtualMachineInstance instance, long? graceSeconds = null) =>
        instance with { Metadata = instance.Metadata with { DeletionTimestamp = Now, DeletionGracePeriodSeconds = graceSeconds } };

    private static VirtualMachineInstance Running() => Publish(Claimed(Scheduled()), Machine(MachineRunState.Running));

    private static VirtualMachineInstance Publish(VirtualMachineInstance instance, MachineView machine) =>
        instance with { Status = Plan(instance, machine, Started).OfType<GuestStep.PublishStatus>().Single().Status };

    private static VirtualMachineInstance Any(string? phase, string? node, bool deleted, bool claimed, bool paused)
    {
        var instance = Scheduled() with { Status = new() { Phase = phase, NodeName = node } };
        instance = claimed ? Claimed(instance) : instance;
        instance = deleted ? Deleted(instance) : instance;
        return instance with { Spec = instance.Spec with { StartStrategy = paused ? "Paused" : null } };
    }

    private static Condition? Condition(VirtualMachineInstanceStatus status, string type) =>
        status.Conditions.SingleOrDefault(condition => condition.Type == type);
}
