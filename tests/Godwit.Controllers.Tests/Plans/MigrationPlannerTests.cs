using Godwit.Api.Migrations.V1Alpha1;
using Godwit.Scheduling;

namespace Godwit.Controllers.Tests.Plans;

public sealed class MigrationPlannerTests
{
    private static readonly DateTimeOffset Now = DateTimeOffset.UnixEpoch.AddYears(50);

    [Fact]
    public void A_move_of_a_running_guest_gets_the_one_target_there_is()
    {
        var plan = Assert.IsType<MigrationPlan.Schedule>(Plan(Move("m", "a"), [Vmi("a", "n1")], ["n1", "n2"]));

        Assert.Equal(("n1", "n2"), (plan.State.SourceNode, plan.State.TargetNode));
    }

    [Fact]
    public void The_named_target_is_taken_or_nothing()
    {
        var toN3 = Move("m", "a") with { Spec = new() { VmiName = "a", AddedNodeSelector = new Dictionary<string, string> { [LabelNames.Hostname] = "n3" } } };

        Assert.Equal("n3", Assert.IsType<MigrationPlan.Schedule>(Plan(toN3, [Vmi("a", "n1")], ["n1", "n2", "n3"])).State.TargetNode);
        Assert.Equal(ObstacleReasons.TargetMissing, Assert.IsType<MigrationPlan.Fail>(Plan(toN3, [Vmi("a", "n1")], ["n1", "n2"])).Reason);
    }

    [Fact]
    public void A_guest_that_is_not_up_yet_is_waited_for_and_one_that_has_ended_is_not()
    {
        Assert.IsType<MigrationPlan.Wait>(Plan(Move("m", "a"), [Vmi("a", "n1", phase: "Scheduled")], ["n1", "n2"]));
        Assert.Equal(
            ObstacleReasons.GuestNotRunning, Assert.IsType<MigrationPlan.Fail>(Plan(Move("m", "a"), [Vmi("a", "n1", phase: "Failed")], ["n1", "n2"])).Reason);
    }

    [Fact]
    public void A_silent_source_is_waited_for()
    {
        var plan = Plan(Move("m", "a"), [Vmi("a", "n1")], ["n2"]);

        Assert.Equal(ObstacleReasons.SourceNotReady, Assert.IsType<MigrationPlan.Wait>(plan).Reason);
    }

    [Fact]
    public void The_third_move_from_a_node_waits_for_its_turn_and_the_oldest_comes_first()
    {
        var guests = new[] { Vmi("a", "n1"), Vmi("b", "n1"), Vmi("c", "n1"), Vmi("d", "n1") };
        var moves = new[] { Transferring("m1", "a", "n1", "n2"), Move("m4", "d", age: 1), Move("m3", "c", age: 2), Move("m2", "b", age: 3) };

        Assert.IsType<MigrationPlan.Schedule>(Plan(moves[3], guests, ["n1", "n2"], moves));
        Assert.Equal(MigrationPlanner.WaitingForTurn, Assert.IsType<MigrationPlan.Wait>(Plan(moves[2], guests, ["n1", "n2"], moves)).Reason);
        Assert.Equal(MigrationPlanner.WaitingForTurn, Assert.IsType<MigrationPlan.Wait>(Plan(moves[1], guests, ["n1", "n2"], moves)).Reason);
    }

    [Fact]
    public void A_node_prepares_for_one_guest_at_a_time_while_another_transfers_to_it()
    {
        var guests = new[] { Vmi("a", "n1"), Vmi("b", "n4"), Vmi("c", "n5") };

        var preparing = new[] { Active("m1", "a", "n1", "n2"), Move("m3", "c") };
        Assert.Equal(MigrationPlanner.TargetBusy, Assert.IsType<MigrationPlan.Wait>(Plan(Named(preparing[1], "n2"), guests, ["n1", "n5", "n2"], preparing)).Reason);

        var transferring = new[] { Transferring("m1", "a", "n1", "n2"), Move("m3", "c") };
        Assert.Equal("n2", Assert.IsType<MigrationPlan.Schedule>(Plan(Named(transferring[1], "n2"), guests, ["n1", "n5", "n2"], transferring)).State.TargetNode);

        // A source that is silent prepares nothing, and blocks nobody.
        Assert.Equal("n2", Assert.IsType<MigrationPlan.Schedule>(Plan(Named(preparing[1], "n2"), guests, ["n5", "n2"], preparing)).State.TargetNode);
    }

