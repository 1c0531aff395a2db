using Godwit.Controllers.VirtualMachines;

namespace Godwit.Controllers.Tests.Plans;

public sealed class VirtualMachinePlannerTests
{
    private static readonly DateTimeOffset Now = DateTimeOffset.UnixEpoch.AddYears(50);

    public static TheoryData<string, string?, string> Table => new()
    {
        // strategy, phase of the incarnation (null: none), what is done
        { RunStrategies.Always, null, "create" },
        { RunStrategies.Always, "Running", "" },
        { RunStrategies.Always, "Scheduled", "" },
        { RunStrategies.Always, "Succeeded", "delete" },
        { RunStrategies.Always, "Failed", "delete" },
        { RunStrategies.RerunOnFailure, null, "create" },
        { RunStrategies.RerunOnFailure, "Running", "" },
        { RunStrategies.RerunOnFailure, "Succeeded", "" },
        { RunStrategies.RerunOnFailure, "Failed", "delete" },
        { RunStrategies.Manual, null, "" },
        { RunStrategies.Manual, "Running", "" },
        { RunStrategies.Manual, "Succeeded", "" },
        { RunStrategies.Manual, "Failed", "" },
        { RunStrategies.Halted, null, "" },
        { RunStrategies.Halted, "Running", "delete" },
        { RunStrategies.Halted, "Succeeded", "delete" },
        { RunStrategies.Halted, "Failed", "delete" },
    };

    [Theory]
    [MemberData(nameof(Table))]
    public void Each_strategy_does_its_part(string strategy, string? phase, string expected)
    {
        var plan = VirtualMachinePlanner.For(Vm(strategy), phase is null ? null : Vmi(phase), Now);

        Assert.Equal(expected, Word(plan.Step));
    }

    [Theory]
    [MemberData(nameof(Table))]
    public void Nothing_is_done_about_an_incarnation_that_is_being_deleted_or_a_VM_that_is(string strategy, string? phase, string expected)
    {
        _ = expected;
        var going = Vm(strategy) with { Metadata = Vm(strategy).Metadata with { DeletionTimestamp = Now } };
        Assert.Null(VirtualMachinePlanner.For(going, phase is null ? null : Vmi(phase), Now).Step);
        if (phase is not null)
        {
            var vmi = Vmi(phase) with { Metadata = Vmi(phase).Metadata with { DeletionTimestamp = Now } };
            Assert.Null(VirtualMachinePlanner.For(Vm(strategy), vmi, Now).Step);
        }
    }

