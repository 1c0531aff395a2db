using Godwit.Api.KubeVirt.V1;
using Godwit.Api.Meta.V1;
using Godwit.Base;
using Godwit.Client;
using Godwit.Node.Migrations;
using Godwit.Node.Tests.Clusters;
using Microsoft.Extensions.Logging.Abstractions;

namespace Godwit.Node.Tests.Migrations;

public sealed class MoveNotedTests
{
    private const string Move = "uid-of-the-move";

    [Theory]
    [InlineData(Move, null, MigrationPhases.Succeeded, true)]
    [InlineData(Move, null, MigrationPhases.Failed, true)]
    [InlineData(Move, null, MigrationPhases.Scheduled, null)] // It never began.
    [InlineData("uid-of-another", null, MigrationPhases.Succeeded, null)]
    [InlineData(Move, true, MigrationPhases.Succeeded, true)] // It is noted.
    public async Task The_end_of_a_move_is_noted_on_the_guest_that_names_it_before_its_object_may_go(string named, bool? completed, string phase, bool? expected)
    {
        await using var cluster = await TestCluster.StartAsync();
        var client = cluster.Admin.For<VirtualMachineInstance>();
        var made = await client.CreateAsync(new() { Metadata = new() { Namespace = "default", Name = "guest" }, Spec = new() { Domain = new() { Memory = new() { Guest = Quantity.Parse("64Mi") } } } }, TestCluster.Stopping);
        var state = new MigrationState { MigrationUid = named, SourceNode = "node-1", TargetNode = "node-2", Completed = completed };
        made = await client.ChangeStatusAsync(made, made with { Status = made.Status with { MigrationState = state } }, TestCluster.Stopping);
        var guests = new ResourceCache<VirtualMachineInstance>(client, ListOptions.All, TimeProvider.System, NullLogger.Instance);
        guests.Observe(made);

        await MoveSync.NoteEndOnGuestAsync(guests, client, Ended(phase), TestCluster.Stopping);

        Assert.Equal(expected, (await client.GetAsync(new("default", "guest"), TestCluster.Stopping)).Status.MigrationState!.Completed);
    }

    [Fact]
    public async Task A_guest_that_is_gone_holds_no_move_and_one_that_has_changed_is_looked_at_again()
    {
        await using var cluster = await TestCluster.StartAsync();
        var client = cluster.Admin.For<VirtualMachineInstance>();
        var made = await client.CreateAsync(new() { Metadata = new() { Namespace = "default", Name = "guest" }, Spec = new() { Domain = new() { Memory = new() { Guest = Quantity.Parse("64Mi") } } } }, TestCluster.Stopping);
        var state = new MigrationState { MigrationUid = Move, SourceNode = "node-1", TargetNode = "node-2" };
        var known = await client.ChangeStatusAsync(made, made with { Status = made.Status with { MigrationState = state } }, TestCluster.Stopping);
        var guests = new ResourceCache<VirtualMachineInstance>(client, ListOptions.All, TimeProvider.System, NullLogger.Instance);
        guests.Observe(known);
        await client.ChangeStatusAsync(known, known with { Status = known.Status with { NodeName = "node-2" } }, TestCluster.Stopping);

        var overtaken = await Assert.ThrowsAsync<ApiException>(() => MoveSync.NoteEndOnGuestAsync(guests, client, Ended(MigrationPhases.Succeeded), TestCluster.Stopping));
        Assert.True(overtaken.IsConflict);

        await client.DeleteAsync(new("default", "guest"), new(), TestCluster.Stopping);
        await MoveSync.NoteEndOnGuestAsync(guests, client, Ended(MigrationPhases.Succeeded), TestCluster.Stopping);
    }

    private static VirtualMachineInstanceMigration Ended(string phase) => new()
    {
        Metadata = new() { Namespace = "default", Name = "move", Uid = Move },
        Spec = new() { VmiName = "guest" },
        Status = new() { Phase = phase, MigrationState = new() { MigrationUid = Move, SourceNode = "node-1", TargetNode = "node-2", Completed = true, Failed = phase == MigrationPhases.Failed ? true : null } },
    };
}
