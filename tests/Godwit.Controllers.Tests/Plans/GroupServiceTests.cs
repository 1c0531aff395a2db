using Godwit.Api.Forecasts.V1Alpha1;
using Godwit.Api.Groups.V1Alpha1;
using Godwit.Controllers.Groups;
using static Godwit.Controllers.Tests.Plans.GroupWorld;

namespace Godwit.Controllers.Tests.Plans;

/// <summary>A group whose guests are one service: they begin so that all arrive together, and one record decides for all.</summary>
public sealed class GroupServiceTests
{
    private static readonly string[] Nodes = ["n1", "n2"];
    private static readonly VirtualMachineInstance[] Guests = [Vmi("a", "n1"), Vmi("b", "n1"), Vmi("c", "n1")];

    [Fact]
    public void All_of_a_service_are_planned_to_move_at_a_time_by_precopy_whatever_the_limits_are()
    {
        var planned = GroupForecasts.Plan(Spec, Begun(), [Measured("a"), Measured("b"), Measured("c")], new(), Now);

        var forecast = Assert.Single(planned.Forecasts);
        Assert.Equal((GroupStrategies.Parallel, 3, null), (planned.Strategy, forecast.Parallel, forecast.Refusal));
        Assert.All(planned.Members, member => Assert.Equal(MigrationModes.Precopy, member.Mode));
        var alone = Measured("a").Alone(MigrationModes.Precopy).DowntimeMs!;
        Assert.True(forecast.DowntimeMs!.High > alone.High, "All stand still until the last has arrived and that is decided.");
        Assert.False(GroupForecasts.IsRefused(planned));
    }

