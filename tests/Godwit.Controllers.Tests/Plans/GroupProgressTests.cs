using Godwit.Api.Forecasts.V1Alpha1;
using Godwit.Api.Groups.V1Alpha1;
using Godwit.Controllers.Groups;
using static Godwit.Controllers.Tests.Plans.GroupWorld;

namespace Godwit.Controllers.Tests.Plans;

/// <summary>A group that runs: each look says what to do next, from what is there.</summary>
public sealed class GroupProgressTests
{
    [Fact]
    public void As_many_move_at_a_time_as_the_strategy_says()
    {
        var serial = Group(GroupStrategies.Serial, 1, "a", "b", "c");
        var parallel = Group(GroupStrategies.Parallel, 2, "a", "b", "c");
        var world = Of([Vmi("a", "n1"), Vmi("b", "n1"), Vmi("c", "n1")], ["n1", "n2"]);

        var first = Assert.Single(GroupProgress.Next(serial, world).Moves);
        Assert.Equal(("a", "a-12345678-1", "n2"), (first.Spec.VmiName, first.Metadata.Name, first.Spec.AddedNodeSelector[LabelNames.Hostname]));
        Assert.Equal(["a", "b"], GroupProgress.Next(parallel, world).Moves.Select(move => move.Spec.VmiName));
    }

    [Fact]
    public void The_second_part_of_a_mixed_group_waits_for_all_of_the_first()
    {
        var group = Group(GroupStrategies.Mixed, 2, "a", "b", "c");
        group = group with { Status = group.Status with { Members = [.. group.Status.Members.Select(member => member with { Mode = member.Name == "a" ? MigrationModes.Precopy : MigrationModes.Postcopy })] } };
        VirtualMachineInstance[] guests = [Vmi("a", "n1"), Vmi("b", "n1"), Vmi("c", "n1")];
        var first = GroupProgress.Next(group, Of(guests, ["n1", "n2"]));
        Assert.Equal("a", Assert.Single(first.Moves).Spec.VmiName);

        var second = GroupProgress.Next(group with { Status = first.Status }, Of([Vmi("a", "n2"), guests[1], guests[2]], ["n1", "n2"], [Ended(first.Moves[0])]));

        var next = Assert.Single(second.Moves);
        Assert.Equal(("b", MigrationModes.Postcopy), (next.Spec.VmiName, next.Metadata.Annotations[AnnotationNames.Mode]));
    }

