using Godwit.Api.KubeVirt.V1;
using Godwit.Api.Meta.V1;
using Godwit.Client;
using Godwit.Node.Migrations;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

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

    [Fact]
    public async Task That_a_move_has_succeeded_is_told_when_the_guest_itself_is_seen_at_its_target()
    {
        using var client = Nobody();
        var guests = new ResourceCache<VirtualMachineInstance>(client.For<VirtualMachineInstance>(), ListOptions.All, TimeProvider.System, NullLogger.Instance);
        guests.Observe(GuestOn("node-1", revision: 1));

        var waiting = WaitAsync(guests, MigrationPhases.Succeeded, TimeProvider.System);
        Assert.False(waiting.IsCompleted);
        guests.Observe(GuestOn("node-2", revision: 2));
        await waiting;
    }

    [Fact]
    public void That_a_move_has_succeeded_waits_for_no_guest_that_is_gone_and_a_failure_for_none_at_all()
    {
        using var client = Nobody();
        var guests = new ResourceCache<VirtualMachineInstance>(client.For<VirtualMachineInstance>(), ListOptions.All, TimeProvider.System, NullLogger.Instance);
        Assert.True(WaitAsync(guests, MigrationPhases.Succeeded, TimeProvider.System).IsCompletedSuccessfully);

        guests.Observe(GuestOn("node-1", revision: 1));
        Assert.True(WaitAsync(guests, MigrationPhases.Failed, TimeProvider.System).IsCompletedSuccessfully);
    }

    [Fact]
    public async Task A_target_that_says_nothing_of_its_guest_does_not_hold_the_news_up_for_long()
    {
        using var client = Nobody();
        var clock = new FakeTimeProvider();
        var guests = new ResourceCache<VirtualMachineInstance>(client.For<VirtualMachineInstance>(), ListOptions.All, clock, NullLogger.Instance);
        guests.Observe(GuestOn("node-1", revision: 1));

        var waiting = WaitAsync(guests, MigrationPhases.Succeeded, clock);
        clock.Advance(TimeSpan.FromSeconds(1.9));
        Assert.False(waiting.IsCompleted);
        clock.Advance(TimeSpan.FromSeconds(0.1));
        await waiting;
    }

    private static Task WaitAsync(ResourceCache<VirtualMachineInstance> guests, string phase, TimeProvider time) => MoveReporter.WaitForTargetsWordAsync(
        guests,
        new() { Metadata = new() { Namespace = "ns", Name = "move" }, Spec = new() { VmiName = "guest" } },
        new() { Phase = phase, MigrationState = new() { SourceNode = "node-1", TargetNode = "node-2" } },
        time,
        TestContext.Current.CancellationToken);

    private static VirtualMachineInstance GuestOn(string node, int revision) =>
        new() { Metadata = new ObjectMeta { Namespace = "ns", Name = "guest", ResourceVersion = $"{revision}" }, Status = new() { NodeName = node } };

    /// <summary>What is known comes from <see cref="ResourceCache{T}.Observe"/> alone.</summary>
    private static ClusterClient Nobody() =>
        new(new ClusterConnection { Servers = [new("https://127.0.0.1:1")] }, TimeProvider.System, NullLogger<ClusterClient>.Instance);
}
