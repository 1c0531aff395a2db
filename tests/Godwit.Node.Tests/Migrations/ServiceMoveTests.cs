using Godwit.Api.Groups.V1Alpha1;
using Godwit.Api.Forecasts.V1Alpha1;
using Godwit.Api.Migrations.V1Alpha1;
using Godwit.Migration;
using Godwit.Migration.Protocol;
using Godwit.Node.Migrations;

namespace Godwit.Node.Tests.Migrations;

/// <summary>What makes a guest's move the move of one of a service.</summary>
public sealed class ServiceMoveTests
{
    [Fact]
    public void The_group_that_decides_is_known_by_its_identity()
    {
        var uid = Guid.NewGuid();
        Assert.Equal(new ServiceReference("front", uid), ServiceReference.Parse($"front/{uid}"));
        Assert.Equal(new ServiceReference("front", uid, 3), ServiceReference.Parse($"front/{uid}/3"));
        Assert.All((string[])["", "front", "front/", $"/{uid}", $"a/b/{uid}", "front/123", $"front/{uid}/", $"front/{uid}/0", $"front/{uid}/-1", $"front/{uid}/1/2", $"front/{uid}/99999999999"], text => Assert.Null(ServiceReference.Parse(text)));
    }

    [Fact]
    public void A_record_is_said_to_the_engine_as_far_as_it_goes()
    {
        Assert.Empty(ServiceWatch.InputsOf(null, 1));
        Assert.Empty(ServiceWatch.InputsOf(new(), 1));
        var ordered = new GroupService { SwitchoverTimestamp = DateTimeOffset.UnixEpoch };
        Assert.IsType<SourceInput.SwitchoverOrdered>(Assert.Single(ServiceWatch.InputsOf(ordered, 1)));
        Assert.Equal(new SourceInput.Decided(ServiceDecision.RunAll, "all are there"), Assert.Single(ServiceWatch.InputsOf(ordered with { Decision = GroupDecisions.RunAll, Reason = "all are there" }, 1)));
        var returned = Assert.IsType<SourceInput.Decided>(Assert.Single(ServiceWatch.InputsOf(ordered with { Decision = GroupDecisions.ReturnAll, Reason = "b: the link broke" }, 1)));
        Assert.Equal(ServiceDecision.ReturnAll, returned.Decision);
        Assert.EndsWith("b: the link broke", returned.Reason, StringComparison.Ordinal);
    }

    /// <summary>A guest that has not heard of the end of its own attempt must not run by the word of the next, nor one of the next return by the word of the last.</summary>
    [Fact]
    public void The_record_of_another_attempt_never_runs_a_guest()
    {
        var first = new GroupService { Decision = GroupDecisions.ReturnAll, Reason = "b: the link broke", SwitchoverTimestamp = DateTimeOffset.UnixEpoch };
        var second = new GroupService { Attempt = 2, Decision = GroupDecisions.RunAll, SwitchoverTimestamp = DateTimeOffset.UnixEpoch };

        Assert.Equal(ServiceDecision.ReturnAll, Assert.IsType<SourceInput.Decided>(Assert.Single(ServiceWatch.InputsOf(second, 1))).Decision);
        Assert.Equal(ServiceDecision.ReturnAll, Assert.IsType<SourceInput.Decided>(Assert.Single(ServiceWatch.InputsOf(new() { Attempt = 2 }, 1))).Decision);
        Assert.Empty(ServiceWatch.InputsOf(first, 2));
        Assert.Empty(ServiceWatch.InputsOf(first with { Decision = GroupDecisions.RunAll }, 2));
        Assert.Empty(ServiceWatch.InputsOf(null, 2));
        Assert.Equal(ServiceDecision.RunAll, Assert.IsType<SourceInput.Decided>(Assert.Single(ServiceWatch.InputsOf(second, 2))).Decision);
    }

    [Theory]
    [InlineData(MigrationModes.Auto)]
    [InlineData(MigrationModes.Precopy)]
    public void It_moves_by_precopy_and_is_held_at_the_smallest_downtime_limit_until_all_are_there(string mode)
    {
        var (design, refusal) = MovePlanner.Design(Wish(mode));

        Assert.Null(refusal);
        Assert.Equal((MigrationMode.Precopy, false, ServicePace.DowntimeLimitMs), (design!.Mode, design.Stream.Postcopy, design.Stream.DowntimeLimitMs));
    }

    [Theory]
    [InlineData(MigrationModes.Postcopy)]
    [InlineData(MigrationModes.Hybrid)]
    [InlineData(MigrationModes.Cold)]
    public void By_what_could_not_return_it_is_not_moved(string mode) =>
        Assert.Contains("one of a service", MovePlanner.Design(Wish(mode)).Refusal, StringComparison.Ordinal);

    private static MoveWish Wish(string mode) => new() { Mode = mode, Policy = new MigrationPolicySpec(), MemoryBytes = 1 << 30, IsOfService = true };
}