    [Fact]
    public void Guests_of_one_service_wait_for_nobody_of_theirs()
    {
        var guests = new[] { Vmi("a", "n1"), Vmi("b", "n1"), Vmi("c", "n1"), Vmi("d", "n1") };
        VirtualMachineInstanceMigration[] moves = [Active("m1", "a", "n1", "n2"), Active("m2", "b", "n1", "n2"), Active("m3", "c", "n1", "n2"), Move("m4", "d")];

        Assert.IsType<MigrationPlan.Wait>(Plan(moves[3], guests, ["n1", "n2"], moves));
        moves = [.. moves.Select(move => move with
        {
            Metadata = move.Metadata with { Annotations = new Dictionary<string, string> { [AnnotationNames.Service] = "shop/1" } },
        })];
        Assert.IsType<MigrationPlan.Schedule>(Plan(moves[3], guests, ["n1", "n2"], moves));
    }

    [Fact]
    public void Of_those_that_wait_the_more_urgent_come_first()
    {
        var guests = new[] { Vmi("a", "n1"), Vmi("b", "n1"), Vmi("c", "n1") };
        var maintenance = Move("m1", "a", age: 9) with { Spec = new() { VmiName = "a", Priority = MigrationPriorities.SystemMaintenance } };
        var user = Move("m2", "b", age: 5);
        var critical = Move("m3", "c", age: 1) with { Spec = new() { VmiName = "c", Priority = MigrationPriorities.SystemCritical } };
        VirtualMachineInstanceMigration[] moves = [maintenance, user, critical];

        Assert.IsType<MigrationPlan.Schedule>(Plan(critical, guests, ["n1", "n2"], moves));
        Assert.IsType<MigrationPlan.Schedule>(Plan(user, guests, ["n1", "n2"], moves));
        Assert.Equal(MigrationPlanner.WaitingForTurn, Assert.IsType<MigrationPlan.Wait>(Plan(maintenance, guests, ["n1", "n2"], moves)).Reason);
    }

    [Fact]
    public void A_target_that_receives_its_fill_is_passed_over_or_waited_for()
    {
        var guests = new[] { Vmi("a", "n1"), Vmi("b", "n4"), Vmi("c", "n5") };
        var moves = new[] { Active("m1", "a", "n1", "n2"), Active("m2", "b", "n4", "n2"), Move("m3", "c") };

        Assert.Equal("n3", Assert.IsType<MigrationPlan.Schedule>(Plan(moves[2], guests, ["n5", "n2", "n3"], moves)).State.TargetNode);
        Assert.Equal(MigrationPlanner.TargetBusy, Assert.IsType<MigrationPlan.Wait>(Plan(moves[2], guests, ["n5", "n2"], moves)).Reason);
    }

    [Fact]
    public void A_move_deleted_before_it_began_is_cancelled_here_and_a_scheduled_one_is_not()
    {
        var waiting = Move("m", "a") with { Metadata = Move("m", "a").Metadata with { DeletionTimestamp = Now } };
        var scheduled = Active("m", "a", "n1", "n2");
        scheduled = scheduled with { Metadata = scheduled.Metadata with { DeletionTimestamp = Now } };

        Assert.Equal(MigrationPlanner.Cancelled, Assert.IsType<MigrationPlan.Fail>(Plan(waiting, [Vmi("a", "n1")], ["n1", "n2"])).Reason);
        Assert.IsNotType<MigrationPlan.Fail>(Plan(scheduled, [Vmi("a", "n1")], ["n1", "n2"]));
    }

