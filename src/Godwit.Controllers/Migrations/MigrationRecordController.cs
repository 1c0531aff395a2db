namespace Godwit.Controllers.Migrations;

/// <summary>
/// Keeps what stands about moves outside their own objects: the guest's <c>status.migrationState</c> repeats that of its
/// running move, or of its last one, and old ended moves are deleted. By the guest's key, whether the guest still exists or not.
/// </summary>
internal sealed class MigrationRecordController(ClusterView cluster, MigrationLimits limits, TimeProvider clock, ILogger logger)
    : Controller("migrationrecord", clock, logger)
{
    /// <summary>Ended moves of a guest that is gone are deleted after this long.</summary>
    public static readonly TimeSpan KeptWithoutGuest = TimeSpan.FromHours(24);

    private readonly ResourceClient<VirtualMachineInstance> instances = cluster.ClientOf<VirtualMachineInstance>();
    private readonly ResourceClient<VirtualMachineInstanceMigration> migrations = cluster.ClientOf<VirtualMachineInstanceMigration>();

    protected override void Subscribe()
    {
        cluster.Migrations.Subscribe(change => Enqueue(GuestOf((change.After ?? change.Before)!)));
        cluster.Instances.Subscribe(change =>
        {
            if (change.Before is null || change.After is null || change.Before.Status.MigrationState != change.After.Status.MigrationState)
            {
                Enqueue(change.Key);
            }
        });
    }

    protected override IEnumerable<ResourceKey> AllKeys() =>
        cluster.Migrations.Current.Items.Select(GuestOf).Concat(cluster.Instances.Current.Items.Where(vmi => IsUnderWay(vmi.Status.MigrationState)).Select(ResourceKey.Of)).Distinct();

    protected override async Task<NextLook> ReconcileAsync(ResourceKey key, CancellationToken stopping)
    {
        var moves = cluster.Migrations.Current.Items.Where(each => GuestOf(each) == key).ToList();
        if (cluster.Instances.Current.Find(key) is { } vmi && (StateToShow(vmi, moves) ?? await EndOfForgottenAsync(vmi, stopping)) is { } state && state != vmi.Status.MigrationState)
        {
            var changed = vmi with { Status = vmi.Status with { MigrationState = state } };
            cluster.Instances.Observe(await instances.ChangeStatusAsync(vmi, changed, stopping));
        }

        foreach (var old in Expired(moves, cluster.Instances.Current.Find(key) is not null, limits.KeptForEachGuest, Clock.GetUtcNow()))
        {
            var exactly = new DeleteOptions { Preconditions = new Preconditions { Uid = old.Metadata.Uid } };
            await migrations.TryDeleteAsync(ResourceKey.Of(old), exactly, stopping);
        }

        return NextLook.OnChange;
    }

    /// <summary>The state of the running move that has a target, or else of the one that ended last; null when this incarnation has not moved.</summary>
    internal static MigrationState? StateToShow(VirtualMachineInstance vmi, IEnumerable<VirtualMachineInstanceMigration> moves) => moves
        .Where(move => !string.IsNullOrEmpty(move.Status.MigrationState?.TargetNode) && IsOf(vmi, move))
        .OrderByDescending(MigrationWorld.IsActive)
        .ThenByDescending(move => move.Status.MigrationState!.EndTimestamp ?? move.Metadata.CreationTimestamp)
        .ThenBy(move => move.Metadata.Name, StringComparer.Ordinal)
        .Select(move => move.Status.MigrationState)
        .FirstOrDefault();

    /// <summary>
    /// How a move ended whose object went before that was noted on the guest, as one does that was cancelled while nobody led: its agents let an object go only when the guest's place is settled. Without this the
    /// guest would be said to move for ever. The server is asked, for the cache may not show a new move yet. Null when there is nothing to say.
    /// </summary>
    private async Task<MigrationState?> EndOfForgottenAsync(VirtualMachineInstance vmi, CancellationToken stopping)
    {
        if (vmi.Status.MigrationState is not { MigrationUid: { } uid } state || !IsUnderWay(state))
        {
            return null;
        }

        var there = await migrations.ListAsync(new ListOptions { Namespace = vmi.Metadata.Namespace }, stopping);
        return there.Items.Any(move => move.Metadata.Uid == uid) ? null : EndOf(state, vmi.Status.NodeName, Clock.GetUtcNow());
    }

    internal static MigrationState EndOf(MigrationState state, string? nodeName, DateTimeOffset now) => state with
    {
        Completed = true,
        Failed = nodeName == state.TargetNode ? null : true,
        FailureReason = nodeName == state.TargetNode ? null : $"the guest is on {nodeName}; the migration was deleted before more was noted of its end",
        EndTimestamp = now,
    };

    private static bool IsUnderWay(MigrationState? state) => state is { Completed: not true, Failed: not true };

    /// <summary>One that was asked for before this incarnation may have waited for it: then its source's agent has named it on the guest.</summary>
    private static bool IsOf(VirtualMachineInstance vmi, VirtualMachineInstanceMigration move) =>
        move.Metadata.CreationTimestamp >= vmi.Metadata.CreationTimestamp || move.Metadata.Uid == vmi.Status.MigrationState?.MigrationUid;

    internal static IEnumerable<VirtualMachineInstanceMigration> Expired(
        IEnumerable<VirtualMachineInstanceMigration> moves, bool hasGuest, int kept, DateTimeOffset now) => moves
        .Where(move => MigrationPhases.IsFinal(move.Status.Phase) && move.Metadata.DeletionTimestamp is null)
        .OrderByDescending(move => move.Metadata.CreationTimestamp)
        .ThenBy(move => move.Metadata.Name, StringComparer.Ordinal)
        .Where((move, index) => index >= kept || (!hasGuest && now - move.Metadata.CreationTimestamp > KeptWithoutGuest));

    private static ResourceKey GuestOf(VirtualMachineInstanceMigration migration) => new(migration.Metadata.Namespace, migration.Spec.VmiName);
}
