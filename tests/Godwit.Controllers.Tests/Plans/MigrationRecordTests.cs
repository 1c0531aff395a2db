namespace Godwit.Controllers.Tests.Plans;

/// <summary>What a guest's object says of its moves, and until when.</summary>
public sealed class MigrationRecordTests
{
    private static readonly DateTimeOffset Now = DateTimeOffset.UnixEpoch.AddYears(50);

    [Fact]
    public void A_guest_shows_a_move_that_was_asked_for_before_it_started_if_its_source_began_it()
    {
        var early = new VirtualMachineInstanceMigration
        {
            Metadata = new ObjectMeta { Name = "early", Uid = "early", CreationTimestamp = DateTimeOffset.UnixEpoch },
            Status = new VirtualMachineInstanceMigrationStatus { Phase = MigrationPhases.Failed, MigrationState = new MigrationState { TargetNode = "node-2", MigrationUid = "early", Completed = true, Failed = true } },
        };
        var fresh = new VirtualMachineInstance { Metadata = new ObjectMeta { Name = "vm", CreationTimestamp = DateTimeOffset.UnixEpoch.AddSeconds(20) } };
        var begun = fresh with { Status = new VirtualMachineInstanceStatus { MigrationState = new MigrationState { TargetNode = "node-2", MigrationUid = "early" } } };

        Assert.Null(MigrationRecordController.StateToShow(fresh, [early])); // An earlier incarnation's.
        Assert.True(MigrationRecordController.StateToShow(begun, [early])!.Completed);
    }

    [Fact]
    public void The_guest_shows_its_running_move_else_its_last_one_and_old_ones_expire()
    {
        var vmi = GuestOn("n-last");
        var old = Ended("old", age: 60);
        old = old with { Status = old.Status with { Phase = MigrationPhases.Failed } };
        var last = Ended("last", age: 30);
        var running = Active("running", "n-last", "n2");
        var before = Ended("of-an-earlier-incarnation", age: 60 * 10);

        Assert.Equal("n-last", MigrationRecordController.StateToShow(vmi, [old, last, before])!.TargetNode);
        Assert.Equal("n2", MigrationRecordController.StateToShow(vmi, [old, last, running])!.TargetNode);
        Assert.Null(MigrationRecordController.StateToShow(vmi, [before]));
        Assert.Equal(["old"], MigrationRecordController.Expired([old, last, running], hasGuest: true, kept: 1, Now).Select(move => move.Metadata.Name));
        Assert.Empty(MigrationRecordController.Expired([old, last], hasGuest: false, kept: 9, Now));
        Assert.Equal(2, MigrationRecordController.Expired([old, last], hasGuest: false, kept: 9, Now.AddDays(2)).Count());
    }

    [Fact]
    public void Until_the_target_of_a_move_has_said_that_it_has_the_guest_nothing_takes_the_place_of_that_move()
    {
        var moved = Ended("moved", age: 30);
        var failed = Ended("failed", age: 1) with { Status = new() { Phase = MigrationPhases.Failed, MigrationState = new() { SourceNode = "n1", TargetNode = "n3", Failed = true, EndTimestamp = Now } } };
        var active = Active("active", "n1", "n3");

        foreach (var noted in new[] { UnderWay(moved), moved.Status.MigrationState! })
        {
            var vmi = GuestOn("n1", noted);
            Assert.Equal("n-moved", MigrationRecordController.StateToShow(vmi, [moved, failed, active])!.TargetNode);
            Assert.True(MigrationRecordController.StateToShow(vmi, [moved, failed, active])!.Completed);
        }

        // Not by its object's going either; only by the target's word.
        Assert.Equal("n-moved", MigrationRecordController.StateToShow(GuestOn("n1", moved.Status.MigrationState), [failed, active])!.TargetNode);
        Assert.Equal("n3", MigrationRecordController.StateToShow(GuestOn("n-moved", moved.Status.MigrationState), [moved, failed, active])!.TargetNode);
        Assert.True(MigrationRecordController.StateToShow(GuestOn("n-moved", moved.Status.MigrationState), [moved, failed])!.Failed);
    }

    [Fact]
    public void A_move_that_its_source_has_begun_is_shown_until_its_end_is_known_though_its_object_is_seen_late()
    {
        var earlier = Ended("earlier", age: 30);
        var begun = Active("begun", "n-earlier", "n2");
        var notYet = begun with { Status = new() { Phase = MigrationPhases.Pending } };
        var vmi = GuestOn("n-earlier", UnderWay(begun));

        foreach (var known in new VirtualMachineInstanceMigration[][] { [earlier, begun], [earlier, notYet], [earlier] })
        {
            Assert.Equal("uid-begun", MigrationRecordController.StateToShow(vmi, known)!.MigrationUid);
        }
    }

    [Fact]
    public void An_end_that_its_source_has_noted_is_not_taken_back_by_who_still_sees_the_move_go_on()
    {
        var late = Active("moved", "n1", "n-moved");

        foreach (var node in new[] { "n1", "n-moved" })
        {
            Assert.True(MigrationRecordController.StateToShow(GuestOn(node, Ended("moved", age: 0).Status.MigrationState), [late])!.Completed);
        }
    }

    [Fact]
    public void Of_several_moves_the_one_counts_that_brought_the_guest_to_where_it_is_whatever_their_hosts_clocks_say()
    {
        var first = Ended("first", age: 0); // By a clock that is ahead.
        var second = Ended("second", age: 60);

        Assert.Equal("n-second", MigrationRecordController.StateToShow(GuestOn("n-second", first.Status.MigrationState! with { Failed = true }), [first, second])!.TargetNode);
        Assert.Equal("n-second", MigrationRecordController.StateToShow(GuestOn("n-second", second.Status.MigrationState), [first, second])!.TargetNode);
    }

    [Fact]
    public void The_last_move_is_shown_when_its_own_object_is_gone()
    {
        var last = Ended("last", age: 1);

        Assert.Equal("n-last", MigrationRecordController.StateToShow(GuestOn("n-last", last.Status.MigrationState), [Ended("old", age: 60)])!.TargetNode);
    }

    private static VirtualMachineInstance GuestOn(string node, MigrationState? noted = null) => new()
    {
        Metadata = new ObjectMeta { Namespace = "ns", Name = "a", Uid = "uid-a", CreationTimestamp = Now.AddHours(-5) },
        Status = new VirtualMachineInstanceStatus { NodeName = node, Phase = VirtualMachineInstancePhases.Running, MigrationState = noted },
    };

    private static MigrationState UnderWay(VirtualMachineInstanceMigration move) => move.Status.MigrationState! with { Completed = null, EndTimestamp = null };

    private static VirtualMachineInstanceMigration Active(string name, string source, string target) => Move(name, 0) with
    {
        Status = new() { Phase = MigrationPhases.Scheduled, MigrationState = new() { MigrationUid = "uid-" + name, SourceNode = source, TargetNode = target } },
    };

    private static VirtualMachineInstanceMigration Ended(string name, int age) => Move(name, age) with
    {
        Status = new()
        {
            Phase = MigrationPhases.Succeeded,
            MigrationState = new() { MigrationUid = "uid-" + name, SourceNode = "n1", TargetNode = "n-" + name, Completed = true, EndTimestamp = Now.AddMinutes(1 - age) },
        },
    };

    private static VirtualMachineInstanceMigration Move(string name, int age) => new()
    {
        Metadata = new ObjectMeta { Namespace = "ns", Name = name, Uid = "uid-" + name, CreationTimestamp = Now.AddMinutes(-age) },
        Spec = new() { VmiName = "a" },
    };
}
