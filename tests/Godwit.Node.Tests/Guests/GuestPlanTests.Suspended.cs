using CsCheck;
using Godwit.Api;
using Godwit.Api.KubeVirt.V1;
using Godwit.Machines;
using Godwit.Node.Guests;

namespace Godwit.Node.Tests.Guests;

/// <content>Guests that lie in a file, or are to.</content>
public sealed partial class GuestPlanTests
{
    private static Incarnation Suspending => new Incarnation.Suspending(Id, "default", "vm-1");
    private static Incarnation Suspended => new Incarnation.Suspended(Id, "default", "vm-1", 64 << 20);
    private static Incarnation Resuming => new Incarnation.Resuming(Id, "default", "vm-1");

    [Theory]
    [InlineData(MachineRunState.Running)]
    [InlineData(MachineRunState.Paused)]
    public void A_guest_that_is_to_be_suspended_is_and_one_that_was_cut_short_goes_on(MachineRunState state)
    {
        Assert.Equal([new GuestStep.Suspend()], Plan(Wishing(Running()), Machine(state), Started));
        Assert.Equal([new GuestStep.Suspend()], Plan(Wishing(Running()), Machine(state), Suspending));
        Assert.Equal([new GuestStep.Suspend()], Plan(Wishing(Running()), Machine(MachineRunState.PostMigrate), Suspending));
    }

    [Fact]
    public void A_guest_that_is_not_to_be_suspended_any_more_runs_on_while_its_QEMU_still_has_it() =>
        Assert.Equal([new GuestStep.CallOffSuspend()], Plan(Running(), Machine(MachineRunState.PostMigrate), Suspending));

    [Fact]
    public void A_suspended_guest_says_so_keeps_its_node_and_has_no_process()
    {
        var steps = Plan(Wishing(Running()), Machine(MachineRunState.PostMigrate), Suspended);

        Assert.Equal(new GuestStep.EndProcess(), steps[0]);
        var status = Assert.IsType<GuestStep.PublishStatus>(steps[1]).Status;
        Assert.Equal("True", Condition(status, "Suspended")!.Status);
        Assert.Equal("False", Condition(status, "Ready")!.Status);
        Assert.Equal("Running", status.Phase);
        Assert.Equal("node-1", status.NodeName);

        // Also when nothing but the file is left: after a restart of the host.
        var left = Assert.IsType<GuestStep.PublishStatus>(Assert.Single(Plan(Wishing(Running()), null, Suspended))).Status;
        Assert.Equal(GodwitJson.ToObject(status).ToJsonString(), GodwitJson.ToObject(left).ToJsonString());
    }

    [Fact]
    public void A_suspended_guest_that_is_to_run_is_woken_after_the_end_of_what_had_loaded_it_before()
    {
        Assert.Equal([new GuestStep.Wake()], Plan(Running(), null, Suspended));
        Assert.Equal([new GuestStep.EndProcess(), new GuestStep.Wake()], Plan(Running(), Machine(MachineRunState.Paused), Suspended));
        Assert.Equal([new GuestStep.Wake()], Plan(Running(), Machine(MachineRunState.Paused), Resuming));
    }

    [Fact]
    public void A_guest_that_vanished_with_its_QEMU_while_that_still_had_it_is_over_and_not_booted_again()
    {
        foreach (var record in (Incarnation[])[Suspending, Resuming])
        {
            Assert.False(Plan(Wishing(Running()), Machine(MachineRunState.Gone), record).OfType<GuestStep.RecordEnd>().Single().Outcome.Succeeded);
        }
    }

    [Fact]
    public void A_suspended_guest_that_is_deleted_leaves_nothing()
    {
        var steps = Plan(Deleted(Wishing(Running())), Machine(MachineRunState.PostMigrate), Suspended);

        Assert.Equal([typeof(GuestStep.RecordEnd), typeof(GuestStep.PublishStatus), typeof(GuestStep.Remove), typeof(GuestStep.ReleaseObject)], steps.Select(step => step.GetType()));
    }

    [Fact]
    public void What_could_not_be_done_is_not_tried_again_at_once_and_the_guest_runs_on()
    {
        var view = View(new GuestObject.Present(Wishing(Running())), Machine(MachineRunState.Running), Started) with
        {
            StartNotBefore = Now.AddSeconds(1),
            SuspensionTrouble = "the disk is full",
        };

        var status = Assert.IsType<GuestStep.PublishStatus>(Assert.Single(GuestPlan.For(view))).Status;

        Assert.Equal("False", Condition(status, "Suspended")!.Status);
        Assert.Equal("the disk is full", Condition(status, "Suspended")!.Message);
        Assert.Equal("True", Condition(status, "Ready")!.Status);
    }

    // Of the file and a QEMU one is the guest, over every view that can be made.
    [Fact]
    public void Never_is_a_guest_in_a_file_booted_written_again_or_ended_while_it_runs() => AnyView.Sample(view =>
    {
        var steps = GuestPlan.For(view);
        if (view.Record is Incarnation.Suspended)
        {
            Assert.DoesNotContain(steps, step => step is GuestStep.Start or GuestStep.Suspend or GuestStep.CallOffSuspend);
        }

        if (view is { Record: Incarnation.Suspended, Machine.RunState: MachineRunState.Running, Object: GuestObject.Present { Instance.Metadata.DeletionTimestamp: null } })
        {
            Assert.DoesNotContain(steps, step => step is GuestStep.EndProcess or GuestStep.Wake or GuestStep.Remove);
        }
    });

    [Fact]
    public void Never_is_a_guest_touched_on_its_way_into_a_file_or_out_of_it_but_to_be_deleted() => AnyView.Sample(view =>
    {
        if (view is { IsBetween: true, Record: not Incarnation.Ended, Object: GuestObject.Present { Instance: { Metadata.DeletionTimestamp: null } instance } }
            && !VirtualMachineInstancePhases.IsFinal(instance.Status.Phase))
        {
            Assert.DoesNotContain(GuestPlan.For(view), step => step is not (GuestStep.Report or GuestStep.EndMove));
        }
    });

    private static VirtualMachineInstance Wishing(VirtualMachineInstance instance, string? wish = "true") => wish is null ? instance : instance with
    {
        Metadata = instance.Metadata with { Annotations = new Dictionary<string, string> { [AnnotationNames.Suspend] = wish } },
    };
}