    [Theory]
    [InlineData(MigrationPhases.Scheduled)]
    [InlineData(MigrationPhases.PreparingTarget)]
    [InlineData(MigrationPhases.Running)]
    public void Once_an_agent_may_have_it_no_time_and_no_silence_ends_it(string phase)
    {
        var move = Active("m", "a", "n1", "n2");
        move = move with { Status = move.Status with { Phase = phase } };

        foreach (var nodes in new string[][] { ["n1", "n2"], ["n2"], ["n1"], [] })
        {
            var plan = Plan(move, [Vmi("a", "n1")], nodes, now: Now.AddYears(1));
            Assert.True(plan is MigrationPlan.Explain or MigrationPlan.Nothing, $"{plan}");
            Assert.Equal(!nodes.Contains("n1") || phase == MigrationPhases.Scheduled, plan is MigrationPlan.Explain);
        }
    }

    [Fact]
    public void A_move_that_its_agent_took_in_time_is_not_spoken_of() =>
        Assert.IsType<MigrationPlan.Nothing>(Plan(Active("m", "a", "n1", "n2"), [Vmi("a", "n1")], ["n1", "n2"], now: Now.AddSeconds(14)));

    [Fact]
    public void An_ended_moves_finalizer_is_its_agents_unless_no_agent_will_ever_take_it_off()
    {
        var ended = Active("m", "a", "n1", "n2");
        ended = ended with { Metadata = ended.Metadata with { Finalizers = [FinalizerNames.Migration] }, Status = ended.Status with { Phase = "Succeeded" } };
        var neverBegun = ended with { Status = new() { Phase = "Failed" } };

        Assert.IsType<MigrationPlan.Nothing>(Plan(ended, [Vmi("a", "n2")], ["n1", "n2"]));
        Assert.IsType<MigrationPlan.Release>(Plan(ended, [Vmi("a", "n2")], ["n2"]));
        Assert.IsType<MigrationPlan.Release>(Plan(neverBegun, [Vmi("a", "n1")], ["n1", "n2"]));
    }

    [Fact]
    public void A_policy_that_forbids_postcopy_forbids_the_mode_that_needs_it()
    {
        var move = Move("m", "a") with { Metadata = Move("m", "a").Metadata with { Annotations = new Dictionary<string, string> { [AnnotationNames.Mode] = "postcopy" } } };
        var policy = new MigrationPolicy { Metadata = new() { Name = "p" }, Spec = new() { AllowPostCopy = false } };

        Assert.IsType<MigrationPlan.Schedule>(Plan(move, [Vmi("a", "n1")], ["n1", "n2"]));
        Assert.Equal(ObstacleReasons.ModeNotAllowed, Assert.IsType<MigrationPlan.Fail>(Plan(move, [Vmi("a", "n1")], ["n1", "n2"], policies: [policy])).Reason);
    }

    [Fact]
    public void The_policy_that_matches_most_labels_holds()
    {
        var vmi = Vmi("a", "n1") with { Metadata = Vmi("a", "n1").Metadata with { Labels = new Dictionary<string, string> { ["app"] = "db", ["tier"] = "gold" } } };
        var labels = new Dictionary<string, string> { ["team"] = "red" };
        MigrationPolicy[] policies =
        [
            Policy("all", [], []),
            Policy("app", new() { ["app"] = "db" }, []),
            Policy("team", [], new() { ["team"] = "red" }),
            Policy("both", new() { ["app"] = "db", ["tier"] = "gold" }, []),
            Policy("other", new() { ["app"] = "db", ["tier"] = "gold" }, new() { ["team"] = "blue" }),
        ];

        Assert.Equal("both", PolicyChoice.For(vmi, labels, policies)!.Metadata.Name);
        Assert.Equal("app", PolicyChoice.For(vmi, labels, policies[..3])!.Metadata.Name);
        Assert.Equal("all", PolicyChoice.For(Vmi("b", "n1"), new Dictionary<string, string>(), policies)!.Metadata.Name);
    }

