using Godwit.Api.Migrations.V1Alpha1;
using Godwit.Scheduling;

namespace Godwit.Controllers.Migrations;

/// <summary>How many moves may run at once. Several moves over one link make each other slower and their stops longer.</summary>
public sealed record MigrationLimits
{
    /// <summary>Moves away from one node at a time.</summary>
    public int OutboundForEachNode { get; init; } = 2;

    /// <summary>Moves to one node at a time.</summary>
    public int InboundForEachNode { get; init; } = 2;

    /// <summary>
    /// Of the moves to one node, so many may prepare it at a time: starting a QEMU takes memory and CPU that guests there use.
    /// Counted apart from those that transfer, and both count as moves to it.
    /// </summary>
    public int PreparingForEachNode { get; init; } = 1;

    /// <summary>Ended migrations that are kept for each guest, the latest.</summary>
    public int KeptForEachGuest { get; init; } = 10;
}

/// <summary>All that the decision about a move depends on, at one moment.</summary>
internal sealed record MigrationWorld
{
    public required ClusterSnapshot Cluster { get; init; }

    public required CacheSnapshot<VirtualMachineInstance> Instances { get; init; }

    public required CacheSnapshot<VirtualMachineInstanceMigration> Migrations { get; init; }

    public required CacheSnapshot<Node> Nodes { get; init; }

    public required IReadOnlyList<MigrationPolicy> Policies { get; init; }

    public required CacheSnapshot<Namespace> Namespaces { get; init; }

    public required MigrationLimits Limits { get; init; }

    public required DateTimeOffset Now { get; init; }

    /// <summary>As the controllers see it now.</summary>
    public static MigrationWorld Of(ClusterView cluster, MigrationLimits limits, DateTimeOffset now) => new()
    {
        Cluster = cluster.Snapshot(),
        Instances = cluster.Instances.Current,
        Migrations = cluster.Migrations.Current,
        Nodes = cluster.Nodes.Current,
        Policies = [.. cluster.Policies.Current.Items],
        Namespaces = cluster.Namespaces.Current,
        Limits = limits,
        Now = now,
    };

    public IReadOnlyDictionary<string, string> NamespaceLabels(string name) =>
        Namespaces.Find("", name)?.Metadata.Labels ?? new Dictionary<string, string>();

    /// <summary>Moves that hold a place on their link: they have a target and have not ended.</summary>
    public IEnumerable<VirtualMachineInstanceMigration> Active => Migrations.Items.Where(IsActive);

    /// <summary>Moves that wait for their turn, in the order in which they get it.</summary>
    public IEnumerable<VirtualMachineInstanceMigration> Queue => QueueOf(Migrations);

    public static IEnumerable<VirtualMachineInstanceMigration> QueueOf(CacheSnapshot<VirtualMachineInstanceMigration> migrations) => migrations.Items
        .Where(each => IsWaiting(each) && each.Metadata.DeletionTimestamp is null)
        .OrderBy(each => MigrationPriorities.Rank(each.Spec.Priority))
        .ThenBy(each => each.Metadata.CreationTimestamp)
        .ThenBy(each => ResourceKey.Of(each));

    public static bool IsActive(VirtualMachineInstanceMigration migration) =>
        !MigrationPhases.IsFinal(migration.Status.Phase) && !string.IsNullOrEmpty(migration.Status.MigrationState?.TargetNode);

    /// <summary>Its target is being made ready; nothing is transferred yet.</summary>
    public static bool IsPreparing(VirtualMachineInstanceMigration migration) =>
        IsActive(migration) && migration.Status.Phase is MigrationPhases.Scheduled or MigrationPhases.PreparingTarget;

    public static bool IsWaiting(VirtualMachineInstanceMigration migration) =>
        migration.Status.Phase is null or "" or MigrationPhases.Pending or MigrationPhases.Scheduling;

    /// <summary>The guest says that it moves, and that move is gone or not seen yet, or not as far as that: <see cref="MigrationRecordController"/> finds out which. Until then it is not known where the guest is.</summary>
    public static bool IsUnsettled(VirtualMachineInstance vmi, IEnumerable<VirtualMachineInstanceMigration> moves) =>
        GuestPlace.IsSaidToMove(vmi) && vmi.Status.MigrationState is { MigrationUid: { Length: > 0 } uid } && !moves.Any(move => move.Metadata.Uid == uid && !IsWaiting(move));

    /// <summary>Guests that are one service do not wait for each other's places: all of them must be under way before any can arrive.</summary>
    public static bool IsOfSameService(VirtualMachineInstanceMigration one, VirtualMachineInstanceMigration other) =>
        one.Metadata.Annotations.GetValueOrDefault(AnnotationNames.Service) is { Length: > 0 } service
        && other.Metadata.Annotations.GetValueOrDefault(AnnotationNames.Service) == service;

    public static bool IsOfSameGuest(VirtualMachineInstanceMigration one, VirtualMachineInstanceMigration other) =>
        one.Spec.VmiName == other.Spec.VmiName && one.Metadata.Namespace == other.Metadata.Namespace;
}
