namespace Godwit.Controllers.Garbage;

/// <summary>What the collector must do with one object.</summary>
internal abstract record GarbagePlan
{
    private GarbagePlan()
    {
    }

    public sealed record Nothing : GarbagePlan;

    /// <summary>Its owners are gone: delete it.</summary>
    public sealed record Delete : GarbagePlan;

    /// <summary>It waits, being deleted, for its dependents: delete these.</summary>
    public sealed record DeleteDependents : GarbagePlan;

    /// <summary>It waits, being deleted, for its dependents to be set free: take their reference to it away.</summary>
    public sealed record OrphanDependents : GarbagePlan;

    /// <summary>It waited, being deleted, for dependents that are no more: let it go.</summary>
    public sealed record DropFinalizer(string Finalizer) : GarbagePlan;
}

/// <summary>An object as the collector sees it.</summary>
/// <param name="Object">The object.</param>
/// <param name="Dependents">Objects that name it as an owner.</param>
/// <param name="Owners">Its owners: what each reference points at.</param>
internal sealed record OwnedObject(Resource Object, IReadOnlyList<Resource> Dependents, IReadOnlyList<OwnerState> Owners);

/// <summary>What an owner reference points at.</summary>
internal enum OwnerState
{
    /// <summary>The owner is there.</summary>
    Present,

    /// <summary>The server says that no object of that kind, name and uid exists.</summary>
    Gone,

    /// <summary>Of a kind that this collector does not follow: taken to be there.</summary>
    NotKnown,
}

/// <summary>Kubernetes' three ways of deleting what depends on an object: in the background, in the foreground, not at all.</summary>
internal static class GarbagePlanner
{
    public static GarbagePlan For(OwnedObject owned)
    {
        var metadata = owned.Object.Metadata;
        if (metadata.DeletionTimestamp is not null)
        {
            return metadata.Finalizers.Contains(FinalizerNames.Orphan)
                ? owned.Dependents.Count > 0 ? new GarbagePlan.OrphanDependents() : new GarbagePlan.DropFinalizer(FinalizerNames.Orphan)
                : metadata.Finalizers.Contains(FinalizerNames.ForegroundDeletion)
                    ? owned.Dependents.Count > 0 ? new GarbagePlan.DeleteDependents() : new GarbagePlan.DropFinalizer(FinalizerNames.ForegroundDeletion)
                    : new GarbagePlan.Nothing();
        }

        // One living owner is enough to live on.
        return owned.Owners.Count > 0 && owned.Owners.All(owner => owner == OwnerState.Gone)
            ? new GarbagePlan.Delete()
            : new GarbagePlan.Nothing();
    }
}