    [Fact]
    public void A_move_that_failed_is_tried_elsewhere_after_a_pause_and_not_for_ever()
    {
        var group = Group(GroupStrategies.Serial, 1, "a") with { Spec = new() { AttemptsMax = 2 } };
        var guests = new[] { Vmi("a", "n1") };
        var step = GroupProgress.Next(group, Of(guests, ["n1", "n2", "n3"]));

        step = GroupProgress.Next(group with { Status = step.Status }, Of(guests, ["n1", "n2", "n3"], [Failed(step.Moves[0])]));
        var waiting = Assert.Single(step.Status.Members);
        Assert.Empty(step.Moves);
        Assert.Equal((GroupMemberPhases.Waiting, "n3"), (waiting.Phase, waiting.TargetNode));
        Assert.Contains("try 1 to n2 failed: the link broke; next to n3", waiting.Reason, StringComparison.Ordinal);

        step = GroupProgress.Next(group with { Status = step.Status }, Of(guests, ["n1", "n2", "n3"], now: waiting.NotBeforeTimestamp));
        Assert.Equal("a-12345678-2", Assert.Single(step.Moves).Metadata.Name);

        step = GroupProgress.Next(group with { Status = step.Status }, Of(guests, ["n1", "n2", "n3"], [Failed(step.Moves[0])]));
        Assert.Equal((GroupPhases.Failed, GroupMemberPhases.Failed), (step.Status.Phase, step.Status.Members[0].Phase));
        Assert.Contains("1 of 1 guests did not move: a: 2 tries failed, the last one to n3: the link broke", step.Status.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void A_move_that_somebody_cancels_is_not_tried_again()
    {
        var group = Group(GroupStrategies.Serial, 1, "a");
        var guests = new[] { Vmi("a", "n1") };
        var step = GroupProgress.Next(group, Of(guests, ["n1", "n2"]));

        step = GroupProgress.Next(group with { Status = step.Status }, Of(guests, ["n1", "n2"]));

        Assert.Equal(GroupMemberPhases.Failed, Assert.Single(step.Status.Members).Phase);
    }

    [Fact]
    public void A_move_that_was_made_and_not_written_down_is_found_by_its_name()
    {
        var group = Group(GroupStrategies.Serial, 1, "a");
        var made = GroupProgress.Next(group, Of([Vmi("a", "n1")], ["n1", "n2"])).Moves[0];

        var step = GroupProgress.Next(group, Of([Vmi("a", "n2")], ["n1", "n2"], [Ended(made)]));

        Assert.Empty(step.Moves);
        Assert.Equal((GroupPhases.Succeeded, GroupMemberPhases.Moved), (step.Status.Phase, step.Status.Members[0].Phase));
    }

    [Fact]
    public void A_guest_that_ended_or_left_by_itself_is_no_failure()
    {
        var group = Group(GroupStrategies.Serial, 1, "a", "b", "c");

        var step = GroupProgress.Next(group, Of([Vmi("b", "n3"), Vmi("c", "n1") with { Metadata = Vmi("c", "n1").Metadata with { Uid = "another" } }], ["n1", "n2", "n3"]));

        Assert.Equal(GroupPhases.Succeeded, step.Status.Phase);
        Assert.All(step.Status.Members, member => Assert.Equal(GroupMemberPhases.Gone, member.Phase));
    }

    [Fact]
    public void A_guest_that_has_left_or_arrived_is_seen_to_have_though_its_new_node_has_not_said_so_and_its_move_is_deleted()
    {
        var group = Group(GroupStrategies.Serial, 1, "a");
        var moving = GroupProgress.Next(group, Of([Vmi("a", "n1")], ["n1", "n2", "n3"])).Status;

        Assert.Equal(GroupMemberPhases.Gone, Assert.Single(GroupProgress.Next(group, Of([Moved("n3")], ["n1", "n2", "n3"])).Status.Members).Phase);
        Assert.Equal(GroupMemberPhases.Moved, Assert.Single(GroupProgress.Next(group with { Status = moving }, Of([Moved("n2")], ["n1", "n2", "n3"])).Status.Members).Phase);

        static VirtualMachineInstance Moved(string target)
        {
            var vmi = Vmi("a", "n1");
            return vmi with { Status = vmi.Status with { MigrationState = new MigrationState { MigrationUid = "m", SourceNode = "n1", TargetNode = target, Completed = true } } };
        }
    }

    [Fact]
    public void A_guest_that_is_driven_out_remembers_its_first_home_and_forgets_it_there()
    {
        var drain = Group(GroupStrategies.Parallel, 2, "a", "b") with { Spec = new() { KeepHome = true } };
        VirtualMachineInstance[] guests = [Vmi("a", "n1"), Vmi("b", "n1", home: "n7")];
        var step = GroupProgress.Next(drain, Of(guests, ["n1", "n2"]));
        Assert.All(step.Moves, move => Assert.Equal(MigrationPriorities.SystemMaintenance, move.Spec.Priority));
        VirtualMachineInstance[] moved = [Vmi("a", "n2"), Vmi("b", "n2", home: "n7")];

        var homes = GroupProgress.Next(drain with { Status = step.Status }, Of(moved, ["n1", "n2"], [.. step.Moves.Select(Ended)])).Homes;
        Assert.Equal(("a", "n1"), Assert.Single(homes.Select(home => (home.Vmi.Metadata.Name, home.Node))));

        var back = Group(GroupStrategies.Serial, 1, "a");
        back = back with { Status = back.Status with { Members = [back.Status.Members[0] with { SourceNode = "n2", TargetNode = "n1" }] } };
        step = GroupProgress.Next(back, Of([Vmi("a", "n2", home: "n1")], ["n1", "n2"]));
        homes = GroupProgress.Next(back with { Status = step.Status }, Of([Vmi("a", "n1", home: "n1")], ["n1", "n2"], [Ended(step.Moves[0])])).Homes;
        Assert.Null(Assert.Single(homes).Node);
    }

    private static GroupMigration Group(string strategy, int parallel, params string[] names) => new()
    {
        Metadata = new ObjectMeta { Name = "group", Uid = "12345678-9abc" },
        Status = new()
        {
            Phase = GroupPhases.Running,
            Strategy = strategy,
            StartTimestamp = Now,
            Forecasts = [new StrategyForecast { Strategy = strategy, Parallel = parallel }],
            Members = [.. names.Select(name => Measured(name).Member)],
        },
    };

    private static VirtualMachineInstanceMigration Ended(VirtualMachineInstanceMigration move) => move with
    {
        Status = new() { Phase = MigrationPhases.Succeeded, Measurement = new() { TotalMs = 900, PausedMs = 40, Bytes = 1 << 20 } },
    };

    private static VirtualMachineInstanceMigration Failed(VirtualMachineInstanceMigration move) => move with
    {
        Status = new() { Phase = MigrationPhases.Failed, MigrationState = new() { Failed = true, FailureReason = "the link broke" } },
    };
}
