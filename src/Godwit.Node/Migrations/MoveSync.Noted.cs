using Godwit.Api;
using Godwit.Api.KubeVirt.V1;
using Godwit.Api.Meta.V1;
using Godwit.Client;

namespace Godwit.Node.Migrations;

/// <content>
/// What the guest's object says of a move from here, from before it begins until its own object may go. It lets the target write to the guest, and says where the guest is until the target does
/// (<see cref="GuestPlace"/>); while a server and its controllers are there, these keep it too.
/// </content>
internal sealed partial class MoveSync
{
    /// <summary>Has all that an earlier move may have left, whether this agent has heard of it or not, and nothing that a move has.</summary>
    private static readonly MigrationState Anything = new()
    {
        SourceNode = "-",
        TargetNode = "-",
        TargetNodeAddress = "-",
        StartTimestamp = DateTimeOffset.UnixEpoch,
        EndTimestamp = DateTimeOffset.UnixEpoch,
        Completed = true,
        Failed = true,
        FailureReason = "-",
        AbortRequested = true,
        AbortStatus = "-",
        MigrationUid = "-",
        Mode = "-",
        MigrationPolicyName = "-",
    };

    /// <summary>The guest's object names both nodes: that is what lets the target write to it when it has arrived.</summary>
    private async Task NoteOnGuestAsync(VirtualMachineInstanceMigration migration, CancellationToken stopping)
    {
        var guest = parts.Guests.Current.Find(new(migration.Metadata.Namespace, migration.Spec.VmiName))!;
        var noted = guest with
        {
            Status = guest.Status with
            {
                MigrationState = new()
                {
                    MigrationUid = migration.Metadata.Uid,
                    SourceNode = migration.Status.MigrationState!.SourceNode,
                    TargetNode = migration.Status.MigrationState.TargetNode,
                    MigrationPolicyName = migration.Status.MigrationState.MigrationPolicyName,
                    StartTimestamp = parts.Time.GetUtcNow(),
                },
            },
        };

        // This node's own field of this node's own guest: whatever else of its status is written meanwhile does not matter. It replaces what is there, so that the end of an earlier move is not taken for this one's.
        var replaced = guest with { Status = guest.Status with { MigrationState = Anything } };
        var patch = MergePatch.Between(GodwitJson.ToObject(replaced), GodwitJson.ToObject(noted));
        parts.Guests.Observe(await parts.Cluster.For<VirtualMachineInstance>().PatchStatusAsync(ResourceKey.Of(guest), patch, stopping));
    }

    /// <summary>
    /// The end of a move stands on the guest before the move's object may go: after that nobody could tell whether the guest stayed or was handed over to a target that has not said so yet. Written from what is known of
    /// the guest and not over what is newer; who was overtaken looks again.
    /// </summary>
    internal static async Task NoteEndOnGuestAsync(
        ResourceCache<VirtualMachineInstance> guests, ResourceClient<VirtualMachineInstance> client, VirtualMachineInstanceMigration migration, CancellationToken stopping)
    {
        if (!MigrationPhases.IsFinal(migration.Status.Phase)
            || guests.Current.Find(new(migration.Metadata.Namespace, migration.Spec.VmiName)) is not { } guest
            || !GuestPlace.IsSaidToMove(guest)
            || guest.Status.MigrationState!.MigrationUid != migration.Metadata.Uid)
        {
            return;
        }

        try
        {
            var noted = guest with { Status = guest.Status with { MigrationState = migration.Status.MigrationState } };
            guests.Observe(await client.ChangeStatusAsync(guest, noted, stopping));
        }
        catch (ApiException error) when (error.IsNotFound)
        {
            // The guest is gone, and with it what there was to say.
        }
    }
}