    [Fact]
    public void A_guest_that_was_moved_is_moved_on_when_its_new_node_has_said_that_it_has_it_and_not_before()
    {
        var first = Succeeded("m1", "a", "n1", "n2");
        var second = Move("m2", "a");
        string[] nodes = ["n1", "n2", "n3"];

        // Whether its end stands on its own object, on the guest, or on the guest alone; and if its target, or its source, is there no more.
        foreach (var (noted, known) in new (MigrationState, VirtualMachineInstanceMigration[])[]
        {
            (first.Status.MigrationState! with { Completed = null }, [first, second]),
            (first.Status.MigrationState!, [first, second]),
            (first.Status.MigrationState!, [second]),
        })
        {
            foreach (var there in new string[][] { nodes, ["n1", "n3"], ["n2", "n3"], [] })
            {
                var wait = Assert.IsType<MigrationPlan.Wait>(Plan(second, [Noted("n1", noted)], there, known));
                Assert.Equal((MigrationPlanner.WaitingForTargetAgent, true), (wait.Reason, wait.Message.Contains("the agent of n2 has not said yet", StringComparison.Ordinal)));
            }

            Assert.Equal("n2", Assert.IsType<MigrationPlan.Schedule>(Plan(second, [Noted("n2", noted)], nodes, known)).State.SourceNode);
            Assert.Equal(ObstacleReasons.GuestNotRunning, Assert.IsType<MigrationPlan.Fail>(Plan(second, [Noted("n1", noted, phase: "Failed")], nodes, known)).Reason);
        }
    }

    [Fact]
    public void A_guest_that_has_been_moved_on_since_or_that_stayed_is_not_waited_for()
    {
        var first = Succeeded("m1", "a", "n1", "n2");
        var second = Succeeded("m2", "a", "n2", "n3");
        var failed = first with { Status = first.Status with { Phase = MigrationPhases.Failed, MigrationState = first.Status.MigrationState! with { Failed = true } } };
        var next = Move("m3", "a");
        string[] nodes = ["n1", "n2", "n3"];

        Assert.Equal("n3", Assert.IsType<MigrationPlan.Schedule>(Plan(next, [Noted("n3", second.Status.MigrationState!)], nodes, [second, first, next])).State.SourceNode);
        Assert.Equal("n1", Assert.IsType<MigrationPlan.Schedule>(Plan(next, [Noted("n1", failed.Status.MigrationState!)], nodes, [failed, next])).State.SourceNode);
        Assert.Equal("n1", Assert.IsType<MigrationPlan.Schedule>(Plan(next, [Vmi("a", "n1")], nodes, [first, next])).State.SourceNode); // An earlier incarnation's: this one names none.
    }

    [Fact]
    public void A_guest_whose_move_is_gone_or_not_seen_yet_is_not_moved_before_its_end_is_known()
    {
        var first = Active("m1", "a", "n1", "n2");
        var noted = new MigrationState { MigrationUid = "uid-m1", SourceNode = "n1", TargetNode = "n2" };
        var pending = Move("m1", "a", age: -1);
        var second = Move("m2", "a");

        foreach (var known in new VirtualMachineInstanceMigration[][] { [second], [second, pending], [second, first] })
        {
            Assert.Equal(ObstacleReasons.MigrationInProgress, Assert.IsType<MigrationPlan.Wait>(Plan(second, [Noted("n1", noted)], ["n1", "n2"], known)).Reason);
        }
    }

    [Fact]
    public void Moves_of_guests_that_have_left_a_node_hold_no_turn_of_it_though_it_has_not_been_said_where_they_are()
    {
        VirtualMachineInstanceMigration[] gone = [Succeeded("m1", "a", "n1", "n2"), Succeeded("m2", "b", "n1", "n2")];
        VirtualMachineInstanceMigration[] waiting = [Move("m3", "a", age: 3), Move("m4", "b", age: 2), Move("m5", "c", age: 1)];
        var guests = new[] { Noted("n1", gone[0].Status.MigrationState!), Noted("n1", gone[1].Status.MigrationState!, "b"), Vmi("c", "n1") };

        Assert.IsType<MigrationPlan.Schedule>(Plan(waiting[2], guests, ["n1", "n2", "n3"], [.. gone, .. waiting]));
    }

    [Fact]
    public void The_finalizer_of_a_move_whose_source_was_removed_stays_until_its_end_is_noted_on_the_guest()
    {
        var ended = Succeeded("m1", "a", "n1", "n2");
        ended = ended with { Metadata = ended.Metadata with { Finalizers = [FinalizerNames.Migration] } };

        Assert.IsType<MigrationPlan.Nothing>(Plan(ended, [Noted("n1", ended.Status.MigrationState! with { Completed = null })], ["n2"]));
        Assert.IsType<MigrationPlan.Release>(Plan(ended, [Noted("n1", ended.Status.MigrationState!)], ["n2"]));
        Assert.IsType<MigrationPlan.Release>(Plan(ended, [], ["n2"]));
    }

