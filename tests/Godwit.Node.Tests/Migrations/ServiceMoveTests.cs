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
        Assert.All((string[])["", "front", "front/", $"/{uid}", $"a/b/{uid}", "front/123"], text => Assert.Null(ServiceReference.Parse(text)));
    }

    [Fact]
    public void A_record_is_said_to_the_engine_as_far_as_it_goes()
    {
        Assert.Empty(ServiceWatch.InputsOf(null));
        Assert.Empty(ServiceWatch.InputsOf(new()));
        var ordered = new GroupService { SwitchoverTimestamp = DateTimeOffset.UnixEpoch };
        Assert.IsType<SourceInput.SwitchoverOrdered>(Assert.Single(ServiceWatch.InputsOf(ordered)));
        Assert.Equal(new SourceInput.Decided(ServiceDecision.RunAll, "all are there"), Assert.Single(ServiceWatch.InputsOf(ordered with { Decision = GroupDecisions.RunAll, Reason = "all are there" })));
        var returned = Assert.IsType<SourceInput.Decided>(Assert.Single(ServiceWatch.InputsOf(ordered with { Decision = GroupDecisions.ReturnAll, Reason = "b: the link broke" })));
        Assert.Equal(ServiceDecision.ReturnAll, returned.Decision);
        Assert.EndsWith("b: the link broke", returned.Reason, StringComparison.Ordinal);
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
