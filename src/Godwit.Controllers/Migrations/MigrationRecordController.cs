namespace Godwit.Controllers.Migrations;

/// <summary>
/// Keeps what stands about moves outside their own objects: the guest's <c>status.migrationState</c> repeats that of its
/// running move, or of its last one, and old ended moves are deleted. By the guest's key, whether the guest still exists or not.
/// <para>What stands there is more than news: it lets the target's agent write to the guest (NodeRestriction), and says where the guest is until that agent does (<see cref="GuestPlace"/>).</para>
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
        cluster.Migrations.Current.Items.Select(GuestOf).Concat(cluster.Instances.Current.Items.Where(GuestPlace.IsSaidToMove).Select(ResourceKey.Of)).Distinct();

    protected override async Task<NextLook> ReconcileAsync(ResourceKey key, CancellationToken stopping)
    {
        var moves = cluster.Migrations.Current.Items.Where(each => GuestOf(each) == key).ToList();
        if (cluster.Instances.Current.Find(key) is { } vmi && (await EndOfForgottenAsync(vmi, moves, stopping) ?? StateToShow(vmi, moves)) is { } state && state != vmi.Status.MigrationState)
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

    /// <summary>
    /// The state of the move that the guest names, until it has ended and, if it left the guest with its target, that one's agent has said so: whatever else ends or is begun meanwhile, nothing takes its place. After
    /// that the state of the running move that has a target, or else of the one that ended last; null when this incarnation has not moved. Hosts' clocks differ, so a move that brought the guest to where it is not
    /// is no candidate, however late it ended.
    /// </summary>
    internal static MigrationState? StateToShow(VirtualMachineInstance vmi, IReadOnlyCollection<VirtualMachineInstanceMigration> moves)
    {
        var noted = vmi.Status.MigrationState;
        var named = moves.FirstOrDefault(move => IsNamed(vmi, move));
        var isFinal = MigrationPhases.IsFinal(named?.Status.Phase);
        var isSaidToMove = GuestPlace.IsSaidToMove(vmi);
        var goesOn = named is null ? isSaidToMove : !isFinal;
        if (noted is { MigrationUid.Length: > 0 } && (goesOn || GuestPlace.Unclaimed(vmi, moves) is not null))
        {
            // An end that is noted is not taken back: who still sees the move go on sees it late, and would find it gone next.
            return isFinal || (isSaidToMove && named is not null && MigrationWorld.IsActive(named)) ? named!.Status.MigrationState : noted;
        }

        return moves
            .Where(move => !string.IsNullOrEmpty(move.Status.MigrationState?.TargetNode) && IsOf(vmi, move))
            .Where(move => move.Status.Phase != MigrationPhases.Succeeded || move.Status.MigrationState!.TargetNode == vmi.Status.NodeName)
            .Select(move => (IsActive: MigrationWorld.IsActive(move), Time: move.Status.MigrationState!.EndTimestamp ?? move.Metadata.CreationTimestamp, move.Metadata.Name, State: move.Status.MigrationState))
            .Concat(named is null && noted is not null ? [(false, noted.EndTimestamp, "", noted)] : []) // Its own object is gone.
            .OrderByDescending(each => each.IsActive)
            .ThenByDescending(each => each.Time)
            .ThenBy(each => each.Name, StringComparer.Ordinal)
            .Select(each => each.State)
            .FirstOrDefault();
    }

    /// <summary>
    /// How a move ended whose object went before that was noted on the guest, as one does that was cancelled before an agent took it, or that somebody took the finalizer off: a source's agent that let one go has
    /// noted its end itself. Without this the guest would be said to move for ever. The server is asked, for the cache may not show a new move yet. Null when there is nothing to say.
    /// </summary>
    private async Task<MigrationState?> EndOfForgottenAsync(VirtualMachineInstance vmi, IReadOnlyCollection<VirtualMachineInstanceMigration> moves, CancellationToken stopping)
    {
        if (vmi.Status.MigrationState is not { MigrationUid: { Length: > 0 } uid } state || !GuestPlace.IsSaidToMove(vmi) || moves.Any(move => IsNamed(vmi, move)))
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

    /// <summary>One that was asked for before this incarnation may have waited for it: then its source's agent has named it on the guest.</summary>
    private static bool IsOf(VirtualMachineInstance vmi, VirtualMachineInstanceMigration move) =>
        move.Metadata.CreationTimestamp >= vmi.Metadata.CreationTimestamp || IsNamed(vmi, move);

    private static bool IsNamed(VirtualMachineInstance vmi, VirtualMachineInstanceMigration move) => move.Metadata.Uid == vmi.Status.MigrationState?.MigrationUid;

    internal static IEnumerable<VirtualMachineInstanceMigration> Expired(
        IEnumerable<VirtualMachineInstanceMigration> moves, bool hasGuest, int kept, DateTimeOffset now) => moves
        .Where(move => MigrationPhases.IsFinal(move.Status.Phase) && move.Metadata.DeletionTimestamp is null)
        .OrderByDescending(move => move.Metadata.CreationTimestamp)
        .ThenBy(move => move.Metadata.Name, StringComparer.Ordinal)
        .Where((move, index) => index >= kept || (!hasGuest && now - move.Metadata.CreationTimestamp > KeptWithoutGuest));

    private static ResourceKey GuestOf(VirtualMachineInstanceMigration migration) => new(migration.Metadata.Namespace, migration.Spec.VmiName);
}
