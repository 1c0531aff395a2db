using Godwit.Api.KubeVirt.V1;
using Godwit.Node.Migrations;

namespace Godwit.Node.Tests.Migrations;

public sealed class MoveReporterTests
{
    [Theory]
    [InlineData(MigrationPhases.Running, MigrationPhases.Running, false)]
    [InlineData(MigrationPhases.PreparingTarget, MigrationPhases.Running, false)]
    [InlineData(MigrationPhases.Running, MigrationPhases.Succeeded, true)]
    [InlineData(MigrationPhases.Running, MigrationPhases.Failed, true)]
    [InlineData(MigrationPhases.Succeeded, MigrationPhases.Succeeded, false)]
    public void That_a_move_has_ended_is_told_at_once_and_how_far_it_is_now_and_then(string before, string next, bool isUrgent)
    {
        Assert.Equal(isUrgent, MoveReporter.IsUrgent(new() { Phase = before }, new() { Phase = next }, isLast: false));
        Assert.True(MoveReporter.IsUrgent(new() { Phase = before }, new() { Phase = next }, isLast: true));
    }

    [Fact]
    public void What_a_guest_of_a_service_has_to_say_is_told_at_once()
    {
        var coming = new VirtualMachineInstanceMigrationStatus { Phase = MigrationPhases.Running, Service = new() { Standing = ServiceStandings.Coming } };

        Assert.True(MoveReporter.IsUrgent(coming, coming with { Service = new() { Standing = ServiceStandings.Gathered } }, isLast: false));
        Assert.False(MoveReporter.IsUrgent(coming, coming with { Service = new() { Standing = ServiceStandings.Coming } }, isLast: false));
    }
}