    [Fact]
    public void A_service_with_a_guest_that_cannot_move_or_that_fills_its_link_is_refused_whole()
    {
        var begun = Begun() with { Members = [new() { Namespace = "ns", Name = "x", Phase = GroupMemberPhases.Refused, Reason = "it has a device of its host" }] };
        var refused = GroupForecasts.Plan(Spec, begun, [Measured("a"), Measured("b")], new(), Now);
        Assert.True(GroupForecasts.IsRefused(refused));
        Assert.Contains("x cannot move (it has a device of its host)", refused.Reason, StringComparison.Ordinal);

        var fills = GroupForecasts.Plan(Spec, Begun(), [Measured("a", dirtyMiBPerSecond: 60), Measured("b", dirtyMiBPerSecond: 60)], new(), Now);
        Assert.True(GroupForecasts.IsRefused(fills));
        Assert.Contains("2 that write at once (a, b) fill", fills.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void Moves_of_which_none_takes_longer_begin_at_once_and_name_the_group_that_decides()
    {
        var step = GroupProgress.Next(Group(), Of(Guests, Nodes));

        Assert.Equal(["a", "b", "c"], step.Moves.Select(move => move.Spec.VmiName));
        Assert.All(step.Moves, move => Assert.Equal("group/12345678-9abc/1", move.Metadata.Annotations[AnnotationNames.Service]));
        Assert.Null(step.Status.Service);
    }

    /// <summary>64 MiB take 1.3 to 2 s, 2 GiB 17 to 26 s: begun together, the small one would wait in its last rounds for some 20 s.</summary>
    [Fact]
    public void A_small_guest_begins_when_what_is_left_of_the_large_one_is_what_it_takes_itself()
    {
        var group = Sized(("small", 64), ("large", 2048));
        VirtualMachineInstance[] guests = [Vmi("small", "n1"), Vmi("large", "n1")];
        var step = GroupProgress.Next(group, Of(guests, Nodes));
        var large = Assert.Single(step.Moves);
        Assert.Equal("large", large.Spec.VmiName);
        Assert.Equal([GroupMemberPhases.Waiting, GroupMemberPhases.Moving], step.Status.Members.Select(member => member.Phase));

        IEnumerable<string> Begun(MigrationProgress? progress, string standing = ServiceStandings.Coming) => GroupProgress.Next(
            group with { Status = step.Status },
            Of(guests, Nodes, [large with { Status = new() { Phase = MigrationPhases.Running, Service = new() { Standing = standing }, Progress = progress } }])).Moves.Select(move => move.Spec.VmiName);
        Assert.Empty(Begun(null)); // Its target prepares.
        Assert.Empty(Begun(EndsIn(4, 12)));
        Assert.Empty(Begun(EndsIn(2, 3))); // 2.5 s are left, and the small one may need no more than 1.3: a second, and not more, is too early.
        Assert.Equal(["small"], Begun(EndsIn(1, 3)));
        Assert.Equal(["small"], Begun(EndsIn(4, 12), ServiceStandings.Gathered)); // It writes so much that its end is not to be told, and waits now.
    }

    /// <summary>Of the whole link disks get no more than memory does; of a half of it, a half.</summary>
    [Fact]
    public void A_guest_whose_disks_go_along_takes_as_much_longer_with_a_share_of_the_link()
    {
        var (plain, disks) = (Measured("plain"), Measured("disks", diskMiB: 4096));
        var (whole, half) = (disks.Shared(MigrationModes.Precopy, 1), disks.Shared(MigrationModes.Precopy, 2));

        Assert.True(disks.Input.Disks.Bytes.Contains(4096L << 20) && plain.Input.Disks.IsNone);
        Assert.InRange(half.TotalMs.Low / whole.TotalMs.Low, 1.7, 2.1);
        Assert.InRange(half.TotalMs.High / whole.TotalMs.High, 1.5, 2.1);
    }

    [Fact]
    public void The_clock_of_the_source_does_not_matter()
    {
        var group = Sized(("small", 64), ("large", 2048));
        VirtualMachineInstance[] guests = [Vmi("small", "n1"), Vmi("large", "n1")];
        var step = GroupProgress.Next(group, Of(guests, Nodes));
        var slow = TimeSpan.FromMinutes(-5);

        var next = GroupProgress.Next(
            group with { Status = step.Status },
            Of(guests, Nodes, [step.Moves[0] with { Status = new() { Phase = MigrationPhases.Running, Progress = EndsIn(9, 11, slow) } }]));

        Assert.Empty(next.Moves);
    }

    [Fact]
    public void Of_three_sizes_the_largest_begins_then_the_middle_then_the_smallest()
    {
        var group = Sized(("small", 64), ("large", 2048), ("middle", 512));
        VirtualMachineInstance[] guests = [Vmi("small", "n1"), Vmi("large", "n1"), Vmi("middle", "n1")];
        var order = new List<string>();
        var moves = new List<VirtualMachineInstanceMigration>();
        for (var left = 21; left >= 0; left--)
        {
            var step = GroupProgress.Next(group, Of(guests, Nodes, [.. moves.Select(move => move with { Status = new() { Phase = MigrationPhases.Running, Progress = EndsIn(left, left) } })]));
            order.AddRange(step.Moves.Select(move => $"{move.Spec.VmiName} at {left}"));
            (group, moves) = (group with { Status = step.Status }, [.. moves, .. step.Moves]);
        }

        Assert.Equal(["large at 21", "middle at 5", "small at 2"], order); // At least 4.9 s and 1.3 s, and a second.
    }

    [Fact]
    public void Moves_of_one_service_do_not_wait_for_each_others_places()
    {
        var step = GroupProgress.Next(Group(), Of(Guests, Nodes));
        var others = step.Moves.Take(2).Select(move => move with
        {
            Status = new() { Phase = MigrationPhases.Running, MigrationState = new() { SourceNode = "n1", TargetNode = "n2" } },
        });
        var last = step.Moves[2] with { Status = new() { Phase = MigrationPhases.Pending } };

        var world = Of(Guests, Nodes, [.. others, last]);
        Assert.IsType<MigrationPlan.Schedule>(MigrationPlanner.For(last, world));

        var alone = last with { Metadata = last.Metadata with { Annotations = new Dictionary<string, string> { [AnnotationNames.Mode] = MigrationModes.Precopy } } };
        Assert.IsType<MigrationPlan.Wait>(MigrationPlanner.For(alone, Of(Guests, Nodes, [.. others, alone])));
    }

    [Fact]
    public void The_record_is_written_from_what_the_members_tell_and_never_changed()
    {
        var group = Group();
        var begun = GroupProgress.Next(group, Of(Guests, Nodes));
        group = group with { Status = begun.Status };

        group = After(group, begun.Moves, ServiceStandings.Gathered, ServiceStandings.Gathered, ServiceStandings.Coming);
        Assert.Null(group.Status.Service);
        group = After(group, begun.Moves, ServiceStandings.Gathered, ServiceStandings.Gathered, ServiceStandings.Gathered);
        Assert.Equal((Now, null), (group.Status.Service!.SwitchoverTimestamp, group.Status.Service.Decision));
        group = After(group, begun.Moves, ServiceStandings.Ready, ServiceStandings.Ready, ServiceStandings.Ready);
        Assert.Equal(GroupDecisions.RunAll, group.Status.Service!.Decision);

        var decided = group.Status.Service;
        group = After(group, begun.Moves, ServiceStandings.Ready, ServiceStandings.Returns, ServiceStandings.Ready);
        Assert.Same(decided, group.Status.Service);
        Assert.Same(decided, GroupServices.Cancelled(group, Now));
    }

    [Fact]
    public void One_that_fails_takes_all_back_and_when_the_attempts_are_over_the_group_has_failed()
    {
        var group = Group() with { Spec = Spec with { AttemptsMax = 1 } };
        var begun = GroupProgress.Next(group, Of(Guests, Nodes));
        group = group with { Status = begun.Status };

        var step = GroupProgress.Next(group, Of(Guests, Nodes, [begun.Moves[0], Failed(begun.Moves[1]), begun.Moves[2]]));

        Assert.Equal((GroupDecisions.ReturnAll, "b: the link broke"), (step.Status.Service!.Decision, step.Status.Service.Reason));
        Assert.Equal([GroupMemberPhases.Moving, GroupMemberPhases.Failed, GroupMemberPhases.Moving], step.Status.Members.Select(member => member.Phase));

        step = GroupProgress.Next(group with { Status = step.Status }, Of(Guests, Nodes, [.. begun.Moves.Select(Failed)]));
        Assert.Empty(step.Moves);
        Assert.Equal(GroupPhases.Failed, step.Status.Phase);
    }

    [Fact]
    public void When_all_have_returned_all_are_moved_once_more_and_another_record_decides()
    {
        var group = Group();
        var begun = GroupProgress.Next(group, Of(Guests, Nodes));
        group = group with { Status = begun.Status };

        // Two are still on their way back: nothing begins before they have arrived.
        group = group with { Status = GroupProgress.Next(group, Of(Guests, Nodes, [begun.Moves[0], Failed(begun.Moves[1]), begun.Moves[2]])).Status };
        Assert.Equal((GroupDecisions.ReturnAll, null), (group.Status.Service!.Decision, group.Status.Service.Attempt));
        Assert.Empty(GroupProgress.Next(group, Of(Guests, Nodes, [begun.Moves[0], Failed(begun.Moves[1]), Failed(begun.Moves[2])])).Moves);

        VirtualMachineInstanceMigration[] returned = [.. begun.Moves.Select(Failed)];
        var step = GroupProgress.Next(group, Of(Guests, Nodes, returned));
        Assert.Empty(step.Moves);
        Assert.Equal((GroupPhases.Running, 2, null, null), (step.Status.Phase, step.Status.Service!.Attempt, step.Status.Service.Decision, step.Status.Service.SwitchoverTimestamp));
        Assert.All(step.Status.Members, member => Assert.Equal((GroupMemberPhases.Waiting, "n2", null, Now + GroupProgress.RetryPause), (member.Phase, member.TargetNode, member.Migration, member.NotBeforeTimestamp)));
        Assert.All(step.Status.Members, member => Assert.Contains("b: the link broke", member.Reason, StringComparison.Ordinal));

        group = group with { Status = step.Status };
        Assert.Empty(GroupProgress.Next(group, Of(Guests, Nodes, returned)).Moves); // The pause.
        var again = GroupProgress.Next(group, Of(Guests, Nodes, returned) with { Now = Now + GroupProgress.RetryPause });
        Assert.Equal(["a", "b", "c"], again.Moves.Select(move => move.Spec.VmiName));
        Assert.All(again.Moves, move => Assert.Equal("group/12345678-9abc/2", move.Metadata.Annotations[AnnotationNames.Service]));
        Assert.Empty(again.Moves.Select(move => move.Metadata.Name).Intersect(returned.Select(move => move.Metadata.Name)));
        Assert.Equal((2, null), (again.Status.Service!.Attempt, again.Status.Service.Decision));

        group = After(group with { Status = again.Status }, again.Moves, ServiceStandings.Ready, ServiceStandings.Ready, ServiceStandings.Ready);
        Assert.Equal((2, GroupDecisions.RunAll), (group.Status.Service!.Attempt, group.Status.Service.Decision));
    }

    /// <summary>By its own clock, not by the group's: the first attempt may have used the time up.</summary>
    [Fact]
    public void Each_attempt_has_the_whole_time_to_come_to_its_last_rounds()
    {
        var group = Group();
        group = group with { Status = group.Status with { StartTimestamp = Now - TimeSpan.FromHours(2), Service = new() { Attempt = 2, AttemptTimestamp = Now } } };
        var begun = GroupProgress.Next(group, Of(Guests, Nodes));

        var next = After(group with { Status = begun.Status }, begun.Moves, ServiceStandings.Gathered, ServiceStandings.Coming, ServiceStandings.Coming);

        Assert.Null(next.Status.Service!.Decision);
        Assert.Equal(Now + GroupServices.Patience.Gathering, GroupServices.DueAt(next, Now));
    }

    public static TheoryData<string> Ends => ["called off", "deleted", "gone", "another", "elsewhere", "attempts"];

    [Theory]
    [MemberData(nameof(Ends))]
    public void A_service_of_which_one_cannot_go_or_is_not_to_go_is_not_moved_once_more(string end)
    {
        var group = Group();
        var begun = GroupProgress.Next(group, Of(Guests, Nodes));
        group = group with { Status = begun.Status with { Service = end == "attempts" ? new() { Attempt = GroupProgress.AttemptsMaxDefault, AttemptTimestamp = Now } : null } };
        VirtualMachineInstanceMigration[] returned = [.. begun.Moves.Select(Failed)];
        VirtualMachineInstance[] guests = [.. Guests];
        switch (end)
        {
            case "called off":
                returned[1] = returned[1] with { Status = returned[1].Status with { MigrationState = new() { FailureReason = "by hand", AbortRequested = true } } };
                break;
            case "deleted":
                returned = [returned[0], returned[2]];
                break;
            case "gone":
                guests = [guests[0], guests[2]];
                break;
            case "another":
                guests[1] = guests[1] with { Metadata = guests[1].Metadata with { Uid = "booted anew" } };
                break;
            case "elsewhere":
                guests[1] = Vmi("b", "n2");
                break;
        }

        var step = GroupProgress.Next(group, Of(guests, Nodes, returned));

        Assert.Empty(step.Moves);
        Assert.DoesNotContain(step.Status.Members, member => member.Phase == GroupMemberPhases.Waiting);
        Assert.Equal(GroupPhases.Failed, step.Status.Phase);
    }

    [Fact]
    public void A_service_that_returns_begins_no_more_of_its_moves()
    {
        var group = Group() with { Spec = Spec with { AttemptsMax = 1 } };
        group = group with { Status = group.Status with { Service = new() { Decision = GroupDecisions.ReturnAll, Reason = "c cannot go" } } };

        var step = GroupProgress.Next(group, Of(Guests, Nodes));

        Assert.Empty(step.Moves);
        Assert.Equal(GroupPhases.Failed, step.Status.Phase);
        Assert.All(step.Status.Members, member => Assert.Contains("c cannot go", member.Reason, StringComparison.Ordinal));
    }

    [Fact]
    public void Its_downtime_is_from_the_first_stop_to_the_last_start()
    {
        var group = Group();
        var begun = GroupProgress.Next(group, Of(Guests, Nodes));
        var ended = begun.Moves.Select((move, index) => move with
        {
            Status = new() { Phase = MigrationPhases.Succeeded, Measurement = new() { PausedMs = 40, PausedTimestamp = Now.AddMilliseconds(10 * index), RunningTimestamp = Now.AddMilliseconds(100 + (5 * index)) } },
        });

        var step = GroupProgress.Next(group with { Status = begun.Status }, Of([Vmi("a", "n2"), Vmi("b", "n2"), Vmi("c", "n2")], Nodes, [.. ended]));

        Assert.Equal((GroupPhases.Succeeded, 110), (step.Status.Phase, step.Status.Measurement!.DowntimeMs));
    }

    private static MigrationProgress EndsIn(int earliestSeconds, int latestSeconds, TimeSpan clock = default) => new()
    {
        EndEarliestTimestamp = Now + clock + TimeSpan.FromSeconds(earliestSeconds),
        EndLatestTimestamp = Now + clock + TimeSpan.FromSeconds(latestSeconds),
        UpdatedTimestamp = Now + clock,
    };

    /// <summary>Guests of so many MiB each, on a link of 100 MiB/s, as they are planned.</summary>
    private static GroupMigration Sized(params IEnumerable<(string Name, long ResidentMiB)> guests)
    {
        var members = guests.Select(guest => Measured(guest.Name, guest.ResidentMiB)).ToList();
        return Group() with
        {
            Status = Group().Status with
            {
                Forecasts = [new StrategyForecast { Strategy = GroupStrategies.Parallel, Parallel = members.Count }],
                Members = [.. members.Select(each => each.Member with { Mode = MigrationModes.Precopy, Forecast = each.Alone(MigrationModes.Precopy) })],
            },
        };
    }

    private static GroupMigrationSpec Spec => new() { Promise = GroupPromises.OneService };

    private static GroupMigrationStatus Begun() => new() { Phase = GroupPhases.Planning };

    private static GroupMigration Group() => new()
    {
        Metadata = new ObjectMeta { Name = "group", Uid = "12345678-9abc" },
        Spec = Spec,
        Status = new()
        {
            Phase = GroupPhases.Running,
            Strategy = GroupStrategies.Parallel,
            StartTimestamp = Now,
            Forecasts = [new StrategyForecast { Strategy = GroupStrategies.Parallel, Parallel = 3 }],
            Members = [.. ((string[])["a", "b", "c"]).Select(name => Measured(name).Member with { Mode = MigrationModes.Precopy })],
        },
    };

    private static VirtualMachineInstanceMigration Failed(VirtualMachineInstanceMigration move) =>
        move with { Status = new() { Phase = MigrationPhases.Failed, MigrationState = new() { FailureReason = "the link broke" } } };

    private static GroupMigration After(GroupMigration group, IReadOnlyList<VirtualMachineInstanceMigration> moves, params string[] standings)
    {
        var told = moves.Zip(standings, (move, standing) => move with { Status = new() { Phase = MigrationPhases.Running, Service = new() { Standing = standing, Reason = standing == ServiceStandings.Returns ? "it has to" : null } } });
        return group with { Status = GroupProgress.Next(group, Of(Guests, Nodes, [.. told])).Status };
    }
}