    [Fact]
    public void Anothers_incarnation_of_the_same_name_is_left_alone_and_said()
    {
        var foreign = Vmi("Running") with { Metadata = Vmi("Running").Metadata with { OwnerReferences = [] } };

        var plan = VirtualMachinePlanner.For(Vm(RunStrategies.Halted), foreign, Now);

        Assert.Null(plan.Step);
        Assert.Contains("does not own", plan.Status.Conditions.Single(condition => condition.Reason == "NameTaken").Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_older_field_running_means_Always_or_Halted()
    {
        Assert.Equal(RunStrategies.Always, VirtualMachinePlanner.StrategyOf(new VirtualMachine { Spec = new() { Running = true } }));
        Assert.Equal(RunStrategies.Halted, VirtualMachinePlanner.StrategyOf(new VirtualMachine { Spec = new() { Running = false } }));
    }

    [Fact]
    public void Quick_failures_in_a_row_make_the_next_start_wait_longer_each_time_up_to_a_limit()
    {
        var vm = Vm(RunStrategies.Always);
        var now = Now;
        var waits = new List<double>();
        for (var round = 0; round < 8; round++)
        {
            var failed = Vmi("Failed") with { Metadata = Vmi("Failed").Metadata with { Uid = $"incarnation-{round}" } };
            var plan = VirtualMachinePlanner.For(vm, failed, now);
            var again = VirtualMachinePlanner.For(vm with { Status = plan.Status }, failed, now.AddSeconds(1));
            Assert.Equal(plan.Status.StartFailure, again.Status.StartFailure); // Counted once.
            vm = vm with { Status = plan.Status };
            var retryAt = plan.Status.StartFailure!.RetryAfterTimestamp!.Value;
            waits.Add((retryAt - now).TotalSeconds);

            var early = VirtualMachinePlanner.For(vm, null, retryAt.AddSeconds(-1));
            Assert.Null(early.Step);
            Assert.Equal((PrintableStatuses.CrashLoopBackOff, TimeSpan.FromSeconds(1)), (early.Status.PrintableStatus, early.NextLook.Delay));
            Assert.IsType<VirtualMachineStep.Create>(VirtualMachinePlanner.For(vm, null, retryAt).Step);
            now = retryAt;
        }

        Assert.Equal([10, 20, 40, 80, 160, 300, 300, 300], waits);
    }

    [Fact]
    public void A_clock_that_went_back_makes_no_start_wait_longer_than_any_failure_would()
    {
        var vm = Vm(RunStrategies.Always) with { Status = new() { StartFailure = new() { ConsecutiveFailCount = 1, LastFailedVmiUid = "old", RetryAfterTimestamp = Now.AddHours(2) } } };

        var plan = VirtualMachinePlanner.For(vm, null, Now);

        Assert.IsType<VirtualMachineStep.Create>(plan.Step);
        Assert.Equal(PrintableStatuses.Starting, plan.Status.PrintableStatus);
    }

    [Fact]
    public void A_guest_that_ran_steadily_has_its_failures_forgotten()
    {
        var vm = Vm(RunStrategies.Always) with { Status = new() { StartFailure = new() { ConsecutiveFailCount = 4, LastFailedVmiUid = "old" } } };

        Assert.Null(VirtualMachinePlanner.For(vm, Vmi("Running", runningSince: Now.AddMinutes(-6)), Now).Status.StartFailure);
        Assert.NotNull(VirtualMachinePlanner.For(vm, Vmi("Running", runningSince: Now.AddMinutes(-1)), Now).Status.StartFailure);
        Assert.Equal(1, VirtualMachinePlanner.For(vm, Vmi("Failed", runningSince: Now.AddMinutes(-6)), Now).Status.StartFailure!.ConsecutiveFailCount);
    }

    [Fact]
    public void A_stop_that_was_asked_for_ends_that_incarnation_and_no_later_one()
    {
        var stop = new StateChangeRequest { Action = "Stop", Uid = "incarnation" };
        var vm = Vm(RunStrategies.Manual) with { Status = new() { StateChangeRequests = [stop] } };

        Assert.IsType<VirtualMachineStep.Delete>(VirtualMachinePlanner.For(vm, Vmi("Running"), Now).Step);
        var later = Vmi("Running") with { Metadata = Vmi("Running").Metadata with { Uid = "later" } };
        var plan = VirtualMachinePlanner.For(vm, later, Now);
        Assert.Null(plan.Step);
        Assert.Empty(plan.Status.StateChangeRequests);
    }

    [Fact]
    public void A_restart_of_a_manual_VM_stops_and_then_starts_it_once()
    {
        var vm = Vm(RunStrategies.Manual) with
        {
            Status = new() { StateChangeRequests = [new() { Action = "Stop", Uid = "incarnation" }, new() { Action = "Start" }] },
        };

        var stopping = VirtualMachinePlanner.For(vm, Vmi("Running"), Now);
        Assert.IsType<VirtualMachineStep.Delete>(stopping.Step);
        var starting = VirtualMachinePlanner.For(vm with { Status = stopping.Status }, null, Now);
        Assert.IsType<VirtualMachineStep.Create>(starting.Step);
        var done = VirtualMachinePlanner.For(vm with { Status = starting.Status }, null, Now);
        Assert.Null(done.Step);
    }

    [Theory]
    [InlineData("Running", null, PrintableStatuses.Running)]
    [InlineData("Running", "Paused", PrintableStatuses.Paused)]
    [InlineData("Scheduled", null, PrintableStatuses.Starting)]
    [InlineData("Unknown", null, PrintableStatuses.Unknown)]
    [InlineData("Succeeded", null, PrintableStatuses.Stopped)]
    public void The_state_is_told_in_one_word(string phase, string? condition, string expected)
    {
        var vmi = Vmi(phase);
        if (condition is not null)
        {
            vmi = vmi with { Status = vmi.Status with { Conditions = [new Condition { Type = condition, Status = "True" }] } };
        }

        Assert.Equal(expected, VirtualMachinePlanner.For(Vm(RunStrategies.Manual), vmi, Now).Status.PrintableStatus);
    }

    [Fact]
    public void A_moving_guest_is_Migrating()
    {
        var vmi = Vmi("Running");
        vmi = vmi with { Status = vmi.Status with { MigrationState = new() { TargetNode = "b" } } };

        Assert.Equal(PrintableStatuses.Migrating, VirtualMachinePlanner.For(Vm(RunStrategies.Always), vmi, Now).Status.PrintableStatus);
    }

    private static VirtualMachine Vm(string strategy) => new()
    {
        Metadata = new ObjectMeta { Namespace = "ns", Name = "vm", Uid = "vm-uid", Generation = 3 },
        Spec = new VirtualMachineSpec { RunStrategy = strategy },
    };

    private static VirtualMachineInstance Vmi(string phase, DateTimeOffset? runningSince = null) => new()
    {
        Metadata = new ObjectMeta
        {
            Namespace = "ns",
            Name = "vm",
            Uid = "incarnation",
            OwnerReferences = [new OwnerReference { Kind = "VirtualMachine", Name = "vm", Uid = "vm-uid", Controller = true }],
        },
        Status = new VirtualMachineInstanceStatus
        {
            Phase = phase,
            PhaseTransitionTimestamps = runningSince is null ? [] : [new PhaseTransition { Phase = "Running", Timestamp = runningSince }],
        },
    };

    private static string Word(VirtualMachineStep? step) => step switch
    {
        VirtualMachineStep.Create => "create",
        VirtualMachineStep.Delete => "delete",
        _ => "",
    };
}