    private static VirtualMachineInstance Noted(string node, MigrationState noted, string name = "a", string phase = "Running")
    {
        var vmi = Vmi(name, node, phase);
        return vmi with { Status = vmi.Status with { MigrationState = noted } };
    }

    private static VirtualMachineInstanceMigration Succeeded(string name, string vmi, string source, string target) => Move(name, vmi, age: 9) with
    {
        Status = new() { Phase = MigrationPhases.Succeeded, MigrationState = new() { MigrationUid = "uid-" + name, SourceNode = source, TargetNode = target, Completed = true } },
    };

    private static MigrationPolicy Policy(string name, Dictionary<string, string> guest, Dictionary<string, string> space) => new()
    {
        Metadata = new ObjectMeta { Name = name },
        Spec = new() { Selectors = new() { VirtualMachineInstanceSelector = guest, NamespaceSelector = space } },
    };

    private static MigrationPlan Plan(
        VirtualMachineInstanceMigration move,
        IReadOnlyList<VirtualMachineInstance> guests,
        IReadOnlyList<string> nodeNames,
        IReadOnlyList<VirtualMachineInstanceMigration>? moves = null,
        IReadOnlyList<MigrationPolicy>? policies = null,
        DateTimeOffset? now = null)
    {
        var nodes = nodeNames.Select(NewNode).ToList();
        moves ??= [move];
        return MigrationPlanner.For(move, new MigrationWorld
        {
            Cluster = ClusterSnapshot.Of(nodes, guests, moves),
            Instances = CacheSnapshot.Of(guests),
            Migrations = CacheSnapshot.Of(moves),
            Nodes = CacheSnapshot.Of(nodes),
            Policies = policies ?? [],
            Namespaces = CacheSnapshot.Of<Namespace>([]),
            Limits = new MigrationLimits(),
            Now = now ?? Now,
        });
    }

    private static Node NewNode(string name) => new()
    {
        Metadata = new ObjectMeta
        {
            Name = name,
            Labels = new Dictionary<string, string> { [LabelNames.Hostname] = name },
            Annotations = new Dictionary<string, string> { [AnnotationNames.UnderlayAddress] = "10.0.0.1" },
        },
        Status = new NodeStatus
        {
            Allocatable = new Dictionary<string, Quantity> { ["cpu"] = Quantity.Parse("8"), ["memory"] = Quantity.Parse("16Gi") },
            Conditions = [new NodeCondition { Type = "Ready", Status = "True" }],
        },
    };

    private static VirtualMachineInstance Vmi(string name, string node, string phase = "Running") => new()
    {
        Metadata = new ObjectMeta { Namespace = "ns", Name = name, Uid = "uid-" + name },
        Status = new VirtualMachineInstanceStatus { NodeName = node, Phase = phase },
    };

    private static VirtualMachineInstanceMigration Move(string name, string vmi, int age = 0) => new()
    {
        Metadata = new ObjectMeta { Namespace = "ns", Name = name, Uid = "uid-" + name, CreationTimestamp = Now.AddMinutes(-age) },
        Spec = new() { VmiName = vmi },
    };

    private static VirtualMachineInstanceMigration Named(VirtualMachineInstanceMigration move, string target) =>
        move with { Spec = move.Spec with { AddedNodeSelector = new Dictionary<string, string> { [LabelNames.Hostname] = target } } };

    private static VirtualMachineInstanceMigration Transferring(string name, string vmi, string source, string target)
    {
        var active = Active(name, vmi, source, target);
        return active with { Status = active.Status with { Phase = MigrationPhases.Running } };
    }

    private static VirtualMachineInstanceMigration Active(string name, string vmi, string source, string target) => Move(name, vmi) with
    {
        Status = new()
        {
            Phase = MigrationPhases.Scheduled,
            MigrationState = new() { SourceNode = source, TargetNode = target },
            PhaseTransitionTimestamps = [new PhaseTransition { Phase = MigrationPhases.Scheduled, Timestamp = Now }],
        },
    };
}
